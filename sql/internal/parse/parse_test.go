package parse

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/sql/internal/dialect/stmt"
	"quern/storage/errs"
)

// TestErrors: broken statements give PostgreSQL's SQLSTATE, message and place.
func TestErrors(t *testing.T) {
	b, err := os.ReadFile("testdata/errors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			continue
		}
		rows++
		text, _ := strconv.Unquote(f[0])
		msg, _ := strconv.Unquote(f[2])
		_, err := One(text)
		if err == nil {
			t.Errorf("%s: is taken", text)
			continue
		}
		e := errs.As(err)
		pos := 0
		if e.Pos > 0 {
			pos = utf8.RuneCountInString(text[:e.Pos-1]) + 1
		}
		if string(e.Code) != f[1] || e.Msg != msg || strconv.Itoa(pos) != f[3] {
			t.Errorf("%s\n  got  %s %s at %d\n  want %s %s at %s", text, e.Code, e.Msg, pos, f[1], msg, f[3])
		}
	}
	if rows < 300 {
		t.Errorf("%d rows, want 300", rows)
	}
}

// TestGrouping is a small set of precedence traps that needs no file outside
// the repository.
func TestGrouping(t *testing.T) {
	checkPrecedence(t, strings.Split(`
select x || y + z;
--= SELECT x || (y + z);
select - @ v;
--= SELECT - (@ v);
select -v at time zone 'UTC';
--= SELECT (-v) AT TIME ZONE 'UTC';
select p is distinct from q = r;
--= SELECT p IS DISTINCT FROM (q = r);
select v::int[] [2];
--= SELECT CAST(v AS int[][2]);
select ((select 1) union select 2);
--= SELECT ((SELECT 1) UNION (SELECT 2));
select ((select 1) * 2);
--= SELECT (SELECT 1) * 2;
select q = v is null + 1;
--= SELECT ((q = v) IS NULL) + 1;
select v between p < q and r;
--= SELECT v BETWEEN (p < q) AND r;
select v in (1)::text, v is null::text, -v::int;
--= SELECT (v IN (1))::text, (v IS NULL)::text, -(v::int);
select v in (1) like w;
--= SELECT (v IN (1)) LIKE w;
select 1 union select 2 intersect select 3;
--= SELECT 1 UNION (SELECT 2 INTERSECT SELECT 3);
select * from p join q join r on q.x = r.x on p.x = q.x;
--= SELECT * FROM p JOIN (q JOIN r ON q.x = r.x) ON p.x = q.x;
select * from p, q join r on true;
--= SELECT * FROM p, (q JOIN r ON true);
select v from s offset 5 limit 10;
--= SELECT v FROM s LIMIT 10 OFFSET 5;
select -2147483648, -1::int, -2 ^ 2;
--= SELECT (-2147483648), -(1::int), (-2) ^ 2;
select p < q < r;
--! syntax error at or near "<"
select p like q like r;
--! syntax error at or near "like"
select f(x)[1];
--! syntax error at or near "["
select f(select 1);
--! syntax error at or near "select"`, "\n"), 16, 4)
}

// TestPositions: nodes lie where PostgreSQL reports errors.
func TestPositions(t *testing.T) {
	text := `select  aa + (bb || f(cc)) , x::int from  t1 join t2 on  p = q where r like 's' and v in (1)`
	s, err := One(text)
	if err != nil {
		t.Fatal(err)
	}
	sel := s.(*ast.SelectStmt).Query.Body.(*ast.Select)
	plus := sel.Targets[0].Expr.(*ast.Op)
	cat := plus.Right.(*ast.Op)
	join := sel.From[0].(*ast.Join)
	where := sel.Where.(*ast.Logic)
	for _, c := range []struct {
		n    ast.Node
		want string
	}{
		{s, "select"}, {sel, "select"}, {plus, "+ ("}, {plus.Left, "aa"}, {cat, "||"}, {cat.Left, "bb"}, {cat.Right, "f("},
		{cat.Right.(*ast.Call).Args[0], "cc"}, {sel.Targets[1].Expr, "::int"}, {join, "join"}, {join.Left, "t1"}, {join.Right, "t2"},
		{join.On, "= q"}, {where, "and"}, {where.Args[0], "like"}, {where.Args[1], "in (1"},
	} {
		p := c.n.Position()
		if p < 0 || p > len(text) || !strings.HasPrefix(text[p:], c.want) {
			t.Errorf("%T lies at %d, want %q", c.n, p, c.want)
		}
	}
}

// TestHostile: texts that mean something else in the grammar's own dialect.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		in, want string // printed, or "!" and the SQLSTATE
	}{
		{`select 1--1`, `SELECT 1`},
		{`select 5 # 3`, `SELECT 5 # 3`},
		{`select /*! 1 + */ 2 /*T! , 3 */`, `SELECT 2`},
		{`select "tenant" = 'a\'`, `SELECT tenant =  E'a\\'`},
		{`select "a` + "`" + `b", 'x''); drop table t; --'`, `SELECT "a` + "`" + `b", 'x''); drop table t; --'`},
		{`select a || b`, `SELECT a || b`},
		{`select @x := email`, "!42601"},
		{`select @@global.x`, `SELECT @@ global.x`},
		{`load data infile 'x'`, "!0A000"},
		{`set global x = 1`, "!42601"},
		{`select sleep(1), load_file('x'), benchmark(1, 2)`, `SELECT sleep(1), load_file('x'), benchmark(1, 2)`},
		{"select \"a\x01n\"", "!42602"},
		{"select 1 as \"\x01par\"", "!42602"},
		{"select `a`", "!42601"},
		{`select 0x1F, x'1F'`, `SELECT 31, x'1F'`},
		{`select a -> 'x' from t partition (p)`, `SELECT a -> 'x' FROM t AS "partition"(p)`},
		{`select straight_join a from t`, `SELECT straight_join AS a FROM t`},
		{`select sql_no_cache from t use index (i)`, "!42601"},
		{`select * from t limit 1, 2`, "!42601"},
		{`select interval(1, 2)`, "!42601"},
		{`select a regexp b`, "!42601"},
		{`select not not exists (select 1)`, `SELECT NOT NOT EXISTS (SELECT 1)`},
		{`select 9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999`,
			`SELECT 9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999`},
	} {
		s, err := One(c.in)
		got := ""
		if err != nil {
			got = "!" + string(errs.CodeOf(err))
		} else {
			got = ast.Print(s)
		}
		if got != c.want {
			t.Errorf("%s\n  got  %s\n  want %s", c.in, got, c.want)
		}
	}
	if n := Holes(); n != 0 {
		t.Errorf("the grammar refused %d carriers", n)
	}
}

// TestLong: long chains neither blow the stack nor leave the limits.
func TestLong(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       errs.Code
	}{
		{"sum", "select 1" + strings.Repeat(" + 1", 50000), errs.Success},
		{"and", "select a" + strings.Repeat(" and a", 50000), errs.Success},
		{"concat", "select a" + strings.Repeat(" || a", 50000), errs.Success},
		{"union", "select 1" + strings.Repeat(" union all select 1", 5000), errs.Success},
		{"in", "select a in (1" + strings.Repeat(", 1", 50000) + ")", errs.Success},
		{"joins", "select * from a" + strings.Repeat(" cross join a", 2000), errs.Success},
		{"parens", "select " + strings.Repeat("(", 2000) + "1", errs.TooComplex},
		{"not", "select " + strings.Repeat("not ", 2000) + "a", errs.TooComplex},
		{"minus", "select " + strings.Repeat("- ", 2000) + "a", errs.TooComplex},
		{"casts", "select 1" + strings.Repeat("::int", 2000), errs.TooComplex},
		{"nested", "select " + strings.Repeat("f(", 300) + "1" + strings.Repeat(")", 300), errs.Success},
		{"columns", "select 1" + strings.Repeat(", 1", 2000), errs.TooManyColumns},
	} {
		_, err := One(c.text)
		if got := errs.CodeOf(err); got != c.code {
			t.Errorf("%s: got %s %v, want %s", c.name, got, err, c.code)
		}
	}
}

// TestPoolAfterErrors: a grammar instance serves on after errors.
func TestPoolAfterErrors(t *testing.T) {
	for range 20 {
		if _, err := One("select 'a\\' || \"b\""); err != nil {
			t.Fatal(err)
		}
		if _, err := decode(&dialect.Carrier{Text: "SELECT ` FROM"}); err == nil {
			t.Fatal("broken carrier is taken")
		}
		holes.Add(-1)
	}
}

// TestConcurrent: pooled grammars serve eight callers at once, with errors and
// long texts among the statements (run with -race).
func TestConcurrent(t *testing.T) {
	texts := []string{
		catalogQuery, "select 1 +", "insert into t select a, b || c from u where d in (1, 2)",
		"select a" + strings.Repeat(" + a", 2000), "create view v as select sum(a) over w from t window w as (order by b)",
	}
	want := make([]string, len(texts))
	for i, text := range texts {
		s, err := One(text)
		want[i] = dump(s)
		if err != nil {
			want[i] = err.Error()
		}
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 20 {
				i := (g + n) % len(texts)
				s, err := One(texts[i])
				got := dump(s)
				if err != nil {
					got = err.Error()
				}
				if got != want[i] {
					t.Errorf("%.40s: got %.200s, want %.200s", texts[i], got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// carrierWords are all words that carrier text may hold outside quotes.
var carrierWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`SELECT DISTINCT FROM JOIN ON WHERE GROUP BY HAVING WINDOW AS PARTITION ORDER DESC WITH UNION
		INTERSECT EXCEPT ALL AND OR NOT IS NULL TRUE FALSE IN CASE WHEN THEN ELSE END`) {
		m[w] = true
	}
	return m
}()

// closed reports why a carrier is not made of the allowed pieces only, or "".
func closed(text string) string {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '`' || c == '\'':
			end := i + 1
			for {
				n := strings.IndexByte(text[end:], c)
				if n < 0 {
					return "open quote"
				}
				end += n + 1
				if end == len(text) || text[end] != c {
					break
				}
				end++
			}
			i = end
		case c >= 'A' && c <= 'Z':
			n := i
			for n < len(text) && text[n] >= 'A' && text[n] <= 'Z' {
				n++
			}
			if !carrierWords[text[i:n]] {
				return "word " + text[i:n]
			}
			i = n
		case c >= '0' && c <= '9':
			n := i
			for n < len(text) && text[n] >= '0' && text[n] <= '9' {
				n++
			}
			if n-i > 18 {
				return "long number " + text[i:n]
			}
			i = n
		case strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"):
			return "comment"
		case strings.HasPrefix(text[i:], "@j"):
			i += 2
		case strings.IndexByte(" (),.|:=<>+-*/%^", c) >= 0:
			i++
		default:
			return "character " + text[i:i+1]
		}
	}
	return ""
}

// checkedScript is Script with every carrier checked against the closed world.
func checkedScript(t *testing.T, text string) ([]ast.Stmt, error) {
	toks, err := dialect.Lex(text)
	if err != nil {
		return nil, err
	}
	var list []ast.Stmt
	for _, part := range dialect.Split(toks) {
		if part.Empty() {
			continue
		}
		s, err := stmt.Parse(text, part, func(c *dialect.Carrier) (*ast.Query, error) {
			if why := closed(c.Text); why != "" {
				t.Fatalf("%q gives the carrier %q: %s", text, c.Text, why)
			}
			return decode(c)
		})
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// FuzzParse: no panic, carriers of allowed pieces only, no carrier that the grammar refuses, and a tree that is
// taken prints to text with an equal tree.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"select a, count(*) filter (where b) over (partition by c order by d rows 1 preceding) from t group by rollup (a)",
		"with r(n) as (values (1) union all select n+1 from r) select * from r left join lateral f(n) g(x) on true",
		"insert into t (a) values (1, default, -2.5) on conflict do nothing returning a as b",
		"update t set (a, b) = (1, 2) from u where t.x = u.x", "delete from t using u where a is distinct from b",
		"select x::numeric(10,2)[1:2], array[[1],[2]], (r).f.*, a between symmetric b and c, d like any (e) is null",
		"create table t (a int primary key, b text default 'x' not null) with (retention = '1 day')",
		"copy t from stdin with (format csv, header)", "grant select (a) on t to r", "select interval '1' day to second(3)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		before := Holes()
		list, err := checkedScript(t, s)
		if n := Holes(); n != before {
			t.Fatalf("the grammar refused a carrier of %q: %v", s, err)
		}
		if err != nil {
			return
		}
		for _, st := range list {
			out := ast.Print(st)
			if out == "" {
				continue
			}
			again, err := One(out)
			if err != nil {
				if c := errs.CodeOf(err); c == errs.TooComplex || c == errs.ProgramLimit {
					continue
				}
				t.Fatalf("%q printed as %q: %v", s, out, err)
			}
			if a, b := dump(st), dump(again); a != b {
				t.Fatalf("%q printed as %q\n%s\n%s", s, out, a, b)
			}
		}
	})
}

const catalogQuery = `SELECT n.nspname as "Schema",
  c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','p','v','m','')
      AND n.nspname <> 'pg_catalog'
      AND n.nspname !~ '^pg_toast'
      AND n.nspname <> 'information_schema'
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 1,2;`

// The budget: lex and walk 10 µs, to the tree 80 µs for this query.
func BenchmarkLexWalk(b *testing.B) {
	b.SetBytes(int64(len(catalogQuery)))
	stop := func(*dialect.Carrier) (*ast.Query, error) { return &ast.Query{}, nil }
	for b.Loop() {
		toks, err := dialect.Lex(catalogQuery)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := stmt.Parse(catalogQuery, dialect.Split(toks)[0], stop); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(catalogQuery)))
	for b.Loop() {
		if _, err := Script(catalogQuery); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSmall(b *testing.B) {
	for b.Loop() {
		if _, err := Script("select count(*) from hits where user_id = 42"); err != nil {
			b.Fatal(err)
		}
	}
}
