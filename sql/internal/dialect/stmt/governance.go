package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// createMasking takes MASKING POLICY … or MASKING KEY … behind CREATE.
func (w *parser) createMasking(t *dialect.Token, orReplace bool) (ast.Stmt, error) {
	w.P++
	if !orReplace && w.Word("key") {
		n := &ast.MaskingKey{At: dialect.At(t), IfNotExists: w.ifNotExists()}
		var err error
		if n.Name, err = w.ColID(); err != nil {
			return nil, err
		}
		if w.Words("from", "hex") {
			n.FromHex, err = w.secret()
		}
		return n, err
	}
	if err := w.ExpectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.CreateMaskingPolicy{At: dialect.At(t), OrReplace: orReplace, IfNotExists: w.ifNotExists()}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("for"); err != nil {
		return nil, err
	}
	k := w.Next()
	switch k.Text {
	case "text", "numeric", "date", "timestamp", "bool", "uuid", "inet", "bytea", "json", "any":
		n.Family = k.Text
	case "boolean":
		n.Family = "bool"
	default:
		return nil, w.ErrAt(k)
	}
	if err := w.ExpectWord("as"); err != nil {
		return nil, err
	}
	return n, w.maskBody(n)
}

// maskBody takes mask [WITH (…)].
func (w *parser) maskBody(n *ast.CreateMaskingPolicy) error {
	var err error
	if n.Mask, err = w.mask(); err != nil {
		return err
	}
	n.Options, err = w.withOptions()
	return err
}

// mask takes one spelling of a mask.
func (w *parser) mask() (*ast.Mask, error) {
	t := w.Cur()
	m := &ast.Mask{At: dialect.At(t), Fixed: -1}
	var err error
	switch {
	case w.Word("null"):
	case w.Word("email"):
		m.Kind = ast.MaskEmail
	case w.Word("constant"):
		m.Kind = ast.MaskConstant
		m.Expr, m.ExprText, err = w.exprText()
	case w.Word("partial"):
		m.Kind, m.Pad = ast.MaskPartial, "*"
		err = w.maskPartial(m)
	case w.Word("pseudonym"):
		m.Kind = ast.MaskPseudonym
		err = w.maskPseudonym(m)
	case w.Word("date_trunc"):
		m.Kind = ast.MaskDateTrunc
		if err = w.Expect("("); err == nil {
			if m.Unit, err = w.StringLit(); err == nil {
				err = w.Expect(")")
			}
		}
	case w.Word("bucket"):
		m.Kind = ast.MaskBucket
		m.Expr, m.ExprText, err = w.policyExpr()
	case w.Word("round"):
		m.Kind = ast.MaskRound
		m.Digits, _, err = w.maskInts(1)
	case w.Word("ip"):
		m.Kind = ast.MaskIP
		m.Bits4, m.Bits6, err = w.maskInts(2)
	case w.Word("token"):
		m.Kind = ast.MaskToken
		if err = w.Expect("("); err == nil {
			if err = w.ExpectWord("vault"); err == nil {
				if m.Key, err = w.ColID(); err == nil {
					err = w.Expect(")")
				}
			}
		}
	case t.Punct("("):
		m.Kind = ast.MaskExpr
		m.Expr, m.ExprText, err = w.policyExpr()
	default:
		err = w.Err()
	}
	return m, err
}

// exprText takes a restricted expression and its text.
func (w *parser) exprText() (ast.Expr, string, error) {
	e, err := w.ParseExprMode(true)
	if err != nil {
		return nil, "", err
	}
	return e, ast.Print(e), nil
}

// maskInts takes (n) or (n, m).
func (w *parser) maskInts(count int) (a, b int, err error) {
	if err = w.Expect("("); err != nil {
		return
	}
	if a, err = w.signedInt(); err != nil {
		return
	}
	if count == 2 {
		if err = w.Expect(","); err != nil {
			return
		}
		if b, err = w.signedInt(); err != nil {
			return
		}
	}
	return a, b, w.Expect(")")
}

// maskPartial takes (KEEP LEFT n, KEEP RIGHT m, PAD 'c', FIXED k) in any
// order, each at most once.
func (w *parser) maskPartial(m *ast.Mask) error {
	if err := w.Expect("("); err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		t := w.Cur()
		var err error
		name := t.Text
		switch {
		case w.Words("keep", "left"):
			name = "left"
			m.KeepLeft, err = w.IntLit()
		case w.Words("keep", "right"):
			name = "right"
			m.KeepRight, err = w.IntLit()
		case w.Word("pad"):
			m.Pad, err = w.StringLit()
		case w.Word("fixed"):
			m.Fixed, err = w.IntLit()
		default:
			err = w.Err()
		}
		if err != nil {
			return err
		}
		if seen[name] {
			return w.ErrAt(t)
		}
		seen[name] = true
		if !w.Punct(",") {
			return w.Expect(")")
		}
	}
}

// maskPseudonym takes (KEY name [, DOMAIN 'd'] [, PER (col)]).
func (w *parser) maskPseudonym(m *ast.Mask) error {
	if err := w.Expect("("); err != nil {
		return err
	}
	if err := w.ExpectWord("key"); err != nil {
		return err
	}
	var err error
	if m.Key, err = w.ColID(); err != nil {
		return err
	}
	for w.Punct(",") {
		switch {
		case w.Word("domain"):
			m.Domain, err = w.StringLit()
		case w.Word("per"):
			if err = w.Expect("("); err == nil {
				if m.Per, err = w.ColID(); err == nil {
					err = w.Expect(")")
				}
			}
		default:
			err = w.Err()
		}
		if err != nil {
			return err
		}
	}
	return w.Expect(")")
}

// alterMasking takes ALTER MASKING POLICY|KEY behind MASKING.
func (w *parser) alterMasking(t *dialect.Token) (ast.Stmt, error) {
	var err error
	if w.Word("key") {
		n := &ast.MaskingKey{At: dialect.At(t), Action: ast.KeyRotate}
		if n.Name, err = w.ColID(); err != nil {
			return nil, err
		}
		return n, w.ExpectWord("rotate")
	}
	if err := w.ExpectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.CreateMaskingPolicy{At: dialect.At(t), Alter: true}
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	switch {
	case w.Words("rename", "to"):
		n.Rename, err = w.ColID()
		return n, err
	case w.Word("as"):
		return n, w.maskBody(n)
	case w.Word("set"):
		n.Options, err = w.options()
		return n, err
	}
	return nil, w.Err()
}

func (w *parser) dropMasking(t *dialect.Token) (ast.Stmt, error) {
	var err error
	if w.Word("key") {
		n := &ast.MaskingKey{At: dialect.At(t), Action: ast.KeyDrop, IfExists: w.ifExists()}
		n.Name, err = w.ColID()
		return n, err
	}
	if err := w.ExpectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.DropMaskingPolicy{At: dialect.At(t), IfExists: w.ifExists()}
	n.Name, err = w.ColID()
	return n, err
}

// setMasking takes the policy and its terms behind SET|ADD MASKING POLICY.
func (w *parser) setMasking(p ast.At, column string, add bool) (ast.AlterAction, error) {
	a := &ast.SetMaskingPolicy{At: p, Column: column, Add: add}
	var err error
	if a.Policy, err = w.ColID(); err != nil {
		return nil, err
	}
	if w.Word("using") {
		if a.Using, err = w.NameList(); err != nil {
			return nil, err
		}
	}
	if !add {
		return a, nil
	}
	return a, w.maskingTerms(a)
}

// maskingTerms takes TO roles [WHEN (pred)] PRIORITY n.
func (w *parser) maskingTerms(a *ast.SetMaskingPolicy) error {
	if err := w.ExpectWord("to"); err != nil {
		return err
	}
	w.Word("role")
	var err error
	if a.Roles, err = w.roles(); err != nil {
		return err
	}
	if w.Word("when") {
		if a.When, a.WhenText, err = w.policyExpr(); err != nil {
			return err
		}
	}
	if err := w.ExpectWord("priority"); err != nil {
		return err
	}
	a.Priority, err = w.signedInt()
	return err
}

// attachMasking takes ATTACH MASKING POLICY p ON t(c) TO ROLE r PRIORITY n: the
// same as ALTER TABLE … ADD MASKING POLICY.
func (w *parser) attachMasking() (ast.Stmt, error) {
	t := w.Next()
	if err := w.ExpectWords("masking", "policy"); err != nil {
		return nil, err
	}
	a := &ast.SetMaskingPolicy{At: dialect.At(t), Add: true}
	var err error
	if a.Policy, err = w.ColID(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("on"); err != nil {
		return nil, err
	}
	n := &ast.AlterTable{At: dialect.At(t), Actions: []ast.AlterAction{a}}
	if n.Table, err = w.RelationName(); err != nil {
		return nil, err
	}
	cols, err := w.NameList()
	if err != nil {
		return nil, err
	}
	if len(cols) != 1 {
		return nil, invalid(t, "ATTACH MASKING POLICY takes one column")
	}
	a.Column = cols[0]
	return n, w.maskingTerms(a)
}

// declassify takes DECLASSIFY t [(c, …)] REASON '…'.
func (w *parser) declassify() (ast.Stmt, error) {
	n := &ast.Declassify{At: dialect.At(w.Next())}
	var err error
	if n.Table, err = w.RelationName(); err != nil {
		return nil, err
	}
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("reason"); err != nil {
		return nil, err
	}
	n.Reason, err = w.StringLit()
	return n, err
}

// interval takes INTERVAL '…' and gives the literal's text.
func (w *parser) interval() (string, error) {
	if err := w.ExpectWord("interval"); err != nil {
		return "", err
	}
	s, err := w.StringLit()
	if err != nil {
		return "", err
	}
	fields, _, err := w.IntervalFields()
	if fields != "" {
		s += " " + fields
	}
	return s, err
}

// retentionPolicy takes RETENTION POLICY p ON t … behind CREATE or ALTER.
func (w *parser) retentionPolicy(t *dialect.Token, alter bool) (ast.Stmt, error) {
	if err := w.ExpectWords("retention", "policy"); err != nil {
		return nil, err
	}
	n := &ast.RetentionPolicy{At: dialect.At(t), Alter: alter}
	var err error
	if n.Name, n.Table, err = w.nameOn(); err != nil {
		return nil, err
	}
	k := w.Cur()
	if k.Is("delete") || k.Is("set") {
		if n.Action, err = w.retentionAction(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.Err()
	}
	if w.Word("after") {
		if n.After, err = w.interval(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.Err()
	}
	if w.Word("on") {
		if w.Word("ingest_time") {
			n.Column = "_received_at"
		} else if n.Column, err = w.ColID(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.Err()
	}
	return n, w.retentionTerms(n)
}

// retentionAction takes DELETE ROWS or SET (c = mask, …).
func (w *parser) retentionAction() (*ast.RetentionAction, error) {
	if w.Words("delete", "rows") {
		return &ast.RetentionAction{Delete: true}, nil
	}
	a := &ast.RetentionAction{}
	if err := w.ExpectWord("set"); err != nil {
		return nil, err
	}
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	for {
		s := ast.RetentionSet{At: dialect.At(w.Cur())}
		var err error
		if s.Column, err = w.ColID(); err != nil {
			return nil, err
		}
		if !w.Op("=") {
			return nil, w.Err()
		}
		if s.Mask, err = w.maskOrLiteral(); err != nil {
			return nil, err
		}
		a.Set = append(a.Set, s)
		if !w.Punct(",") {
			return a, w.Expect(")")
		}
	}
}

// maskOrLiteral takes a mask, or a literal that is a constant mask.
func (w *parser) maskOrLiteral() (*ast.Mask, error) {
	t := w.Cur()
	switch {
	case t.Kind == dialect.String, t.Kind == dialect.Int, t.Kind == dialect.Number, t.Op("-"), t.Is("true"), t.Is("false"):
		m := &ast.Mask{At: dialect.At(t), Kind: ast.MaskConstant, Fixed: -1}
		var err error
		m.Expr, m.ExprText, err = w.exprText()
		return m, err
	}
	return w.mask()
}

// retentionTerms takes WHERE, GRACE, PURGE WITHIN and ON LATE.
func (w *parser) retentionTerms(n *ast.RetentionPolicy) error {
	for {
		var err error
		switch {
		case w.Word("where"):
			if n.Where, err = w.ParseExpr(); err == nil {
				n.WhereText = ast.Print(n.Where)
			}
		case w.Word("grace"):
			n.Grace, err = w.interval()
		case w.Words("purge", "within"):
			n.PurgeWithin, err = w.interval()
		case w.Words("on", "late"):
			k := w.Cur()
			if !w.Word("drop") && !w.Word("reject") && !w.Word("accept") {
				return w.Err()
			}
			n.OnLate = k.Text
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *parser) dropRetention(t *dialect.Token) (ast.Stmt, error) {
	if err := w.ExpectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.DropRetentionPolicy{At: dialect.At(t), IfExists: w.ifExists()}
	var err error
	n.Name, n.Table, err = w.nameOn()
	return n, err
}

// explainRetention takes t [AT ts] behind EXPLAIN RETENTION.
func (w *parser) explainRetention(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.ExplainRetention{At: dialect.At(t)}
	var err error
	if n.Table, err = w.RelationName(); err != nil {
		return nil, err
	}
	if w.Word("at") {
		n.When, err = w.ParseExpr()
	}
	return n, err
}

// createLegalHold takes LEGAL HOLD h ON t [WHERE pred] [UNTIL ts] REASON '…'.
func (w *parser) createLegalHold(t *dialect.Token) (ast.Stmt, error) {
	if err := w.ExpectWords("legal", "hold"); err != nil {
		return nil, err
	}
	n := &ast.CreateLegalHold{At: dialect.At(t)}
	var err error
	if n.Name, n.Table, err = w.nameOn(); err != nil {
		return nil, err
	}
	if w.Word("where") {
		if n.Where, err = w.ParseExpr(); err != nil {
			return nil, err
		}
		n.WhereText = ast.Print(n.Where)
	}
	if w.Word("until") {
		if w.Cur().Is("timestamptz") || w.Cur().Is("timestamp") || w.Cur().Is("date") {
			w.P++
		}
		if n.Until, err = w.StringLit(); err != nil {
			return nil, err
		}
	}
	if err := w.ExpectWord("reason"); err != nil {
		return nil, err
	}
	n.Reason, err = w.StringLit()
	return n, err
}

// erase takes ERASE SUBJECT 'v' KEY k [DRY RUN] [WITH (…)].
func (w *parser) erase() (ast.Stmt, error) {
	n := &ast.EraseSubject{At: dialect.At(w.Next())}
	if err := w.ExpectWord("subject"); err != nil {
		return nil, err
	}
	var err error
	if n.Subject, err = w.secret(); err != nil {
		return nil, err
	}
	if n.Subject.Null {
		return nil, errs.New(errs.Syntax, "subject must not be null").WithPos(n.Subject.Pos + 1)
	}
	if err := w.ExpectWord("key"); err != nil {
		return nil, err
	}
	if n.Key, err = w.ColID(); err != nil {
		return nil, err
	}
	n.DryRun = w.Words("dry", "run")
	n.Options, err = w.withOptions()
	return n, err
}

// ingestToken takes INGEST TOKEN n … behind CREATE, ALTER or DROP.
func (w *parser) ingestToken(t *dialect.Token, action ast.MaskingKeyAction) (ast.Stmt, error) {
	if err := w.ExpectWords("ingest", "token"); err != nil {
		return nil, err
	}
	n := &ast.IngestToken{At: dialect.At(t), Action: action}
	var err error
	if action == ast.KeyDrop {
		n.IfExists = w.ifExists()
	}
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	switch action {
	case ast.KeyDrop:
		return n, nil
	case ast.KeyRotate:
		if err := w.ExpectWord("set"); err != nil {
			return nil, err
		}
		n.Options, err = w.options()
		return n, err
	}
	if w.Words("for", "role") {
		if n.ForRole, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	if err := w.ExpectWord("on"); err != nil {
		return nil, err
	}
	if w.Cur().Is("schema") && dialect.IsColID(w.Peek(1)) {
		w.P++
		if n.Schema, err = w.ColID(); err != nil {
			return nil, err
		}
	} else {
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
	}
	n.Options, err = w.withOptions()
	return n, err
}
