package sql

import (
	"context"
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/ddl"
	"quern/sql/internal/logical"
	"quern/sql/internal/parse"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// statement implements Statement.
type statement struct {
	text   string
	offset int
	stmt   ast.Stmt
}

func (s *statement) Text() string { return s.text }
func (s *statement) Offset() int  { return s.offset }

// prepared implements Prepared.
type prepared struct {
	name    string
	st      *statement
	given   []types.Type // declared parameter types
	params  []types.Type
	fields  []Field
	formats []int16 // of FETCH from a BINARY cursor
	// shape says what fields and params were computed from.
	shape shape
	// bound is the plan of the generation that prepared it; a simple query and
	// a one-shot extended query execute it without binding twice.
	bound     *bind.Bound
	boundGen  uint64
	fromSQL   bool // PREPARE
	hasParams bool
	at        int64
}

// shape is what the binding of a statement depends on.
type shape struct {
	version, epoch uint64
	role           uint32
	path           string
	temp           uint64
}

func (p *prepared) ParamTypes() []types.Type { return p.params }
func (p *prepared) Fields() []Field          { return p.fields }

// Limits of one session.
const (
	preparedMax = 1000
	portalsMax  = 100
)

func (s *Session) shape() shape {
	c := s.catalog()
	return shape{c.Version(), c.PolicyEpoch(), s.roleID, strings.Join(s.searchPath(), ","), s.temp.gen}
}

// Script parses a whole text of any number of statements; empty ones are left
// out. A syntax error anywhere gives no statement.
func (s *Session) Script(text string) ([]Statement, error) {
	list, err := parse.Script(text)
	if err != nil {
		return nil, err
	}
	out := make([]Statement, len(list))
	for i, x := range list {
		out[i] = &statement{text: text[x.Start:x.End], offset: x.Start, stmt: x.Stmt}
	}
	return out, nil
}

// Prepare binds one statement. oids are declared parameter types, 0 = infer;
// nil says that the statement cannot have parameters (42P02), as in a Q.
// In a failed block all but COMMIT and ROLLBACK is 25P02.
func (s *Session) Prepare(ctx context.Context, st Statement, oids []types.OID) (Prepared, error) {
	x, ok := st.(*statement)
	if !ok {
		return nil, errs.New(errs.Internal, "statement of another session layer")
	}
	s.arm(true)
	return s.prepare(ctx, x, givenTypes(oids), oids != nil)
}

func givenTypes(oids []types.OID) []types.Type {
	out := make([]types.Type, len(oids))
	for i, o := range oids {
		out[i] = types.Type{OID: o, Mod: -1}
	}
	return out
}

func (s *Session) prepare(ctx context.Context, st *statement, given []types.Type, hasParams bool) (*prepared, error) {
	s.stmtAt = s.db.nowMicros()
	s.note("active", st.text)
	if err := s.checkFailed(st.stmt); err != nil {
		return nil, err
	}
	p := &prepared{st: st, given: given, hasParams: hasParams, at: s.stmtAt}
	if err := s.describe(ctx, p); err != nil {
		return nil, causeOf(ctx, err)
	}
	return p, nil
}

// checkFailed lets only the end of a failed block pass.
func (s *Session) checkFailed(st ast.Stmt) error {
	if !s.tx.failed {
		return nil
	}
	switch st.(type) {
	case *ast.Commit, *ast.Rollback, *ast.RollbackTo, *ast.Empty:
		return nil
	}
	return errs.New(errs.InFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// describe computes parameter types and result columns.
func (s *Session) describe(ctx context.Context, p *prepared) error {
	p.shape = s.shape()
	p.bound, p.fields, p.params = nil, nil, p.given
	switch st := p.st.stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete:
		return s.describeQuery(ctx, p, st)
	case *ast.DeclareCursor:
		return s.describeInner(ctx, p, &ast.SelectStmt{At: st.Query.At, Query: st.Query})
	case *ast.CreateTableAs:
		if st.Query != nil {
			return s.describeInner(ctx, p, &ast.SelectStmt{At: st.Query.At, Query: st.Query})
		}
	case *ast.Explain:
		return s.describeExplain(ctx, p, st)
	case *ast.Show:
		p.fields = showFields(st.Name)
	case *ast.ShowMaskingPolicies:
		p.fields = maskingFields
	case *ast.Fetch:
		return s.describeFetch(p, st)
	case *ast.Execute:
		inner, err := s.findPrepared(st.Name)
		if err != nil {
			return err
		}
		if err := s.refresh(ctx, inner); err != nil {
			return err
		}
		p.fields = inner.fields
	}
	return nil
}

func (s *Session) describeQuery(ctx context.Context, p *prepared, st ast.Stmt) error {
	if with := changesIn(st); with != nil {
		w, err := s.bindChanges(ctx, st, with, p.given, p.hasParams)
		if err != nil {
			return err
		}
		p.params, p.fields = w.main.Params, fieldsOf(w.main.Field)
		return nil
	}
	b, err := s.bind(ctx, st, p.given, p.hasParams)
	if err != nil {
		return err
	}
	p.params, p.fields = b.Params, fieldsOf(b.Field)
	if _, ok := st.(*ast.SelectStmt); ok && p.fields == nil {
		p.fields = []Field{} // SELECT without columns has rows
	}
	p.bound, p.boundGen = b, s.generationNow()
	return nil
}

// describeInner checks a query inside a statement that returns no rows.
func (s *Session) describeInner(ctx context.Context, p *prepared, st ast.Stmt) error {
	if err := s.describeQuery(ctx, p, st); err != nil {
		return err
	}
	p.fields = nil
	return nil
}

func (s *Session) generationNow() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

func fieldsOf(fs []bind.Field) []Field {
	if fs == nil {
		return nil
	}
	out := make([]Field, len(fs))
	for i, f := range fs {
		out[i] = Field(f)
	}
	return out
}

// refresh describes a statement again if what it was described from changed.
func (s *Session) refresh(ctx context.Context, p *prepared) error {
	switch p.st.stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Explain:
	default:
		return nil
	}
	if p.shape == s.shape() {
		return nil
	}
	old, params := p.fields, p.params
	if err := s.describe(ctx, p); err != nil {
		return err
	}
	same := slices.EqualFunc(old, p.fields, func(a, b Field) bool { return a.Name == b.Name && a.Type == b.Type })
	if !same || !slices.Equal(params, p.params) {
		p.fields, p.params, p.shape = old, params, shape{}
		return errs.New(errs.FeatureNotSupported, "cached plan must not change result type")
	}
	return nil
}

// PrepareNamed is Parse: text holds at most one statement (42601), which may
// be empty; a named duplicate is 42P05, the unnamed one is replaced.
func (s *Session) PrepareNamed(ctx context.Context, name, text string, oids []types.OID) error {
	s.BeginImplicit()
	s.arm(false)
	if name != "" && s.prepared[name] != nil {
		return errs.New(errs.DuplicatePrepared, "prepared statement %q already exists", name)
	}
	if name == "" {
		delete(s.prepared, "")
	}
	list, err := parse.Script(text)
	if err != nil {
		return err
	}
	if len(list) > 1 {
		return errs.New(errs.Syntax, "cannot insert multiple commands into a prepared statement")
	}
	st := &statement{text: text, stmt: &ast.Empty{}}
	if len(list) == 1 {
		st.stmt = list[0].Stmt
	}
	p, err := s.prepare(ctx, st, givenTypes(oids), true)
	if err != nil {
		return err
	}
	return s.keep(name, p)
}

func (s *Session) keep(name string, p *prepared) error {
	if len(s.prepared) >= preparedMax {
		return errs.New(errs.ProgramLimit, "a session can have at most %d prepared statements", preparedMax)
	}
	p.name = name
	s.prepared[name] = p
	return nil
}

// PreparedByName finds a statement of PrepareNamed or PREPARE (26000).
func (s *Session) PreparedByName(name string) (Prepared, error) {
	p, err := s.findPrepared(name)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Session) findPrepared(name string) (*prepared, error) {
	p := s.prepared[name]
	switch {
	case p != nil:
		return p, nil
	case name == "":
		return nil, errs.New(errs.InvalidStatementName, "unnamed prepared statement does not exist")
	}
	return nil, errs.New(errs.InvalidStatementName, "prepared statement %q does not exist", name)
}

// ClosePrepared forgets a statement and closes its portals.
func (s *Session) ClosePrepared(name string) {
	p := s.prepared[name]
	if p == nil {
		return
	}
	delete(s.prepared, name)
	for n, pt := range s.portals {
		if pt.origin() == p {
			s.ClosePortal(n)
		}
	}
}

// DropUnnamed destroys the unnamed statement and portal, as each Q does.
func (s *Session) DropUnnamed() {
	s.ClosePrepared("")
	s.ClosePortal("")
}

// runPrepare is PREPARE.
func (s *Session) runPrepare(ctx context.Context, st *ast.Prepare, outer *statement) error {
	if s.prepared[st.Name] != nil {
		return errs.New(errs.DuplicatePrepared, "prepared statement %q already exists", st.Name)
	}
	given := make([]types.Type, len(st.Types))
	for i, t := range st.Types {
		typ, err := bind.TypeOf(t)
		if err != nil {
			return err
		}
		given[i] = typ
	}
	p, err := s.prepare(ctx, &statement{text: outer.text, stmt: st.Stmt}, given, true)
	if err != nil {
		return err
	}
	p.fromSQL = true
	return s.keep(st.Name, p)
}

// bindEnv is what the binder knows of the session for one statement.
func (s *Session) bindEnv(ctx context.Context, given []types.Type, hasParams bool) *bind.Env {
	cat := s.catalog()
	return &bind.Env{Catalog: cat, Principal: s.Principal(), SearchPath: s.searchPath(), Now: s.stmtAt,
		Fn: s.env(ctx), Virtual: s.virtual(), Rows: s.tableRows, Stats: s.columnStats, Params: given, HasParams: hasParams,
		ParseView: func(v *catalog.View) (*ast.Query, error) { return ddl.Query(v.Query) }}
}

// bind resolves a query or INSERT.
func (s *Session) bind(ctx context.Context, st ast.Stmt, given []types.Type, hasParams bool) (*bind.Bound, error) {
	return bindIn(s.bindEnv(ctx, given, hasParams), st)
}

func bindIn(env *bind.Env, st ast.Stmt) (*bind.Bound, error) {
	switch st := st.(type) {
	case *ast.SelectStmt:
		return bind.Query(env, st.Query)
	case *ast.Insert:
		return bind.Insert(env, st)
	case *ast.Update:
		return bind.Update(env, st)
	case *ast.Delete:
		return bind.Delete(env, st)
	}
	return nil, errs.New(errs.Internal, "statement without a plan")
}

// tableRows estimates a table's size for join order.
func (s *Session) tableRows(table uint32) int64 {
	snap, err := s.snapshot()
	if err != nil {
		return 0
	}
	return snap.Size(table).Rows
}

// columnStats is what segments say of a column, for join order.
func (s *Session) columnStats(view *policy.View, col uint32) (logical.ColumnStats, bool) {
	snap, err := s.snapshot()
	if err != nil {
		return logical.ColumnStats{}, false
	}
	st, ok := snap.ColumnStats(view, col)
	return logical.ColumnStats(st), ok
}
