package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// set takes SET in all its forms.
func (w *walker) set() (ast.Stmt, error) {
	t := w.next()
	scope := ast.ScopeSession
	switch {
	case w.cur().is("session") && w.peek(1).is("characteristics"):
		return w.sessionCharacteristics(t)
	case w.cur().is("local") && !w.peek(1).op("=") && !w.peek(1).is("to"):
		w.p++
		scope = ast.ScopeLocal
	case w.cur().is("session") && w.peek(1).is("session") && w.peek(2).is("characteristics"):
		w.p++
		return w.sessionCharacteristics(t)
	case w.cur().is("session") && !w.peek(1).op("=") && !w.peek(1).is("to"):
		w.p++
	}
	switch k, n := w.cur(), w.peek(1); {
	case k.is("authorization"):
		w.p++
		return w.sessionAuth(t, scope)
	case k.is("role") && !n.op("=") && !n.is("to"):
		w.p++
		return w.setRole(t, scope)
	case k.is("transaction") && !n.op("=") && !n.is("to"):
		w.p++
		st := &ast.SetTransaction{At: at(t)}
		if w.word("snapshot") {
			var err error
			st.Snapshot, err = w.stringLit()
			return st, err
		}
		return st, w.txModes(&st.Modes, true)
	case k.is("constraints"):
		return nil, refuse("SET CONSTRAINTS", k)
	}
	n, err := w.setting()
	if err != nil {
		return nil, err
	}
	n.At, n.Scope = at(t), scope
	return n, nil
}

func (w *walker) sessionCharacteristics(t *Token) (ast.Stmt, error) {
	w.p += 2
	if err := w.expectWords("as", "transaction"); err != nil {
		return nil, err
	}
	n := &ast.SetTransaction{At: at(t), Session: true}
	return n, w.txModes(&n.Modes, true)
}

// setting takes name = values, name TO values, and the special forms.
func (w *walker) setting() (*ast.Set, error) {
	t := w.cur()
	n := &ast.Set{At: at(t)}
	switch k := w.peek(1); {
	case t.is("time") && k.is("zone"):
		w.p += 2
		n.Name = "timezone"
		return n, w.timeZone(n)
	case t.is("names"):
		w.p++
		n.Name = "client_encoding"
		if w.word("default") {
			n.Default = true
		} else if w.cur().Kind == String {
			w.settingValue(n)
		} else {
			n.Default = true
		}
		return n, nil
	case t.is("schema") && k.Kind == String:
		w.p++
		n.Name = "search_path"
		w.settingValue(n)
		return n, nil
	case t.is("catalog") && k.Kind == String:
		return nil, refuse("current database cannot be changed: SET CATALOG", t)
	case t.is("xml") && k.is("option"):
		return nil, refuse("SET XML OPTION", t)
	}
	var err error
	if n.Name, err = w.settingName(); err != nil {
		return nil, err
	}
	if w.words("from", "current") {
		n.FromCurrent = true
		return n, nil
	}
	if !w.op("=") && !w.word("to") {
		return nil, w.err()
	}
	if w.word("default") {
		n.Default = true
		return n, nil
	}
	for {
		if err := w.settingValue(n); err != nil {
			return nil, err
		}
		if !w.punct(",") {
			return n, nil
		}
	}
}

// settingName takes name or prefix.name.
func (w *walker) settingName() (string, error) {
	n, err := w.colID()
	if err != nil {
		return "", err
	}
	for w.punct(".") {
		p, err := w.colID()
		if err != nil {
			return "", err
		}
		n += "." + p
	}
	return n, nil
}

// settingValue takes a word, a string, a number or a boolean.
func (w *walker) settingValue(n *ast.Set) error {
	t := w.cur()
	v := ast.SettingValue{At: at(t), Text: t.Text}
	switch {
	case t.Kind == String:
		v.Kind = ast.ValueString
	case t.Kind == Int || t.Kind == Number:
		v.Kind = ast.ValueNumber
	case t.op("-") || t.op("+"):
		w.p++
		if k := w.cur().Kind; k != Int && k != Number {
			return w.err()
		}
		v.Kind, v.Text = ast.ValueNumber, w.cur().Text
		if t.Text == "-" {
			v.Text = "-" + v.Text
		}
	case t.Kind == Quoted, t.is("true"), t.is("false"), t.is("on"), t.Kind == Word && t.Class != Reserved:
		v.Kind = ast.ValueWord
	default:
		return w.err()
	}
	w.p++
	n.Values = append(n.Values, v)
	return nil
}

// timeZone takes the value of SET TIME ZONE.
func (w *walker) timeZone(n *ast.Set) error {
	t := w.cur()
	if w.word("default") || w.word("local") {
		n.Default = true
		return nil
	}
	if t.is("interval") {
		w.p++
		if _, err := w.typeMods(); err != nil {
			return err
		}
		s, err := w.stringLit()
		if err != nil {
			return err
		}
		if _, _, err := w.intervalFields(); err != nil {
			return err
		}
		n.Values = []ast.SettingValue{{At: at(t), Kind: ast.ValueString, Text: s}}
		return nil
	}
	return w.settingValue(n)
}

func (w *walker) sessionAuth(t *Token, scope ast.SetScope) (ast.Stmt, error) {
	n := &ast.SetSessionAuth{At: at(t), Scope: scope}
	if w.word("default") {
		n.Default = true
		return n, nil
	}
	var err error
	n.Name, err = w.nameOrString()
	return n, err
}

// nameOrString takes PostgreSQL's NonReservedWord_or_Sconst.
func (w *walker) nameOrString() (string, error) {
	t := w.cur()
	if t.Kind == String || t.Kind == Quoted || t.Kind == Word && t.Class != Reserved {
		w.p++
		return t.Text, nil
	}
	return "", w.err()
}

// setRole takes the role of SET ROLE.
func (w *walker) setRole(t *Token, scope ast.SetScope) (ast.Stmt, error) {
	n := &ast.SetRole{At: at(t), Scope: scope}
	if w.word("none") {
		n.None = true
		return n, nil
	}
	var err error
	if n.Name, err = w.nameOrString(); err != nil {
		return nil, err
	}
	n.NoReset = w.words("no", "reset")
	return n, nil
}

func (w *walker) reset() (ast.Stmt, error) {
	t := w.next()
	switch {
	case w.word("all"):
		return &ast.Reset{At: at(t)}, nil
	case w.words("time", "zone"):
		return &ast.Reset{At: at(t), Name: "timezone"}, nil
	case w.words("transaction", "isolation", "level"):
		return &ast.Reset{At: at(t), Name: "transaction_isolation"}, nil
	case w.words("session", "authorization"):
		return &ast.SetSessionAuth{At: at(t), Default: true}, nil
	case w.word("role"):
		return &ast.SetRole{At: at(t), None: true}, nil
	}
	n, err := w.settingName()
	return &ast.Reset{At: at(t), Name: n}, err
}

func (w *walker) show() (ast.Stmt, error) {
	t := w.next()
	switch {
	case w.word("all"):
		return &ast.Show{At: at(t), Name: "all"}, nil
	case w.words("time", "zone"):
		return &ast.Show{At: at(t), Name: "timezone"}, nil
	case w.words("transaction", "isolation", "level"):
		return &ast.Show{At: at(t), Name: "transaction_isolation"}, nil
	case w.words("session", "authorization"):
		return &ast.Show{At: at(t), Name: "session_authorization"}, nil
	case w.words("masking", "policies"):
		n := &ast.ShowMaskingPolicies{At: at(t)}
		var err error
		if w.word("for") {
			n.Table, err = w.qualified()
		}
		return n, err
	case w.words("ingest", "tokens"):
		return &ast.ShowIngestTokens{At: at(t)}, nil
	}
	n, err := w.settingName()
	return &ast.Show{At: at(t), Name: n}, err
}

func (w *walker) discard() (ast.Stmt, error) {
	n := &ast.Discard{At: at(w.next())}
	switch {
	case w.word("all"):
		n.What = "all"
	case w.word("plans"):
		n.What = "plans"
	case w.word("sequences"):
		n.What = "sequences"
	case w.word("temp"), w.word("temporary"):
		n.What = "temp"
	default:
		return nil, w.err()
	}
	return n, nil
}

// txModes takes transaction modes with or without commas; must demands one.
func (w *walker) txModes(m *ast.TxModes, must bool) error {
	yes, no := true, false
	for n := 0; ; n++ {
		switch {
		case w.words("isolation", "level"):
			switch {
			case w.words("read", "uncommitted"):
				m.Isolation = "read uncommitted"
			case w.words("read", "committed"):
				m.Isolation = "read committed"
			case w.words("repeatable", "read"):
				m.Isolation = "repeatable read"
			case w.word("serializable"):
				m.Isolation = "serializable"
			default:
				return w.err()
			}
		case w.words("read", "only"):
			m.ReadOnly = &yes
		case w.words("read", "write"):
			m.ReadOnly = &no
		case w.word("deferrable"):
			m.Deferrable = &yes
		case w.words("not", "deferrable"):
			m.Deferrable = &no
		default:
			if must && n == 0 || w.peek(-1).punct(",") {
				return w.err()
			}
			return nil
		}
		w.punct(",")
	}
}

func (w *walker) work() {
	if !w.word("work") {
		w.word("transaction")
	}
}

func (w *walker) begin() (ast.Stmt, error) {
	t := w.next()
	n := &ast.Begin{At: at(t), Start: t.Text == "start"}
	if n.Start {
		if err := w.expectWord("transaction"); err != nil {
			return nil, err
		}
	} else {
		w.work()
	}
	return n, w.txModes(&n.Modes, false)
}

// chain takes AND [NO] CHAIN.
func (w *walker) chain() (bool, error) {
	if !w.word("and") {
		return false, nil
	}
	no := w.word("no")
	return !no, w.expectWord("chain")
}

func (w *walker) commit() (ast.Stmt, error) {
	t := w.next()
	if w.word("prepared") {
		return nil, refuse("two-phase commit", t)
	}
	w.work()
	c, err := w.chain()
	return &ast.Commit{At: at(t), Chain: c}, err
}

func (w *walker) rollback() (ast.Stmt, error) {
	t := w.next()
	if w.word("prepared") {
		return nil, refuse("two-phase commit", t)
	}
	w.work()
	if t.Text == "rollback" && w.word("to") {
		if w.cur().is("savepoint") && isColID(w.peek(1)) {
			w.p++
		}
		n, err := w.colID()
		return &ast.RollbackTo{At: at(t), Name: n}, err
	}
	c, err := w.chain()
	return &ast.Rollback{At: at(t), Chain: c}, err
}

func (w *walker) savepoint() (ast.Stmt, error) {
	t := w.next()
	if t.Text == "release" {
		if w.words("legal", "hold") {
			n, err := w.colID()
			return &ast.ReleaseLegalHold{At: at(t), Name: n}, err
		}
		if w.cur().is("savepoint") && isColID(w.peek(1)) {
			w.p++
		}
		n, err := w.colID()
		return &ast.ReleaseSavepoint{At: at(t), Name: n}, err
	}
	n, err := w.colID()
	return &ast.Savepoint{At: at(t), Name: n}, err
}

func (w *walker) unlisten() (ast.Stmt, error) {
	n := &ast.Unlisten{At: at(w.next())}
	if w.op("*") {
		return n, nil
	}
	var err error
	n.Name, err = w.colID()
	return n, err
}

// explain takes EXPLAIN with its options and dispatches again.
func (w *walker) explain() (ast.Stmt, error) {
	t := w.next()
	if w.cur().is("retention") && isColID(w.peek(1)) {
		w.p++
		return w.explainRetention(t)
	}
	n := &ast.Explain{At: at(t)}
	var err error
	if w.cur().punct("(") && !w.isQuery(w.p) {
		if n.Options, err = w.genericOptions(); err != nil {
			return nil, err
		}
	} else {
		for _, o := range []string{"analyze", "verbose"} {
			k := w.cur()
			if w.word(o) || o == "analyze" && w.word("analyse") {
				n.Options = append(n.Options, ast.Option{At: at(k), Name: o})
			}
		}
	}
	k := w.cur()
	if n.Stmt, err = w.statement(); err != nil {
		return nil, err
	}
	switch n.Stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete, *ast.Execute, *ast.DeclareCursor, *ast.CreateTableAs,
		*ast.RefreshMaterializedView:
		return n, nil
	}
	return nil, w.errAt(k)
}

// vacuum takes VACUUM and ANALYZE.
func (w *walker) vacuum() (ast.Stmt, error) {
	t := w.next()
	n := &ast.Vacuum{At: at(t), Analyze: t.Text != "vacuum"}
	var err error
	if w.cur().punct("(") {
		if n.Options, err = w.genericOptions(); err != nil {
			return nil, err
		}
	} else {
		words := []string{"verbose"}
		if !n.Analyze {
			words = []string{"full", "freeze", "verbose", "analyze", "analyse"}
		}
		for _, o := range words {
			if k := w.cur(); w.word(o) {
				n.Options = append(n.Options, ast.Option{At: at(k), Name: o})
			}
		}
	}
	for isColID(w.cur()) || w.cur().is("only") {
		var v ast.VacuumTable
		if v.Table, err = w.relationName(); err != nil {
			return nil, err
		}
		if v.Columns, err = w.optNames(); err != nil {
			return nil, err
		}
		n.Tables = append(n.Tables, v)
		if !w.punct(",") {
			return n, nil
		}
		if !isColID(w.cur()) && !w.cur().is("only") {
			return nil, w.err()
		}
	}
	return n, nil
}

// callStmt takes CALL name(args).
func (w *walker) callStmt() (ast.Stmt, error) {
	t := w.next()
	if !w.isFromFunction() {
		if isColID(w.cur()) {
			w.p++
		}
		return nil, w.err()
	}
	e, err := w.parseExpr()
	if err != nil {
		return nil, err
	}
	c, ok := e.(*ast.Call)
	if !ok || c.Over != nil || c.Filter != nil {
		return nil, errs.New(errs.Syntax, "syntax error").WithPos(int(t.Start) + 1)
	}
	return &ast.CallStmt{At: at(t), Call: c}, nil
}
