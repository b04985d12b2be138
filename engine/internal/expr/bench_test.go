package expr

import (
	"fmt"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// BenchmarkPrograms measures common expressions; ns/op ÷ 2048 is ns per row.
func BenchmarkPrograms(b *testing.B) {
	n := vec.BatchRows
	i8, i4, ts, url, num, f8 := vec.NewBuilder(types.Int8, n), vec.NewBuilder(types.Int4, n), vec.NewBuilder(types.Timestamp, n),
		vec.NewBuilder(types.Text, n), vec.NewBuilder(types.Numeric, n), vec.NewBuilder(types.Float8, n)
	for i := range n {
		vec.AppendFixed(i8, int64(i*7919%1000))
		vec.AppendFixed(i4, int32(i*31%500))
		vec.AppendFixed(ts, int64(1_700_000_000_000_000+i*37_000_000))
		url.AppendBytes(fmt.Appendf(nil, "https://www.example%d.com/path/to/page%d?query=%d", i%50, i, i))
		vec.AppendFixed(num, types.NumFrom128(0, uint64(i*123), 2))
		vec.AppendFixed(f8, float64(i)*0.5)
	}
	batch := &vec.Batch{Len: n, Cols: []vec.Vector{i8.Finish(), i4.Finish(), ts.Finish(), url.Finish(), num.Finish(), f8.Finish()}}
	col := func(i int) plan.Expr { return &plan.Col{Index: i, Typ: batch.Cols[i].Type} }
	text := func(s string) plan.Expr { return &plan.Lit{Val: types.Datum{S: s}, Typ: types.Text} }
	num8 := func(v int64) plan.Expr { return &plan.Lit{Val: types.Datum{I: v}, Typ: types.Int8} }
	call := func(name string, args ...plan.Expr) plan.Expr {
		ts := make([]types.Type, len(args))
		for i, a := range args {
			ts[i] = a.Type()
		}
		f, want, err := fn.LookupFunc(name, ts)
		if err != nil {
			f, want, err = fn.LookupOp(name, ts[0], ts[1])
		}
		if err != nil {
			b.Fatal(err)
		}
		return &plan.Call{Fn: f, Args: args, Typ: f.Result(want)}
	}
	for _, c := range []struct {
		name string
		e    plan.Expr
	}{
		{"int8+const", call("+", col(0), num8(5))},
		{"int8+int8", call("+", col(0), col(0))},
		{"int8*int8", call("*", col(0), col(0))},
		{"int4%const", call("%", col(1), &plan.Lit{Val: types.Datum{I: 7}, Typ: types.Int4})},
		{"float8*float8", call("*", col(5), col(5))},
		{"numeric+numeric", call("+", col(4), col(4))},
		{"numeric*numeric", call("*", col(4), col(4))},
		{"int8<const", call("<", col(0), num8(500))},
		{"text=const", call("=", col(3), text("https://www.example1.com/path/to/page1?query=1"))},
		{"like-contains", &plan.Like{Arg: col(3), Pattern: text("%page77%"), Escape: '\\'}},
		{"like-prefix", &plan.Like{Arg: col(3), Pattern: text("https://www.example4%"), Escape: '\\'}},
		{"length", call("length", col(3))},
		{"lower", call("lower", col(3))},
		{"date_trunc-minute", call("date_trunc", text("minute"), col(2))},
		{"date_trunc-month", call("date_trunc", text("month"), col(2))},
		{"extract-minute", call("extract", text("minute"), col(2))},
		{"host", call("regexp_replace", col(3), text(`^https?://(?:www\.)?([^/]+)/.*$`), text(`\1`))},
		{"regexp", call("regexp_replace", col(3), text(`page(\d+)`), text(`\1`))},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Compile(c.e, testEnv)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if c.e.Type().OID == types.BoolOID {
					if _, err := p.Select(batch, nil, nil); err != nil {
						b.Fatal(err)
					}
					continue
				}
				if _, err := p.Eval(batch, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}
