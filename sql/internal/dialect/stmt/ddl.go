package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// create takes CREATE and dispatches on the kind of object.
func (w *parser) create() (ast.Stmt, error) {
	t := w.Next()
	orReplace := w.Words("or", "replace")
	persist := ast.Permanent
	switch {
	case w.Word("temp"), w.Word("temporary"):
		persist = ast.Temporary
	case w.Cur().Is("unlogged"):
		w.P++
		persist = ast.Unlogged
	case (w.Cur().Is("local") || w.Cur().Is("global")) && (w.Peek(1).Is("temp") || w.Peek(1).Is("temporary")):
		w.P += 2
		persist = ast.Temporary
	}
	recursive := w.Cur().Is("recursive") && w.Peek(1).Is("view") && w.Words("recursive")
	k := w.Cur()
	if k.Kind != dialect.Word {
		return nil, w.Err()
	}
	switch {
	case k.Text == "view" && persist != ast.Unlogged:
		return w.createView(t, orReplace, persist, recursive)
	case k.Text == "masking" && persist == ast.Permanent:
		return w.createMasking(t, orReplace)
	}
	if orReplace {
		switch k.Text {
		case "function", "procedure", "trigger", "rule", "aggregate", "language", "transform", "trusted", "procedural", "constraint":
			return nil, dialect.Refuse("CREATE "+upper(k.Text), t)
		}
		return nil, w.Err()
	}
	switch k.Text {
	case "table":
		w.P++
		return w.createTable(t, persist)
	case "sequence":
		return nil, dialect.Refuse("CREATE SEQUENCE", t)
	}
	if persist != ast.Permanent {
		return nil, w.Err()
	}
	return w.createOther(t, k)
}

// createOther takes CREATE of anything that has no TEMP form.
func (w *parser) createOther(t, k *dialect.Token) (ast.Stmt, error) {
	switch k.Text {
	case "materialized":
		return w.createMatView(t)
	case "schema":
		return w.createSchema(t)
	case "unique", "index":
		return w.createIndex(t)
	case "role", "user", "group":
		if k.Text == "user" && w.Peek(1).Is("mapping") {
			return nil, dialect.Refuse("CREATE USER MAPPING", t)
		}
		return w.createRole(t)
	case "policy":
		return w.createPolicy(t)
	case "retention":
		return w.retentionPolicy(t, false)
	case "legal":
		return w.createLegalHold(t)
	case "ingest":
		return w.ingestToken(t, ast.KeyCreate)
	case "access":
		return nil, dialect.Refuse("CREATE ACCESS METHOD", t)
	case "foreign":
		if w.Peek(1).Is("table") {
			return nil, dialect.Refuse("CREATE FOREIGN TABLE", t)
		}
		return nil, dialect.Refuse("CREATE FOREIGN DATA WRAPPER", t)
	case "text":
		return nil, dialect.Refuse("CREATE TEXT SEARCH", t)
	case "event":
		return nil, dialect.Refuse("CREATE EVENT TRIGGER", t)
	case "default", "conversion":
		return nil, dialect.Refuse("CREATE CONVERSION", t)
	case "trusted", "procedural", "language":
		return nil, dialect.Refuse("CREATE LANGUAGE", t)
	case "constraint", "trigger":
		return nil, dialect.Refuse("CREATE TRIGGER", t)
	case "database", "type", "domain", "extension", "function", "procedure", "rule", "aggregate", "operator", "cast",
		"tablespace", "server", "publication", "subscription", "collation", "statistics", "transform":
		return nil, dialect.Refuse("CREATE "+upper(k.Text), t)
	}
	return nil, w.Err()
}

func (w *parser) ifNotExists() bool { return w.Words("if", "not", "exists") }

func (w *parser) ifExists() bool { return w.Words("if", "exists") }

// createTable takes CREATE TABLE behind TABLE.
func (w *parser) createTable(t *dialect.Token, persist ast.Persistence) (ast.Stmt, error) {
	ine := w.ifNotExists()
	name, err := w.Qualified()
	if err != nil {
		return nil, err
	}
	if k := w.Cur(); k.Is("partition") && w.Peek(1).Is("of") {
		return nil, dialect.Refuse("PARTITION OF", k)
	}
	if k := w.Cur(); k.Is("of") {
		return nil, dialect.Refuse("typed tables (CREATE TABLE OF)", k)
	}
	if w.isTableAs() {
		return w.createTableAs(t, persist, ine, name)
	}
	n := &ast.CreateTable{At: dialect.At(t), Persistence: persist, IfNotExists: ine, Name: name}
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	for !w.Punct(")") {
		if err := w.tableElement(n); err != nil {
			return nil, err
		}
		if !w.Punct(",") {
			if err := w.Expect(")"); err != nil {
				return nil, err
			}
			break
		}
		if w.Cur().Punct(")") {
			return nil, w.Err()
		}
	}
	if k := w.Cur(); k.Is("inherits") {
		return nil, dialect.Refuse("INHERITS", k)
	}
	if k := w.Cur(); k.Is("partition") {
		return nil, errs.NotSupported("PARTITION BY").WithPos(int(k.Start) + 1).
			WithHint("Use WITH (partition_by = 'day').")
	}
	if w.Word("using") {
		if n.Using, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	if n.Options, n.OnCommit, n.Tablespace, err = w.tableSuffix(); err != nil {
		return nil, err
	}
	return n, nil
}

// isTableAs reports whether AS stands here, or behind a list of column names
// or behind options.
func (w *parser) isTableAs() bool {
	i := w.P
	if w.Toks[i].Punct("(") {
		k := w.Peek(2)
		return dialect.IsColID(w.Peek(1)) && (k.Punct(",") || k.Punct(")"))
	}
	switch t := &w.Toks[i]; {
	case t.Is("as"):
		return true
	case t.Is("with"), t.Is("without"), t.Is("on"), t.Is("tablespace"), t.Is("using"):
		return true
	}
	return false
}

// tableSuffix takes WITH (…), WITHOUT OIDS, ON COMMIT and TABLESPACE.
func (w *parser) tableSuffix() (opts []ast.Option, oc ast.OnCommit, space string, err error) {
	if w.Word("with") {
		if opts, err = w.options(); err != nil {
			return
		}
	}
	w.Words("without", "oids")
	if w.Words("on", "commit") {
		switch {
		case w.Word("drop"):
			oc = ast.OnCommitDrop
		case w.Words("delete", "rows"):
			oc = ast.OnCommitDelete
		case w.Words("preserve", "rows"):
			oc = ast.OnCommitPreserve
		default:
			err = w.Err()
			return
		}
	}
	space, err = w.tablespace()
	return
}

// tablespace takes TABLESPACE name: only pg_default exists.
func (w *parser) tablespace() (string, error) {
	k := w.Cur()
	if !w.Word("tablespace") {
		return "", nil
	}
	n, err := w.ColID()
	if err != nil {
		return "", err
	}
	if n != "pg_default" {
		return "", dialect.Refuse("TABLESPACE", k)
	}
	return n, nil
}

// createTableAs takes [(cols)] [options] AS query [WITH [NO] DATA].
func (w *parser) createTableAs(t *dialect.Token, persist ast.Persistence, ine bool, name []string) (ast.Stmt, error) {
	n := &ast.CreateTableAs{At: dialect.At(t), Persistence: persist, IfNotExists: ine, Name: name}
	var err error
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if w.Word("using") {
		if _, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	if n.Options, n.OnCommit, n.Tablespace, err = w.tableSuffix(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("as"); err != nil {
		return nil, err
	}
	if w.Cur().Is("execute") {
		s, err := w.execute()
		if err != nil {
			return nil, err
		}
		n.Execute = s.(*ast.Execute)
	} else if n.Query, err = w.queryOnly(); err != nil {
		return nil, err
	}
	n.WithNoData, err = w.withData()
	return n, err
}

// withData takes WITH [NO] DATA and reports NO.
func (w *parser) withData() (bool, error) {
	if w.Words("with", "no", "data") {
		return true, nil
	}
	w.Words("with", "data")
	return false, nil
}

// tableElement takes a column, a key or LIKE.
func (w *parser) tableElement(n *ast.CreateTable) error {
	t := w.Cur()
	switch {
	case t.Is("like"):
		l, err := w.likeClause()
		n.Likes = append(n.Likes, l)
		return err
	case t.Is("constraint"), t.Is("primary"), t.Is("unique"), t.Is("foreign"), t.Is("check"),
		t.Is("exclude") && (w.Peek(1).Is("using") || w.Peek(1).Punct("(")):
		c, err := w.tableConstraint()
		n.Constraints = append(n.Constraints, c)
		return err
	}
	c, err := w.columnDef()
	n.Columns = append(n.Columns, c)
	return err
}

func (w *parser) likeClause() (*ast.LikeClause, error) {
	l := &ast.LikeClause{At: dialect.At(w.Next())}
	var err error
	if l.Table, err = w.Qualified(); err != nil {
		return nil, err
	}
	for {
		list := &l.Including
		switch {
		case w.Word("including"):
		case w.Word("excluding"):
			list = &l.Excluding
		default:
			return l, nil
		}
		t := w.Cur()
		switch t.Text {
		case "all", "comments", "compression", "constraints", "defaults", "generated", "identity", "indexes",
			"statistics", "storage":
			w.P++
			*list = append(*list, t.Text)
		default:
			return nil, w.Err()
		}
	}
}

// columnDef takes name type [constraints].
func (w *parser) columnDef() (*ast.ColumnDef, error) {
	c := &ast.ColumnDef{At: dialect.At(w.Cur())}
	var err error
	if c.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	if c.Type, err = w.TypeName(); err != nil {
		return nil, err
	}
	if w.Word("compression") {
		if c.Compression, err = w.Label(); err != nil {
			return nil, err
		}
	}
	for {
		done, err := w.columnConstraint(c)
		if err != nil {
			return nil, err
		}
		if done {
			return c, nil
		}
	}
}

// columnConstraint takes one constraint of a column; done if there is none.
func (w *parser) columnConstraint(c *ast.ColumnDef) (done bool, err error) {
	name := ""
	if w.Word("constraint") {
		if name, err = w.ColID(); err != nil {
			return false, err
		}
	}
	t := w.Cur()
	switch {
	case w.Words("not", "null"):
		if c.Null {
			return false, w.nullConflict(c, t)
		}
		c.NotNull = true
	case w.Word("null"):
		if c.NotNull {
			return false, w.nullConflict(c, t)
		}
		c.Null = true
	case w.Word("default"):
		if c.Default != nil {
			return false, errs.New(errs.Syntax, "multiple default values specified for column \"%s\"", c.Name).WithPos(int(t.Start) + 1)
		}
		c.Default, err = w.ParseExprMode(true)
	case w.Word("collate"):
		c.Collation, err = w.AnyName()
	case w.Word("generated"):
		err = w.generated(c, t)
	case t.Is("check"):
		err = dialect.Refuse("CHECK", t)
	case t.Is("primary"), t.Is("unique"), t.Is("references"):
		var k *ast.Constraint
		if k, err = w.keyConstraint(name, true); err == nil {
			c.Keys = append(c.Keys, k)
		}
	default:
		if name != "" {
			return false, w.Err()
		}
		return true, nil
	}
	return false, err
}

func (w *parser) nullConflict(c *ast.ColumnDef, t *dialect.Token) error {
	return errs.New(errs.Syntax, "conflicting NULL/NOT NULL declarations for column \"%s\"", c.Name).WithPos(int(t.Start) + 1)
}

// generated takes ALWAYS|BY DEFAULT AS IDENTITY [(…)].
func (w *parser) generated(c *ast.ColumnDef, t *dialect.Token) error {
	id, err := w.identity(t)
	if err != nil {
		return err
	}
	if c.Identity != nil {
		return errs.New(errs.Syntax, "multiple identity specifications for column \"%s\"", c.Name).WithPos(int(t.Start) + 1)
	}
	c.Identity = id
	return nil
}

func (w *parser) identity(t *dialect.Token) (*ast.Identity, error) {
	id := &ast.Identity{At: dialect.At(t)}
	switch {
	case w.Word("always"):
		id.Always = true
	case w.Words("by", "default"):
	default:
		return nil, w.Err()
	}
	if err := w.ExpectWord("as"); err != nil {
		return nil, err
	}
	if w.Cur().Punct("(") {
		return nil, dialect.Refuse("generated columns", t)
	}
	if err := w.ExpectWord("identity"); err != nil {
		return nil, err
	}
	var err error
	if w.Punct("(") {
		if id.Options, err = w.sequenceOptions(); err != nil {
			return nil, err
		}
		err = w.Expect(")")
	}
	return id, err
}

// sequenceOptions takes INCREMENT BY n and the like.
func (w *parser) sequenceOptions() ([]ast.Option, error) {
	var list []ast.Option
	for {
		o := ast.Option{At: dialect.At(w.Cur())}
		switch {
		case w.Word("increment"):
			o.Name = "increment"
			w.Word("by")
		case w.Word("start"):
			o.Name = "start"
			w.Word("with")
		case w.Word("restart"):
			o.Name = "restart"
			w.Word("with")
		case w.Word("minvalue"):
			o.Name = "minvalue"
		case w.Word("maxvalue"):
			o.Name = "maxvalue"
		case w.Word("cache"):
			o.Name = "cache"
		case w.Words("no", "minvalue"):
			o.Name = "no minvalue"
		case w.Words("no", "maxvalue"):
			o.Name = "no maxvalue"
		case w.Words("no", "cycle"):
			o.Name = "no cycle"
		case w.Word("cycle"):
			o.Name = "cycle"
		default:
			return list, nil
		}
		if k := w.Cur(); k.Kind == dialect.Int || k.Op("-") || k.Op("+") {
			if err := w.optionValue(&o); err != nil {
				return nil, err
			}
		}
		list = append(list, o)
	}
}

// truncate takes TRUNCATE.
func (w *parser) truncate() (ast.Stmt, error) {
	n := &ast.Truncate{At: dialect.At(w.Next())}
	w.Word("table")
	for {
		r, err := w.RelationName()
		if err != nil {
			return nil, err
		}
		n.Tables = append(n.Tables, r)
		if !w.Punct(",") {
			break
		}
	}
	if w.Words("restart", "identity") {
		n.RestartIdentity = true
	} else {
		w.Words("continue", "identity")
	}
	n.Cascade = w.cascade()
	return n, nil
}
