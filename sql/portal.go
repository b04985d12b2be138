package sql

import (
	"context"
	"slices"
	"strconv"

	"quern/engine"
	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// portal is what the session's map of portals and cursors holds.
type portal interface {
	Portal
	origin() *prepared // nil for cursors
	held() bool        // survives the transaction
}

// basePortal is what all portals share.
type basePortal struct {
	s       *Session
	p       *prepared
	fields  []Field
	formats []int16
	tag     string
	verb    string
	done    bool
	closed  bool
}

func (b *basePortal) Fields() []Field      { return b.fields }
func (b *basePortal) Formats() []int16     { return b.formats }
func (b *basePortal) CopyIn() *CopyIn      { return nil }
func (b *basePortal) CopyOut() *CopyOut    { return nil }
func (b *basePortal) FinishCopyIn(int64)   {}
func (b *basePortal) Tag() string          { return b.tag }
func (b *basePortal) Verb() string         { return b.verb }
func (b *basePortal) Suspendable() bool    { return false }
func (b *basePortal) Close() error         { b.closed = true; return nil }
func (b *basePortal) origin() *prepared    { return b.p }
func (b *basePortal) held() bool           { return false }
func countTag(verb string, n int64) string { return verb + " " + strconv.FormatInt(n, 10) }

// Bind makes an execution. params have the types of p.ParamTypes (08P01 if the
// number differs). The statement is bound again if the catalog, policies or
// role changed since Prepare.
func (s *Session) Bind(ctx context.Context, p Prepared, params []types.Datum) (Portal, error) {
	x, ok := p.(*prepared)
	if !ok {
		return nil, errs.New(errs.Internal, "statement of another session layer")
	}
	return s.bindPortal(ctx, x, params, nil)
}

func (s *Session) bindPortal(ctx context.Context, p *prepared, params []types.Datum, formats []int16) (portal, error) {
	if len(params) != len(p.params) {
		return nil, errs.New(errs.ProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(params), p.name, len(p.params))
	}
	if err := s.checkFailed(p.st.stmt); err != nil {
		return nil, err
	}
	s.BeginImplicit()
	s.stmtAt = s.db.nowMicros()
	s.note("active", p.st.text)
	if err := s.refresh(ctx, p); err != nil {
		return nil, causeOf(ctx, err)
	}
	base := basePortal{s: s, p: p, fields: p.fields, formats: formats}
	switch st := p.st.stmt.(type) {
	case *ast.SelectStmt:
		if changesIn(st) != nil {
			break
		}
		base.verb = "SELECT"
		return &queryPortal{basePortal: base, stmt: st, params: params}, nil
	case *ast.Copy:
		return s.copyPortal(ctx, base, st)
	}
	return &commandPortal{basePortal: base, params: params}, nil
}

// BindNamed is Bind into the session's portals, which protocol portals share
// with SQL cursors: a named duplicate is 42P03.
func (s *Session) BindNamed(ctx context.Context, name string, p Prepared, params []types.Datum, formats []int16) (Portal, error) {
	x, ok := p.(*prepared)
	if !ok {
		return nil, errs.New(errs.Internal, "statement of another session layer")
	}
	if name != "" && s.portals[name] != nil {
		return nil, errs.New(errs.DuplicateCursor, "cursor %q already exists", name)
	}
	s.arm(false)
	pt, err := s.bindPortal(ctx, x, params, formats)
	if err != nil {
		return nil, err
	}
	if name == "" {
		s.ClosePortal("")
	}
	return pt, s.addPortal(name, pt)
}

func (s *Session) addPortal(name string, pt portal) error {
	if len(s.portals) >= portalsMax {
		return errs.New(errs.ProgramLimit, "a session can have at most %d open portals", portalsMax)
	}
	s.portals[name] = pt
	return nil
}

// PortalByName finds a portal or cursor (34000).
func (s *Session) PortalByName(name string) (Portal, error) {
	if pt := s.portals[name]; pt != nil {
		return pt, nil
	}
	return nil, errs.New(errs.InvalidCursorName, "portal %q does not exist", name)
}

// ClosePortal closes a portal; an unknown name is no error.
func (s *Session) ClosePortal(name string) {
	if pt := s.portals[name]; pt != nil {
		delete(s.portals, name)
		s.logClose(pt.Close())
	}
}

func (s *Session) logClose(err error) {
	if err != nil {
		s.db.o.Log.Warn("close of a portal", "err", err)
	}
}

// closeAllPortals ends the transaction's portals, and the held ones with all.
func (s *Session) closeAllPortals(all bool) {
	for name, pt := range s.portals {
		if all || !pt.held() {
			s.ClosePortal(name)
		}
	}
}

// queryPortal is a query: it starts at its first Next.
type queryPortal struct {
	basePortal
	stmt   *ast.SelectStmt
	params []types.Datum
	rows   engine.Rows
	cancel context.CancelCauseFunc
	count  int64
	gen    uint64
	views  []*policy.View
	role   uint32
	epoch  uint64
}

func (q *queryPortal) Suspendable() bool { return true }

func (q *queryPortal) Tag() string { return countTag("SELECT", q.count) }

// start binds, optimizes and runs the query.
func (q *queryPortal) start(ctx context.Context) error {
	s := q.s
	b := q.p.bound
	if b == nil || q.p.boundGen != s.generationNow() || q.p.shape != s.shape() || q.p.used() {
		var err error
		if b, err = s.bind(ctx, q.stmt, q.p.params, q.p.hasParams); err != nil {
			return err
		}
	}
	q.p.bound = nil
	return q.run(ctx, b)
}

// used tells that a bound plan has been executed: its folded constants are one
// execution's.
func (p *prepared) used() bool { return p.bound == nil }

func (q *queryPortal) run(ctx context.Context, b *bind.Bound) error {
	s := q.s
	// The engine runs as long as the portal, over several generations; Next
	// lets the running generation cancel it.
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	rows, err := s.runBound(run, b, q.params)
	if err != nil {
		cancel(nil)
		return err
	}
	q.rows, q.cancel, q.gen = rows, cancel, s.generationNow()
	q.role, q.epoch = s.roleID, s.catalog().PolicyEpoch()
	q.views, err = s.views(b.Tables)
	return err
}

// views resolves what the principal sees of tables now.
func (s *Session) views(tables []uint32) ([]*policy.View, error) {
	cat := s.catalog()
	var out []*policy.View
	for _, id := range tables {
		v, err := policy.Resolve(cat, id, s.Principal(), s.stmtAt)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// checkPolicy is made when a portal goes on in a later message: under another
// role or a view that differs in any way it must not show one more row.
func (q *queryPortal) checkPolicy() error {
	s := q.s
	gen := s.generationNow()
	if gen == q.gen {
		return nil
	}
	q.gen = gen
	if len(q.views) == 0 || s.roleID == q.role && s.catalog().PolicyEpoch() == q.epoch {
		return nil
	}
	changed := errs.New(errs.InsufficientPrivilege, "policy changed while the cursor was open")
	if s.roleID != q.role {
		return changed
	}
	tables := make([]uint32, len(q.views))
	for i, v := range q.views {
		tables[i] = v.Table()
	}
	views, err := s.views(tables)
	if err != nil || !slices.EqualFunc(views, q.views, (*policy.View).Equal) {
		return changed
	}
	q.epoch = s.catalog().PolicyEpoch()
	return nil
}

func (q *queryPortal) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	if q.closed {
		return 0, errs.New(errs.InvalidCursorName, "portal has been closed")
	}
	if q.done {
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, causeOf(ctx, ctx.Err())
	}
	if q.rows == nil {
		if err := q.start(ctx); err != nil {
			return 0, causeOf(ctx, err)
		}
	} else if err := q.checkPolicy(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { q.cancel(context.Cause(ctx)) })
	n, err := q.rows.Next(ctx, dst)
	stop()
	if err != nil {
		return 0, causeOf(ctx, err)
	}
	q.count += int64(n)
	if n == 0 {
		q.done = true
		q.s.disarm()
		q.s.logClose(q.end())
	}
	return n, nil
}

func (q *queryPortal) end() error {
	if q.rows == nil {
		return nil
	}
	rows := q.rows
	q.rows = nil
	q.done = true
	q.cancel(context.Canceled)
	return rows.Close()
}

func (q *queryPortal) Close() error {
	q.closed = true
	return q.end()
}

// commandPortal is everything else: the first Next runs it. Statements that
// give rows keep them in out.
type commandPortal struct {
	basePortal
	params []types.Datum
	ran    bool
	out    []*vec.Batch
	inner  portal // EXECUTE of a query
	at     int
}

func (c *commandPortal) Suspendable() bool { return c.fields != nil && c.ran && c.verb == "FETCH" }

func (c *commandPortal) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	if c.closed {
		return 0, errs.New(errs.InvalidCursorName, "portal has been closed")
	}
	if !c.ran {
		c.ran = true
		if ctx.Err() != nil {
			return 0, causeOf(ctx, ctx.Err())
		}
		if err := c.s.execute(ctx, c); err != nil {
			return 0, causeOf(ctx, err)
		}
		c.s.disarm()
	}
	if c.inner != nil {
		n, err := c.inner.Next(ctx, dst)
		c.tag, c.verb = c.inner.Tag(), c.inner.Verb()
		return n, err
	}
	if c.at < len(c.out) {
		*dst = *c.out[c.at]
		c.out[c.at] = nil
		c.at++
		return dst.Rows(), nil
	}
	return 0, nil
}

func (c *commandPortal) Close() error {
	c.closed = true
	if c.inner != nil {
		return c.inner.Close()
	}
	return nil
}

// textRows makes rows of text columns; nil pointers are NULL.
func textRows(fields []Field, rows [][]*string) []*vec.Batch {
	var out []*vec.Batch
	for len(rows) > 0 {
		n := min(len(rows), vec.BatchRows)
		b := &vec.Batch{Len: n}
		for i := range fields {
			bl := vec.NewBuilder(fields[i].Type, n)
			for _, r := range rows[:n] {
				if r[i] == nil {
					bl.Null()
				} else {
					bl.AppendBytes([]byte(*r[i]))
				}
			}
			b.Cols = append(b.Cols, bl.Finish())
		}
		out = append(out, b)
		rows = rows[n:]
	}
	return out
}
