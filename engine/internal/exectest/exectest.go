// Package exectest runs a plan over tables in memory under many settings that
// must not show in the result: batch and morsel size, dead rows between live
// ones, vector forms, number of workers.
//
// Start reading at Run.
package exectest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// Table is a relation in memory.
type Table struct {
	Types []types.Type
	Rows  [][]types.Datum
}

// Setting is one way to feed the same rows.
type Setting struct {
	Batch   int  // rows per batch
	Morsel  int  // batches per morsel
	Threads int  // workers
	Dead    bool // dead rows between live ones
	Forms   bool // vectors in random forms; else Flat
	Seed    uint64
}

// Settings are the ones that Run tries.
func Settings() []Setting {
	return []Setting{
		{Batch: vec.BatchRows, Morsel: 1000, Threads: 1},
		{Batch: 1, Morsel: 7, Threads: 1, Seed: 1},
		{Batch: 3, Morsel: 2, Threads: 3, Dead: true, Forms: true, Seed: 2},
		{Batch: 100, Morsel: 1, Threads: 2, Forms: true, Seed: 3},
		{Batch: vec.BatchRows, Morsel: 1, Threads: 4, Dead: true, Seed: 4},
		{Batch: vec.MaxBatchRows, Morsel: 1, Threads: 2, Forms: true, Seed: 5},
	}
}

// colsPerTable spaces the column ids of tables: a scan names its table by them.
const colsPerTable = 1000

// Cols are the column ids of table i's columns cols, for plan.Scan.Cols.
func Cols(table int, cols ...int) []uint32 {
	out := make([]uint32, len(cols))
	for i, c := range cols {
		out[i] = uint32(table*colsPerTable + c)
	}
	return out
}

// Source scans tables under a setting. It implements engine's Scanner.
type Source struct {
	Tables  []*Table
	Setting Setting
	// Opened counts morsels, to see whether a limit stops its sources.
	Opened int
}

// Scan opens a scan of the table that spec's first column belongs to; without
// columns, of the first table.
func (s *Source) Scan(_ context.Context, spec storage.ScanSpec) (storage.Scan, error) {
	t := 0
	if len(spec.Cols) > 0 {
		t = int(spec.Cols[0]) / colsPerTable
	}
	sc := &scan{src: s, t: s.Tables[t], spec: spec}
	for _, c := range spec.Cols {
		sc.cols = append(sc.cols, int(c)%colsPerTable)
	}
	return sc, nil
}

type scan struct {
	src  *Source
	t    *Table
	spec storage.ScanSpec
	cols []int
}

func (s *scan) perMorsel() int { return s.src.Setting.Batch * s.src.Setting.Morsel }

func (s *scan) Morsels() int { return (len(s.t.Rows) + s.perMorsel() - 1) / s.perMorsel() }

func (s *scan) Info(m int) storage.MorselInfo {
	lo := m * s.perMorsel()
	return storage.MorselInfo{Rows: min(s.perMorsel(), len(s.t.Rows)-lo), Segment: true}
}

func (s *scan) Stats() storage.ScanStats { return storage.ScanStats{RowGroups: s.Morsels()} }
func (s *scan) Close() error             { return nil }

func (s *scan) Open(_ context.Context, m int) (storage.GroupReader, error) {
	lo := m * s.perMorsel()
	rows := s.t.Rows[lo:min(lo+s.perMorsel(), len(s.t.Rows))]
	return &reader{s: s, rows: rows, rng: rand.New(rand.NewPCG(s.src.Setting.Seed, uint64(m)))}, nil
}

type reader struct {
	s    *scan
	rows [][]types.Datum
	rng  *rand.Rand
	cur  [][]types.Datum // physical rows of the batch
}

func (r *reader) Batches() int {
	n := r.s.src.Setting.Batch
	return (len(r.rows) + n - 1) / n
}

func (r *reader) Start(_ context.Context, batch int) (int, vec.Selection, error) {
	set := &r.s.src.Setting
	live := r.rows[batch*set.Batch : min((batch+1)*set.Batch, len(r.rows))]
	r.cur = nil
	sel := vec.Selection{}
	all := true
	for _, row := range live {
		for set.Dead && len(r.cur) < vec.MaxBatchRows-len(live) && r.rng.IntN(3) == 0 {
			r.cur = append(r.cur, r.s.t.Rows[r.rng.IntN(len(r.s.t.Rows))])
			all = false
		}
		if r.match(row) {
			sel = append(sel, uint16(len(r.cur)))
		} else {
			all = false
		}
		r.cur = append(r.cur, row)
	}
	if all {
		return len(r.cur), nil, nil
	}
	return len(r.cur), sel, nil
}

func (r *reader) match(row []types.Datum) bool {
	for i := range r.s.spec.Preds {
		p := &r.s.spec.Preds[i]
		c := r.s.cols[p.Col]
		if !matchOne(r.s.t.Types[c], p, &row[c]) {
			return false
		}
	}
	return true
}

func matchOne(t types.Type, p *storage.Pred, d *types.Datum) bool {
	switch {
	case p.Op == storage.PredIsNull:
		return d.Null
	case d.Null:
		return false
	case p.Op == storage.PredNotNull:
		return true
	case p.Op == storage.PredIn:
		return slices.ContainsFunc(p.Vals, func(v types.Datum) bool { return Compare(t, d, &v) == 0 })
	}
	c := Compare(t, d, &p.Val)
	return map[storage.PredOp]bool{
		storage.PredEq: c == 0, storage.PredNe: c != 0, storage.PredLt: c < 0, storage.PredLe: c <= 0,
		storage.PredGt: c > 0, storage.PredGe: c >= 0,
	}[p.Op]
}

// Compare orders two values that are not NULL.
func Compare(t types.Type, a, b *types.Datum) int {
	x, y := vec.ConstVector(t, a, 1), vec.ConstVector(t, b, 1)
	return vec.Compare(&x, 0, &y, 0)
}

func (r *reader) Load(col int, _ vec.Selection, dst *vec.Vector) error {
	c := r.s.cols[col]
	vals := make([]types.Datum, len(r.cur))
	for i, row := range r.cur {
		vals[i] = row[c]
	}
	form := vec.Flat
	if r.s.src.Setting.Forms {
		form = vec.Form(r.rng.IntN(3))
	}
	*dst = Vector(r.s.t.Types[c], vals, form)
	return nil
}

func (r *reader) Close() error { return nil }

// Vector makes a vector of these values, in a form if they allow it.
func Vector(t types.Type, vals []types.Datum, form vec.Form) vec.Vector {
	switch {
	case form == vec.Const && len(vals) > 0 && !slices.ContainsFunc(vals, func(d types.Datum) bool { return d != vals[0] }):
		return vec.ConstVector(t, &vals[0], len(vals))
	case form == vec.Dict:
		return dictVector(t, vals)
	}
	b := vec.NewBuilder(t, len(vals))
	for i := range vals {
		b.Append(&vals[i])
	}
	return b.Finish()
}

func dictVector(t types.Type, vals []types.Datum) vec.Vector {
	entries, codes := vec.NewBuilder(t, 0), vec.NewBuilder(types.Int4, len(vals))
	known := map[types.Datum]int32{}
	for i := range vals {
		d := vals[i]
		if d.Null {
			codes.Null()
			continue
		}
		c, ok := known[d]
		if !ok {
			c = int32(entries.Len())
			known[d] = c
			entries.Append(&d)
		}
		vec.AppendFixed(codes, c)
	}
	if entries.Len() == 0 {
		return Vector(t, vals, vec.Flat)
	}
	v := codes.Finish()
	v.Type, v.Form, v.Dict = t, vec.Dict, &vec.Dictionary{Values: entries.Finish(), ID: rand.Uint64() | 1}
	return v
}

// Rows is what a plan's execution must offer.
type Rows interface {
	Next(ctx context.Context, dst *vec.Batch) (int, error)
	Close() error
}

// Collect reads all rows as text.
func Collect(ctx context.Context, rows Rows) ([]string, error) {
	defer rows.Close()
	var out []string
	var b vec.Batch
	for {
		n, err := rows.Next(ctx, &b)
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, nil
		}
		if n != b.Rows() {
			return out, fmt.Errorf("got %d rows from Next, the batch has %d", n, b.Rows())
		}
		for i := range n {
			r := i
			if b.Sel != nil {
				r = int(b.Sel[i])
			}
			out = append(out, RowText(&b, r))
		}
	}
}

// RowText is one row as text.
func RowText(b *vec.Batch, r int) string {
	var s strings.Builder
	for c := range b.Cols {
		if c > 0 {
			s.WriteByte('|')
		}
		d := b.Cols[c].Datum(r)
		s.WriteString(Text(b.Cols[c].Type, &d))
	}
	return s.String()
}

// Text is a value as text, NULL as ∅.
func Text(t types.Type, d *types.Datum) string {
	if d.Null {
		return "∅"
	}
	switch t.Phys() {
	case types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64:
		return strconv.FormatInt(d.I, 10)
	case types.PhysF32, types.PhysF64:
		return strconv.FormatFloat(d.F, 'g', 15, 64)
	case types.PhysNum:
		return d.N.String()
	case types.PhysInterval:
		return fmt.Sprintf("%d mon %d day %d us", d.Iv.Months, d.Iv.Days, d.Iv.Micros)
	case types.PhysUUID:
		return fmt.Sprintf("%x", d.U)
	}
	return d.S
}

// Run executes a query under all settings and compares its rows with want: in
// order, or sorted if ordered is false. exec gets the source and the number of
// workers.
func Run(t *testing.T, tables []*Table, ordered bool, want []string, exec func(src *Source, threads int) (Rows, error)) {
	t.Helper()
	RunWith(t, Settings(), tables, ordered, want, exec)
}

// RunWith is Run under some settings.
func RunWith(t *testing.T, settings []Setting, tables []*Table, ordered bool, want []string, exec func(src *Source, threads int) (Rows, error)) {
	t.Helper()
	want = slices.Clone(want)
	if !ordered {
		slices.Sort(want)
	}
	for _, set := range settings {
		src := &Source{Tables: tables, Setting: set}
		rows, err := exec(src, set.Threads)
		if err != nil {
			t.Fatalf("%+v: %v", set, err)
		}
		got, err := Collect(t.Context(), rows)
		if err != nil {
			t.Fatalf("%+v: %v", set, err)
		}
		if !ordered {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: got %d rows, want %d; first difference: %s", set, len(got), len(want), firstDiff(got, want))
		}
	}
}

func firstDiff(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d: got %q, want %q", i, got[i], want[i])
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("extra row %q", got[len(want)])
	}
	if len(want) > len(got) {
		return fmt.Sprintf("missing row %q", want[len(got)])
	}
	return "none"
}
