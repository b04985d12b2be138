package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// drop takes DROP and dispatches on the kind of object.
func (w *parser) drop() (ast.Stmt, error) {
	t := w.Next()
	k := w.Next()
	if k.Kind != dialect.Word {
		return nil, w.ErrAt(k)
	}
	n := &ast.Drop{At: dialect.At(t)}
	switch k.Text {
	case "table":
	case "view":
		n.Kind = ast.ObjView
	case "materialized":
		if err := w.ExpectWord("view"); err != nil {
			return nil, err
		}
		n.Kind = ast.ObjMaterializedView
	case "index":
		n.Kind = ast.ObjIndex
		n.Concurrently = w.Word("concurrently")
	case "schema":
		n.Kind = ast.ObjSchema
	case "role", "user", "group":
		if k.Text == "user" && w.Cur().Is("mapping") {
			return nil, dialect.Refuse("DROP USER MAPPING", t)
		}
		return w.dropRole(t)
	case "policy":
		return w.dropPolicy(t)
	case "masking":
		return w.dropMasking(t)
	case "retention":
		return w.dropRetention(t)
	case "ingest":
		w.P--
		return w.ingestToken(t, ast.KeyDrop)
	case "owned":
		w.P--
		return w.dropOwned(t)
	case "sequence", "database", "type", "domain", "extension", "function", "procedure", "routine", "rule",
		"aggregate", "operator", "cast", "tablespace", "server", "publication", "subscription", "collation",
		"statistics", "transform", "trigger", "language", "conversion":
		return nil, dialect.Refuse("DROP "+upper(k.Text), t)
	case "access", "foreign", "text", "event":
		return nil, dialect.Refuse("DROP "+upper(k.Text)+" "+upper(w.Cur().Text), t)
	default:
		return nil, w.ErrAt(k)
	}
	n.IfExists = w.ifExists()
	for {
		n.NamePos = append(n.NamePos, int(w.Cur().Start))
		var name []string
		var err error
		if n.Kind == ast.ObjSchema {
			name = make([]string, 1)
			name[0], err = w.ColID()
		} else {
			name, err = w.Qualified()
		}
		if err != nil {
			return nil, err
		}
		n.Names = append(n.Names, name)
		if !w.Punct(",") {
			break
		}
	}
	n.Cascade = w.cascade()
	return n, nil
}

// alter takes ALTER and dispatches on the kind of object.
func (w *parser) alter() (ast.Stmt, error) {
	t := w.Next()
	k := w.Next()
	if k.Kind != dialect.Word {
		return nil, w.ErrAt(k)
	}
	switch k.Text {
	case "table":
		return w.alterTable(t, ast.ObjTable)
	case "view":
		return w.alterTable(t, ast.ObjView)
	case "index":
		return w.alterTable(t, ast.ObjIndex)
	case "materialized":
		if err := w.ExpectWord("view"); err != nil {
			return nil, err
		}
		return w.alterTable(t, ast.ObjMaterializedView)
	case "schema":
		return w.alterSchema(t)
	case "role", "user", "group":
		if k.Text == "user" && w.Cur().Is("mapping") {
			return nil, dialect.Refuse("ALTER USER MAPPING", t)
		}
		return w.alterRole(t, k.Text)
	case "database":
		return w.alterDatabase(t)
	case "policy":
		return w.alterPolicy(t)
	case "default":
		return w.alterDefaults(t)
	case "masking":
		return w.alterMasking(t)
	case "retention":
		w.P--
		return w.retentionPolicy(t, true)
	case "ingest":
		w.P--
		return w.ingestToken(t, ast.KeyRotate)
	case "system":
		if w.Words("resume", "retention") {
			return &ast.ResumeRetention{At: dialect.At(t)}, nil
		}
		return nil, dialect.Refuse("ALTER SYSTEM", t)
	case "sequence", "type", "domain", "extension", "function", "procedure", "routine", "rule", "aggregate",
		"operator", "tablespace", "server", "publication", "subscription", "collation", "statistics", "trigger",
		"language", "conversion", "large":
		return nil, dialect.Refuse("ALTER "+upper(k.Text), t)
	case "foreign", "text", "event":
		return nil, dialect.Refuse("ALTER "+upper(k.Text)+" "+upper(w.Cur().Text), t)
	}
	return nil, w.ErrAt(k)
}

func (w *parser) alterSchema(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.AlterSchema{At: dialect.At(t)}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	switch {
	case w.Words("rename", "to"):
		n.Rename, err = w.ColID()
	case w.Words("owner", "to"):
		var r ast.Role
		r, err = w.role()
		n.Owner = &r
	default:
		err = w.Err()
	}
	return n, err
}

func (w *parser) alterDatabase(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.AlterDatabase{At: dialect.At(t)}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	switch k := w.Cur(); {
	case k.Is("set") && !w.Peek(1).Is("tablespace"):
		w.P++
		n.Setting, err = w.setting()
	case k.Is("reset"):
		var s ast.Stmt
		s, err = w.reset()
		if err != nil {
			return nil, err
		}
		r, ok := s.(*ast.Reset)
		if !ok {
			return nil, w.ErrAt(k)
		}
		n.Reset = r
	case k.Is("rename"), k.Is("owner"), k.Is("set"), k.Is("with"), k.Is("refresh"):
		return nil, dialect.Refuse("ALTER DATABASE other than SET and RESET", k)
	default:
		return nil, w.Err()
	}
	return n, err
}

// alterTable takes ALTER TABLE|VIEW|INDEX|MATERIALIZED VIEW.
func (w *parser) alterTable(t *dialect.Token, kind ast.ObjectKind) (ast.Stmt, error) {
	n := &ast.AlterTable{At: dialect.At(t), Kind: kind}
	if kind != ast.ObjSchema && w.Cur().Is("all") && w.Peek(1).Is("in") {
		return nil, dialect.Refuse("ALTER TABLE ALL IN TABLESPACE", w.Cur())
	}
	n.IfExists = w.ifExists()
	var err error
	if n.Table, err = w.RelationName(); err != nil {
		return nil, err
	}
	for {
		a, err := w.alterAction()
		if err != nil {
			return nil, err
		}
		n.Actions = append(n.Actions, a)
		if !w.Punct(",") {
			return n, nil
		}
	}
}

// alterAction takes one action. It is a table of them, and longer than a
// screen only for that.
func (w *parser) alterAction() (ast.AlterAction, error) {
	t := w.Cur()
	p := dialect.At(t)
	if t.Kind != dialect.Word {
		return nil, w.Err()
	}
	w.P++
	switch t.Text {
	case "add":
		return w.alterAdd(p)
	case "drop":
		return w.alterDrop(p)
	case "rename":
		return w.alterRename(p)
	case "alter":
		w.Word("column")
		return w.alterColumn(p)
	case "owner":
		if err := w.ExpectWord("to"); err != nil {
			return nil, err
		}
		r, err := w.role()
		return &ast.OwnerTo{At: p, Owner: r}, err
	case "set":
		return w.alterSet(p)
	case "reset":
		o, err := w.options()
		return &ast.SetOptions{At: p, Reset: true, Options: o}, err
	case "enable", "disable":
		if w.Words("row", "level", "security") {
			return &ast.RowSecurity{At: p, On: t.Text == "enable"}, nil
		}
		if k := w.Cur(); k.Is("trigger") || k.Is("rule") || k.Is("always") || k.Is("replica") {
			return nil, dialect.Refuse(upper(t.Text)+" "+upper(k.Text), k)
		}
	case "force":
		if w.Words("row", "level", "security") {
			return &ast.RowSecurity{At: p, Force: true, On: true}, nil
		}
	case "no":
		if w.Words("force", "row", "level", "security") {
			return &ast.RowSecurity{At: p, Force: true}, nil
		}
		if w.Cur().Is("inherit") {
			return nil, dialect.Refuse("INHERITS", w.Cur())
		}
	case "cluster":
		if w.Word("on") {
			name, err := w.ColID()
			return &ast.ClusterOn{At: p, Name: name}, err
		}
	case "replica":
		if err := w.ExpectWord("identity"); err != nil {
			return nil, err
		}
		r := &ast.ReplicaIdentity{At: p, Value: w.Cur().Text}
		switch {
		case w.Word("full"), w.Word("nothing"), w.Word("default"):
			return r, nil
		case w.Words("using", "index"):
			var err error
			r.Value, err = w.ColID()
			return r, err
		}
	case "inherit":
		return nil, dialect.Refuse("INHERITS", t)
	case "attach", "detach":
		return nil, dialect.Refuse(upper(t.Text)+" PARTITION", t)
	case "validate":
		return nil, dialect.Refuse("VALIDATE CONSTRAINT", t)
	case "of", "not":
		return nil, dialect.Refuse("typed tables", t)
	default:
		w.P--
	}
	return nil, w.Err()
}

func (w *parser) alterAdd(p ast.At) (ast.AlterAction, error) {
	switch k := w.Cur(); {
	case k.Is("constraint"), k.Is("primary"), k.Is("unique"), k.Is("foreign"), k.Is("check"),
		k.Is("exclude") && (w.Peek(1).Is("using") || w.Peek(1).Punct("(")):
		c, err := w.tableConstraint()
		return &ast.AddConstraint{At: p, Constraint: c}, err
	}
	w.Word("column")
	a := &ast.AddColumn{At: p, IfNotExists: w.ifNotExists()}
	var err error
	a.Column, err = w.columnDef()
	return a, err
}

func (w *parser) alterDrop(p ast.At) (ast.AlterAction, error) {
	if w.Cur().Is("constraint") {
		w.P++
		a := &ast.DropConstraint{At: p, IfExists: w.ifExists()}
		var err error
		if a.Name, err = w.ColID(); err != nil {
			return nil, err
		}
		a.Cascade = w.cascade()
		return a, nil
	}
	w.Word("column")
	a := &ast.DropColumn{At: p, IfExists: w.ifExists()}
	var err error
	if a.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	a.Cascade = w.cascade()
	return a, nil
}

func (w *parser) alterRename(p ast.At) (ast.AlterAction, error) {
	if w.Word("to") {
		n, err := w.ColID()
		return &ast.RenameTo{At: p, To: n}, err
	}
	constraint := w.Word("constraint")
	if !constraint {
		w.Word("column")
	}
	from, err := w.ColID()
	if err != nil {
		return nil, err
	}
	if err := w.ExpectWord("to"); err != nil {
		return nil, err
	}
	to, err := w.ColID()
	if constraint {
		return &ast.RenameConstraint{At: p, From: from, To: to}, err
	}
	return &ast.RenameColumn{At: p, From: from, To: to}, err
}

func (w *parser) alterSet(p ast.At) (ast.AlterAction, error) {
	switch {
	case w.Cur().Punct("("):
		o, err := w.options()
		return &ast.SetOptions{At: p, Options: o}, err
	case w.Word("schema"):
		n, err := w.ColID()
		return &ast.SetSchema{At: p, Schema: n}, err
	case w.Word("logged"):
		return &ast.SetPersistence{At: p}, nil
	case w.Word("unlogged"):
		return &ast.SetPersistence{At: p, Unlogged: true}, nil
	case w.Words("without", "cluster"), w.Words("without", "oids"):
		return &ast.ClusterOn{At: p}, nil
	case w.Cur().Is("tablespace"), w.Cur().Is("access"):
		return nil, dialect.Refuse("SET "+upper(w.Cur().Text), w.Cur())
	}
	return nil, w.Err()
}

// alterColumn takes the action behind ALTER [COLUMN].
func (w *parser) alterColumn(p ast.At) (ast.AlterAction, error) {
	name, err := w.ColID()
	if err != nil {
		return nil, err
	}
	switch t := w.Cur(); {
	case w.Word("type"), w.Words("set", "data", "type"):
		return w.alterType(p, name)
	case w.Words("set", "default"):
		e, err := w.ParseExpr()
		return &ast.SetColumnDefault{At: p, Name: name, Default: e}, err
	case w.Words("drop", "default"):
		return &ast.SetColumnDefault{At: p, Name: name}, nil
	case w.Words("set", "not", "null"):
		return &ast.SetColumnNotNull{At: p, Name: name, NotNull: true}, nil
	case w.Words("drop", "not", "null"):
		return &ast.SetColumnNotNull{At: p, Name: name}, nil
	case w.Words("drop", "expression"):
		return nil, dialect.Refuse("generated columns", t)
	case w.Words("drop", "identity"):
		return &ast.ColumnIdentity{At: p, Name: name, Drop: true, IfExists: w.ifExists()}, nil
	case w.Words("add", "generated"):
		id, err := w.identity(t)
		return &ast.ColumnIdentity{At: p, Name: name, Identity: id, Add: true}, err
	case w.Words("set", "masking", "policy"):
		return w.setMasking(p, name, false)
	case w.Words("add", "masking", "policy"):
		return w.setMasking(p, name, true)
	case w.Words("drop", "masking", "policy"):
		a := &ast.UnsetMaskingPolicy{At: p, Column: name}
		if dialect.IsColID(w.Cur()) {
			a.Policy, err = w.ColID()
		}
		return a, err
	case w.Words("set", "subject", "key"):
		k, err := w.ColID()
		return &ast.SetSubjectKey{At: p, Column: name, Key: k}, err
	case t.Is("set") && w.Peek(1).Punct("("):
		w.P++
		o, err := w.options()
		return &ast.SetOptions{At: p, Column: name, Options: o}, err
	case t.Is("reset"):
		w.P++
		o, err := w.options()
		return &ast.SetOptions{At: p, Column: name, Reset: true, Options: o}, err
	case t.Is("set"), t.Is("restart"):
		return w.alterColumnSet(p, name)
	}
	return nil, w.Err()
}

// alterColumnSet takes SET STATISTICS, STORAGE, COMPRESSION, GENERATED, and
// sequence options of an identity column.
func (w *parser) alterColumnSet(p ast.At, name string) (ast.AlterAction, error) {
	for _, what := range []string{"statistics", "storage", "compression"} {
		if !w.Words("set", what) {
			continue
		}
		a := &ast.SetColumnStorage{At: p, Name: name, What: what}
		o := ast.Option{}
		if err := w.optionValue(&o); err != nil {
			return nil, err
		}
		a.Value = o.Value
		return a, nil
	}
	id := &ast.Identity{At: p}
	byDefault := false
	for {
		w.Word("set")
		if w.Words("generated", "always") {
			id.Always = true
			continue
		}
		if w.Words("generated", "by", "default") {
			byDefault = true
			continue
		}
		o, err := w.sequenceOptions()
		if err != nil {
			return nil, err
		}
		if len(o) == 0 {
			break
		}
		id.Options = append(id.Options, o...)
	}
	if w.Peek(-1).Is("set") {
		return nil, w.Err()
	}
	return &ast.ColumnIdentity{At: p, Name: name, Identity: id, ByDefault: byDefault}, nil
}

func (w *parser) alterType(p ast.At, name string) (ast.AlterAction, error) {
	a := &ast.AlterColumnType{At: p, Name: name}
	var err error
	if a.Type, err = w.TypeName(); err != nil {
		return nil, err
	}
	if w.Word("collate") {
		if a.Collation, err = w.AnyName(); err != nil {
			return nil, err
		}
	}
	if w.Word("using") {
		a.Using, err = w.ParseExpr()
	}
	return a, err
}

// comment takes COMMENT ON.
func (w *parser) comment() (ast.Stmt, error) {
	n := &ast.Comment{At: dialect.At(w.Next())}
	if err := w.ExpectWord("on"); err != nil {
		return nil, err
	}
	k := w.Next()
	on := false
	switch k.Text {
	case "table":
	case "view":
		n.Kind = ast.ObjView
	case "materialized":
		if err := w.ExpectWord("view"); err != nil {
			return nil, err
		}
		n.Kind = ast.ObjMaterializedView
	case "index":
		n.Kind = ast.ObjIndex
	case "schema":
		n.Kind = ast.ObjSchema
	case "column":
		n.Kind = ast.ObjColumn
	case "role":
		n.Kind = ast.ObjRole
	case "database":
		n.Kind = ast.ObjDatabase
	case "constraint":
		n.Kind, on = ast.ObjConstraint, true
	case "policy":
		n.Kind, on = ast.ObjPolicy, true
	case "sequence", "type", "domain", "extension", "function", "procedure", "aggregate", "operator", "trigger", "rule",
		"language", "tablespace", "server", "collation", "statistics", "cast", "publication", "subscription":
		return nil, dialect.Refuse("COMMENT ON "+upper(k.Text), k)
	default:
		return nil, w.ErrAt(k)
	}
	var err error
	if n.Name, err = w.AnyName(); err != nil {
		return nil, err
	}
	if on {
		if err := w.ExpectWord("on"); err != nil {
			return nil, err
		}
		if n.Table, err = w.Qualified(); err != nil {
			return nil, err
		}
	}
	if err := w.ExpectWord("is"); err != nil {
		return nil, err
	}
	if w.Word("null") {
		return n, nil
	}
	s, err := w.StringLit()
	n.Text = &s
	return n, err
}
