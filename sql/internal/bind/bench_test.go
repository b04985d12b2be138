package bind_test

import "testing"

var benchQueries = map[string]string{
	"point":     "select a, b from t where b = 42",
	"dashboard": "select u.s, date_trunc('day', t.d) as day, count(*), sum(t.n), avg(t.b) from t join u on t.a = u.a left join w on w.x = u.x where t.d >= '2024-01-01' and t.d < '2024-02-01' and u.s in ('a', 'b', 'c') group by 1, 2 having count(*) > 3 order by 3 desc limit 20",
	"subquery":  "select a, (select max(x) from u where u.a = t.a) from t where exists (select 1 from w where w.z = t.a) and b not in (select x from w)",
}

// BenchmarkPlan is parse, bind, optimize and physical of one statement.
func BenchmarkPlan(b *testing.B) {
	w := newWorld(b)
	w.table(b, "t", 1e6, []string{"a int4", "b int8", "c text", "d timestamptz", "n numeric(10,2)", "v varchar(20)"})
	w.table(b, "u", 1000, []string{"a int4", "x int8", "s text"})
	w.table(b, "w", 10, []string{"x int8", "z int4"})
	for name, q := range benchQueries {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				bound, err := w.statement(q)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := bound.Compile(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
