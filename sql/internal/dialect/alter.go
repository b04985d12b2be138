package dialect

import "quern/sql/internal/ast"

// drop takes DROP and dispatches on the kind of object.
func (w *walker) drop() (ast.Stmt, error) {
	t := w.next()
	k := w.next()
	if k.Kind != Word {
		return nil, w.errAt(k)
	}
	n := &ast.Drop{At: at(t)}
	switch k.Text {
	case "table":
	case "view":
		n.Kind = ast.ObjView
	case "materialized":
		if err := w.expectWord("view"); err != nil {
			return nil, err
		}
		n.Kind = ast.ObjMaterializedView
	case "index":
		n.Kind = ast.ObjIndex
		n.Concurrently = w.word("concurrently")
	case "schema":
		n.Kind = ast.ObjSchema
	case "role", "user", "group":
		if k.Text == "user" && w.cur().is("mapping") {
			return nil, refuse("DROP USER MAPPING", t)
		}
		return w.dropRole(t)
	case "policy":
		return w.dropPolicy(t)
	case "masking":
		return w.dropMasking(t)
	case "retention":
		return w.dropRetention(t)
	case "ingest":
		w.p--
		return w.ingestToken(t, ast.KeyDrop)
	case "owned":
		w.p--
		return w.dropOwned(t)
	case "sequence", "database", "type", "domain", "extension", "function", "procedure", "routine", "rule",
		"aggregate", "operator", "cast", "tablespace", "server", "publication", "subscription", "collation",
		"statistics", "transform", "trigger", "language", "conversion":
		return nil, refuse("DROP "+upper(k.Text), t)
	case "access", "foreign", "text", "event":
		return nil, refuse("DROP "+upper(k.Text)+" "+upper(w.cur().Text), t)
	default:
		return nil, w.errAt(k)
	}
	n.IfExists = w.ifExists()
	for {
		n.NamePos = append(n.NamePos, int(w.cur().Start))
		name, err := w.qualified()
		if err != nil {
			return nil, err
		}
		n.Names = append(n.Names, name)
		if !w.punct(",") {
			break
		}
	}
	n.Cascade = w.cascade()
	return n, nil
}

// alter takes ALTER and dispatches on the kind of object.
func (w *walker) alter() (ast.Stmt, error) {
	t := w.next()
	k := w.next()
	if k.Kind != Word {
		return nil, w.errAt(k)
	}
	switch k.Text {
	case "table":
		return w.alterTable(t, ast.ObjTable)
	case "view":
		return w.alterTable(t, ast.ObjView)
	case "index":
		return w.alterTable(t, ast.ObjIndex)
	case "materialized":
		if err := w.expectWord("view"); err != nil {
			return nil, err
		}
		return w.alterTable(t, ast.ObjMaterializedView)
	case "schema":
		return w.alterSchema(t)
	case "role", "user", "group":
		if k.Text == "user" && w.cur().is("mapping") {
			return nil, refuse("ALTER USER MAPPING", t)
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
		w.p--
		return w.retentionPolicy(t, true)
	case "ingest":
		w.p--
		return w.ingestToken(t, ast.KeyRotate)
	case "system":
		if w.words("resume", "retention") {
			return &ast.ResumeRetention{At: at(t)}, nil
		}
		return nil, refuse("ALTER SYSTEM", t)
	case "sequence", "type", "domain", "extension", "function", "procedure", "routine", "rule", "aggregate",
		"operator", "tablespace", "server", "publication", "subscription", "collation", "statistics", "trigger",
		"language", "conversion", "large":
		return nil, refuse("ALTER "+upper(k.Text), t)
	case "foreign", "text", "event":
		return nil, refuse("ALTER "+upper(k.Text)+" "+upper(w.cur().Text), t)
	}
	return nil, w.errAt(k)
}

func (w *walker) alterSchema(t *Token) (ast.Stmt, error) {
	n := &ast.AlterSchema{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	switch {
	case w.words("rename", "to"):
		n.Rename, err = w.colID()
	case w.words("owner", "to"):
		var r ast.Role
		r, err = w.role()
		n.Owner = &r
	default:
		err = w.err()
	}
	return n, err
}

func (w *walker) alterDatabase(t *Token) (ast.Stmt, error) {
	n := &ast.AlterDatabase{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	switch k := w.cur(); {
	case k.is("set") && !w.peek(1).is("tablespace"):
		w.p++
		n.Setting, err = w.setting()
	case k.is("reset"):
		var s ast.Stmt
		s, err = w.reset()
		if err != nil {
			return nil, err
		}
		r, ok := s.(*ast.Reset)
		if !ok {
			return nil, w.errAt(k)
		}
		n.Reset = r
	case k.is("rename"), k.is("owner"), k.is("set"), k.is("with"), k.is("refresh"):
		return nil, refuse("ALTER DATABASE other than SET and RESET", k)
	default:
		return nil, w.err()
	}
	return n, err
}

// alterTable takes ALTER TABLE|VIEW|INDEX|MATERIALIZED VIEW.
func (w *walker) alterTable(t *Token, kind ast.ObjectKind) (ast.Stmt, error) {
	n := &ast.AlterTable{At: at(t), Kind: kind}
	if kind != ast.ObjSchema && w.cur().is("all") && w.peek(1).is("in") {
		return nil, refuse("ALTER TABLE ALL IN TABLESPACE", w.cur())
	}
	n.IfExists = w.ifExists()
	var err error
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	for {
		a, err := w.alterAction()
		if err != nil {
			return nil, err
		}
		n.Actions = append(n.Actions, a)
		if !w.punct(",") {
			return n, nil
		}
	}
}

// alterAction takes one action. It is a table of them, and longer than a
// screen only for that.
func (w *walker) alterAction() (ast.AlterAction, error) {
	t := w.cur()
	p := at(t)
	if t.Kind != Word {
		return nil, w.err()
	}
	w.p++
	switch t.Text {
	case "add":
		return w.alterAdd(p)
	case "drop":
		return w.alterDrop(p)
	case "rename":
		return w.alterRename(p)
	case "alter":
		w.word("column")
		return w.alterColumn(p)
	case "owner":
		if err := w.expectWord("to"); err != nil {
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
		if w.words("row", "level", "security") {
			return &ast.RowSecurity{At: p, On: t.Text == "enable"}, nil
		}
		if k := w.cur(); k.is("trigger") || k.is("rule") || k.is("always") || k.is("replica") {
			return nil, refuse(upper(t.Text)+" "+upper(k.Text), k)
		}
	case "force":
		if w.words("row", "level", "security") {
			return &ast.RowSecurity{At: p, Force: true, On: true}, nil
		}
	case "no":
		if w.words("force", "row", "level", "security") {
			return &ast.RowSecurity{At: p, Force: true}, nil
		}
		if w.cur().is("inherit") {
			return nil, refuse("INHERITS", w.cur())
		}
	case "cluster":
		if w.word("on") {
			name, err := w.colID()
			return &ast.ClusterOn{At: p, Name: name}, err
		}
	case "replica":
		if err := w.expectWord("identity"); err != nil {
			return nil, err
		}
		r := &ast.ReplicaIdentity{At: p, Value: w.cur().Text}
		switch {
		case w.word("full"), w.word("nothing"), w.word("default"):
			return r, nil
		case w.words("using", "index"):
			var err error
			r.Value, err = w.colID()
			return r, err
		}
	case "inherit":
		return nil, refuse("INHERITS", t)
	case "attach", "detach":
		return nil, refuse(upper(t.Text)+" PARTITION", t)
	case "validate":
		return nil, refuse("VALIDATE CONSTRAINT", t)
	case "of", "not":
		return nil, refuse("typed tables", t)
	default:
		w.p--
	}
	return nil, w.err()
}

func (w *walker) alterAdd(p ast.At) (ast.AlterAction, error) {
	switch k := w.cur(); {
	case k.is("constraint"), k.is("primary"), k.is("unique"), k.is("foreign"), k.is("check"),
		k.is("exclude") && (w.peek(1).is("using") || w.peek(1).punct("(")):
		c, err := w.tableConstraint()
		return &ast.AddConstraint{At: p, Constraint: c}, err
	}
	w.word("column")
	a := &ast.AddColumn{At: p, IfNotExists: w.ifNotExists()}
	var err error
	a.Column, err = w.columnDef()
	return a, err
}

func (w *walker) alterDrop(p ast.At) (ast.AlterAction, error) {
	if w.cur().is("constraint") {
		w.p++
		a := &ast.DropConstraint{At: p, IfExists: w.ifExists()}
		var err error
		if a.Name, err = w.colID(); err != nil {
			return nil, err
		}
		a.Cascade = w.cascade()
		return a, nil
	}
	w.word("column")
	a := &ast.DropColumn{At: p, IfExists: w.ifExists()}
	var err error
	if a.Name, err = w.colID(); err != nil {
		return nil, err
	}
	a.Cascade = w.cascade()
	return a, nil
}

func (w *walker) alterRename(p ast.At) (ast.AlterAction, error) {
	if w.word("to") {
		n, err := w.colID()
		return &ast.RenameTo{At: p, To: n}, err
	}
	constraint := w.word("constraint")
	if !constraint {
		w.word("column")
	}
	from, err := w.colID()
	if err != nil {
		return nil, err
	}
	if err := w.expectWord("to"); err != nil {
		return nil, err
	}
	to, err := w.colID()
	if constraint {
		return &ast.RenameConstraint{At: p, From: from, To: to}, err
	}
	return &ast.RenameColumn{At: p, From: from, To: to}, err
}

func (w *walker) alterSet(p ast.At) (ast.AlterAction, error) {
	switch {
	case w.cur().punct("("):
		o, err := w.options()
		return &ast.SetOptions{At: p, Options: o}, err
	case w.word("schema"):
		n, err := w.colID()
		return &ast.SetSchema{At: p, Schema: n}, err
	case w.word("logged"):
		return &ast.SetPersistence{At: p}, nil
	case w.word("unlogged"):
		return &ast.SetPersistence{At: p, Unlogged: true}, nil
	case w.words("without", "cluster"), w.words("without", "oids"):
		return &ast.ClusterOn{At: p}, nil
	case w.cur().is("tablespace"), w.cur().is("access"):
		return nil, refuse("SET "+upper(w.cur().Text), w.cur())
	}
	return nil, w.err()
}

// alterColumn takes the action behind ALTER [COLUMN].
func (w *walker) alterColumn(p ast.At) (ast.AlterAction, error) {
	name, err := w.colID()
	if err != nil {
		return nil, err
	}
	switch t := w.cur(); {
	case w.word("type"), w.words("set", "data", "type"):
		return w.alterType(p, name)
	case w.words("set", "default"):
		e, err := w.parseExpr()
		return &ast.SetColumnDefault{At: p, Name: name, Default: e}, err
	case w.words("drop", "default"):
		return &ast.SetColumnDefault{At: p, Name: name}, nil
	case w.words("set", "not", "null"):
		return &ast.SetColumnNotNull{At: p, Name: name, NotNull: true}, nil
	case w.words("drop", "not", "null"):
		return &ast.SetColumnNotNull{At: p, Name: name}, nil
	case w.words("drop", "expression"):
		return nil, refuse("generated columns", t)
	case w.words("drop", "identity"):
		return &ast.ColumnIdentity{At: p, Name: name, Drop: true, IfExists: w.ifExists()}, nil
	case w.words("add", "generated"):
		id, err := w.identity(t)
		return &ast.ColumnIdentity{At: p, Name: name, Identity: id}, err
	case w.words("set", "masking", "policy"):
		return w.setMasking(p, name, false)
	case w.words("add", "masking", "policy"):
		return w.setMasking(p, name, true)
	case w.words("drop", "masking", "policy"):
		a := &ast.UnsetMaskingPolicy{At: p, Column: name}
		if isColID(w.cur()) {
			a.Policy, err = w.colID()
		}
		return a, err
	case w.words("set", "subject", "key"):
		k, err := w.colID()
		return &ast.SetSubjectKey{At: p, Column: name, Key: k}, err
	case t.is("set") && w.peek(1).punct("("):
		w.p++
		o, err := w.options()
		return &ast.SetOptions{At: p, Column: name, Options: o}, err
	case t.is("reset"):
		w.p++
		o, err := w.options()
		return &ast.SetOptions{At: p, Column: name, Reset: true, Options: o}, err
	case t.is("set"), t.is("restart"):
		return w.alterColumnSet(p, name)
	}
	return nil, w.err()
}

// alterColumnSet takes SET STATISTICS, STORAGE, COMPRESSION, GENERATED, and
// sequence options of an identity column.
func (w *walker) alterColumnSet(p ast.At, name string) (ast.AlterAction, error) {
	for _, what := range []string{"statistics", "storage", "compression"} {
		if !w.words("set", what) {
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
	for {
		w.word("set")
		if w.words("generated", "always") {
			id.Always = true
			continue
		}
		if w.words("generated", "by", "default") {
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
	if w.peek(-1).is("set") {
		return nil, w.err()
	}
	return &ast.ColumnIdentity{At: p, Name: name, Identity: id}, nil
}

func (w *walker) alterType(p ast.At, name string) (ast.AlterAction, error) {
	a := &ast.AlterColumnType{At: p, Name: name}
	var err error
	if a.Type, err = w.typeName(); err != nil {
		return nil, err
	}
	if w.word("collate") {
		if a.Collation, err = w.anyName(); err != nil {
			return nil, err
		}
	}
	if w.word("using") {
		a.Using, err = w.parseExpr()
	}
	return a, err
}

// comment takes COMMENT ON.
func (w *walker) comment() (ast.Stmt, error) {
	n := &ast.Comment{At: at(w.next())}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	k := w.next()
	on := false
	switch k.Text {
	case "table":
	case "view":
		n.Kind = ast.ObjView
	case "materialized":
		if err := w.expectWord("view"); err != nil {
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
		return nil, refuse("COMMENT ON "+upper(k.Text), k)
	default:
		return nil, w.errAt(k)
	}
	var err error
	if n.Name, err = w.anyName(); err != nil {
		return nil, err
	}
	if on {
		if err := w.expectWord("on"); err != nil {
			return nil, err
		}
		if n.Table, err = w.qualified(); err != nil {
			return nil, err
		}
	}
	if err := w.expectWord("is"); err != nil {
		return nil, err
	}
	if w.word("null") {
		return n, nil
	}
	s, err := w.stringLit()
	n.Text = &s
	return n, err
}
