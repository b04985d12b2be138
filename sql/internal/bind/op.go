package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/storage/errs"
	"quern/storage/types"
)

// operator resolves a binary operator on bound operands.
func (b *binder) operator(name string, l, r plan.Expr, n ast.Node) (plan.Expr, error) {
	f, want, err := fn.LookupOp(name, l.Type(), r.Type())
	if err != nil {
		return nil, at(err, n)
	}
	args, err := b.coerceArgs([]plan.Expr{l, r}, want, n)
	if err != nil {
		return nil, err
	}
	return &plan.Call{Fn: f, Args: args, Typ: f.Result(exprTypes(args))}, nil
}

// function resolves a function on bound arguments.
func (b *binder) function(name string, args []plan.Expr, n ast.Node) (plan.Expr, error) {
	f, want, err := fn.LookupFunc(name, exprTypes(args))
	if errs.CodeOf(err) == errs.UndefinedFunction {
		if g, to, full := withDefaults(name, args); g != nil {
			f, want, args, err = g, to, full, nil
		}
	}
	if err != nil {
		if len(args) == 1 && errs.CodeOf(err) == errs.UndefinedFunction {
			if t, ok := fn.FuncCast(name, args[0].Type()); ok {
				return b.coerce(args[0], t, castExplicit, n)
			}
		}
		return nil, at(err, n)
	}
	if args, err = b.coerceArgs(args, want, n); err != nil {
		return nil, err
	}
	return &plan.Call{Fn: f, Args: args, Typ: f.Result(exprTypes(args))}, nil
}

func (b *binder) coerceArgs(args []plan.Expr, want []types.Type, n ast.Node) ([]plan.Expr, error) {
	out := make([]plan.Expr, len(args))
	for i, a := range args {
		x, err := b.coerce(a, want[i], castImplicit, n)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func exprTypes(es []plan.Expr) []types.Type {
	out := make([]types.Type, len(es))
	for i, e := range es {
		out[i] = e.Type()
	}
	return out
}

func (b *binder) op(ctx *exprCtx, e *ast.Op) (plan.Expr, error) {
	if e.Schema != "" && e.Schema != "pg_catalog" {
		return nil, at(errs.New(errs.UndefinedFunction, "operator does not exist: %s.%s", e.Schema, e.Name), e)
	}
	if e.Left == nil {
		return b.prefix(ctx, e)
	}
	if x, ok, err := b.rowOp(ctx, e); ok {
		return x, err
	}
	l, err := b.expr(ctx, e.Left)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(ctx, e.Right)
	if err != nil {
		return nil, err
	}
	switch e.Name {
	case "~~", "!~~", "~~*", "!~~*":
		return b.like(l, r, '\\', e.Name, e)
	}
	x, err := b.operator(e.Name, l, r, e)
	if c, ok := x.(*plan.Call); ok && err == nil && b.rec != nil {
		b.rec.operands(e, c, l, r)
	}
	return x, err
}

func (b *binder) prefix(ctx *exprCtx, e *ast.Op) (plan.Expr, error) {
	x, err := b.expr(ctx, e.Right)
	if err != nil {
		return nil, err
	}
	f, want, err := fn.LookupOp(e.Name, types.Type{}, x.Type())
	if err != nil {
		return nil, at(err, e)
	}
	args, err := b.coerceArgs([]plan.Expr{x}, want, e)
	if err != nil {
		return nil, err
	}
	return &plan.Call{Fn: f, Args: args, Typ: f.Result(exprTypes(args))}, nil
}

func (b *binder) exprs(ctx *exprCtx, es []ast.Expr) ([]plan.Expr, error) {
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		x, err := b.expr(ctx, e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func (b *binder) rowCompare(op string, ls, rs []plan.Expr, n ast.Node) (plan.Expr, error) {
	if len(ls) != len(rs) {
		return nil, at(errs.New(errs.Syntax, "unequal number of entries in row expressions"), n)
	}
	if len(ls) == 0 {
		return nil, at(errs.NotSupported("comparison of rows of zero length"), n)
	}
	switch op {
	case "=", "<>":
		parts := make([]plan.Expr, len(ls))
		for i := range ls {
			x, err := b.operator(op, ls[i], rs[i], n)
			if err != nil {
				return nil, err
			}
			parts[i] = x
		}
		if len(parts) == 1 {
			return parts[0], nil
		}
		if op == "=" {
			return &plan.And{Args: parts}, nil
		}
		return &plan.Or{Args: parts}, nil
	case "<", "<=", ">", ">=":
		return b.rowOrder(op, ls, rs, n)
	}
	return nil, at(errs.New(errs.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).
		WithHint("Row comparison operators must be associated with btree operator families."), n)
}

// rowOrder: (a,b) < (c,d) is a < c OR (a = c AND b < d); NULLs fall out right.
func (b *binder) rowOrder(op string, ls, rs []plan.Expr, n ast.Node) (plan.Expr, error) {
	if len(ls) == 1 {
		return b.operator(op, ls[0], rs[0], n)
	}
	first, err := b.operator(op[:1], ls[0], rs[0], n)
	if err != nil {
		return nil, err
	}
	eq, err := b.operator("=", ls[0], rs[0], n)
	if err != nil {
		return nil, err
	}
	rest, err := b.rowOrder(op, ls[1:], rs[1:], n)
	if err != nil {
		return nil, err
	}
	return &plan.Or{Args: []plan.Expr{first, &plan.And{Args: []plan.Expr{eq, rest}}}}, nil
}

func (b *binder) pattern(ctx *exprCtx, e *ast.Pattern) (plan.Expr, error) {
	l, err := b.expr(ctx, e.Left)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(ctx, e.Right)
	if err != nil {
		return nil, err
	}
	if e.Kind == ast.Similar {
		return b.similar(ctx, l, r, e)
	}
	escape := '\\'
	if lit, ok := e.Escape.(*ast.Literal); ok && lit.Kind == ast.LitString {
		if escape, err = literal.Escape(lit.Text); err != nil {
			return nil, err
		}
	} else if e.Escape != nil {
		x, err := b.expr(ctx, e.Escape)
		if err != nil {
			return nil, err
		}
		if r, err = b.function("like_escape", []plan.Expr{r, x}, e); err != nil {
			return nil, err
		}
	}
	name := map[ast.LikeKind]string{ast.Like: "~~", ast.ILike: "~~*"}[e.Kind]
	if e.Not {
		name = "!" + name
	}
	return b.like(l, r, escape, name, e)
}

// like makes a LIKE of operator name, which carries its case folding and sense.
func (b *binder) like(l, r plan.Expr, escape rune, name string, n ast.Node) (plan.Expr, error) {
	for _, x := range []plan.Expr{l, r} {
		if t := x.Type(); t.OID != types.UnknownOID && types.Category(t.OID) != types.CatString {
			return nil, at(errs.New(errs.UndefinedFunction, "operator does not exist: %s %s %s", bare(l.Type()), name, bare(r.Type())).
				WithHint("No operator matches the given name and argument types. You might need to add explicit type casts."), n)
		}
	}
	want := []types.Type{types.Text, types.Text}
	if l.Type().OID == types.BpcharOID {
		want[0] = l.Type() // its padding takes part
	}
	args, err := b.coerceArgs([]plan.Expr{l, r}, want, n)
	if err != nil {
		return nil, err
	}
	return &plan.Like{Arg: args[0], Pattern: args[1], Escape: escape,
		Not: name[0] == '!', Fold: name[len(name)-1] == '*'}, nil
}

// similar is a regular expression match of similar_to_escape's result.
func (b *binder) similar(ctx *exprCtx, l, r plan.Expr, e *ast.Pattern) (plan.Expr, error) {
	if !fn.IsFunc("similar_to_escape") {
		return nil, at(errs.NotSupported("SIMILAR TO"), e)
	}
	args := []plan.Expr{r}
	if e.Escape != nil {
		x, err := b.expr(ctx, e.Escape)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
	}
	re, err := b.function("similar_to_escape", args, e)
	if err != nil {
		return nil, err
	}
	op := "~"
	if e.Not {
		op = "!~"
	}
	return b.operator(op, l, re, e)
}

func (b *binder) between(ctx *exprCtx, e *ast.Between) (plan.Expr, error) {
	xs, err := b.exprs(ctx, []ast.Expr{e.Expr, e.Low, e.High})
	if err != nil {
		return nil, err
	}
	x, lo, hi := xs[0], xs[1], xs[2]
	one := func(lo, hi plan.Expr) (plan.Expr, error) {
		ge, err := b.operator(">=", x, lo, e)
		if err != nil {
			return nil, err
		}
		le, err := b.operator("<=", x, hi, e)
		if err != nil {
			return nil, err
		}
		return &plan.And{Args: []plan.Expr{ge, le}}, nil
	}
	r, err := one(lo, hi)
	if err != nil {
		return nil, err
	}
	if e.Symmetric {
		r2, err := one(hi, lo)
		if err != nil {
			return nil, err
		}
		r = &plan.Or{Args: []plan.Expr{r, r2}}
	}
	if e.Not {
		r = &plan.Not{Arg: r}
	}
	return r, nil
}

func (b *binder) distinctFrom(ctx *exprCtx, e *ast.Distinct) (plan.Expr, error) {
	l, err := b.row(ctx, e.Left)
	if err != nil {
		return nil, err
	}
	r, err := b.row(ctx, e.Right)
	if err != nil {
		return nil, err
	}
	if l != nil || r != nil {
		return b.rowDistinct(l, r, e)
	}
	xs, err := b.exprs(ctx, []ast.Expr{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	return b.distinctPair(xs[0], xs[1], e.Not, e)
}

func (b *binder) distinctPair(l, r plan.Expr, not bool, n ast.Node) (plan.Expr, error) {
	eq, err := b.operator("=", l, r, n)
	if err != nil {
		return nil, err
	}
	c := eq.(*plan.Call)
	// The engine compares values of one type: numbers of two widths meet in
	// their common one.
	args := c.Args
	if args[0].Type().OID != args[1].Type().OID {
		t, err := b.commonType("IS DISTINCT FROM", args, nil, n)
		if err != nil {
			return nil, err
		}
		if args, err = b.coerceArgs(args, []types.Type{bare(t), bare(t)}, n); err != nil {
			return nil, err
		}
	}
	return &plan.Distinct{L: args[0], R: args[1], Not: not}, nil
}

// in binds IN: a list of one type is a set, other lists are ORs of `=`.
func (b *binder) in(ctx *exprCtx, e *ast.In) (plan.Expr, error) {
	if e.Query != nil {
		return b.inQuery(ctx, e.Expr, "=", e.Query, e.Not, e)
	}
	if r, err := b.row(ctx, e.Expr); err != nil || r != nil {
		if err != nil {
			return nil, err
		}
		return b.rowIn(ctx, e, r)
	}
	x, err := b.expr(ctx, e.Expr)
	if err != nil {
		return nil, err
	}
	list, err := b.exprs(ctx, e.List)
	if err != nil {
		return nil, err
	}
	return b.inList(x, list, e.List, e.Not, e)
}

func (b *binder) inList(x plan.Expr, list []plan.Expr, places []ast.Expr, not bool, n ast.Node) (plan.Expr, error) {
	all := append([]plan.Expr{x}, list...)
	t, err := fn.CommonType("IN", exprTypes(all))
	if err == nil {
		if _, _, oerr := fn.LookupOp("=", bare(t), bare(t)); oerr != nil {
			return nil, at(oerr, n)
		}
		for i := range all {
			var place ast.Node = n
			if i > 0 {
				place = places[i-1]
			}
			if all[i], err = b.coerce(all[i], bare(t), castImplicit, place); err != nil {
				return nil, err
			}
		}
		return &plan.In{Arg: all[0], List: all[1:], Not: not}, nil
	}
	or := &plan.Or{}
	for _, y := range list {
		eq, err := b.operator("=", x, y, n)
		if err != nil {
			return nil, err
		}
		or.Args = append(or.Args, eq)
	}
	var out plan.Expr = or
	if len(or.Args) == 1 {
		out = or.Args[0]
	}
	if not {
		out = &plan.Not{Arg: out}
	}
	return out, nil
}

// anyAll binds op ANY/ALL over a query or a list.
func (b *binder) anyAll(ctx *exprCtx, e *ast.AnyAll) (plan.Expr, error) {
	if e.Schema != "" && e.Schema != "pg_catalog" {
		return nil, at(errs.New(errs.UndefinedFunction, "operator does not exist: %s.%s", e.Schema, e.Name), e)
	}
	if e.Query != nil {
		return b.quantified(ctx, e)
	}
	x, err := b.expr(ctx, e.Left)
	if err != nil {
		return nil, err
	}
	if !ast.WrittenOut(e.Array) {
		arr, err := b.expr(ctx, e.Array)
		if err != nil {
			return nil, err
		}
		return b.arrayOp(x, arr, e)
	}
	list, places, err := b.arrayElems(ctx, e.Array, x.Type())
	if err != nil {
		return nil, err
	}
	if e.Name == "=" && !e.All && len(list) > 0 {
		return b.inList(x, list, places, false, e)
	}
	parts := make([]plan.Expr, len(list))
	for i, y := range list {
		switch e.Name {
		case "~~", "!~~", "~~*", "!~~*":
			parts[i], err = b.like(x, y, '\\', e.Name, e)
		default:
			parts[i], err = b.operator(e.Name, x, y, e)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(parts) == 0:
		l := &plan.Lit{Typ: types.Bool}
		if e.All {
			l.Val.I = 1
		}
		return l, nil
	case len(parts) == 1:
		return parts[0], nil
	case e.All:
		return &plan.And{Args: parts}, nil
	}
	return &plan.Or{Args: parts}, nil
}

// arrayElems are the elements of an array that is written out: ARRAY[…], or a
// literal such as '{1,2}'.
func (b *binder) arrayElems(ctx *exprCtx, e ast.Expr, left types.Type) ([]plan.Expr, []ast.Expr, error) {
	switch x := e.(type) {
	case *ast.Array:
		list, err := b.exprs(ctx, x.Elems)
		return list, x.Elems, err
	case *ast.Cast:
		t, err := b.typeName(x.Type)
		if err != nil {
			return nil, nil, err
		}
		list, places, err := b.arrayElems(ctx, x.Expr, t.Elem())
		if err != nil {
			return nil, nil, err
		}
		for i := range list {
			if list[i], err = b.coerce(list[i], t.Elem(), castExplicit, x); err != nil {
				return nil, nil, err
			}
		}
		return list, places, nil
	case *ast.Literal:
		if x.Kind == ast.LitString {
			elems, err := literal.Array(x.Text)
			if err != nil {
				return nil, nil, at(err, x)
			}
			list := make([]plan.Expr, len(elems))
			places := make([]ast.Expr, len(elems))
			for i, s := range elems {
				l := &plan.Lit{Typ: types.Unknown, Val: types.NullDatum}
				if s != nil {
					l.Val = types.Datum{S: *s}
				}
				b.exprPos[l] = x
				list[i], places[i] = l, x
			}
			if left.OID != types.UnknownOID {
				for i := range list {
					if list[i], err = b.coerce(list[i], bare(left), castImplicit, x); err != nil {
						return nil, nil, err
					}
				}
			}
			return list, places, nil
		}
	}
	return nil, nil, errs.New(errs.Internal, "not an array that is written out: %T", e)
}
