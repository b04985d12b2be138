package sql

import (
	"context"
	"strconv"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/vec"
)

// copyPortal makes the portal of COPY; privileges are checked here, before the
// client is asked for a byte.
func (s *Session) copyPortal(ctx context.Context, base basePortal, st *ast.Copy) (portal, error) {
	base.verb = "COPY"
	if st.File != "" || st.Program {
		return nil, s.refuseFile(st)
	}
	if st.From {
		return s.copyFrom(ctx, base, st)
	}
	return s.copyTo(ctx, base, st)
}

func (s *Session) refuseFile(st *ast.Copy) error {
	p := s.Principal()
	if !p.Superuser && !policy.Active(s.catalog(), p.RoleID)[catalog.RoleExportAdmin] {
		what := "COPY to or from a file"
		if st.Program {
			what = "COPY to or from an external program"
		}
		return errs.New(errs.InsufficientPrivilege, "must be superuser or have privileges of role export_admin to %s", what).
			WithHint(`Anyone can COPY to stdout or from stdin. psql's \copy command also works for anyone.`)
	}
	if st.Program {
		return errs.NotSupported("COPY PROGRAM")
	}
	return errs.NotSupported("COPY to or from a file of the server")
}

// copyIn is COPY FROM STDIN.
type copyIn struct {
	basePortal
	spec *CopyIn
	rows int64
}

func (c *copyIn) CopyIn() *CopyIn                               { return c.spec }
func (c *copyIn) Next(context.Context, *vec.Batch) (int, error) { return 0, nil }
func (c *copyIn) FinishCopyIn(rows int64)                       { c.rows = rows }
func (c *copyIn) Tag() string                                   { return countTag("COPY", c.rows) }

func findTable(env *bind.Env, t *ast.TableRef) (*catalog.Table, error) {
	tab, err := bind.FindTable(env, t.Name)
	if err != nil {
		return nil, noPos(err)
	}
	return tab, nil
}

func (s *Session) copyFrom(ctx context.Context, base basePortal, st *ast.Copy) (portal, error) {
	if st.Where != nil {
		return nil, errs.NotSupported("COPY … WHERE")
	}
	env := s.bindEnv(ctx, nil, false)
	t, err := findTable(env, st.Table)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite("COPY FROM"); err != nil {
		return nil, err
	}
	if t.Kind != catalog.KindTable {
		return nil, errs.New(errs.WrongObjectType, "cannot copy to %s %q", t.Noun(), t.Name)
	}
	if t.Schema == catalog.SchemaSystem {
		return nil, errs.New(errs.InsufficientPrivilege, "permission denied for table %s", t.Name)
	}
	cols, _, err := bind.Columns(env, t, st.Columns, policy.Insert)
	if err != nil {
		return nil, noPos(err)
	}
	opts, err := copyOptions(st)
	if err != nil {
		return nil, err
	}
	spec := &CopyIn{Table: t.ID, Name: t.Name, Options: opts}
	for _, c := range cols {
		spec.Cols = append(spec.Cols, c.ID)
		spec.Types = append(spec.Types, c.Type)
		spec.Names = append(spec.Names, c.Name)
	}
	if err := checkForced(spec.Names, opts.ForceNotNull, opts.ForceNull); err != nil {
		return nil, err
	}
	return &copyIn{basePortal: base, spec: spec}, nil
}

func checkForced(names []string, lists ...map[string]bool) error {
	have := map[string]bool{"*": true}
	for _, n := range names {
		have[n] = true
	}
	for _, l := range lists {
		for n := range l {
			if !have[n] {
				return errs.New(errs.UndefinedColumn, "column %q does not exist", n)
			}
		}
	}
	return nil
}

// copyOut is COPY TO STDOUT: a query whose rows are written in COPY's form.
type copyOut struct {
	*queryPortal
	opts *CopyOut
}

func (c *copyOut) CopyOut() *CopyOut { return c.opts }
func (c *copyOut) Tag() string       { return countTag("COPY", c.count) }
func (c *copyOut) Suspendable() bool { return false }

func (s *Session) copyTo(ctx context.Context, base basePortal, st *ast.Copy) (portal, error) {
	opts, err := copyOptions(st)
	if err != nil {
		return nil, err
	}
	sel := &ast.SelectStmt{Query: st.Query}
	if st.DML != nil || st.Query != nil && changesIn(sel) != nil {
		return s.copyChange(ctx, base, st, opts)
	}
	if st.Table != nil {
		if sel, err = s.tableQuery(ctx, st); err != nil {
			return nil, err
		}
	}
	b, err := s.bind(ctx, sel, nil, false)
	if err != nil {
		return nil, err
	}
	q := &queryPortal{basePortal: base, stmt: sel}
	q.fields = fieldsOf(b.Field)
	names := make([]string, len(q.fields))
	for i, f := range q.fields {
		names[i] = f.Name
	}
	if err := checkForced(names, opts.ForceQuote); err != nil {
		return nil, err
	}
	return &copyOut{queryPortal: q, opts: &CopyOut{Options: opts}}, nil
}

// copyChange is COPY (INSERT … RETURNING …) TO and the like.
type copyChange struct {
	*commandPortal
	opts *CopyOut
	rows int64
}

func (c *copyChange) CopyOut() *CopyOut { return c.opts }
func (c *copyChange) Tag() string       { return countTag("COPY", c.rows) }
func (c *copyChange) Verb() string      { return "COPY" }
func (c *copyChange) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	n, err := c.commandPortal.Next(ctx, dst)
	c.rows += int64(n)
	return n, err
}

func (s *Session) copyChange(ctx context.Context, base basePortal, st *ast.Copy, opts CopyOptions) (portal, error) {
	inner := st.DML
	if inner == nil {
		inner = &ast.SelectStmt{Query: st.Query}
	}
	p := *base.p
	p.st = &statement{text: base.p.st.text, stmt: inner}
	if err := s.describeQuery(ctx, &p, inner); err != nil {
		return nil, err
	}
	if p.fields == nil {
		return nil, errs.New(errs.FeatureNotSupported, "COPY query must have a RETURNING clause")
	}
	base.p, base.fields = &p, p.fields
	return &copyChange{commandPortal: &commandPortal{basePortal: base}, opts: &CopyOut{Options: opts}}, nil
}

// tableQuery is the query that COPY table TO stands for.
func (s *Session) tableQuery(ctx context.Context, st *ast.Copy) (*ast.SelectStmt, error) {
	env := s.bindEnv(ctx, nil, false)
	t, err := findTable(env, st.Table)
	if err != nil {
		return nil, err
	}
	cols, _, err := bind.Columns(env, t, st.Columns, policy.Select)
	if err != nil {
		return nil, noPos(err)
	}
	sel := &ast.Select{From: []ast.TableExpr{&ast.TableRef{At: st.Table.At, Name: st.Table.Name}}}
	for _, c := range cols {
		sel.Targets = append(sel.Targets, &ast.Target{At: ast.At{Pos: -1},
			Expr: &ast.Column{At: ast.At{Pos: -1}, Parts: []string{c.Name}}})
	}
	return &ast.SelectStmt{At: st.At, Query: &ast.Query{At: st.At, Body: sel}}, nil
}

// copyOptions validates COPY's options. (One case per option; longer than
// usual.)
func copyOptions(st *ast.Copy) (CopyOptions, error) {
	o := CopyOptions{Format: "text"}
	seen := map[string]bool{}
	var delim, quote, escape, null *string
	for i := range st.Options {
		x := &st.Options[i]
		bad := func(format string, args ...any) error {
			return errs.New(errs.Syntax, format, args...).WithPos(x.Pos + 1)
		}
		if seen[x.Name] {
			return o, bad("conflicting or redundant options")
		}
		seen[x.Name] = true
		switch x.Name {
		case "format":
			switch x.Value {
			case "text", "csv", "binary":
				o.Format = x.Value
			default:
				return o, errs.New(errs.InvalidParameterValue, "COPY format %q not recognized", x.Value).WithPos(x.Pos + 1)
			}
		case "delimiter":
			delim = &x.Value
		case "null":
			null = &x.Value
		case "quote":
			quote = &x.Value
		case "escape":
			escape = &x.Value
		case "header":
			h, err := headerOption(x)
			if err != nil {
				return o, err
			}
			o.Header = h
		case "force_quote":
			o.ForceQuote = nameSet(x)
		case "force_not_null":
			o.ForceNotNull = nameSet(x)
		case "force_null":
			o.ForceNull = nameSet(x)
		case "freeze":
		case "encoding":
			if e := strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(x.Value)); e != "UTF8" && e != "SQLASCII" {
				return o, errs.New(errs.FeatureNotSupported, "COPY encoding %q is not supported", x.Value).WithPos(x.Pos + 1)
			}
		case "on_error":
			switch strings.ToLower(x.Value) {
			case "ignore":
				o.OnErrorIgnore = true
			case "stop":
			default:
				return o, errs.New(errs.InvalidParameterValue, "COPY ON_ERROR %q not recognized", x.Value).WithPos(x.Pos + 1)
			}
		case "reject_limit":
			n, err := strconv.ParseInt(x.Value, 10, 64)
			if err != nil || n <= 0 {
				return o, errs.New(errs.InvalidParameterValue, "REJECT_LIMIT (%s) must be greater than zero", x.Value).WithPos(x.Pos + 1)
			}
			o.RejectLimit = n
		case "batch_key":
			if len(x.Value) == 0 || len(x.Value) > 256 {
				return o, errs.New(errs.InvalidParameterValue, "BATCH_KEY must have 1 to 256 bytes").WithPos(x.Pos + 1)
			}
			o.BatchKey = x.Value
		default:
			return o, bad("option %q not recognized", x.Name)
		}
	}
	return o, finishCopy(&o, st.From, delim, quote, escape, null)
}

func headerOption(x *ast.Option) (string, error) {
	switch strings.ToLower(x.Value) {
	case "", "true", "on", "1":
		return "true", nil
	case "false", "off", "0":
		return "", nil
	case "match":
		return "match", nil
	}
	return "", errs.New(errs.Syntax, `header requires a Boolean value or "match"`).WithPos(x.Pos + 1)
}

func nameSet(x *ast.Option) map[string]bool {
	out := map[string]bool{}
	if x.Kind == ast.ValueStar {
		out["*"] = true
	}
	for _, n := range x.List {
		out[n] = true
	}
	return out
}

// finishCopy fills defaults and checks combinations, with PostgreSQL's texts.
func finishCopy(o *CopyOptions, from bool, delim, quote, escape, null *string) error {
	csv, binary := o.Format == "csv", o.Format == "binary"
	refuse := func(format string, args ...any) error { return errs.New(errs.FeatureNotSupported, format, args...) }
	switch {
	case binary && delim != nil:
		return errs.New(errs.Syntax, "cannot specify DELIMITER in BINARY mode")
	case binary && null != nil:
		return errs.New(errs.Syntax, "cannot specify NULL in BINARY mode")
	case binary && o.Header != "":
		return refuse("cannot specify HEADER in BINARY mode")
	case !csv && quote != nil:
		return refuse("COPY quote available only in CSV mode")
	case !csv && escape != nil:
		return refuse("COPY escape available only in CSV mode")
	case !csv && o.ForceQuote != nil:
		return refuse("COPY force quote available only in CSV mode")
	case o.ForceQuote != nil && from:
		return refuse("COPY force quote only available using COPY TO")
	case (o.ForceNotNull != nil || o.ForceNull != nil) && !csv:
		return refuse("COPY force null available only in CSV mode")
	case (o.ForceNotNull != nil || o.ForceNull != nil) && !from:
		return refuse("COPY force null only available using COPY FROM")
	case o.Header == "match" && !from:
		return refuse(`cannot use "match" with HEADER in COPY TO`)
	case !from && (o.OnErrorIgnore || o.RejectLimit > 0 || o.BatchKey != ""):
		return refuse("ON_ERROR, REJECT_LIMIT and BATCH_KEY are for COPY FROM")
	case o.RejectLimit > 0 && !o.OnErrorIgnore:
		return errs.New(errs.InvalidParameterValue, "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE")
	}
	o.Delimiter, o.Null, o.Quote, o.Escape = '\t', `\N`, '"', '"'
	if csv {
		o.Delimiter, o.Null = ',', ""
	}
	for _, c := range []struct {
		text *string
		dst  *byte
		name string
	}{{delim, &o.Delimiter, "delimiter"}, {quote, &o.Quote, "quote"}, {escape, &o.Escape, "escape"}} {
		if c.text == nil {
			continue
		}
		if len(*c.text) != 1 {
			return refuse("COPY %s must be a single one-byte character", c.name)
		}
		*c.dst = (*c.text)[0]
	}
	if quote != nil && escape == nil {
		o.Escape = o.Quote
	}
	if null != nil {
		if strings.ContainsAny(*null, "\r\n") {
			return errs.New(errs.InvalidParameterValue, "COPY null representation cannot use newline or carriage return")
		}
		o.Null = *null
	}
	switch {
	case o.Delimiter == '\n' || o.Delimiter == '\r':
		return errs.New(errs.InvalidParameterValue, "COPY delimiter cannot be newline or carriage return")
	case !csv && strings.IndexByte(`\.abcdefghijklmnopqrstuvwxyz0123456789`, o.Delimiter) >= 0:
		return errs.New(errs.InvalidParameterValue, "COPY delimiter cannot be %q", string(o.Delimiter))
	case csv && o.Delimiter == o.Quote:
		return errs.New(errs.InvalidParameterValue, "COPY delimiter and quote must be different")
	case strings.IndexByte(o.Null, o.Delimiter) >= 0:
		return errs.New(errs.InvalidParameterValue, "COPY delimiter character must not appear in the NULL specification")
	case csv && strings.IndexByte(o.Null, o.Quote) >= 0:
		return errs.New(errs.InvalidParameterValue, "CSV quote character must not appear in the NULL specification")
	}
	return nil
}

// Append takes rows of COPY FROM: they are committed with the transaction
// (at EndImplicit, or at COMMIT of a block); a Commit with a Key, with Rejects
// or with Ingest set is committed at once, outside a block only. The Outcome
// of rows that wait for COMMIT has Seq 0.
func (s *Session) Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error) {
	if err := s.mayAppend(c); err != nil {
		return storage.Outcome{}, err
	}
	if c.Key != nil || c.Ingest || len(c.Rejects) > 0 || len(c.Loads) > 0 {
		c.User = s.Principal().Name
		o, err := s.db.store.Commit(ctx, c)
		if err == nil {
			s.refreshSnapshot()
		}
		return o, causeOf(ctx, err)
	}
	var out storage.Outcome
	for i := range c.Tables {
		n, _, err := s.write(ctx, &c.Tables[i], "copy")
		if err != nil {
			return storage.Outcome{}, err
		}
		out.Accepted += n
		for _, b := range c.Tables[i].Batches {
			out.Received += int64(b.Rows())
		}
	}
	out.Refused = out.Received - out.Accepted
	return out, nil
}

// refreshSnapshot lets the next statement of an implicit transaction see what
// was committed on the way.
func (s *Session) refreshSnapshot() {
	s.tx.stale()
	if s.tx.snap != nil {
		s.tx.snap.Close()
		s.tx.snap = nil
	}
}
