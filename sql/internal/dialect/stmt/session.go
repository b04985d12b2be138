package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// set takes SET in all its forms.
func (w *parser) set() (ast.Stmt, error) {
	t := w.Next()
	scope := ast.ScopeSession
	switch {
	case w.Cur().Is("session") && w.Peek(1).Is("characteristics"):
		return w.sessionCharacteristics(t)
	case w.Cur().Is("local") && !w.Peek(1).Op("=") && !w.Peek(1).Is("to"):
		w.P++
		scope = ast.ScopeLocal
	case w.Cur().Is("session") && w.Peek(1).Is("session") && w.Peek(2).Is("characteristics"):
		w.P++
		return w.sessionCharacteristics(t)
	case w.Cur().Is("session") && !w.Peek(1).Op("=") && !w.Peek(1).Is("to"):
		w.P++
	}
	switch k, n := w.Cur(), w.Peek(1); {
	case k.Is("authorization"):
		w.P++
		return w.sessionAuth(t, scope)
	case k.Is("role") && !n.Op("=") && !n.Is("to"):
		w.P++
		return w.setRole(t, scope)
	case k.Is("transaction") && !n.Op("=") && !n.Is("to"):
		w.P++
		st := &ast.SetTransaction{At: dialect.At(t)}
		if w.Word("snapshot") {
			var err error
			st.Snapshot, err = w.StringLit()
			return st, err
		}
		return st, w.txModes(&st.Modes, true)
	case k.Is("constraints"):
		return nil, dialect.Refuse("SET CONSTRAINTS", k)
	}
	n, err := w.setting()
	if err != nil {
		return nil, err
	}
	n.At, n.Scope = dialect.At(t), scope
	return n, nil
}

func (w *parser) sessionCharacteristics(t *dialect.Token) (ast.Stmt, error) {
	w.P += 2
	if err := w.ExpectWords("as", "transaction"); err != nil {
		return nil, err
	}
	n := &ast.SetTransaction{At: dialect.At(t), Session: true}
	return n, w.txModes(&n.Modes, true)
}

// setting takes name = values, name TO values, and the special forms.
func (w *parser) setting() (*ast.Set, error) {
	t := w.Cur()
	n := &ast.Set{At: dialect.At(t)}
	switch k := w.Peek(1); {
	case t.Is("time") && k.Is("zone"):
		w.P += 2
		n.Name = "timezone"
		return n, w.timeZone(n)
	case t.Is("names"):
		w.P++
		n.Name = "client_encoding"
		if w.Word("default") {
			n.Default = true
		} else if w.Cur().Kind == dialect.String {
			w.settingValue(n)
		} else {
			n.Default = true
		}
		return n, nil
	case t.Is("schema") && k.Kind == dialect.String:
		w.P++
		n.Name = "search_path"
		w.settingValue(n)
		return n, nil
	case t.Is("catalog") && k.Kind == dialect.String:
		return nil, dialect.Refuse("current database cannot be changed: SET CATALOG", t)
	case t.Is("xml") && k.Is("option"):
		return nil, dialect.Refuse("SET XML OPTION", t)
	}
	var err error
	if n.Name, err = w.settingName(); err != nil {
		return nil, err
	}
	if w.Words("from", "current") {
		n.FromCurrent = true
		return n, nil
	}
	if !w.Op("=") && !w.Word("to") {
		return nil, w.Err()
	}
	if w.Word("default") {
		n.Default = true
		return n, nil
	}
	for {
		if err := w.settingValue(n); err != nil {
			return nil, err
		}
		if !w.Punct(",") {
			return n, nil
		}
	}
}

// settingName takes name or prefix.name.
func (w *parser) settingName() (string, error) {
	n, err := w.ColID()
	if err != nil {
		return "", err
	}
	for w.Punct(".") {
		p, err := w.ColID()
		if err != nil {
			return "", err
		}
		n += "." + p
	}
	return n, nil
}

// settingValue takes a word, a string, a number or a boolean.
func (w *parser) settingValue(n *ast.Set) error {
	t := w.Cur()
	v := ast.SettingValue{At: dialect.At(t), Text: t.Text}
	switch {
	case t.Kind == dialect.String:
		v.Kind = ast.ValueString
	case t.Kind == dialect.Int || t.Kind == dialect.Number:
		v.Kind = ast.ValueNumber
	case t.Op("-") || t.Op("+"):
		w.P++
		if k := w.Cur().Kind; k != dialect.Int && k != dialect.Number {
			return w.Err()
		}
		v.Kind, v.Text = ast.ValueNumber, w.Cur().Text
		if t.Text == "-" {
			v.Text = "-" + v.Text
		}
	case t.Kind == dialect.Quoted, t.Is("true"), t.Is("false"), t.Is("on"), t.Kind == dialect.Word && t.Class != dialect.Reserved:
		v.Kind = ast.ValueWord
	default:
		return w.Err()
	}
	w.P++
	n.Values = append(n.Values, v)
	return nil
}

// timeZone takes the value of SET TIME ZONE.
func (w *parser) timeZone(n *ast.Set) error {
	t := w.Cur()
	if w.Word("default") || w.Word("local") {
		n.Default = true
		return nil
	}
	if t.Is("interval") {
		w.P++
		if _, err := w.TypeMods(); err != nil {
			return err
		}
		s, err := w.StringLit()
		if err != nil {
			return err
		}
		if _, _, err := w.IntervalFields(); err != nil {
			return err
		}
		n.Values = []ast.SettingValue{{At: dialect.At(t), Kind: ast.ValueString, Text: s}}
		return nil
	}
	return w.settingValue(n)
}

func (w *parser) sessionAuth(t *dialect.Token, scope ast.SetScope) (ast.Stmt, error) {
	n := &ast.SetSessionAuth{At: dialect.At(t), Scope: scope}
	if w.Word("default") {
		n.Default = true
		return n, nil
	}
	var err error
	n.Name, err = w.nameOrString()
	return n, err
}

// nameOrString takes PostgreSQL's NonReservedWord_or_Sconst.
func (w *parser) nameOrString() (string, error) {
	t := w.Cur()
	if t.Kind == dialect.String || t.Kind == dialect.Quoted || t.Kind == dialect.Word && t.Class != dialect.Reserved {
		w.P++
		return t.Text, nil
	}
	return "", w.Err()
}

// setRole takes the role of SET ROLE.
func (w *parser) setRole(t *dialect.Token, scope ast.SetScope) (ast.Stmt, error) {
	n := &ast.SetRole{At: dialect.At(t), Scope: scope}
	if w.Word("none") {
		n.None = true
		return n, nil
	}
	var err error
	if n.Name, err = w.nameOrString(); err != nil {
		return nil, err
	}
	n.NoReset = w.Words("no", "reset")
	return n, nil
}

func (w *parser) reset() (ast.Stmt, error) {
	t := w.Next()
	switch {
	case w.Word("all"):
		return &ast.Reset{At: dialect.At(t)}, nil
	case w.Words("time", "zone"):
		return &ast.Reset{At: dialect.At(t), Name: "timezone"}, nil
	case w.Words("transaction", "isolation", "level"):
		return &ast.Reset{At: dialect.At(t), Name: "transaction_isolation"}, nil
	case w.Words("session", "authorization"):
		return &ast.SetSessionAuth{At: dialect.At(t), Default: true}, nil
	case w.Word("role"):
		return &ast.SetRole{At: dialect.At(t), None: true}, nil
	}
	n, err := w.settingName()
	return &ast.Reset{At: dialect.At(t), Name: n}, err
}

func (w *parser) show() (ast.Stmt, error) {
	t := w.Next()
	switch {
	case w.Word("all"):
		return &ast.Show{At: dialect.At(t), Name: "all"}, nil
	case w.Words("time", "zone"):
		return &ast.Show{At: dialect.At(t), Name: "timezone"}, nil
	case w.Words("transaction", "isolation", "level"):
		return &ast.Show{At: dialect.At(t), Name: "transaction_isolation"}, nil
	case w.Words("session", "authorization"):
		return &ast.Show{At: dialect.At(t), Name: "session_authorization"}, nil
	case w.Words("masking", "policies"):
		n := &ast.ShowMaskingPolicies{At: dialect.At(t)}
		var err error
		if w.Word("for") {
			n.Table, err = w.Qualified()
		}
		return n, err
	case w.Words("ingest", "tokens"):
		return &ast.ShowIngestTokens{At: dialect.At(t)}, nil
	}
	n, err := w.settingName()
	return &ast.Show{At: dialect.At(t), Name: n}, err
}

func (w *parser) discard() (ast.Stmt, error) {
	n := &ast.Discard{At: dialect.At(w.Next())}
	switch {
	case w.Word("all"):
		n.What = "all"
	case w.Word("plans"):
		n.What = "plans"
	case w.Word("sequences"):
		n.What = "sequences"
	case w.Word("temp"), w.Word("temporary"):
		n.What = "temp"
	default:
		return nil, w.Err()
	}
	return n, nil
}

// txModes takes transaction modes with or without commas; must demands one.
func (w *parser) txModes(m *ast.TxModes, must bool) error {
	yes, no := true, false
	for n := 0; ; n++ {
		switch {
		case w.Words("isolation", "level"):
			switch {
			case w.Words("read", "uncommitted"):
				m.Isolation = "read uncommitted"
			case w.Words("read", "committed"):
				m.Isolation = "read committed"
			case w.Words("repeatable", "read"):
				m.Isolation = "repeatable read"
			case w.Word("serializable"):
				m.Isolation = "serializable"
			default:
				return w.Err()
			}
		case w.Words("read", "only"):
			m.ReadOnly = &yes
		case w.Words("read", "write"):
			m.ReadOnly = &no
		case w.Word("deferrable"):
			m.Deferrable = &yes
		case w.Words("not", "deferrable"):
			m.Deferrable = &no
		default:
			if must && n == 0 || w.Peek(-1).Punct(",") {
				return w.Err()
			}
			return nil
		}
		w.Punct(",")
	}
}

func (w *parser) work() {
	if !w.Word("work") {
		w.Word("transaction")
	}
}

func (w *parser) begin() (ast.Stmt, error) {
	t := w.Next()
	n := &ast.Begin{At: dialect.At(t), Start: t.Text == "start"}
	if n.Start {
		if err := w.ExpectWord("transaction"); err != nil {
			return nil, err
		}
	} else {
		w.work()
	}
	return n, w.txModes(&n.Modes, false)
}

// chain takes AND [NO] CHAIN.
func (w *parser) chain() (bool, error) {
	if !w.Word("and") {
		return false, nil
	}
	no := w.Word("no")
	return !no, w.ExpectWord("chain")
}

func (w *parser) commit() (ast.Stmt, error) {
	t := w.Next()
	if w.Word("prepared") {
		return nil, dialect.Refuse("two-phase commit", t)
	}
	w.work()
	c, err := w.chain()
	return &ast.Commit{At: dialect.At(t), Chain: c}, err
}

func (w *parser) rollback() (ast.Stmt, error) {
	t := w.Next()
	if w.Word("prepared") {
		return nil, dialect.Refuse("two-phase commit", t)
	}
	w.work()
	if t.Text == "rollback" && w.Word("to") {
		if w.Cur().Is("savepoint") && dialect.IsColID(w.Peek(1)) {
			w.P++
		}
		n, err := w.ColID()
		return &ast.RollbackTo{At: dialect.At(t), Name: n}, err
	}
	c, err := w.chain()
	return &ast.Rollback{At: dialect.At(t), Chain: c}, err
}

func (w *parser) savepoint() (ast.Stmt, error) {
	t := w.Next()
	if t.Text == "release" {
		if w.Words("legal", "hold") {
			n, err := w.ColID()
			return &ast.ReleaseLegalHold{At: dialect.At(t), Name: n}, err
		}
		if w.Cur().Is("savepoint") && dialect.IsColID(w.Peek(1)) {
			w.P++
		}
		n, err := w.ColID()
		return &ast.ReleaseSavepoint{At: dialect.At(t), Name: n}, err
	}
	n, err := w.ColID()
	return &ast.Savepoint{At: dialect.At(t), Name: n}, err
}

func (w *parser) unlisten() (ast.Stmt, error) {
	n := &ast.Unlisten{At: dialect.At(w.Next())}
	if w.Op("*") {
		return n, nil
	}
	var err error
	n.Name, err = w.ColID()
	return n, err
}

// explain takes EXPLAIN with its options and dispatches again.
func (w *parser) explain() (ast.Stmt, error) {
	t := w.Next()
	if w.Cur().Is("retention") && dialect.IsColID(w.Peek(1)) {
		w.P++
		return w.explainRetention(t)
	}
	n := &ast.Explain{At: dialect.At(t)}
	var err error
	if w.Cur().Punct("(") && !w.IsQuery(w.P) {
		if n.Options, err = w.genericOptions(); err != nil {
			return nil, err
		}
	} else {
		for _, o := range []string{"analyze", "verbose"} {
			k := w.Cur()
			if w.Word(o) || o == "analyze" && w.Word("analyse") {
				n.Options = append(n.Options, ast.Option{At: dialect.At(k), Name: o})
			}
		}
	}
	k := w.Cur()
	if n.Stmt, err = w.statement(); err != nil {
		return nil, err
	}
	switch n.Stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete, *ast.Execute, *ast.DeclareCursor, *ast.CreateTableAs,
		*ast.RefreshMaterializedView:
		return n, nil
	}
	return nil, w.ErrAt(k)
}

// vacuum takes VACUUM and ANALYZE.
func (w *parser) vacuum() (ast.Stmt, error) {
	t := w.Next()
	n := &ast.Vacuum{At: dialect.At(t), Analyze: t.Text != "vacuum"}
	var err error
	if w.Cur().Punct("(") {
		if n.Options, err = w.genericOptions(); err != nil {
			return nil, err
		}
	} else {
		words := []string{"verbose"}
		if !n.Analyze {
			words = []string{"full", "freeze", "verbose", "analyze", "analyse"}
		}
		for _, o := range words {
			if k := w.Cur(); w.Word(o) {
				n.Options = append(n.Options, ast.Option{At: dialect.At(k), Name: o})
			}
		}
	}
	for dialect.IsColID(w.Cur()) || w.Cur().Is("only") {
		var v ast.VacuumTable
		if v.Table, err = w.RelationName(); err != nil {
			return nil, err
		}
		if v.Columns, err = w.optNames(); err != nil {
			return nil, err
		}
		n.Tables = append(n.Tables, v)
		if !w.Punct(",") {
			return n, nil
		}
		if !dialect.IsColID(w.Cur()) && !w.Cur().Is("only") {
			return nil, w.Err()
		}
	}
	return n, nil
}

// callStmt takes CALL name(args).
func (w *parser) callStmt() (ast.Stmt, error) {
	t := w.Next()
	if !w.IsFromFunction() {
		if dialect.IsColID(w.Cur()) {
			w.P++
		}
		return nil, w.Err()
	}
	e, err := w.ParseExpr()
	if err != nil {
		return nil, err
	}
	c, ok := e.(*ast.Call)
	if !ok || c.Over != nil || c.Filter != nil {
		return nil, errs.New(errs.Syntax, "syntax error").WithPos(int(t.Start) + 1)
	}
	return &ast.CallStmt{At: dialect.At(t), Call: c}, nil
}
