package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"quern/storage/types"
)

var testTypes = []types.Type{types.Bool, types.Int2, types.Int4, types.Oid, types.Int8, types.Float4,
	types.Float8, types.Numeric, types.Interval, types.UUID, types.Text, types.Bpchar}

func randDatum(r *rand.Rand, t types.Type) types.Datum {
	if r.IntN(6) == 0 {
		return types.NullDatum
	}
	var d types.Datum
	switch t.Phys() {
	case types.PhysBool:
		d.I = int64(r.IntN(2))
	case types.PhysF32, types.PhysF64:
		d.F = []float64{0, math.Copysign(0, -1), math.NaN(), 1.5, math.Inf(1), -2}[r.IntN(6)]
	case types.PhysNum:
		d.N = types.Num{Lo: uint64(r.IntN(3) * 10), Scale: int16(r.IntN(3))}
	case types.PhysInterval:
		d.Iv = types.IntervalVal{Micros: int64(r.IntN(2)) * 86400e6, Days: int32(r.IntN(31)), Months: int32(r.IntN(2))}
	case types.PhysUUID:
		d.U[r.IntN(16)] = byte(r.IntN(3))
	case types.PhysBytes:
		d.S = "a long string that does not fit inline"[:r.IntN(30)]
		if t.OID == types.BpcharOID {
			d.S += "   "[:r.IntN(3)]
		}
	default:
		d.I = int64(r.IntN(9))
		if !t.Unsigned() {
			d.I -= 4
		}
	}
	return d
}

// forms makes the same rows in every Form that can hold them.
func forms(r *rand.Rand, t types.Type, n int) ([]types.Datum, []Vector) {
	ds := make([]types.Datum, n)
	flat, dict, codes := NewBuilder(t, n), NewBuilder(t, n), NewBuilder(types.Int4, n)
	for i := range ds {
		ds[i] = randDatum(r, t)
		flat.Append(&ds[i])
		if ds[i].Null {
			codes.Null()
			continue
		}
		AppendFixed(codes, int32(dict.Len()))
		dict.Append(&ds[i])
	}
	vs := []Vector{flat.Finish()}
	if dict.Len() > 0 {
		d := codes.Finish()
		d.Type, d.Form, d.Dict = t, Dict, &Dictionary{Values: dict.Finish()}
		if t.Phys() == types.PhysBytes && r.IntN(2) == 0 {
			d.Dict.Hashes = make([]uint64, d.Dict.Values.Len)
			for i := range d.Dict.Hashes {
				d.Dict.Hashes[i] = HashBytes(d.Dict.Values.BytesAt(i))
			}
		}
		vs = append(vs, d)
	}
	return ds, vs
}

func randSel(r *rand.Rand, n int) Selection {
	if r.IntN(3) == 0 {
		return nil
	}
	sel := Selection{}
	for i := range n {
		if r.IntN(2) == 0 {
			sel = append(sel, uint16(i))
		}
	}
	return sel
}

// TestForms checks that moving and hashing rows gives the same rows whatever
// form they have, and that equal rows hash equally.
func TestForms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range testTypes {
		for range 40 {
			ds, vs := forms(r, typ, 1+r.IntN(150))
			c := ConstVector(typ, &ds[0], len(ds))
			checkConst(t, &c, &ds[0], r)
			sel := randSel(r, len(ds))
			n := len(ds)
			if sel != nil {
				n = len(sel)
			}
			var hashes [][]uint64
			for f := range vs {
				v := &vs[f]
				h := make([]uint64, n)
				Hash(h, v, sel)
				HashAdd(h, v, sel)
				hashes = append(hashes, h)
				checkMoves(t, v, ds, sel, r)
			}
			for i := range n {
				if len(vs) > 1 && hashes[0][i] != hashes[1][i] {
					t.Fatalf("%v: hash of row %d differs between forms", typ, i)
				}
				for j := range n {
					if Equal(&vs[0], at(sel, i), &vs[len(vs)-1], at(sel, j)) && hashes[0][i] != hashes[0][j] {
						t.Fatalf("%v: equal rows %+v %+v hash differently", typ, ds[at(sel, i)], ds[at(sel, j)])
					}
				}
			}
		}
	}
}

func checkConst(t *testing.T, c *Vector, d *types.Datum, r *rand.Rand) {
	t.Helper()
	var s Scratch
	var flat Vector
	s.Flatten(&flat, c, nil)
	i := r.IntN(c.Len)
	same(t, &flat, i, d)
	b := NewBuilder(c.Type, 0)
	b.AppendVector(c, nil)
	v := b.Finish()
	same(t, &v, i, d)
}

func same(t *testing.T, v *Vector, i int, want *types.Datum) {
	t.Helper()
	got := v.Datum(i)
	if got.F != got.F && want.F != want.F {
		return
	}
	if got != *want {
		t.Fatalf("%v row %d: got %+v, want %+v", v.Type, i, got, *want)
	}
}

func checkMoves(t *testing.T, v *Vector, ds []types.Datum, sel Selection, r *rand.Rand) {
	t.Helper()
	var s1, s2, s3 Scratch
	var g, p, flat Vector
	s1.Gather(&g, v, sel)
	s3.Flatten(&flat, v, sel)
	b := NewBuilder(v.Type, 0)
	pre := randDatum(r, v.Type)
	b.Append(&pre)
	b.AppendVector(v, sel)
	b.AppendVector(v, nil)
	app := b.Peek()
	same(t, &app, 0, &pre)
	rows := []uint32{NoRow}
	for i := range g.Len {
		at := at(sel, i)
		rows = append(rows, uint32(at))
		same(t, &g, i, &ds[at])
		same(t, &flat, at, &ds[at])
		same(t, &app, 1+i, &ds[at])
	}
	for i := range ds {
		same(t, &app, 1+g.Len+i, &ds[i])
	}
	s2.GatherRows(&p, v, rows)
	for i, row := range rows {
		want := &types.NullDatum
		if row != NoRow {
			want = &ds[row]
		}
		same(t, &p, i, want)
	}
}

func TestCompare(t *testing.T) {
	num := func(lo int64, scale int16) types.Datum {
		return types.Datum{N: types.Num{Lo: uint64(lo), Hi: lo >> 63, Scale: scale}}
	}
	for _, c := range []struct {
		typ  types.Type
		a, b types.Datum
		want int
	}{
		{types.Float8, types.Datum{F: math.NaN()}, types.Datum{F: math.Inf(1)}, 1},
		{types.Float8, types.Datum{F: math.Copysign(0, -1)}, types.Datum{}, 0},
		{types.Numeric, num(10, 1), num(100, 2), 0},
		{types.Numeric, num(-11, 1), num(-100, 2), -1},
		{types.Numeric, num(5, 0), num(1, 38), 1},
		{types.Numeric, types.Datum{N: types.Num{Kind: types.NumNaN}}, types.Datum{N: types.Num{Kind: types.NumPosInf}}, 1},
		{types.Numeric, types.Datum{N: types.Num{Kind: types.NumNegInf}}, num(-1, 0), -1},
		{types.Numeric, types.Datum{N: types.Num{Hi: 1 << 62, Scale: 38}}, types.Datum{N: types.Num{Hi: 1 << 62}}, -1},
		{types.Interval, types.Datum{Iv: types.IntervalVal{Months: 1}}, types.Datum{Iv: types.IntervalVal{Days: 30}}, 0},
		{types.Interval, types.Datum{Iv: types.IntervalVal{Days: -1, Micros: 1}}, types.Datum{}, -1},
		{types.Interval, types.Datum{Iv: types.IntervalVal{Days: 1 << 30, Months: 1 << 30}}, types.Datum{Iv: types.IntervalVal{Micros: 1 << 62}}, 1},
		{types.Text, types.Datum{S: "a"}, types.Datum{S: "a "}, -1},
		{types.Text, types.Datum{S: "é"}, types.Datum{S: "z"}, 1},
		{types.Bpchar, types.Datum{S: "a"}, types.Datum{S: "a "}, 0},
		{types.Oid, types.Datum{I: 4e9}, types.Datum{I: 1}, 1},
		{types.UUID, types.Datum{U: [16]byte{1}}, types.Datum{U: [16]byte{0, 255}}, 1},
	} {
		a, b := ConstVector(c.typ, &c.a, 1), ConstVector(c.typ, &c.b, 1)
		if got := Compare(&a, 0, &b, 0); got != c.want {
			t.Errorf("%v: %+v ? %+v = %d, want %d", c.typ, c.a, c.b, got, c.want)
		}
		if got := Compare(&b, 0, &a, 0); got != -c.want {
			t.Errorf("%v: reversed %+v ? %+v = %d", c.typ, c.a, c.b, got)
		}
	}
}

func BenchmarkHashInt64(b *testing.B) {
	v := Vector{Type: types.Int8, Len: 2048, Fixed: AlignedBytes(2048 * 8)}
	out := make([]uint64, 2048)
	b.SetBytes(2048 * 8)
	for b.Loop() {
		Hash(out, &v, nil)
	}
}
