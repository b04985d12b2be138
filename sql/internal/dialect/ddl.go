package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// create takes CREATE and dispatches on the kind of object.
func (w *walker) create() (ast.Stmt, error) {
	t := w.next()
	orReplace := w.words("or", "replace")
	persist := ast.Permanent
	switch {
	case w.word("temp"), w.word("temporary"):
		persist = ast.Temporary
	case w.cur().is("unlogged"):
		w.p++
		persist = ast.Unlogged
	case (w.cur().is("local") || w.cur().is("global")) && (w.peek(1).is("temp") || w.peek(1).is("temporary")):
		w.p += 2
		persist = ast.Temporary
	}
	recursive := w.cur().is("recursive") && w.peek(1).is("view") && w.words("recursive")
	k := w.cur()
	if k.Kind != Word {
		return nil, w.err()
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
			return nil, refuse("CREATE "+upper(k.Text), t)
		}
		return nil, w.err()
	}
	switch k.Text {
	case "table":
		w.p++
		return w.createTable(t, persist)
	case "sequence":
		return nil, refuse("CREATE SEQUENCE", t)
	}
	if persist != ast.Permanent {
		return nil, w.err()
	}
	return w.createOther(t, k)
}

// createOther takes CREATE of anything that has no TEMP form.
func (w *walker) createOther(t, k *Token) (ast.Stmt, error) {
	switch k.Text {
	case "materialized":
		return w.createMatView(t)
	case "schema":
		return w.createSchema(t)
	case "unique", "index":
		return w.createIndex(t)
	case "role", "user", "group":
		if k.Text == "user" && w.peek(1).is("mapping") {
			return nil, refuse("CREATE USER MAPPING", t)
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
		return nil, refuse("CREATE ACCESS METHOD", t)
	case "foreign":
		if w.peek(1).is("table") {
			return nil, refuse("CREATE FOREIGN TABLE", t)
		}
		return nil, refuse("CREATE FOREIGN DATA WRAPPER", t)
	case "text":
		return nil, refuse("CREATE TEXT SEARCH", t)
	case "event":
		return nil, refuse("CREATE EVENT TRIGGER", t)
	case "default", "conversion":
		return nil, refuse("CREATE CONVERSION", t)
	case "trusted", "procedural", "language":
		return nil, refuse("CREATE LANGUAGE", t)
	case "constraint", "trigger":
		return nil, refuse("CREATE TRIGGER", t)
	case "database", "type", "domain", "extension", "function", "procedure", "rule", "aggregate", "operator", "cast",
		"tablespace", "server", "publication", "subscription", "collation", "statistics", "transform":
		return nil, refuse("CREATE "+upper(k.Text), t)
	}
	return nil, w.err()
}

func (w *walker) ifNotExists() bool { return w.words("if", "not", "exists") }

func (w *walker) ifExists() bool { return w.words("if", "exists") }

// createTable takes CREATE TABLE behind TABLE.
func (w *walker) createTable(t *Token, persist ast.Persistence) (ast.Stmt, error) {
	ine := w.ifNotExists()
	name, err := w.qualified()
	if err != nil {
		return nil, err
	}
	if k := w.cur(); k.is("partition") && w.peek(1).is("of") {
		return nil, refuse("PARTITION OF", k)
	}
	if k := w.cur(); k.is("of") {
		return nil, refuse("typed tables (CREATE TABLE OF)", k)
	}
	if w.isTableAs() {
		return w.createTableAs(t, persist, ine, name)
	}
	n := &ast.CreateTable{At: at(t), Persistence: persist, IfNotExists: ine, Name: name}
	if err := w.expect("("); err != nil {
		return nil, err
	}
	for !w.punct(")") {
		if err := w.tableElement(n); err != nil {
			return nil, err
		}
		if !w.punct(",") {
			if err := w.expect(")"); err != nil {
				return nil, err
			}
			break
		}
		if w.cur().punct(")") {
			return nil, w.err()
		}
	}
	if k := w.cur(); k.is("inherits") {
		return nil, refuse("INHERITS", k)
	}
	if k := w.cur(); k.is("partition") {
		return nil, errs.NotSupported("PARTITION BY").WithPos(int(k.Start) + 1).
			WithHint("Use WITH (partition_by = 'day').")
	}
	if w.word("using") {
		if n.Using, err = w.colID(); err != nil {
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
func (w *walker) isTableAs() bool {
	i := w.p
	if w.toks[i].punct("(") {
		k := w.peek(2)
		return isColID(w.peek(1)) && (k.punct(",") || k.punct(")"))
	}
	switch t := &w.toks[i]; {
	case t.is("as"):
		return true
	case t.is("with"), t.is("without"), t.is("on"), t.is("tablespace"), t.is("using"):
		return true
	}
	return false
}

// tableSuffix takes WITH (…), WITHOUT OIDS, ON COMMIT and TABLESPACE.
func (w *walker) tableSuffix() (opts []ast.Option, oc ast.OnCommit, space string, err error) {
	if w.word("with") {
		if opts, err = w.options(); err != nil {
			return
		}
	}
	w.words("without", "oids")
	if w.words("on", "commit") {
		switch {
		case w.word("drop"):
			oc = ast.OnCommitDrop
		case w.words("delete", "rows"):
			oc = ast.OnCommitDelete
		case w.words("preserve", "rows"):
			oc = ast.OnCommitPreserve
		default:
			err = w.err()
			return
		}
	}
	space, err = w.tablespace()
	return
}

// tablespace takes TABLESPACE name: only pg_default exists.
func (w *walker) tablespace() (string, error) {
	k := w.cur()
	if !w.word("tablespace") {
		return "", nil
	}
	n, err := w.colID()
	if err != nil {
		return "", err
	}
	if n != "pg_default" {
		return "", refuse("TABLESPACE", k)
	}
	return n, nil
}

// createTableAs takes [(cols)] [options] AS query [WITH [NO] DATA].
func (w *walker) createTableAs(t *Token, persist ast.Persistence, ine bool, name []string) (ast.Stmt, error) {
	n := &ast.CreateTableAs{At: at(t), Persistence: persist, IfNotExists: ine, Name: name}
	var err error
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if w.word("using") {
		if _, err = w.colID(); err != nil {
			return nil, err
		}
	}
	if n.Options, n.OnCommit, n.Tablespace, err = w.tableSuffix(); err != nil {
		return nil, err
	}
	if err := w.expectWord("as"); err != nil {
		return nil, err
	}
	if w.cur().is("execute") {
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
func (w *walker) withData() (bool, error) {
	if w.words("with", "no", "data") {
		return true, nil
	}
	w.words("with", "data")
	return false, nil
}

// tableElement takes a column, a key or LIKE.
func (w *walker) tableElement(n *ast.CreateTable) error {
	t := w.cur()
	switch {
	case t.is("like"):
		l, err := w.likeClause()
		n.Likes = append(n.Likes, l)
		return err
	case t.is("constraint"), t.is("primary"), t.is("unique"), t.is("foreign"), t.is("check"),
		t.is("exclude") && (w.peek(1).is("using") || w.peek(1).punct("(")):
		c, err := w.tableConstraint()
		n.Constraints = append(n.Constraints, c)
		return err
	}
	c, err := w.columnDef()
	n.Columns = append(n.Columns, c)
	return err
}

func (w *walker) likeClause() (*ast.LikeClause, error) {
	l := &ast.LikeClause{At: at(w.next())}
	var err error
	if l.Table, err = w.qualified(); err != nil {
		return nil, err
	}
	for {
		list := &l.Including
		switch {
		case w.word("including"):
		case w.word("excluding"):
			list = &l.Excluding
		default:
			return l, nil
		}
		t := w.cur()
		switch t.Text {
		case "all", "comments", "compression", "constraints", "defaults", "generated", "identity", "indexes",
			"statistics", "storage":
			w.p++
			*list = append(*list, t.Text)
		default:
			return nil, w.err()
		}
	}
}

// columnDef takes name type [constraints].
func (w *walker) columnDef() (*ast.ColumnDef, error) {
	c := &ast.ColumnDef{At: at(w.cur())}
	var err error
	if c.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if c.Type, err = w.typeName(); err != nil {
		return nil, err
	}
	if w.word("compression") {
		if c.Compression, err = w.label(); err != nil {
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
func (w *walker) columnConstraint(c *ast.ColumnDef) (done bool, err error) {
	name := ""
	if w.word("constraint") {
		if name, err = w.colID(); err != nil {
			return false, err
		}
	}
	t := w.cur()
	switch {
	case w.words("not", "null"):
		if c.Null {
			return false, w.nullConflict(c, t)
		}
		c.NotNull = true
	case w.word("null"):
		if c.NotNull {
			return false, w.nullConflict(c, t)
		}
		c.Null = true
	case w.word("default"):
		if c.Default != nil {
			return false, errs.New(errs.Syntax, "multiple default values specified for column \"%s\"", c.Name).WithPos(int(t.Start) + 1)
		}
		c.Default, err = w.parseExprMode(true)
	case w.word("collate"):
		c.Collation, err = w.anyName()
	case w.word("generated"):
		err = w.generated(c, t)
	case t.is("check"):
		err = refuse("CHECK", t)
	case t.is("primary"), t.is("unique"), t.is("references"):
		var k *ast.Constraint
		if k, err = w.keyConstraint(name, true); err == nil {
			c.Keys = append(c.Keys, k)
		}
	default:
		if name != "" {
			return false, w.err()
		}
		return true, nil
	}
	return false, err
}

func (w *walker) nullConflict(c *ast.ColumnDef, t *Token) error {
	return errs.New(errs.Syntax, "conflicting NULL/NOT NULL declarations for column \"%s\"", c.Name).WithPos(int(t.Start) + 1)
}

// generated takes ALWAYS|BY DEFAULT AS IDENTITY [(…)].
func (w *walker) generated(c *ast.ColumnDef, t *Token) error {
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

func (w *walker) identity(t *Token) (*ast.Identity, error) {
	id := &ast.Identity{At: at(t)}
	switch {
	case w.word("always"):
		id.Always = true
	case w.words("by", "default"):
	default:
		return nil, w.err()
	}
	if err := w.expectWord("as"); err != nil {
		return nil, err
	}
	if w.cur().punct("(") {
		return nil, refuse("generated columns", t)
	}
	if err := w.expectWord("identity"); err != nil {
		return nil, err
	}
	var err error
	if w.punct("(") {
		if id.Options, err = w.sequenceOptions(); err != nil {
			return nil, err
		}
		err = w.expect(")")
	}
	return id, err
}

// sequenceOptions takes INCREMENT BY n and the like.
func (w *walker) sequenceOptions() ([]ast.Option, error) {
	var list []ast.Option
	for {
		o := ast.Option{At: at(w.cur())}
		switch {
		case w.word("increment"):
			o.Name = "increment"
			w.word("by")
		case w.word("start"):
			o.Name = "start"
			w.word("with")
		case w.word("restart"):
			o.Name = "restart"
			w.word("with")
		case w.word("minvalue"):
			o.Name = "minvalue"
		case w.word("maxvalue"):
			o.Name = "maxvalue"
		case w.word("cache"):
			o.Name = "cache"
		case w.words("no", "minvalue"):
			o.Name = "no minvalue"
		case w.words("no", "maxvalue"):
			o.Name = "no maxvalue"
		case w.words("no", "cycle"):
			o.Name = "no cycle"
		case w.word("cycle"):
			o.Name = "cycle"
		default:
			return list, nil
		}
		if k := w.cur(); k.Kind == Int || k.op("-") || k.op("+") {
			if err := w.optionValue(&o); err != nil {
				return nil, err
			}
		}
		list = append(list, o)
	}
}

// truncate takes TRUNCATE.
func (w *walker) truncate() (ast.Stmt, error) {
	n := &ast.Truncate{At: at(w.next())}
	w.word("table")
	for {
		r, err := w.relationName()
		if err != nil {
			return nil, err
		}
		n.Tables = append(n.Tables, r)
		if !w.punct(",") {
			break
		}
	}
	if w.words("restart", "identity") {
		n.RestartIdentity = true
	} else {
		w.words("continue", "identity")
	}
	n.Cascade = w.cascade()
	return n, nil
}
