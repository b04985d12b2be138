package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

var testTypes = []types.Type{types.Bool, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8,
	types.Numeric, types.Interval, types.UUID, types.Text, types.Oid}

func randomDatum(rng *rand.Rand, t types.Type) types.Datum {
	if rng.IntN(5) == 0 {
		return types.NullDatum
	}
	switch t.Phys() {
	case types.PhysBool:
		return types.Datum{I: rng.Int64N(2)}
	case types.PhysI16:
		return types.Datum{I: int64(int16(rng.Uint64()))}
	case types.PhysI32:
		if t.Unsigned() {
			return types.Datum{I: int64(rng.Uint32())}
		}
		return types.Datum{I: int64(int32(rng.Uint64()))}
	case types.PhysI64:
		return types.Datum{I: int64(rng.Uint64())}
	case types.PhysF32:
		return types.Datum{F: float64(rng.Float32())}
	case types.PhysF64:
		return types.Datum{F: rng.NormFloat64()}
	case types.PhysNum:
		return types.Datum{N: types.Num{Lo: rng.Uint64(), Scale: 2}}
	case types.PhysInterval:
		return types.Datum{Iv: types.IntervalVal{Micros: rng.Int64(), Days: 3}}
	case types.PhysUUID:
		return types.Datum{U: [16]byte{byte(rng.Uint32()), 2, 3}}
	}
	b := make([]byte, rng.IntN(30))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return types.Datum{S: string(b)}
}

// randomBatch returns a batch with a random selection and its live rows.
func randomBatch(rng *rand.Rand, n int) (*vec.Batch, [][]types.Datum) {
	b := &vec.Batch{Len: n}
	all := make([][]types.Datum, n)
	for i := range all {
		all[i] = make([]types.Datum, len(testTypes))
	}
	for c, t := range testTypes {
		if rng.IntN(4) == 0 {
			d := randomDatum(rng, t)
			b.Cols = append(b.Cols, vec.ConstVector(t, &d, n))
			for i := range all {
				all[i][c] = d
			}
			continue
		}
		bld := vec.NewBuilder(t, n)
		for i := range all {
			all[i][c] = randomDatum(rng, t)
			bld.Append(&all[i][c])
		}
		b.Cols = append(b.Cols, bld.Finish())
	}
	if rng.IntN(2) == 0 {
		return b, all
	}
	b.Sel = vec.Selection{}
	var live [][]types.Datum
	for i := range all {
		if rng.IntN(2) == 0 {
			b.Sel = append(b.Sel, uint16(i))
			live = append(live, all[i])
		}
	}
	return b, live
}

func ids() []uint32 {
	out := make([]uint32, len(testTypes))
	for i := range out {
		out[i] = uint32(i + 1)
	}
	return out
}

func datumOf(c *encoding.Column, t types.Type, i int) types.Datum {
	if c.Null(i) {
		return types.NullDatum
	}
	if t.Phys() == types.PhysBytes {
		return types.Datum{S: string(c.Value(i))}
	}
	v := vec.Vector{Type: t, Len: c.N, Fixed: c.Fixed}
	return v.Datum(i)
}

// TestAppendKeepsRows: what goes in through EncodeRows and Append comes out of
// the slabs, in order, for every type, NULLs, constants and selections.
func TestAppendKeepsRows(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tab := NewTable()
		var want [][]types.Datum
		for seq := range uint64(1 + rng.IntN(8)) {
			var batches []*vec.Batch
			n := 0
			for range rng.IntN(3) {
				b, live := randomBatch(rng, 1+rng.IntN(300))
				batches = append(batches, b)
				want = append(want, live...)
				n += len(live)
			}
			body, err := EncodeRows(nil, 7, ids(), batches)
			if err != nil {
				t.Fatal(err)
			}
			r, err := DecodeRows(body)
			if err != nil {
				t.Fatal(err)
			}
			if r.N != n || r.Version != 7 {
				t.Fatalf("decoded %d rows of version %d", r.N, r.Version)
			}
			tab.Append(r, int64(seq)*10, seq)
		}
		checkList(t, tab.List(), want)
	}
}

func checkList(t *testing.T, l List, want [][]types.Datum) {
	t.Helper()
	if l.Rows() != len(want) {
		t.Fatalf("%d rows, want %d", l.Rows(), len(want))
	}
	row := 0
	for _, v := range l {
		for c, typ := range testTypes {
			col, _, ok := v.Column(uint32(c + 1))
			if !ok {
				t.Fatalf("no column %d", c+1)
			}
			for i := range v.Rows {
				if got := datumOf(&col, typ, i); got != want[row+i][c] {
					t.Fatalf("row %d column %s: %v, want %v", row+i, typ, got, want[row+i][c])
				}
			}
		}
		row += v.Rows
	}
}

func intRows(t *testing.T, id uint32, from, n int) *Rows {
	t.Helper()
	b := vec.NewBuilder(types.Int8, n)
	for i := range n {
		vec.AppendFixed(b, int64(from+i))
	}
	return encoded(t, []uint32{id}, b.Finish())
}

func encoded(t *testing.T, ids []uint32, cols ...vec.Vector) *Rows {
	t.Helper()
	body, err := EncodeRows(nil, 1, ids, []*vec.Batch{{Cols: cols, Len: cols[0].Len}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSlabsSplitAndSeal(t *testing.T) {
	tab := NewTable()
	tab.Append(intRows(t, 1, 0, 100_000), 5, 1)
	if l := tab.List(); len(l) != 2 || l[0].Rows != SlabRows || l.Rows() != 100_000 {
		t.Fatalf("slabs %v", l)
	}
	runs := tab.List()[1].Runs()
	if len(runs) != 1 || runs[0] != (Run{Start: 0, Ordinal: SlabRows, Seq: 1, ReceivedAt: 5}) {
		t.Fatalf("runs %+v", runs)
	}
	frozen := tab.Freeze()
	tab.Append(intRows(t, 1, 0, 3), 6, 2)
	if l := tab.List(); len(l) != 3 || l[2].Rows != 3 {
		t.Fatalf("after freeze: %v", l)
	}
	if second := tab.Freeze(); len(second) != 1 || second[0].Rows != 3 {
		t.Fatalf("second freeze: %v", second)
	}
	tab.Drop(frozen)
	if l := tab.List(); l.Rows() != 3 {
		t.Fatalf("after drop: %v", l)
	}
	tab.Append(intRows(t, 1, 0, 4), 6, 3)
	if l := tab.Freeze(); l.Rows() != 4 {
		t.Fatalf("third freeze: %v", l)
	}
	tab.Thaw(tab.List()[1:])
	if l := tab.Freeze(); l.Rows() != 4 {
		t.Fatalf("freeze after thaw: %v", l)
	}
}

func TestColumnsAddedLater(t *testing.T) {
	tab := NewTable()
	tab.Append(intRows(t, 1, 0, 3), 5, 1)
	two := vec.NewBuilder(types.Int8, 1)
	vec.AppendFixed(two, int64(9))
	v := two.Finish()
	tab.Append(encoded(t, []uint32{1, 2}, v, v), 5, 2)
	tab.Append(intRows(t, 1, 0, 2), 5, 3)
	l := tab.List()
	if len(l) != 2 || l[1].Rows != 3 {
		t.Fatalf("slabs %v", l)
	}
	if _, _, ok := l[0].Column(2); ok {
		t.Fatal("old slab has the new column")
	}
	c, _, ok := l[1].Column(2)
	if !ok || c.Null(0) || !c.Null(1) || !c.Null(2) {
		t.Fatalf("column 2: %+v", c)
	}
}

// TestReadersDuringAppend is for the race detector: readers of published views
// see their rows while the writer goes on.
func TestReadersDuringAppend(t *testing.T) {
	tab := NewTable()
	views := make(chan List, 64)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for l := range views {
				row := 0
				for _, v := range l {
					c, _, _ := v.Column(1)
					s, _, _ := v.Column(2)
					for i, x := range vec.CastSlice[int64](c.Fixed) {
						if x != int64(row+i) || string(s.Value(i)) != fmt.Sprint(row+i) || s.Null(i) {
							t.Errorf("row %d: %d %q", row+i, x, s.Value(i))
							return
						}
					}
					row += v.Rows
				}
			}
		})
	}
	next := 0
	for seq := range uint64(60) {
		n := 1 + int(seq*7)%90
		a, b := vec.NewBuilder(types.Int8, n), vec.NewBuilder(types.Text, n)
		for i := range n {
			vec.AppendFixed(a, int64(next+i))
			b.AppendBytes(fmt.Append(nil, next+i))
		}
		next += n
		tab.Append(encoded(t, []uint32{1, 2}, a.Finish(), b.Finish()), 1, seq)
		views <- tab.List()
	}
	close(views)
	wg.Wait()
}

func TestZonesBoundRows(t *testing.T) {
	tab := NewTable()
	tab.Append(intRows(t, 1, 0, 20_000), 5, 1)
	_, zones, _ := tab.List()[0].Column(1)
	if len(zones) != 3 || zones[1].MinI != 8192 || zones[1].MaxI != 16383 || zones[2].MaxI != 19_999 {
		t.Fatalf("zones %+v", zones)
	}
}

func FuzzDecodeRows(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	b, _ := randomBatch(rng, 20)
	body, err := EncodeRows(nil, 7, ids(), []*vec.Batch{b})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := DecodeRows(bytes.Clone(body))
		if err != nil || r.N > 1<<16 {
			return
		}
		tab := NewTable()
		tab.Append(r, 1, 1)
		for _, v := range tab.List() {
			for _, id := range v.ColumnIDs() {
				c, _, ok := v.Column(id)
				if !ok || c.N != v.Rows {
					t.Fatalf("column %d of %d rows has %d", id, v.Rows, c.N)
				}
				for i := range v.Rows {
					if c.Phys == types.PhysBytes {
						_ = c.Value(i)
					}
				}
			}
		}
	})
}

// TestDirtyMemory: what lies in reused memory shows up nowhere, neither in a body
// nor in the slabs of a table that was recycled.
func TestDirtyMemory(t *testing.T) {
	tab := NewTable()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var batches []*vec.Batch
		var want [][]types.Datum
		for range 1 + rng.IntN(3) {
			b, live := randomBatch(rng, 1+rng.IntN(300))
			batches, want = append(batches, b), append(want, live...)
		}
		clean, err := EncodeRows(nil, 7, ids(), batches)
		if err != nil {
			t.Fatal(err)
		}
		dirty := vec.AlignedBytes(2 * len(clean))
		fill(dirty, 0xA5)
		body, err := EncodeRows(dirty[:0], 7, ids(), batches)
		if err != nil || !bytes.Equal(body, clean) {
			t.Fatalf("seed %d: bodies differ, %v", seed, err)
		}
		r, err := DecodeRows(body)
		if err != nil {
			t.Fatal(err)
		}
		tab.Append(r, 1, seed)
		checkList(t, tab.List(), want)
		if seed%2 == 0 { // bounds that were read must not outlive the rows either
			for _, v := range tab.List() {
				for _, id := range ids() {
					_, zones, _ := v.Column(id)
					if len(zones) != 1 || int(zones[0].Rows) != v.Rows {
						t.Fatalf("seed %d: zones %+v of %d rows", seed, zones, v.Rows)
					}
				}
			}
		}
		tab.Recycle()
	}
}
