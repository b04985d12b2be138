package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// arrayQuery is ARRAY(query): array_agg of its column, in its order, and the
// empty array for no rows.
func (b *binder) arrayQuery(ctx *exprCtx, e *ast.ArrayQuery) (plan.Expr, error) {
	r, err := b.inner(ctx, e.Query)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, at(errs.New(errs.Syntax, "subquery must return only one column"), e)
	}
	arg := plan.Expr(r.cols[0].Col())
	agg, want, err := fn.LookupAgg("array_agg", []types.Type{arg.Type()})
	if err != nil {
		return nil, at(err, e)
	}
	call := plan.AggCall{Agg: agg}
	if call.Args, err = b.coerceArgs([]plan.Expr{arg}, want, e); err != nil {
		return nil, err
	}
	call.Typ = agg.Result(exprTypes(call.Args))
	in := r.node
	if s, ok := in.(*logical.Sort); ok {
		in, call.Order = s.In, s.Keys
	}
	col := b.newCol("array", call.Typ)
	out := b.newCol("array", call.Typ)
	empty, err := types.ParseText(call.Typ, "{}", b.format())
	if err != nil {
		return nil, at(err, e)
	}
	node := &logical.Project{
		In: &logical.Aggregate{In: in, Aggs: []logical.AggItem{{Col: col, Call: call}}},
		Items: []logical.Item{{Col: out, Expr: &plan.Coalesce{
			Args: []plan.Expr{col.Col(), &plan.Lit{Val: empty, Typ: call.Typ}}, Typ: call.Typ}}},
	}
	return &logical.Sub{Kind: logical.SubScalar, Node: node, Typ: call.Typ, Pos: e.Pos}, nil
}

// arrayConstructor is ARRAY[…]; inner brackets are arrays of one dimension less.
func (b *binder) arrayConstructor(ctx *exprCtx, e *ast.Array) (plan.Expr, error) {
	if len(e.Elems) == 0 {
		return nil, at(errs.New(errs.IndeterminateDatatype, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."), e)
	}
	elems, err := b.exprs(ctx, e.Elems)
	if err != nil {
		return nil, err
	}
	if _, err := b.commonType("ARRAY", elems, e.Elems, e); err != nil {
		return nil, err
	}
	return b.function("array", elems, e)
}

// arrayCast is ARRAY[…]::type[]: the elements are read as the element type.
func (b *binder) arrayCast(ctx *exprCtx, e *ast.Array, t types.Type, n ast.Node) (plan.Expr, error) {
	elems := make([]plan.Expr, len(e.Elems))
	for i, x := range e.Elems {
		var err error
		if inner, ok := x.(*ast.Array); ok {
			elems[i], err = b.arrayCast(ctx, inner, t, n)
		} else if elems[i], err = b.expr(ctx, x); err == nil {
			want := t.Elem()
			if elems[i].Type().IsArray() {
				want = t
			}
			elems[i], err = b.coerce(elems[i], want, castExplicit, x)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(elems) == 0 {
		d, err := types.ParseText(t, "{}", b.format())
		return &plan.Lit{Val: d, Typ: t}, err
	}
	return b.function("array", elems, n)
}

// subscripts binds a[i] and a[lo:hi].
func (b *binder) subscripts(ctx *exprCtx, e *ast.Subscripts) (plan.Expr, error) {
	x, err := b.expr(ctx, e.Base)
	if err != nil {
		return nil, err
	}
	if t := x.Type(); !t.IsArray() {
		return nil, at(errs.New(errs.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(t)), e.Base)
	}
	args := []plan.Expr{x}
	if it := e.Items[0]; it.Slice {
		if len(e.Items) > 1 {
			return nil, at(errs.NotSupported("this form of array slice"), e)
		}
		for i, bound := range []ast.Expr{it.Low, it.High} {
			x, err := b.sliceBound(ctx, x, bound, i, e)
			if err != nil {
				return nil, err
			}
			args = append(args, x)
		}
		return b.function("[:]", args, e)
	}
	for _, it := range e.Items {
		if it.Slice {
			return nil, at(errs.NotSupported("this form of array slice"), e)
		}
		i, err := b.expr(ctx, it.Index)
		if err != nil {
			return nil, err
		}
		if i, err = b.coerce(i, types.Int4, castAssignment, it.Index); errs.CodeOf(err) == errs.InvalidText {
			return nil, err
		} else if err != nil {
			return nil, at(errs.New(errs.DatatypeMismatch, "array subscript must have type integer"), it.Index)
		}
		args = append(args, i)
	}
	return b.function("[]", args, e)
}

// sliceBound is a bound of a[lo:hi]; one left out is the array's own.
func (b *binder) sliceBound(ctx *exprCtx, x plan.Expr, bound ast.Expr, side int, e ast.Node) (plan.Expr, error) {
	if bound != nil {
		i, err := b.expr(ctx, bound)
		if err != nil {
			return nil, err
		}
		if i, err = b.coerce(i, types.Int4, castAssignment, bound); err != nil {
			return nil, at(errs.New(errs.DatatypeMismatch, "array subscript must have type integer"), bound)
		}
		return i, nil
	}
	own, err := b.function([]string{"array_lower", "array_upper"}[side], []plan.Expr{x, &plan.Lit{Typ: types.Int4, Val: types.Datum{I: 1}}}, e)
	if err != nil {
		return nil, err
	}
	empty := &plan.Lit{Typ: types.Int4, Val: types.Datum{I: int64(1 - side)}}
	return &plan.Coalesce{Args: []plan.Expr{own, empty}, Typ: types.Int4}, nil
}

// arrayOp is op ANY|ALL (array) of an array that is not written out.
func (b *binder) arrayOp(x, arr plan.Expr, e *ast.AnyAll) (plan.Expr, error) {
	if arr.Type().OID == types.UnknownOID && x.Type().OID != types.UnknownOID {
		var err error
		if arr, err = b.coerce(arr, bare(x.Type()).Array(), castImplicit, e.Array); err != nil {
			return nil, err
		}
	}
	f, want, err := fn.ArrayOp(e.Name, x.Type(), arr.Type(), e.All)
	if err != nil {
		return nil, at(err, e)
	}
	args, err := b.coerceArgs([]plan.Expr{x, arr}, want, e)
	if err != nil {
		return nil, err
	}
	return &plan.Call{Fn: f, Args: args, Typ: types.Bool}, nil
}
