package stmt

import (
	"strings"
	"testing"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// literal is a decoder that knows no grammar: every embedded query becomes one
// target with a placeholder. What the parsers do around it is tested here; the
// expressions themselves are tested in sql/internal/parse.
func literal(*dialect.Carrier) (*ast.Query, error) {
	target := &ast.Target{Expr: &ast.Literal{Text: "NULL"}}
	return &ast.Query{Body: &ast.Select{Targets: []*ast.Target{target}}}, nil
}

func parse(text string) (ast.Stmt, error) {
	toks, err := dialect.Lex(text)
	if err != nil {
		return nil, err
	}
	return Parse(text, dialect.Split(toks)[0], literal)
}

// must parses text as a statement of type T.
func must[T ast.Stmt](t *testing.T, text string) T {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, ok := s.(T)
	if !ok {
		t.Fatalf("%s: got %T", text, s)
	}
	return n
}

func TestCreateTable(t *testing.T) {
	n := must[*ast.CreateTable](t, `CREATE TEMP TABLE IF NOT EXISTS s.t (a int NOT NULL DEFAULT 1, b varchar(10)[] COLLATE "C",
		c bigint GENERATED ALWAYS AS IDENTITY (START WITH 5), PRIMARY KEY (a), CONSTRAINT f FOREIGN KEY (b) REFERENCES u (x) ON DELETE CASCADE,
		LIKE w INCLUDING ALL) WITH (time_column = 'ts', fillfactor = 70, flag) ON COMMIT DROP`)
	if n.Persistence != ast.Temporary || !n.IfNotExists || strings.Join(n.Name, ".") != "s.t" || n.OnCommit != ast.OnCommitDrop {
		t.Errorf("head %+v", n)
	}
	a, b, c := n.Columns[0], n.Columns[1], n.Columns[2]
	if !a.NotNull || a.Default == nil || ast.Print(b.Type) != "varchar(10)[]" || b.Collation[0] != "C" ||
		!c.Identity.Always || c.Identity.Options[0].Value != "5" {
		t.Errorf("columns %+v %+v %+v", a, b, c)
	}
	if k := n.Constraints[1]; n.Constraints[0].Kind != ast.PrimaryKey || k.Kind != ast.ForeignKey || k.OnDelete != "cascade" || k.RefColumns[0] != "x" {
		t.Errorf("keys %+v", k)
	}
	if o := n.Options; len(o) != 3 || o[0].Kind != ast.ValueString || o[1].Value != "70" || o[2].Kind != ast.ValueNone {
		t.Errorf("options %+v", o)
	}
}

func TestAlterTable(t *testing.T) {
	n := must[*ast.AlterTable](t, `ALTER TABLE IF EXISTS ONLY t ADD COLUMN IF NOT EXISTS a int, DROP b CASCADE, ALTER c TYPE bigint USING c::bigint,
		ALTER COLUMN d SET MASKING POLICY p USING (e), ALTER d ADD MASKING POLICY q TO r, s WHEN (x) PRIORITY 7, ALTER d DROP MASKING POLICY,
		SET (retention = '1 day'), NO FORCE ROW LEVEL SECURITY, OWNER TO CURRENT_USER`)
	want := []any{&ast.AddColumn{}, &ast.DropColumn{}, &ast.AlterColumnType{}, &ast.SetMaskingPolicy{}, &ast.SetMaskingPolicy{},
		&ast.UnsetMaskingPolicy{}, &ast.SetOptions{}, &ast.RowSecurity{}, &ast.OwnerTo{}}
	if len(n.Actions) != len(want) || !n.IfExists || !n.Table.Only {
		t.Fatalf("%d actions", len(n.Actions))
	}
	if m := n.Actions[3].(*ast.SetMaskingPolicy); m.Column != "d" || m.Policy != "p" || m.Using[0] != "e" || m.Add {
		t.Errorf("mask %+v", m)
	}
	if m := n.Actions[4].(*ast.SetMaskingPolicy); !m.Add || len(m.Roles) != 2 || m.Priority != 7 || m.WhenText == "" {
		t.Errorf("mask %+v", m)
	}
	if r := n.Actions[7].(*ast.RowSecurity); r.On || !r.Force {
		t.Errorf("row security %+v", r)
	}
}

func TestMasks(t *testing.T) {
	for text, want := range map[string]ast.Mask{
		"NULL":             {Kind: ast.MaskNull},
		"EMAIL":            {Kind: ast.MaskEmail},
		"CONSTANT 'x'":     {Kind: ast.MaskConstant, ExprText: "NULL"},
		"(left(VALUE, 2))": {Kind: ast.MaskExpr, ExprText: "NULL"},
		"PARTIAL (KEEP LEFT 2, KEEP RIGHT 3, PAD '#', FIXED 4)": {Kind: ast.MaskPartial, KeepLeft: 2, KeepRight: 3, Pad: "#", Fixed: 4},
		"PSEUDONYM (KEY k, DOMAIN 'd', PER (tenant))":           {Kind: ast.MaskPseudonym, Key: "k", Domain: "d", Per: "tenant"},
		"DATE_TRUNC ('month')":                                  {Kind: ast.MaskDateTrunc, Unit: "month"},
		"BUCKET (10)":                                           {Kind: ast.MaskBucket, ExprText: "NULL"},
		"ROUND (-2)":                                            {Kind: ast.MaskRound, Digits: -2},
		"IP (24, 48)":                                           {Kind: ast.MaskIP, Bits4: 24, Bits6: 48},
		"TOKEN (VAULT v)":                                       {Kind: ast.MaskToken, Key: "v"},
	} {
		n := must[*ast.CreateMaskingPolicy](t, "CREATE OR REPLACE MASKING POLICY p FOR text AS "+text+" WITH (stored = true)")
		got := *n.Mask
		got.At, got.Expr = ast.At{}, nil
		if want.Kind != ast.MaskPartial {
			want.Fixed = -1
		}
		if got != want || !n.OrReplace || n.Family != "text" || n.Options[0].Name != "stored" {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestRights(t *testing.T) {
	r := must[*ast.CreateRole](t, `CREATE USER u WITH PASSWORD 'pw' NOSUPERUSER BYPASSRLS CONNECTION LIMIT 3 IN ROLE a, b`)
	o := r.Options
	if !*o.Login || *o.Superuser || !*o.BypassRLS || *o.ConnLimit != 3 || len(o.InRole) != 2 || o.Password.Text != "pw" {
		t.Errorf("role %+v", o)
	}
	g := must[*ast.Grant](t, `GRANT SELECT (a, b), UNMASK (c) ON TABLE s.t, u TO r, PUBLIC WITH GRANT OPTION`)
	if len(g.Privileges) != 2 || g.Privileges[1].Name != "unmask" || len(g.Objects) != 2 || g.Roles[1].Kind != ast.RolePublic || !g.WithGrant {
		t.Errorf("grant %+v", g)
	}
	if g := must[*ast.Grant](t, `GRANT UNMASK ON t TO r WITH (REQUIRE REASON)`); !g.RequireReason {
		t.Errorf("grant %+v", g)
	}
	if g := must[*ast.Grant](t, `REVOKE GRANT OPTION FOR ALL ON ALL TABLES IN SCHEMA a, b FROM r CASCADE`); !g.Revoke || !g.GrantOptionFor ||
		!g.AllInSchema || !g.Cascade || len(g.Objects) != 2 {
		t.Errorf("revoke %+v", g)
	}
	if m := must[*ast.GrantRole](t, `GRANT a, b TO c WITH ADMIN OPTION`); len(m.Granted) != 2 || !m.WithAdmin {
		t.Errorf("grant role %+v", m)
	}
}

func TestCopy(t *testing.T) {
	names := func(n *ast.Copy) string {
		var list []string
		for _, o := range n.Options {
			list = append(list, o.Name+"="+o.Value+strings.Join(o.List, "+"))
		}
		return strings.Join(list, " ")
	}
	for text, want := range map[string]string{
		`COPY t FROM STDIN`: "",
		`COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER match, NULL '', FORCE_QUOTE (a, b), ON_ERROR ignore, REJECT_LIMIT 5)`: "format=csv header=match null= force_quote=a+b on_error=ignore reject_limit=5",
		`COPY t TO STDOUT WITH CSV HEADER DELIMITER AS ';' FORCE QUOTE a, b`:                                                     "format=csv header= delimiter=; force_quote=a+b",
		`COPY BINARY t TO STDOUT`: "format=binary",
	} {
		if got := names(must[*ast.Copy](t, text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if n := must[*ast.Copy](t, `COPY t FROM PROGRAM 'x' WHERE a > 1`); !n.Program || n.File != "x" || n.Where == nil {
		t.Errorf("copy %+v", n)
	}
}

func TestSession(t *testing.T) {
	s := must[*ast.Set](t, `SET LOCAL search_path TO "$user", public, 'x', -1`)
	if s.Scope != ast.ScopeLocal || len(s.Values) != 4 || s.Values[0].Text != "$user" || s.Values[3].Text != "-1" {
		t.Errorf("set %+v", s)
	}
	if s := must[*ast.Set](t, `SET TIME ZONE LOCAL`); s.Name != "timezone" || !s.Default {
		t.Errorf("set %+v", s)
	}
	if r := must[*ast.SetRole](t, `SET ROLE r NO RESET`); r.Name != "r" || !r.NoReset {
		t.Errorf("role %+v", r)
	}
	b := must[*ast.Begin](t, `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY NOT DEFERRABLE`)
	if b.Modes.Isolation != "repeatable read" || !*b.Modes.ReadOnly || *b.Modes.Deferrable {
		t.Errorf("begin %+v", b.Modes)
	}
	for text, want := range map[string]ast.Fetch{
		"FETCH c":                   {Count: 1, Cursor: "c"},
		"FETCH next":                {Count: 1, Cursor: "next"},
		"FETCH BACKWARD ALL FROM c": {Direction: ast.FetchBackward, Count: 1, All: true, Cursor: "c"},
		"MOVE LAST IN c":            {Move: true, Direction: ast.FetchAbsolute, Count: -1, Cursor: "c"},
		"FETCH RELATIVE -3 c":       {Direction: ast.FetchRelative, Count: -3, Cursor: "c"},
	} {
		if got := *must[*ast.Fetch](t, text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestRetention(t *testing.T) {
	n := must[*ast.RetentionPolicy](t, `CREATE RETENTION POLICY p ON t SET (a = NULL, b = EMAIL, c = 'x') AFTER INTERVAL '90' day ON INGEST_TIME
		WHERE k = 1 GRACE INTERVAL '1 day' PURGE WITHIN INTERVAL '24 hours' ON LATE REJECT`)
	if n.After != "90 day" || n.Column != "_received_at" || len(n.Action.Set) != 3 || n.Action.Set[2].Mask.Kind != ast.MaskConstant ||
		n.WhereText == "" || n.Grace != "1 day" || n.PurgeWithin != "24 hours" || n.OnLate != "reject" {
		t.Errorf("retention %+v", n)
	}
}

// TestRefusals: what is refused is refused by name.
func TestRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`CREATE TABLE t (a int CHECK (a > 0))`:                   "CHECK",
		`CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))`:  "EXCLUDE",
		`CREATE TABLE t (a int GENERATED ALWAYS AS (b) STORED)`:  "generated columns",
		`CREATE TABLE t (a int) PARTITION BY RANGE (a)`:          "PARTITION BY",
		`CREATE TABLE t (a int) INHERITS (u)`:                    "INHERITS",
		`CREATE TABLE t (a int) TABLESPACE x`:                    "TABLESPACE",
		`CREATE OR REPLACE FUNCTION f() RETURNS int`:             "CREATE FUNCTION",
		`CREATE INDEX ON t USING gin (a)`:                        "access method gin",
		`LOCK TABLE t`:                                           "LOCK TABLE",
		`PREPARE TRANSACTION 'x'`:                                "two-phase commit",
		`INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET`: "ON CONFLICT DO UPDATE",
		`UPDATE t SET a[1] = 2`:                                  "assignment to a part of a column",
		`DELETE FROM t WHERE CURRENT OF c`:                       "WHERE CURRENT OF",
		`MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE`:  "MERGE",
		`WITH a AS (MERGE INTO t USING u ON true) SELECT 1`:      "MERGE",
		`ALTER TABLE t ADD CONSTRAINT c CHECK (a)`:               "CHECK",
		`ALTER SYSTEM SET x = 1`:                                 "ALTER SYSTEM",
	} {
		_, err := parse(text)
		e := errs.As(err)
		if err == nil || e.Code != errs.FeatureNotSupported || !strings.HasPrefix(e.Msg, want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
