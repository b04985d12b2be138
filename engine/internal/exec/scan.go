package exec

import (
	"context"

	"quern/engine/internal/expr"
	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// scanStage reads a table through its policy view. Conjuncts that storage can
// decide on encoded data go with the scan; the rest is evaluated here on the
// columns it needs, and only rows that pass have their other columns loaded.
type scanStage struct {
	q      *query
	node   *plan.Scan
	spec   storage.ScanSpec
	rest   *compiled // nil = none
	uses   []int     // columns of rest
	late   []int     // the others
	unread []int     // those that only predicates of storage need
	scan   storage.Scan
	// filters come from joins above, before prepare.
	filters []joinFilter
	// bound, if not nil, is that of a top-N above over column boundCol.
	bound    *order.Bound
	boundCol int
}

func (q *query) buildScan(ctx context.Context, n *plan.Scan) (stage, error) {
	s := &scanStage{q: q, node: n, spec: storage.ScanSpec{View: n.View, Cols: n.Cols}}
	used := make([]bool, len(n.Cols))
	if n.Filter != nil {
		f, err := q.bindConstants(ctx, n.Filter)
		if err != nil {
			return nil, err
		}
		f = expr.Fold(f, q.env)
		var rest []plan.Expr
		s.spec.Preds, rest = splitPreds(f)
		if len(rest) > 0 {
			e := rest[0]
			if len(rest) > 1 {
				e = &plan.And{Args: rest}
			}
			if s.rest, err = q.compile(ctx, e); err != nil {
				return nil, err
			}
			markCols(e, used)
		}
	}
	for i, u := range used {
		switch {
		case u:
			s.uses = append(s.uses, i)
		case n.Inner == nil || !n.Inner[i]:
			s.late = append(s.late, i)
		default:
			s.unread = append(s.unread, i)
		}
	}
	return s, nil
}

func markCols(e plan.Expr, used []bool) {
	_, _ = plan.Rewrite(e, func(e plan.Expr) (plan.Expr, error) {
		if c, ok := e.(*plan.Col); ok {
			used[c.Index] = true
		}
		return e, nil
	})
}

// openScan opens the scan if it is not open yet; planning of joins may need it
// before prepare.
func (s *scanStage) openScan(ctx context.Context) (err error) {
	if s.scan == nil {
		s.scan, err = s.q.snap.Scan(ctx, s.spec)
	}
	return err
}

func (s *scanStage) prepare(ctx context.Context) error { return s.openScan(ctx) }
func (s *scanStage) morsels() int                      { return s.scan.Morsels() }

func (s *scanStage) close() { s.closeScan() }

func (s *scanStage) closeScan() {
	if s.scan != nil {
		s.scan.Close()
		s.scan = nil
	}
}

func (s *scanStage) open() runner {
	r := &scanRunner{s: s, out: vec.Batch{Cols: make([]vec.Vector, len(s.node.Cols))}}
	if s.rest != nil {
		r.rest = s.rest.instance()
	}
	for _, c := range s.unread {
		r.out.Cols[c] = vec.ConstVector(s.node.Typs[c], &types.NullDatum, 1)
	}
	for i := range s.filters {
		r.filters = append(r.filters, filterRun{joinFilter: &s.filters[i]})
	}
	return r
}

type scanRunner struct {
	s       *scanStage
	rest    *instance
	filters []filterRun
	one     [1]int
	out     vec.Batch
	bound   order.BoundFilter
}

func (r *scanRunner) run(ctx context.Context, morsel int, emit sched.Emit) (err error) {
	rd, err := r.s.scan.Open(ctx, morsel)
	if err != nil {
		return err
	}
	defer func() {
		if e := rd.Close(); err == nil {
			err = e
		}
	}()
	pos := 0
	if r.passOver(rd, morsel, -1) {
		return nil
	}
	for i := range rd.Batches() {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		b := &r.out
		if r.passOver(rd, morsel, i) {
			pos += min(vec.BatchRows, r.s.scan.Info(morsel).Rows-pos)
			continue
		}
		if b.Len, b.Sel, err = rd.Start(ctx, i); err != nil {
			return err
		}
		for _, c := range r.s.unread {
			b.Cols[c].Len = b.Len
		}
		b.Base = vec.RowRef(uint64(morsel)<<32 | uint64(pos))
		pos += b.Len
		if b.Rows() == 0 {
			continue
		}
		if err := r.joinFilters(rd); err != nil {
			return err
		}
		if b.Rows() == 0 {
			continue
		}
		if err := r.withinBound(rd, morsel); err != nil {
			return err
		}
		if b.Rows() == 0 {
			continue
		}
		if r.rest != nil {
			if err := r.load(rd, r.s.uses); err != nil {
				return err
			}
			if b.Sel, err = r.rest.selectRows(b); err != nil {
				return err
			}
			if b.Rows() == 0 {
				continue
			}
		}
		if err := r.load(rd, r.s.late); err != nil {
			return err
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}

// joinFilters drops rows that cannot match in a join above.
func (r *scanRunner) joinFilters(rd storage.GroupReader) error {
	b := &r.out
	for i := range r.filters {
		f := &r.filters[i]
		if f.off || b.Rows() == 0 {
			continue
		}
		r.one[0] = f.col
		if err := r.load(rd, r.one[:]); err != nil {
			return err
		}
		b.Sel = f.apply(&b.Cols[f.col], b.Sel)
	}
	return nil
}

func (r *scanRunner) load(rd storage.GroupReader, cols []int) error {
	for _, c := range cols {
		if err := rd.Load(c, r.out.Sel, &r.out.Cols[c]); err != nil {
			return err
		}
		r.out.Cols[c].Type = r.s.node.Typs[c]
	}
	return nil
}

// splitPreds takes the conjuncts of f that storage can decide. None of them can
// raise, so deciding them before the others is allowed.
func splitPreds(f plan.Expr) (preds []storage.Pred, rest []plan.Expr) {
	if a, ok := f.(*plan.And); ok {
		for _, e := range a.Args {
			p, r := splitPreds(e)
			preds, rest = append(preds, p...), append(rest, r...)
		}
		return preds, rest
	}
	if p, ok := toPred(f); ok {
		return []storage.Pred{p}, nil
	}
	return nil, []plan.Expr{f}
}

var predOps = map[string]storage.PredOp{
	"=": storage.PredEq, "<>": storage.PredNe, "<": storage.PredLt, "<=": storage.PredLe,
	">": storage.PredGt, ">=": storage.PredGe,
}

var flipOps = map[storage.PredOp]storage.PredOp{
	storage.PredEq: storage.PredEq, storage.PredNe: storage.PredNe, storage.PredLt: storage.PredGt,
	storage.PredLe: storage.PredGe, storage.PredGt: storage.PredLt, storage.PredGe: storage.PredLe,
}

func toPred(e plan.Expr) (storage.Pred, bool) {
	switch e := e.(type) {
	case *plan.IsNull:
		col, ok := e.Arg.(*plan.Col)
		if !ok {
			return storage.Pred{}, false
		}
		op := storage.PredIsNull
		if e.Not {
			op = storage.PredNotNull
		}
		return storage.Pred{Col: col.Index, Op: op}, true
	case *plan.In:
		return inPred(e)
	case *plan.Call:
		if len(e.Args) != 2 {
			return storage.Pred{}, false
		}
		op, ok := predOps[e.Fn.Name]
		if !ok {
			return storage.Pred{}, false
		}
		if p, ok := comparePred(e.Args[0], op, e.Args[1]); ok {
			return p, true
		}
		return comparePred(e.Args[1], flipOps[op], e.Args[0])
	}
	return storage.Pred{}, false
}

// comparePred recognises `column OP constant`; the column may be widened by a
// cast that cannot change its order.
func comparePred(arg plan.Expr, op storage.PredOp, val plan.Expr) (storage.Pred, bool) {
	lit, ok := val.(*plan.Lit)
	if !ok || lit.Val.Null {
		return storage.Pred{}, false
	}
	if c, ok := arg.(*plan.Cast); ok && plan.Widens(c.Arg.Type(), c.Typ) {
		arg = c.Arg
	}
	col, ok := arg.(*plan.Col)
	if !ok {
		return storage.Pred{}, false
	}
	if col.Typ.HasOrderKey() {
		return storage.Pred{}, false // storage compares bytes
	}
	d, ok := literalFor(col.Typ, lit)
	if !ok {
		return storage.Pred{}, false
	}
	return storage.Pred{Col: col.Index, Op: op, Val: d}, true
}

func inPred(e *plan.In) (storage.Pred, bool) {
	arg := e.Arg
	if c, ok := arg.(*plan.Cast); ok && plan.Widens(c.Arg.Type(), c.Typ) {
		arg = c.Arg
	}
	col, ok := arg.(*plan.Col)
	if !ok || e.Not || len(e.List) == 0 || col.Typ.HasOrderKey() {
		return storage.Pred{}, false
	}
	p := storage.Pred{Col: col.Index, Op: storage.PredIn}
	for _, x := range e.List {
		lit, ok := x.(*plan.Lit)
		if !ok {
			return storage.Pred{}, false
		}
		if lit.Val.Null {
			continue // can only make the result NULL, which is no match
		}
		d, ok := literalFor(col.Typ, lit)
		if !ok {
			return storage.Pred{}, false
		}
		p.Vals = append(p.Vals, d)
	}
	return p, len(p.Vals) > 0
}

// literalFor gives the constant in the column's type, if it has the same
// meaning there.
func literalFor(t types.Type, lit *plan.Lit) (types.Datum, bool) {
	switch {
	case plan.IsInt(t) && plan.IsInt(lit.Typ):
		bits := 8*t.Phys().Size() - 1
		if v := lit.Val.I; bits < 63 && (v < -1<<bits || v >= 1<<bits) {
			return types.Datum{}, false
		}
		return lit.Val, true
	case plan.IsText(t) && plan.IsText(lit.Typ):
		return lit.Val, true
	case t.OID != lit.Typ.OID || t.OID == types.BpcharOID:
		return types.Datum{}, false
	}
	switch t.Phys() {
	case types.PhysBytes:
		return lit.Val, t.OID == types.ByteaOID
	}
	return lit.Val, true
}
