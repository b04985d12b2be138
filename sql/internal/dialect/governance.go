package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// createMasking takes MASKING POLICY … or MASKING KEY … behind CREATE.
func (w *walker) createMasking(t *Token, orReplace bool) (ast.Stmt, error) {
	w.p++
	if !orReplace && w.word("key") {
		n := &ast.MaskingKey{At: at(t), IfNotExists: w.ifNotExists()}
		var err error
		if n.Name, err = w.colID(); err != nil {
			return nil, err
		}
		if w.words("from", "hex") {
			n.FromHex, err = w.secret()
		}
		return n, err
	}
	if err := w.expectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.CreateMaskingPolicy{At: at(t), OrReplace: orReplace, IfNotExists: w.ifNotExists()}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("for"); err != nil {
		return nil, err
	}
	k := w.next()
	switch k.Text {
	case "text", "numeric", "date", "timestamp", "bool", "uuid", "inet", "bytea", "json", "any":
		n.Family = k.Text
	case "boolean":
		n.Family = "bool"
	default:
		return nil, w.errAt(k)
	}
	if err := w.expectWord("as"); err != nil {
		return nil, err
	}
	return n, w.maskBody(n)
}

// maskBody takes mask [WITH (…)].
func (w *walker) maskBody(n *ast.CreateMaskingPolicy) error {
	var err error
	if n.Mask, err = w.mask(); err != nil {
		return err
	}
	n.Options, err = w.withOptions()
	return err
}

// mask takes one spelling of a mask.
func (w *walker) mask() (*ast.Mask, error) {
	t := w.cur()
	m := &ast.Mask{At: at(t), Fixed: -1}
	var err error
	switch {
	case w.word("null"):
	case w.word("email"):
		m.Kind = ast.MaskEmail
	case w.word("constant"):
		m.Kind = ast.MaskConstant
		m.Expr, m.ExprText, err = w.exprText()
	case w.word("partial"):
		m.Kind, m.Pad = ast.MaskPartial, "*"
		err = w.maskPartial(m)
	case w.word("pseudonym"):
		m.Kind = ast.MaskPseudonym
		err = w.maskPseudonym(m)
	case w.word("date_trunc"):
		m.Kind = ast.MaskDateTrunc
		if err = w.expect("("); err == nil {
			if m.Unit, err = w.stringLit(); err == nil {
				err = w.expect(")")
			}
		}
	case w.word("bucket"):
		m.Kind = ast.MaskBucket
		m.Expr, m.ExprText, err = w.policyExpr()
	case w.word("round"):
		m.Kind = ast.MaskRound
		m.Digits, _, err = w.maskInts(1)
	case w.word("ip"):
		m.Kind = ast.MaskIP
		m.Bits4, m.Bits6, err = w.maskInts(2)
	case w.word("token"):
		m.Kind = ast.MaskToken
		if err = w.expect("("); err == nil {
			if err = w.expectWord("vault"); err == nil {
				if m.Key, err = w.colID(); err == nil {
					err = w.expect(")")
				}
			}
		}
	case t.punct("("):
		m.Kind = ast.MaskExpr
		m.Expr, m.ExprText, err = w.policyExpr()
	default:
		err = w.err()
	}
	return m, err
}

// exprText takes a restricted expression and its text.
func (w *walker) exprText() (ast.Expr, string, error) {
	e, err := w.parseExprMode(true)
	if err != nil {
		return nil, "", err
	}
	return e, ast.Print(e), nil
}

// maskInts takes (n) or (n, m).
func (w *walker) maskInts(count int) (a, b int, err error) {
	if err = w.expect("("); err != nil {
		return
	}
	if a, err = w.signedInt(); err != nil {
		return
	}
	if count == 2 {
		if err = w.expect(","); err != nil {
			return
		}
		if b, err = w.signedInt(); err != nil {
			return
		}
	}
	return a, b, w.expect(")")
}

// maskPartial takes (KEEP LEFT n, KEEP RIGHT m, PAD 'c', FIXED k) in any
// order, each at most once.
func (w *walker) maskPartial(m *ast.Mask) error {
	if err := w.expect("("); err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		t := w.cur()
		var err error
		name := t.Text
		switch {
		case w.words("keep", "left"):
			name = "left"
			m.KeepLeft, err = w.intLit()
		case w.words("keep", "right"):
			name = "right"
			m.KeepRight, err = w.intLit()
		case w.word("pad"):
			m.Pad, err = w.stringLit()
		case w.word("fixed"):
			m.Fixed, err = w.intLit()
		default:
			err = w.err()
		}
		if err != nil {
			return err
		}
		if seen[name] {
			return w.errAt(t)
		}
		seen[name] = true
		if !w.punct(",") {
			return w.expect(")")
		}
	}
}

// maskPseudonym takes (KEY name [, DOMAIN 'd'] [, PER (col)]).
func (w *walker) maskPseudonym(m *ast.Mask) error {
	if err := w.expect("("); err != nil {
		return err
	}
	if err := w.expectWord("key"); err != nil {
		return err
	}
	var err error
	if m.Key, err = w.colID(); err != nil {
		return err
	}
	for w.punct(",") {
		switch {
		case w.word("domain"):
			m.Domain, err = w.stringLit()
		case w.word("per"):
			if err = w.expect("("); err == nil {
				if m.Per, err = w.colID(); err == nil {
					err = w.expect(")")
				}
			}
		default:
			err = w.err()
		}
		if err != nil {
			return err
		}
	}
	return w.expect(")")
}

// alterMasking takes ALTER MASKING POLICY|KEY behind MASKING.
func (w *walker) alterMasking(t *Token) (ast.Stmt, error) {
	var err error
	if w.word("key") {
		n := &ast.MaskingKey{At: at(t), Action: ast.KeyRotate}
		if n.Name, err = w.colID(); err != nil {
			return nil, err
		}
		return n, w.expectWord("rotate")
	}
	if err := w.expectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.CreateMaskingPolicy{At: at(t), Alter: true}
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	switch {
	case w.words("rename", "to"):
		n.Rename, err = w.colID()
		return n, err
	case w.word("as"):
		return n, w.maskBody(n)
	case w.word("set"):
		n.Options, err = w.options()
		return n, err
	}
	return nil, w.err()
}

func (w *walker) dropMasking(t *Token) (ast.Stmt, error) {
	var err error
	if w.word("key") {
		n := &ast.MaskingKey{At: at(t), Action: ast.KeyDrop, IfExists: w.ifExists()}
		n.Name, err = w.colID()
		return n, err
	}
	if err := w.expectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.DropMaskingPolicy{At: at(t), IfExists: w.ifExists()}
	n.Name, err = w.colID()
	return n, err
}

// setMasking takes the policy and its terms behind SET|ADD MASKING POLICY.
func (w *walker) setMasking(p ast.At, column string, add bool) (ast.AlterAction, error) {
	a := &ast.SetMaskingPolicy{At: p, Column: column, Add: add}
	var err error
	if a.Policy, err = w.colID(); err != nil {
		return nil, err
	}
	if w.word("using") {
		if a.Using, err = w.nameList(); err != nil {
			return nil, err
		}
	}
	if !add {
		return a, nil
	}
	return a, w.maskingTerms(a)
}

// maskingTerms takes TO roles [WHEN (pred)] PRIORITY n.
func (w *walker) maskingTerms(a *ast.SetMaskingPolicy) error {
	if err := w.expectWord("to"); err != nil {
		return err
	}
	w.word("role")
	var err error
	if a.Roles, err = w.roles(); err != nil {
		return err
	}
	if w.word("when") {
		if a.When, a.WhenText, err = w.policyExpr(); err != nil {
			return err
		}
	}
	if err := w.expectWord("priority"); err != nil {
		return err
	}
	a.Priority, err = w.signedInt()
	return err
}

// attachMasking takes ATTACH MASKING POLICY p ON t(c) TO ROLE r PRIORITY n: the
// same as ALTER TABLE … ADD MASKING POLICY.
func (w *walker) attachMasking() (ast.Stmt, error) {
	t := w.next()
	if err := w.expectWords("masking", "policy"); err != nil {
		return nil, err
	}
	a := &ast.SetMaskingPolicy{At: at(t), Add: true}
	var err error
	if a.Policy, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	n := &ast.AlterTable{At: at(t), Actions: []ast.AlterAction{a}}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	cols, err := w.nameList()
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
func (w *walker) declassify() (ast.Stmt, error) {
	n := &ast.Declassify{At: at(w.next())}
	var err error
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if err := w.expectWord("reason"); err != nil {
		return nil, err
	}
	n.Reason, err = w.stringLit()
	return n, err
}

// interval takes INTERVAL '…' and gives the literal's text.
func (w *walker) interval() (string, error) {
	if err := w.expectWord("interval"); err != nil {
		return "", err
	}
	s, err := w.stringLit()
	if err != nil {
		return "", err
	}
	fields, _, err := w.intervalFields()
	if fields != "" {
		s += " " + fields
	}
	return s, err
}

// retentionPolicy takes RETENTION POLICY p ON t … behind CREATE or ALTER.
func (w *walker) retentionPolicy(t *Token, alter bool) (ast.Stmt, error) {
	if err := w.expectWords("retention", "policy"); err != nil {
		return nil, err
	}
	n := &ast.RetentionPolicy{At: at(t), Alter: alter}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	k := w.cur()
	if k.is("delete") || k.is("set") {
		if n.Action, err = w.retentionAction(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.err()
	}
	if w.word("after") {
		if n.After, err = w.interval(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.err()
	}
	if w.word("on") {
		if w.word("ingest_time") {
			n.Column = "_received_at"
		} else if n.Column, err = w.colID(); err != nil {
			return nil, err
		}
	} else if !alter {
		return nil, w.err()
	}
	return n, w.retentionTerms(n)
}

// retentionAction takes DELETE ROWS or SET (c = mask, …).
func (w *walker) retentionAction() (*ast.RetentionAction, error) {
	if w.words("delete", "rows") {
		return &ast.RetentionAction{Delete: true}, nil
	}
	a := &ast.RetentionAction{}
	if err := w.expectWord("set"); err != nil {
		return nil, err
	}
	if err := w.expect("("); err != nil {
		return nil, err
	}
	for {
		s := ast.RetentionSet{At: at(w.cur())}
		var err error
		if s.Column, err = w.colID(); err != nil {
			return nil, err
		}
		if !w.op("=") {
			return nil, w.err()
		}
		if s.Mask, err = w.maskOrLiteral(); err != nil {
			return nil, err
		}
		a.Set = append(a.Set, s)
		if !w.punct(",") {
			return a, w.expect(")")
		}
	}
}

// maskOrLiteral takes a mask, or a literal that is a constant mask.
func (w *walker) maskOrLiteral() (*ast.Mask, error) {
	t := w.cur()
	switch {
	case t.Kind == String, t.Kind == Int, t.Kind == Number, t.op("-"), t.is("true"), t.is("false"):
		m := &ast.Mask{At: at(t), Kind: ast.MaskConstant, Fixed: -1}
		var err error
		m.Expr, m.ExprText, err = w.exprText()
		return m, err
	}
	return w.mask()
}

// retentionTerms takes WHERE, GRACE, PURGE WITHIN and ON LATE.
func (w *walker) retentionTerms(n *ast.RetentionPolicy) error {
	for {
		var err error
		switch {
		case w.word("where"):
			if n.Where, err = w.parseExpr(); err == nil {
				n.WhereText = ast.Print(n.Where)
			}
		case w.word("grace"):
			n.Grace, err = w.interval()
		case w.words("purge", "within"):
			n.PurgeWithin, err = w.interval()
		case w.words("on", "late"):
			k := w.cur()
			if !w.word("drop") && !w.word("reject") && !w.word("accept") {
				return w.err()
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

func (w *walker) dropRetention(t *Token) (ast.Stmt, error) {
	if err := w.expectWord("policy"); err != nil {
		return nil, err
	}
	n := &ast.DropRetentionPolicy{At: at(t), IfExists: w.ifExists()}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	n.Table, err = w.relationName()
	return n, err
}

// explainRetention takes t [AT ts] behind EXPLAIN RETENTION.
func (w *walker) explainRetention(t *Token) (ast.Stmt, error) {
	n := &ast.ExplainRetention{At: at(t)}
	var err error
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if w.word("at") {
		n.When, err = w.parseExpr()
	}
	return n, err
}

// createLegalHold takes LEGAL HOLD h ON t [WHERE pred] [UNTIL ts] REASON '…'.
func (w *walker) createLegalHold(t *Token) (ast.Stmt, error) {
	if err := w.expectWords("legal", "hold"); err != nil {
		return nil, err
	}
	n := &ast.CreateLegalHold{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if w.word("where") {
		if n.Where, err = w.parseExpr(); err != nil {
			return nil, err
		}
		n.WhereText = ast.Print(n.Where)
	}
	if w.word("until") {
		if w.cur().is("timestamptz") || w.cur().is("timestamp") || w.cur().is("date") {
			w.p++
		}
		if n.Until, err = w.stringLit(); err != nil {
			return nil, err
		}
	}
	if err := w.expectWord("reason"); err != nil {
		return nil, err
	}
	n.Reason, err = w.stringLit()
	return n, err
}

// erase takes ERASE SUBJECT 'v' KEY k [DRY RUN] [WITH (…)].
func (w *walker) erase() (ast.Stmt, error) {
	n := &ast.EraseSubject{At: at(w.next())}
	if err := w.expectWord("subject"); err != nil {
		return nil, err
	}
	var err error
	if n.Subject, err = w.secret(); err != nil {
		return nil, err
	}
	if n.Subject.Null {
		return nil, errs.New(errs.Syntax, "subject must not be null").WithPos(n.Subject.Pos + 1)
	}
	if err := w.expectWord("key"); err != nil {
		return nil, err
	}
	if n.Key, err = w.colID(); err != nil {
		return nil, err
	}
	n.DryRun = w.words("dry", "run")
	n.Options, err = w.withOptions()
	return n, err
}

// ingestToken takes INGEST TOKEN n … behind CREATE, ALTER or DROP.
func (w *walker) ingestToken(t *Token, action ast.MaskingKeyAction) (ast.Stmt, error) {
	if err := w.expectWords("ingest", "token"); err != nil {
		return nil, err
	}
	n := &ast.IngestToken{At: at(t), Action: action}
	var err error
	if action == ast.KeyDrop {
		n.IfExists = w.ifExists()
	}
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	switch action {
	case ast.KeyDrop:
		return n, nil
	case ast.KeyRotate:
		if err := w.expectWord("set"); err != nil {
			return nil, err
		}
		n.Options, err = w.options()
		return n, err
	}
	if w.words("for", "role") {
		if n.ForRole, err = w.colID(); err != nil {
			return nil, err
		}
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if w.cur().is("schema") && isColID(w.peek(1)) {
		w.p++
		if n.Schema, err = w.colID(); err != nil {
			return nil, err
		}
	} else {
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
	}
	n.Options, err = w.withOptions()
	return n, err
}
