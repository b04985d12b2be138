package scan

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// The model keeps rows as datums and says what a scan must yield.

var modelTypes = []types.Type{types.Timestamptz, types.Bool, types.Int2, types.Int4, types.Int8, types.Float4,
	types.Float8, types.NumericType(12, 2), types.Interval, types.UUID, types.Text, types.Bpchar, types.Text,
	types.Text, types.JSONB, types.Text}

type modelRow struct {
	vals []types.Datum
	recv int64
	seq  uint64
}

const day = int64(86400) * 1_000_000

func modelTable() *catalog.Table {
	t := &catalog.Table{ID: 20000, Schema: catalog.SchemaPublic, Name: "t", Owner: catalog.RoleAdmin, Version: 1}
	for i, typ := range modelTypes {
		t.Columns = append(t.Columns, catalog.Column{ID: uint32(i + 1), Name: fmt.Sprintf("c%d", i+1), Type: typ})
	}
	return t
}

func modelDatum(rng *rand.Rand, c int) types.Datum {
	t := modelTypes[c]
	if rng.IntN(6) == 0 {
		return types.NullDatum
	}
	small := rng.Int64N(12) - 6
	switch t.Phys() {
	case types.PhysBool:
		return types.Datum{I: rng.Int64N(2)}
	case types.PhysI16, types.PhysI32:
		return types.Datum{I: small}
	case types.PhysI64:
		if c == 0 {
			return types.Datum{I: rng.Int64N(20) * day}
		}
		return types.Datum{I: []int64{small, math.MinInt64, math.MaxInt64, small << 40}[rng.IntN(4)]}
	case types.PhysF32, types.PhysF64:
		return types.Datum{F: []float64{float64(small), math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0.5}[rng.IntN(6)]}
	case types.PhysNum:
		return types.Datum{N: types.Num{Lo: uint64(small), Hi: small >> 63, Scale: 2}}
	case types.PhysInterval:
		return types.Datum{Iv: types.IntervalVal{Days: int32(small), Micros: day * rng.Int64N(3)}}
	case types.PhysUUID:
		return types.Datum{U: [16]byte{byte(rng.IntN(3)), 15: byte(rng.IntN(3))}}
	}
	switch c {
	case 11:
		return types.Datum{S: fmt.Sprint(small) + "   "[:rng.IntN(3)]}
	case 12:
		return types.Datum{S: fmt.Sprintf("a prefix of more than sixteen bytes %d", rng.IntN(1000))}
	case 13:
		return types.Datum{S: fmt.Sprintf("id:%08x", rng.Uint32()>>(rng.IntN(2)*28))}
	case 14:
		return types.Datum{S: fmt.Sprintf(`{"a": %d, "b": "%x", "c": [%t]}`, small, rng.IntN(500), small > 0)}
	case 15:
		return types.Datum{S: fmt.Sprintf("%d of a pool of values", rng.IntN(1200))}
	}
	return types.Datum{S: []string{"", "a", "ab", "abc\x00", "a longer value than inline", "\xff\xfe"}[rng.IntN(6)]}
}

// modelRows makes rows whose columns sometimes run constant for a while, so
// that zone maps have something to skip.
func modelRows(rng *rand.Rand, n int) []modelRow {
	rows := make([]modelRow, n)
	fixed := make([]types.Datum, len(modelTypes))
	recv, seq := 3*day, uint64(1)
	runs, sparse := rng.IntN(2) == 0, rng.IntN(2) == 0
	for i := range rows {
		if i%1500 == 0 {
			recv, seq = recv+rng.Int64N(day), seq+1
			for c := range fixed {
				if sparse && i > 0 && c%3 > 0 {
					continue // one value prevails
				}
				fixed[c] = modelDatum(rng, c)
			}
		}
		vals := make([]types.Datum, len(modelTypes))
		for c := range vals {
			if runs && c%2 == 0 || sparse && i >= 1500 && c > 0 && rng.IntN(20) > 0 {
				vals[c] = fixed[c]
			} else {
				vals[c] = modelDatum(rng, c)
			}
		}
		rows[i] = modelRow{vals, recv, seq}
	}
	return rows
}

func modelMemtable(t testing.TB, rows []modelRow) *memtable.Table {
	t.Helper()
	tab := memtable.NewTable()
	ids := make([]uint32, len(modelTypes))
	for i := range ids {
		ids[i] = uint32(i + 1)
	}
	for from := 0; from < len(rows); {
		to := from
		for to < len(rows) && rows[to].seq == rows[from].seq {
			to++
		}
		b := vec.Batch{Len: to - from}
		for c, typ := range modelTypes {
			bld := vec.NewBuilder(typ, to-from)
			for i := from; i < to; i++ {
				bld.Append(&rows[i].vals[c])
			}
			b.Cols = append(b.Cols, bld.Finish())
		}
		body, err := memtable.EncodeRows(nil, 1, ids, []*vec.Batch{&b})
		if err != nil {
			t.Fatal(err)
		}
		r, err := memtable.DecodeRows(body)
		if err != nil {
			t.Fatal(err)
		}
		tab.Append(r, rows[from].recv, rows[from].seq)
		from = to
	}
	return tab
}

// govern is a policy.Source with one table, one reader and masks by column.
type govern struct {
	info  policy.TableInfo
	masks map[uint32]*policy.Masking
}

func (g *govern) PolicyEpoch() uint64 { return 1 }
func (g *govern) Role(id uint32) *policy.Role {
	return &policy.Role{ID: id, Name: "r", Inherit: true}
}
func (g *govern) PolicyTable(uint32) (policy.TableInfo, bool) { return g.info, true }
func (g *govern) MaskingPolicy(id uint32) *policy.Masking     { return g.masks[id] }
func (g *govern) view(t testing.TB, now int64) *policy.View {
	t.Helper()
	v, err := policy.Resolve(g, g.info.ID, policy.Principal{RoleID: 77}, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// masked says what a masked column shows; its index is the column's.
type modelCase struct {
	view   *policy.View
	masked map[int]types.Datum
	floor  int64 // math.MinInt64 if none
	preds  []Pred
	cols   []uint32
}

func modelScan(t testing.TB, rng *rand.Rand, tab *catalog.Table, rows []modelRow) modelCase {
	t.Helper()
	g := &govern{masks: map[uint32]*policy.Masking{}}
	g.info = policy.TableInfo{ID: tab.ID, Name: tab.Name, Owner: 1, TimeCol: 1,
		Grants: []policy.Grant{{Role: 77, Priv: policy.Select}}}
	m := modelCase{masked: map[int]types.Datum{}, floor: math.MinInt64}
	for c, typ := range modelTypes {
		info := policy.ColumnInfo{ID: uint32(c + 1), Type: typ}
		if rng.IntN(5) == 0 {
			info.Masking = uint32(100 + c)
			mask := &policy.Masking{ID: info.Masking, Family: "any", Kind: policy.MaskNull}
			m.masked[c] = types.NullDatum
			if typ == types.Int4 || typ == types.Text {
				mask.Kind, mask.Const = policy.MaskConstant, "3"
				m.masked[c] = types.Datum{I: 3}
				if typ == types.Text {
					m.masked[c] = types.Datum{S: "3"}
				}
			}
			g.masks[info.Masking] = mask
		}
		g.info.Columns = append(g.info.Columns, info)
	}
	if rng.IntN(2) == 0 {
		g.info.Floor = rng.Int64N(12) * day
		m.floor = g.info.Floor
	}
	if g.info.Floor == 0 {
		m.floor = math.MinInt64
	}
	m.view = g.view(t, 0)
	for c := range modelTypes {
		m.cols = append(m.cols, uint32(c+1))
	}
	m.cols = append(m.cols, catalog.ColReceivedAt, catalog.ColCommitSeq)
	rng.Shuffle(len(m.cols), func(i, j int) { m.cols[i], m.cols[j] = m.cols[j], m.cols[i] })
	for range rng.IntN(3) {
		m.preds = append(m.preds, modelPred(rng, m.cols, rows))
	}
	return m
}

func modelPred(rng *rand.Rand, cols []uint32, rows []modelRow) Pred {
	p := Pred{Col: rng.IntN(len(cols)), Op: Op(1 + rng.IntN(int(NotNull)))}
	value := func() types.Datum {
		r := &rows[rng.IntN(len(rows))]
		d := r.value(cols[p.Col])
		if cols[p.Col] == 3 && rng.IntN(3) == 0 {
			d = types.Datum{I: math.MinInt16}
		}
		return d
	}
	p.Val = value()
	for range 1 + rng.IntN(3) {
		p.Vals = append(p.Vals, value())
	}
	return p
}

func (r *modelRow) value(col uint32) types.Datum {
	switch col {
	case catalog.ColReceivedAt:
		return types.Datum{I: r.recv}
	case catalog.ColCommitSeq:
		return types.Datum{I: int64(r.seq)}
	}
	return r.vals[col-1]
}

func colType(col uint32) types.Type {
	switch col {
	case catalog.ColReceivedAt:
		return types.Timestamptz
	case catalog.ColCommitSeq:
		return types.Int8
	}
	return modelTypes[col-1]
}

func (m *modelCase) visible(r *modelRow) bool {
	return segment.Effective(r.vals[0].I, r.vals[0].Null, r.recv) >= m.floor
}

func (m *modelCase) shown(r *modelRow, col uint32) types.Datum {
	if d, ok := m.masked[int(col)-1]; ok {
		return d
	}
	return r.value(col)
}

func (m *modelCase) want(r *modelRow) bool {
	if !m.visible(r) {
		return false
	}
	for i := range m.preds {
		p := &m.preds[i]
		col := m.cols[p.Col]
		if !holdsModel(p, colType(col), m.shown(r, col)) {
			return false
		}
	}
	return true
}

func holdsModel(p *Pred, t types.Type, d types.Datum) bool {
	switch {
	case p.Op == IsNull:
		return d.Null
	case d.Null:
		return false
	case p.Op == NotNull:
		return true
	case p.Op == In:
		for _, v := range p.Vals {
			if !v.Null && compareDatum(t, d, v) == 0 {
				return true
			}
		}
		return false
	}
	return !p.Val.Null && p.Op.holds(compareDatum(t, d, p.Val))
}

func compareDatum(t types.Type, a, b types.Datum) int {
	x, y := vec.ConstVector(t, &a, 1), vec.ConstVector(t, &b, 1)
	return vec.Compare(&x, 0, &y, 0)
}

func sameDatum(a, b types.Datum) bool {
	if a.F != a.F && b.F != b.F {
		a.F, b.F = 0, 0
	}
	return a == b
}

// checkReader compares all batches of a reader (nil = nothing to show) with the
// model of the morsel's rows, in order.
func (m *modelCase) check(t testing.TB, r *Reader, rows []modelRow) {
	t.Helper()
	if r == nil {
		for i := range rows {
			if m.want(&rows[i]) {
				t.Fatalf("morsel pruned, but row %d is wanted (preds %+v)", i, m.preds)
			}
		}
		return
	}
	defer r.Close()
	for b := range r.Batches() {
		n, sel, err := r.Start(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		part := rows[b*vec.BatchRows : b*vec.BatchRows+n]
		want := vec.Selection{}
		for i := range part {
			if m.want(&part[i]) {
				want = append(want, uint16(i))
			}
		}
		got := sel
		if sel == nil {
			for i := range n {
				got = append(got, uint16(i))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("batch %d: %d rows selected, want %d\ngot  %v\nwant %v\npreds %+v", b, len(got), len(want), head(got), head(want), m.preds)
		}
		for k, col := range m.cols {
			m.checkColumn(t, r, k, col, sel, part)
		}
	}
}

func head(s vec.Selection) vec.Selection { return s[:min(len(s), 20)] }

func (m *modelCase) checkColumn(t testing.TB, r *Reader, k int, col uint32, sel vec.Selection, part []modelRow) {
	t.Helper()
	var v vec.Vector
	if err := r.Load(k, sel, &v); err != nil {
		t.Fatal(err)
	}
	if v.Len != len(part) || v.Type != colType(col) {
		t.Fatalf("column %d: %d rows of %s", col, v.Len, v.Type)
	}
	each(sel, len(part), func(i uint16) {
		if got, want := v.Datum(int(i)), m.shown(&part[i], col); !sameDatum(got, want) {
			t.Fatalf("column %d row %d: %+v, want %+v", col, i, got, want)
		}
	})
	if v.Form != vec.Flat {
		return
	}
	zero := types.Datum{}
	for i := range part {
		if m.visible(&part[i]) {
			continue
		}
		if got := v.Datum(i); got != zero {
			t.Fatalf("column %d row %d is hidden but shows %+v", col, i, got)
		}
	}
}
