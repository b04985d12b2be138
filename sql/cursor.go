package sql

import (
	"context"
	"strconv"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/batches"
	"quern/sql/internal/bind"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// cursor is an SQL cursor: a query and the place in it. A SCROLL or held cursor
// keeps copies of all rows (spool); others keep the batch at hand.
type cursor struct {
	*queryPortal
	name    string
	text    string
	hold    bool
	scroll  bool
	binary  bool
	created int64

	spool   []*vec.Batch
	spooled bool
	total   int64 // rows of spool
	pos     int64 // rows passed: 0 = before the first; on row pos; total+1 = after the last
	buf     vec.Batch
	at      int // live rows of buf passed
}

func (c *cursor) origin() *prepared { return nil }
func (c *cursor) held() bool        { return c.hold && c.spooled }

// Next lets the protocol's Execute read on from the cursor's place.
func (c *cursor) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	if err := c.checkPolicy(); err != nil {
		return 0, err
	}
	out, n, err := c.forward(ctx, vec.BatchRows)
	if err != nil || n == 0 {
		return 0, err
	}
	*dst = *batches.Join(out)
	return int(n), nil
}

// forward takes up to n rows.
func (c *cursor) forward(ctx context.Context, n int64) (out []*vec.Batch, got int64, err error) {
	if c.spooled {
		got = max(0, min(n, c.total-c.pos))
		out = c.slice(c.pos, c.pos+got)
		if c.pos += got; got < n {
			c.pos = c.total + 1
		}
		return out, got, nil
	}
	var bytes int64
	for got < n {
		if c.at == c.buf.Rows() {
			k, err := c.queryPortal.Next(ctx, &c.buf)
			if err != nil {
				return nil, 0, err
			}
			c.at = 0
			if k == 0 {
				c.buf = vec.Batch{}
				break
			}
		}
		k := int(min(n-got, int64(c.buf.Rows()-c.at)))
		b := batches.Cut(&c.buf, c.at, c.at+k)
		if bytes += batches.Bytes(b); bytes > c.s.db.o.WriteMemory {
			return nil, 0, errs.New(errs.OutOfMemory, "result is larger than %d bytes", c.s.db.o.WriteMemory)
		}
		out = append(out, b)
		c.at += k
		got += int64(k)
	}
	c.pos += got
	return out, got, nil
}

// slice gives rows lo..hi-1 of the spool.
func (c *cursor) slice(lo, hi int64) []*vec.Batch {
	var out []*vec.Batch
	var first int64
	for _, b := range c.spool {
		n := int64(b.Rows())
		if from, to := max(lo, first), min(hi, first+n); from < to {
			out = append(out, batches.Cut(b, int(from-first), int(to-first)))
		}
		first += n
	}
	return out
}

// fill reads the whole rest into the spool.
func (c *cursor) fill(ctx context.Context) error {
	if c.spooled {
		return nil
	}
	// A cursor that was read without SCROLL keeps only what is ahead; its
	// place is then the start of the spool.
	var bytes int64
	for {
		out, n, err := c.forward(ctx, vec.BatchRows)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		for _, b := range out {
			if bytes += batches.Bytes(b); bytes > c.s.db.o.WriteMemory {
				return errs.New(errs.OutOfMemory, "cursor %q is larger than %d bytes", c.name, c.s.db.o.WriteMemory)
			}
		}
		c.spool = append(c.spool, out...)
		c.total += n
	}
	c.spooled, c.pos = true, 0
	return nil
}

// holdCursors materialises WITH HOLD cursors before their transaction ends.
func (s *Session) holdCursors(ctx context.Context) error {
	for _, pt := range s.portals {
		if c, ok := pt.(*cursor); ok && c.hold {
			if err := c.fill(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// declare is DECLARE.
func (s *Session) declare(ctx context.Context, c *commandPortal, st *ast.DeclareCursor) error {
	if !s.tx.block && !st.Hold {
		return errs.New(errs.NoActiveTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if s.portals[st.Name] != nil {
		return errs.New(errs.DuplicateCursor, "cursor %q already exists", st.Name)
	}
	sel := &ast.SelectStmt{At: st.Query.At, Query: st.Query}
	b, err := s.bind(ctx, sel, c.p.params, c.p.hasParams)
	if err != nil {
		return err
	}
	q := &queryPortal{basePortal: basePortal{s: s, p: c.p, fields: fieldsOf(b.Field), verb: "SELECT"}, stmt: sel, params: c.params}
	cur := &cursor{queryPortal: q, name: st.Name, text: c.p.st.text, hold: st.Hold, scroll: st.Scroll, binary: st.Binary, created: s.stmtAt}
	if st.Binary {
		q.formats = []int16{1}
	}
	if err := q.run(ctx, b); err != nil {
		return err
	}
	if err := s.addPortal(st.Name, cur); err != nil {
		s.logClose(cur.Close())
		return err
	}
	c.tag = "DECLARE CURSOR"
	return nil
}

func (s *Session) cursor(name string) (*cursor, error) {
	if c, ok := s.portals[name].(*cursor); ok {
		return c, nil
	}
	if q, ok := s.portals[name].(*queryPortal); ok {
		c := &cursor{queryPortal: q, name: name, text: q.p.st.text, created: s.stmtAt}
		s.portals[name] = c
		return c, nil
	}
	return nil, errs.New(errs.InvalidCursorName, "cursor %q does not exist", name)
}

func (s *Session) describeFetch(p *prepared, st *ast.Fetch) error {
	c, err := s.cursor(st.Cursor)
	if err != nil || st.Move {
		return err
	}
	p.fields = c.fields
	if c.binary {
		p.formats = []int16{1}
	}
	return nil
}

// fetch is FETCH and MOVE.
func (s *Session) fetch(ctx context.Context, c *commandPortal, st *ast.Fetch) error {
	cur, err := s.cursor(st.Cursor)
	if err != nil {
		return err
	}
	if err := cur.checkPolicy(); err != nil {
		return err
	}
	if cur.scroll {
		if err := cur.fill(ctx); err != nil {
			return err
		}
	}
	out, n, err := cur.move(ctx, st)
	if err != nil {
		return err
	}
	c.verb = "FETCH"
	if st.Move {
		c.verb = "MOVE"
	} else {
		c.out = out
	}
	c.tag = countTag(c.verb, n)
	return nil
}

// all is more rows than any cursor has.
const all = int64(1) << 60

func (c *cursor) move(ctx context.Context, st *ast.Fetch) ([]*vec.Batch, int64, error) {
	n := st.Count
	if st.All {
		n = all
	}
	switch st.Direction {
	case ast.FetchBackward:
		return c.step(ctx, -n)
	case ast.FetchRelative:
		return c.seek(ctx, c.pos+n)
	case ast.FetchAbsolute:
		if n < 0 {
			if err := c.mayScroll(); err != nil {
				return nil, 0, err
			}
			n = max(0, c.total+1+n)
		}
		return c.seek(ctx, n)
	}
	return c.step(ctx, n)
}

func (c *cursor) mayScroll() error {
	if c.scroll {
		return nil
	}
	return errs.New(errs.ObjectNotInState, "cursor can only scan forward").
		WithHint("Declare it with SCROLL option to enable backward scan.")
}

// step goes n rows on, backwards if negative, and gives them in that order.
func (c *cursor) step(ctx context.Context, n int64) ([]*vec.Batch, int64, error) {
	if n > 0 {
		return c.forward(ctx, n)
	}
	if err := c.mayScroll(); err != nil {
		return nil, 0, err
	}
	if n == 0 {
		if c.pos < 1 || c.pos > c.total {
			return nil, 0, nil
		}
		return c.slice(c.pos-1, c.pos), 1, nil
	}
	hi := min(c.pos-1, c.total)
	lo := max(0, hi+n)
	var out []*vec.Batch
	for r := hi; r > lo; r-- {
		out = append(out, c.slice(r-1, r)...)
	}
	c.pos = lo + 1
	if hi+n < 0 || lo == hi {
		c.pos = 0
	}
	if lo == 0 && -n > hi {
		c.pos = 0
	}
	return out, max(0, hi-lo), nil
}

// seek goes to row target and gives it.
func (c *cursor) seek(ctx context.Context, target int64) ([]*vec.Batch, int64, error) {
	if target > c.pos {
		if skip := target - c.pos - 1; skip > 0 {
			if _, got, err := c.forward(ctx, skip); err != nil || got < skip {
				return nil, 0, err
			}
		}
		return c.forward(ctx, 1)
	}
	if err := c.mayScroll(); err != nil {
		return nil, 0, err
	}
	c.pos = max(0, target)
	if c.pos == 0 {
		return nil, 0, nil
	}
	return c.slice(c.pos-1, c.pos), 1, nil
}

func (s *Session) closeCursor(c *commandPortal, st *ast.Close) error {
	if st.Name == "" {
		c.tag = "CLOSE CURSOR ALL"
		for name, pt := range s.portals {
			if _, ok := pt.(*cursor); ok {
				s.ClosePortal(name)
			}
		}
		return nil
	}
	c.tag = "CLOSE CURSOR"
	if _, err := s.cursor(st.Name); err != nil {
		return err
	}
	s.ClosePortal(st.Name)
	return nil
}

// runExecute is EXECUTE: the inner statement's rows and tag are its own.
func (s *Session) runExecute(ctx context.Context, c *commandPortal, st *ast.Execute) error {
	p, params, err := s.executeArgs(ctx, st)
	if err != nil {
		return err
	}
	if _, ok := p.st.stmt.(*ast.Copy); ok {
		return errs.NotSupported("EXECUTE of COPY")
	}
	inner, err := s.bindPortal(ctx, p, params, nil)
	if err != nil {
		return noPos(err)
	}
	c.inner = inner
	return nil
}

// noPos drops a position: it would point into another text.
func noPos(err error) error {
	if e := errs.As(err); e.Pos != 0 {
		n := *e
		n.Pos = 0
		return &n
	}
	return err
}

// executeArgs computes the arguments of EXECUTE.
func (s *Session) executeArgs(ctx context.Context, st *ast.Execute) (*prepared, []types.Datum, error) {
	p, err := s.findPrepared(st.Name)
	if err != nil {
		return nil, nil, err
	}
	if len(st.Args) != len(p.params) {
		return nil, nil, errs.New(errs.Syntax, "wrong number of parameters for prepared statement %q", st.Name).
			WithDetail("Expected %d parameters but got %d.", len(p.params), len(st.Args))
	}
	if len(p.params) == 0 {
		return p, nil, nil
	}
	env := s.bindEnv(ctx, nil, false)
	exprs := make([]plan.Expr, len(st.Args))
	for i, a := range st.Args {
		if exprs[i], err = bind.Scalar(env, a, p.params[i]); err != nil {
			return nil, nil, err
		}
	}
	params, err := s.evalRow(ctx, exprs)
	return p, params, err
}

// evalRow computes constant expressions.
func (s *Session) evalRow(ctx context.Context, exprs []plan.Expr) ([]types.Datum, error) {
	node := &plan.Values{Rows: [][]plan.Expr{exprs}}
	for _, e := range exprs {
		node.Typs = append(node.Typs, e.Type())
	}
	rows, err := s.runPlan(ctx, node, nil, nil)
	if err != nil {
		return nil, err
	}
	var out []types.Datum
	err = drain(ctx, rows, 0, func(b *vec.Batch) error {
		for i := range b.Cols {
			out = append(out, b.Cols[i].Datum(0))
		}
		return nil
	})
	if err == nil && len(out) != len(exprs) {
		err = errs.New(errs.Internal, "constants gave no row")
	}
	return out, err
}

func (s *Session) deallocate(c *commandPortal, st *ast.Deallocate) error {
	if st.Name == "" {
		c.tag = "DEALLOCATE ALL"
		for name := range s.prepared {
			s.ClosePrepared(name)
		}
		return nil
	}
	c.tag = "DEALLOCATE"
	if _, err := s.findPrepared(st.Name); err != nil {
		return err
	}
	s.ClosePrepared(st.Name)
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
