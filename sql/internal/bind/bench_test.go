package bind_test

import (
	"fmt"
	"strings"
	"testing"
)

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

// manyJoins are queries over n tables j0, j1, …: a chain by WHERE, a star, and a
// chain of left joins that cannot be reordered.
func manyJoins(n int) map[string]string {
	var from, chain, star, left []string
	for i := range n {
		from = append(from, fmt.Sprintf("j%d", i))
		if i > 0 {
			chain = append(chain, fmt.Sprintf("j%d.id = j%d.a", i, i-1))
			star = append(star, fmt.Sprintf("JOIN j%d ON j%d.id = j0.a", i, i))
			left = append(left, fmt.Sprintf("LEFT JOIN j%d ON j%d.id = j%d.a", i, i, i-1))
		}
	}
	return map[string]string{
		"chain": "SELECT count(*) FROM " + strings.Join(from, ", ") + " WHERE " + strings.Join(chain, " AND "),
		"star":  "SELECT count(*) FROM j0 " + strings.Join(star, " "),
		"left":  "SELECT count(*) FROM j0 " + strings.Join(left, " "),
	}
}

// BenchmarkPlanJoins is BenchmarkPlan of 64 tables.
func BenchmarkPlanJoins(b *testing.B) {
	w := newWorld(b)
	for i := range 64 {
		w.table(b, fmt.Sprintf("j%d", i), int64(1+i%7*100), []string{"id int4", "a int4", "b int4", "txt text"})
	}
	for name, q := range manyJoins(64) {
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
