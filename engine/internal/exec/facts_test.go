package exec

import (
	"context"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// factScan knows of every other morsel that it holds 10 rows, 3 of them NULL,
// from -7 to 2000: more than is read.
type factScan struct {
	*benchScan
	read *int
}

func (s factScan) Scan(ctx context.Context, spec storage.ScanSpec) (storage.Scan, error) {
	in, err := s.benchScan.Scan(ctx, spec)
	return factScan{in.(*benchScan), s.read}, err
}

func (s factScan) Facts(m, _ int) (storage.ColumnFacts, bool) {
	return storage.ColumnFacts{Rows: 10, Nulls: 3, Min: -7, Max: 2000}, m%2 == 0
}

func (s factScan) Open(ctx context.Context, m int) (storage.GroupReader, error) {
	*s.read++
	return s.benchScan.Open(ctx, m)
}

func TestFactsAnswerAggregates(t *testing.T) {
	tab := benchTable(3 * benchMorsel)
	in := benchNode(cWide)
	wide := func(kind fn.AggKind, t types.Type) plan.AggCall { return aggOf(kind, t, col(in, 0)) }
	all := []plan.AggCall{aggOf(fn.AggCountStar, types.Int8), wide(fn.AggCount, types.Int8), wide(fn.AggMin, types.Int2), wide(fn.AggMax, types.Int2)}
	filtered := aggOf(fn.AggCountStar, types.Int8)
	filtered.Filter = lit(types.Bool, types.Datum{I: 1})
	for _, c := range []struct {
		name string
		keys []plan.Expr
		aggs []plan.AggCall
		read int
		want []int64
	}{
		{"all known", nil, all, 1, []int64{benchMorsel + 20, benchMorsel + 14, -7, 2000}},
		{"a sum is not", nil, []plan.AggCall{all[0], wide(fn.AggSum, types.Int8)}, 3, nil},
		{"a filter", nil, []plan.AggCall{filtered}, 3, nil},
		{"keys", []plan.Expr{col(in, 0)}, all[:1], 3, nil},
	} {
		read := 0
		n := &plan.Aggregate{In: in, Keys: c.keys, Aggs: c.aggs}
		r, err := Open(t.Context(), &Config{Plan: n, Snap: factScan{tab, &read}, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		var b vec.Batch
		if _, err := r.Next(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if read != c.read {
			t.Errorf("%s: %d morsels read, want %d", c.name, read, c.read)
		}
		for i, w := range c.want {
			if got := b.Cols[i].Datum(0).I; got != w {
				t.Errorf("%s: column %d is %d, want %d", c.name, i, got, w)
			}
		}
		r.Close()
	}
}
