package bind

import (
	"cmp"
	"slices"
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/sql/internal/winfunc"
	"quern/storage/errs"
	"quern/storage/types"
)

// windowState collects the window functions of one SELECT. They are computed
// after grouping and HAVING, so their expressions are rewritten with the
// targets; the nodes get their inputs last.
type windowState struct {
	st      *selectState
	windows []*logical.Window // In is nil; equal partition and order share one
	keys    []string          // of windows
	calls   map[string]logical.Column
	ids     logical.Set
}

// windowDef is a window as a name or OVER (…) defines it.
type windowDef struct {
	partition []plan.Expr
	order     []plan.SortKey
	frame     *ast.Frame
}

// windowCtx is where a call stands: in a window function's arguments or in a
// window's definition, where no other may stand.
type windowCtx uint8

const (
	windowArgs windowCtx = iota + 1
	windowDefinition
)

// windowAllowed refuses a window function where ctx has no place for one.
func windowAllowed(ctx *exprCtx, e *ast.Call) error {
	switch {
	case ctx.inWindow == windowArgs:
		return at(errs.New(errs.Windowing, "window function calls cannot be nested"), e)
	case ctx.inWindow == windowDefinition:
		return at(errs.New(errs.Windowing, "window functions are not allowed in window definitions"), e)
	case ctx.inAgg:
		return at(errs.New(errs.Grouping, "aggregate function calls cannot contain window function calls"), e)
	case ctx.win == nil:
		clause := aggregateClauses[ctx.clause]
		if clause == "" {
			clause = ctx.clause
		}
		return at(errs.New(errs.Windowing, "window functions are not allowed in %s", clause), e)
	}
	return nil
}

// windowCall binds f(…) OVER ….
func (b *binder) windowCall(ctx *exprCtx, e *ast.Call, name string) (plan.Expr, error) {
	if err := windowAllowed(ctx, e); err != nil {
		return nil, err
	}
	if err := winfunc.Refuse(e, name); err != nil {
		return nil, at(err, e)
	}
	inner := &exprCtx{scope: ctx.scope, clause: ctx.clause, agg: ctx.agg, inWindow: windowArgs}
	args, err := b.exprs(inner, e.Args)
	if err != nil {
		return nil, err
	}
	var call *plan.WindowCall
	if fn.IsAgg(name) && !winfunc.Only[name] {
		call, err = b.windowAggregate(inner, e, name, args)
	} else {
		call, err = b.windowFunction(e, name, args)
	}
	if err != nil {
		return nil, err
	}
	call.Name = name
	def, err := ctx.win.st.window(e.Over)
	if err != nil {
		return nil, err
	}
	if call.Frame, err = ctx.win.st.frame(def); err != nil {
		return nil, err
	}
	return ctx.win.add(b, def, call), nil
}

func (b *binder) windowAggregate(inner *exprCtx, e *ast.Call, name string, args []plan.Expr) (*plan.WindowCall, error) {
	if !e.Star && len(args) == 0 && name == "count" {
		return nil, at(errs.New(errs.WrongObjectType, "count(*) must be used to call a parameterless aggregate function"), e)
	}
	agg, want, err := fn.LookupAgg(name, exprTypes(args))
	if err != nil {
		return nil, at(err, e)
	}
	call := &plan.WindowCall{AggCall: plan.AggCall{Agg: agg}}
	if call.Args, err = b.coerceArgs(args, want, e); err != nil {
		return nil, err
	}
	call.Typ = agg.Result(exprTypes(call.Args))
	return call, b.aggregateModifiers(inner, &call.AggCall, e)
}

func (b *binder) windowFunction(e *ast.Call, name string, args []plan.Expr) (*plan.WindowCall, error) {
	missing := func() error {
		var names []string
		for _, a := range args {
			names = append(names, bare(a.Type()).String())
		}
		return at(errs.New(errs.UndefinedFunction, "function %s(%s) does not exist", name, strings.Join(names, ", ")).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
	}
	w, ok := winfunc.Funcs[name]
	if !ok || len(args) < w.Min || len(args) > w.Max || e.Star {
		return nil, missing()
	}
	call := &plan.WindowCall{Func: w.Func, AggCall: plan.AggCall{Args: slices.Clone(args), Typ: w.Type}}
	number := 1
	if name == "ntile" {
		number = 0
	}
	if len(args) > number {
		x, err := b.coerce(args[number], types.Int4, castImplicit, e)
		if err != nil && errs.CodeOf(err) == errs.InvalidText {
			return nil, err
		}
		if err != nil {
			return nil, missing()
		}
		call.Args[number] = x
	}
	if w.Type.OID != 0 {
		return call, nil
	}
	if len(args) == 3 {
		t, err := b.commonType(name, []plan.Expr{args[0], args[2]}, nil, e)
		if err != nil {
			return nil, missing()
		}
		for _, i := range []int{0, 2} {
			var err error
			if call.Args[i], err = b.coerce(args[i], t, castImplicit, e); err != nil {
				return nil, err
			}
		}
	}
	if call.Args[0].Type().OID == types.UnknownOID {
		return nil, at(errs.New(errs.DatatypeMismatch, "could not determine polymorphic type because input has type unknown"), e)
	}
	call.Typ = call.Args[0].Type()
	return call, nil
}

// add registers a call; equal ones share a column.
func (s *windowState) add(b *binder, def *windowDef, call *plan.WindowCall) plan.Expr {
	var k strings.Builder
	for _, e := range def.partition {
		k.WriteString(logical.Key(e) + ";")
	}
	k.WriteString("|")
	for _, o := range def.order {
		k.WriteString(logical.Key(o.Expr))
		if o.Desc {
			k.WriteString("desc")
		}
		if o.NullsFirst {
			k.WriteString("nf")
		}
		k.WriteString(";")
	}
	i := slices.Index(s.keys, k.String())
	if i < 0 {
		i = len(s.keys)
		s.keys = append(s.keys, k.String())
		s.windows = append(s.windows, &logical.Window{Partition: def.partition, Order: def.order})
	}
	f := &call.Frame
	for _, n := range []int{int(call.Func), int(f.Mode), int(f.Start.Kind), int(f.End.Kind), int(f.Exclude)} {
		k.WriteString("," + itoa(n))
	}
	k.WriteString(call.Name)
	for _, e := range call.Exprs() {
		k.WriteString(";" + logical.Key(e))
	}
	if call.Filter != nil {
		k.WriteString("filter")
	}
	if c, ok := s.calls[k.String()]; ok {
		return c.Col()
	}
	col := b.newCol(call.Name, call.Typ)
	s.calls[k.String()] = col
	s.ids[col.ID] = true
	s.windows[i].Calls = append(s.windows[i].Calls, logical.WinItem{Col: col, Call: *call})
	return col.Col()
}

// hasWindow tells whether e uses a window function's result.
func (st *selectState) hasWindow(e plan.Expr) bool { return logical.Refs(e).Meets(st.win.ids) }

// windows puts the Window nodes over the grouped input. Those with more sort
// keys come first, as in PostgreSQL.
func (st *selectState) windows() error {
	names := map[string]bool{}
	for _, w := range st.sel.Windows {
		if names[w.Name] {
			return at(errs.New(errs.Windowing, "window %q is already defined", w.Name), w)
		}
		names[w.Name] = true
		if _, err := st.window(&ast.Window{At: w.At, Name: w.Name}); err != nil {
			return err
		}
	}
	ws := slices.Clone(st.win.windows)
	slices.SortStableFunc(ws, func(a, b *logical.Window) int {
		return cmp.Compare(len(b.Partition)+len(b.Order), len(a.Partition)+len(a.Order))
	})
	for _, w := range ws {
		w.In = st.node
		st.node = w
	}
	return nil
}

// regroup rewrites the windows' expressions to the output of the Aggregate.
func (st *selectState) regroup(g *grouping) error {
	for i, w := range st.win.windows {
		es := w.Exprs()
		for k := range es {
			var err error
			if es[k], err = g.rewrite(es[k]); err != nil {
				return err
			}
		}
		st.win.windows[i] = w.WithExprs(es).(*logical.Window)
	}
	return nil
}

// window resolves OVER name, OVER (…) and the names in WINDOW.
func (st *selectState) window(w *ast.Window) (*windowDef, error) {
	if !w.Inline && w.Name != "" {
		return st.namedWindow(w.Name, len(st.sel.Windows), w)
	}
	return st.define(w, len(st.sel.Windows))
}

// namedWindow finds a window among the first n of the WINDOW clause.
func (st *selectState) namedWindow(name string, n int, place ast.Node) (*windowDef, error) {
	for i, x := range st.sel.Windows[:n] {
		if x.Name != name {
			continue
		}
		return st.define(x, i)
	}
	return nil, at(errs.New(errs.UndefinedObject, "window %q does not exist", name), place)
}

// define binds a definition that may build on one of the first n windows.
func (st *selectState) define(w *ast.Window, n int) (*windowDef, error) {
	d := &windowDef{frame: w.Frame}
	ctx := &exprCtx{scope: st.scope, clause: "window definitions", agg: st.agg, inWindow: windowDefinition}
	for _, e := range w.Partition {
		x, err := st.windowExpr(ctx, e)
		if err != nil {
			return nil, err
		}
		if err := st.b.sortable(x.Type(), e); err != nil {
			return nil, err
		}
		d.partition = append(d.partition, x)
	}
	for _, it := range w.Order {
		x, err := st.windowExpr(ctx, it.Expr)
		if err != nil {
			return nil, err
		}
		k, err := st.b.sortKey(x, it)
		if err != nil {
			return nil, err
		}
		d.order = append(d.order, k)
	}
	if w.Ref == "" {
		return d, nil
	}
	base, err := st.namedWindow(w.Ref, n, w)
	if err != nil {
		return nil, err
	}
	switch {
	case len(w.Partition) > 0:
		return nil, at(errs.New(errs.Windowing, "cannot override PARTITION BY clause of window %q", w.Ref), w)
	case len(w.Order) > 0 && len(base.order) > 0:
		return nil, at(errs.New(errs.Windowing, "cannot override ORDER BY clause of window %q", w.Ref), w)
	case base.frame != nil:
		e := errs.New(errs.Windowing, "cannot copy window %q because it has a frame clause", w.Ref)
		if w.Name == "" && len(w.Order) == 0 && w.Frame == nil {
			e = e.WithHint("Omit the parentheses in this OVER clause.")
		}
		return nil, at(e, w)
	}
	d.partition = base.partition
	if len(base.order) > 0 {
		d.order = base.order
	}
	return d, nil
}

func (st *selectState) windowExpr(ctx *exprCtx, e ast.Expr) (plan.Expr, error) {
	x, err := st.b.expr(ctx, e)
	if err != nil {
		return nil, err
	}
	return st.b.known(x, e)
}
