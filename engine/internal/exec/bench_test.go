package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// benchRows is the size of the benchmarks' table; QUERN_BENCH_ROWS changes it.
func benchRows() int {
	if n, err := strconv.Atoi(os.Getenv("QUERN_BENCH_ROWS")); err == nil {
		return n
	}
	return 1 << 20
}

// benchScan serves materialised columns; loading aliases them.
type benchScan struct {
	cols []vec.Vector
	rows int
}

const benchMorsel = 32 * vec.BatchRows

func (s *benchScan) Scan(_ context.Context, spec storage.ScanSpec) (storage.Scan, error) {
	b := &benchScan{rows: s.rows}
	for _, c := range spec.Cols {
		b.cols = append(b.cols, s.cols[c])
	}
	return b, nil
}
func (s *benchScan) Morsels() int             { return (s.rows + benchMorsel - 1) / benchMorsel }
func (s *benchScan) Stats() storage.ScanStats { return storage.ScanStats{} }
func (s *benchScan) Close() error             { return nil }
func (s *benchScan) Info(m int) storage.MorselInfo {
	return storage.MorselInfo{Rows: min(benchMorsel, s.rows-m*benchMorsel)}
}
func (s *benchScan) Open(_ context.Context, m int) (storage.GroupReader, error) {
	return &benchReader{s: s, lo: m * benchMorsel, hi: min((m+1)*benchMorsel, s.rows)}, nil
}

type benchReader struct {
	s          *benchScan
	lo, hi     int
	from, upto int
}

func (r *benchReader) Batches() int { return (r.hi - r.lo + vec.BatchRows - 1) / vec.BatchRows }
func (r *benchReader) Start(_ context.Context, b int) (int, vec.Selection, error) {
	r.from = r.lo + b*vec.BatchRows
	r.upto = min(r.from+vec.BatchRows, r.hi)
	return r.upto - r.from, nil, nil
}
func (r *benchReader) Load(col int, _ vec.Selection, dst *vec.Vector) error {
	*dst = vec.Slice(&r.s.cols[col], r.from, r.upto)
	return nil
}
func (r *benchReader) Close() error { return nil }

// Columns of the benchmarks' table.
const (
	cRandom  = iota // int8, all different
	cInt4           // int4, random
	cSmall          // int2, 0..1
	cWide           // int2, 0..1999
	cHundred        // int8, 100 values
	cTenK           // int8, 10,000 values
	cMany           // int8, rows/10 values
	cText           // text of 28 bytes, rows/10 values
	cFloat          // float8
	cCode           // text, dictionary of 1,000
	cHuge           // text, dictionary of rows/2
	cNoCode         // the same, of a dictionary that is not known again: grouped as strings
)

var benchTypes = []types.Type{types.Int8, types.Int4, types.Int2, types.Int2, types.Int8, types.Int8, types.Int8,
	types.Text, types.Float8, types.Text, types.Text, types.Text}

func benchTable(rows int) *benchScan {
	r := rand.New(rand.NewPCG(1, 1))
	bs := make([]*vec.Builder, len(benchTypes))
	for i, t := range benchTypes {
		bs[i] = vec.NewBuilder(t, 0)
	}
	codes := vec.NewBuilder(types.Int4, rows)
	dict := vec.NewBuilder(types.Text, 1000)
	for i := range 1000 {
		dict.AppendBytes(fmt.Appendf(nil, "dictionary entry number %d", i))
	}
	many := max(1, rows/10)
	for range rows {
		vec.AppendFixed(bs[cRandom], int64(r.Uint64()))
		vec.AppendFixed(bs[cInt4], int32(r.Uint32()))
		vec.AppendFixed(bs[cSmall], int16(r.IntN(2)))
		vec.AppendFixed(bs[cWide], int16(r.IntN(2000)))
		vec.AppendFixed(bs[cHundred], int64(r.IntN(100))*77)
		vec.AppendFixed(bs[cTenK], int64(r.IntN(10_000))*77)
		m := r.IntN(many)
		vec.AppendFixed(bs[cMany], int64(m)*77)
		bs[cText].AppendBytes(fmt.Appendf(nil, "some long text key %09d", m))
		vec.AppendFixed(bs[cFloat], r.Float64())
		vec.AppendFixed(codes, int32(r.IntN(1000)))
	}
	s := &benchScan{rows: rows}
	for _, b := range bs {
		s.cols = append(s.cols, b.Finish())
	}
	c := codes.Finish()
	c.Type, c.Form, c.Dict = types.Text, vec.Dict, &vec.Dictionary{Values: dict.Finish(), ID: 1}
	s.cols[cCode] = c
	huge := vec.NewBuilder(types.Text, rows/2)
	for i := range rows/2 + 1 {
		huge.AppendBytes(fmt.Appendf(nil, "http://example.com/a/path/to/some/page/%09d.html", i))
	}
	hugeCodes := vec.NewBuilder(types.Int4, rows)
	for range rows {
		vec.AppendFixed(hugeCodes, int32(r.IntN(rows/2+1)))
	}
	for i, id := range []uint64{2, 0} {
		c := hugeCodes.Peek()
		c.Type, c.Form, c.Dict = types.Text, vec.Dict, &vec.Dictionary{Values: huge.Peek(), ID: id}
		s.cols[cHuge+i] = c
	}
	return s
}

func benchNode(cols ...int) *plan.Scan {
	n := &plan.Scan{}
	for _, c := range cols {
		n.Cols = append(n.Cols, uint32(c))
		n.Typs = append(n.Typs, benchTypes[c])
	}
	return n
}

func cpu() int64 {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}

// BenchmarkQuery reports wall and CPU time per row of the table with one and
// two workers.
func BenchmarkQuery(b *testing.B) {
	rows := benchRows()
	tab := benchTable(rows)
	count := aggOf(fn.AggCountStar, types.Int8)
	agg := func(in plan.Node, keys []int, aggs ...plan.AggCall) plan.Node {
		n := &plan.Aggregate{In: in, Aggs: aggs}
		for _, k := range keys {
			n.Keys = append(n.Keys, col(in, k))
		}
		return n
	}
	group := func(c int) plan.Node { return agg(benchNode(c), []int{0}, count) }
	q32 := benchNode(cRandom, cInt4, cSmall, cWide)
	sums := benchNode(cInt4, cWide, cFloat)
	distinct := aggOf(fn.AggCount, types.Int8, &plan.Col{Index: 0, Typ: types.Int8})
	distinct.Distinct = true
	few := agg(benchNode(cTenK), []int{0})
	many := agg(benchNode(cMany), []int{0})
	join := func(build plan.Node, c int) plan.Node {
		n := &plan.Join{Kind: plan.Inner, Left: benchNode(c), Right: build}
		n.LeftKeys, n.RightKeys = []plan.Expr{col(n.Left, 0)}, []plan.Expr{col(build, 0)}
		return agg(n, nil, count)
	}
	sorted := benchNode(cRandom, cInt4)
	for _, c := range []struct {
		name string
		node plan.Node
	}{
		{"count", agg(benchNode(), nil, count)},
		{"sum3", agg(sums, nil, aggOf(fn.AggSum, types.Int8, col(sums, 0)), aggOf(fn.AggSum, types.Int8, col(sums, 1)), aggOf(fn.AggSum, types.Float8, col(sums, 2)))},
		{"group/int2", group(cWide)},
		{"group/100", group(cHundred)},
		{"group/10k", group(cTenK)},
		{"group/many", group(cMany)},
		{"group/all", group(cRandom)},
		{"group/text", group(cText)},
		{"group/dict", group(cCode)},
		{"group/huge-dict", group(cHuge)},
		{"group/huge-dict-as-strings", group(cNoCode)},
		{"group/huge-dict-int", agg(benchNode(cHuge, cHundred), []int{0, 1}, count)},
		{"group/huge-dict-int-as-strings", agg(benchNode(cNoCode, cHundred), []int{0, 1}, count)},
		{"group/q32", agg(q32, []int{0, 1}, count, aggOf(fn.AggSum, types.Int8, col(q32, 2)), aggOf(fn.AggAvg, types.Numeric, col(q32, 3)))},
		{"group/text-int", agg(benchNode(cText, cHundred), []int{0, 1}, count)},
		{"distinct", agg(benchNode(cMany), nil, distinct)},
		{"join/10k", join(few, cTenK)},
		{"join/many", join(many, cMany)},
		{"sort", &plan.Sort{In: sorted, Keys: []plan.SortKey{{Expr: col(sorted, 0)}}}},
		{"sort/text", &plan.Sort{In: benchNode(cText), Keys: []plan.SortKey{{Expr: &plan.Col{Typ: types.Text}}}}},
		{"top10/groups", &plan.TopN{In: group(cMany), Keys: []plan.SortKey{{Expr: &plan.Col{Index: 1, Typ: types.Int8}, Desc: true}}, Count: intLit(10)}},
		{"all/groups", &plan.Sort{In: group(cMany), Keys: []plan.SortKey{{Expr: &plan.Col{Index: 1, Typ: types.Int8}, Desc: true}}}},
		{"top10", &plan.TopN{In: sorted, Keys: []plan.SortKey{{Expr: col(sorted, 0)}}, Count: intLit(10)}},
	} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", c.name, threads), func(b *testing.B) {
				b.ReportAllocs()
				start := cpu()
				for b.Loop() {
					r, err := Open(b.Context(), &Config{Plan: c.node, Snap: tab, Threads: threads})
					if err != nil {
						b.Fatal(err)
					}
					var out vec.Batch
					for {
						n, err := r.Next(b.Context(), &out)
						if err != nil {
							b.Fatal(err)
						}
						if n == 0 {
							break
						}
					}
					r.Close()
				}
				per := float64(b.N) * float64(rows)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/per, "ns/row")
				b.ReportMetric(float64(cpu()-start)/per, "cpu-ns/row")
			})
		}
	}
}
