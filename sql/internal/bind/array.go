package bind

import (
	"strings"

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

// arrayConstructor is ARRAY[…] of constants.
func (b *binder) arrayConstructor(ctx *exprCtx, e *ast.Array) (plan.Expr, error) {
	if len(e.Elems) == 0 {
		return nil, at(errs.New(errs.IndeterminateDatatype, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."), e)
	}
	elems, err := b.exprs(ctx, e.Elems)
	if err != nil {
		return nil, err
	}
	t, err := b.commonType("ARRAY", elems, e.Elems, e)
	if err != nil {
		return nil, err
	}
	if t.IsArray() {
		return nil, at(errs.NotSupported("ARRAY of arrays"), e)
	}
	build := types.ArrayBuilder{Elem: bare(t)}
	for i, x := range elems {
		if x, err = b.coerce(x, bare(t), castImplicit, e.Elems[i]); err != nil {
			return nil, err
		}
		l, ok := x.(*plan.Lit)
		if !ok {
			return nil, at(errs.NotSupported("ARRAY[…] of values that are not constant"), e.Elems[i])
		}
		build.Append(&l.Val)
	}
	return &plan.Lit{Val: types.Datum{S: string(build.AppendTo(nil))}, Typ: bare(t).Array()}, nil
}

// arrayLiteral reads a one-dimensional array in text form; nil = NULL.
func arrayLiteral(s string) ([]*string, error) {
	bad := errs.New(errs.InvalidText, "malformed array literal: %q", s)
	t := strings.TrimSpace(s)
	if len(t) < 2 || t[0] != '{' || t[len(t)-1] != '}' {
		return nil, bad.WithDetail("Array value must start with \"{\" or dimension information.")
	}
	t = t[1 : len(t)-1]
	if strings.TrimSpace(t) == "" {
		return nil, nil
	}
	var out []*string
	for i := 0; ; {
		v, quoted, next, ok := arrayElem(t, i)
		if !ok || v == "" && !quoted {
			return nil, bad
		}
		if !quoted && strings.EqualFold(v, "null") {
			out = append(out, nil)
		} else {
			out = append(out, &v)
		}
		if next == len(t) {
			return out, nil
		}
		i = next + 1
	}
}

// arrayElem reads one element from i up to its comma or the end.
func arrayElem(t string, i int) (v string, quoted bool, next int, ok bool) {
	var sb strings.Builder
	for i < len(t) && strings.ContainsRune(" \t\n\r", rune(t[i])) {
		i++
	}
	if i < len(t) && t[i] == '"' {
		for i++; i < len(t) && t[i] != '"'; i++ {
			if t[i] == '\\' {
				i++
				if i == len(t) {
					return "", false, 0, false
				}
			}
			sb.WriteByte(t[i])
		}
		if i == len(t) {
			return "", false, 0, false
		}
		for i++; i < len(t) && t[i] != ','; i++ {
			if !strings.ContainsRune(" \t\n\r", rune(t[i])) {
				return "", false, 0, false
			}
		}
		return sb.String(), true, i, true
	}
	for ; i < len(t) && t[i] != ','; i++ {
		switch t[i] {
		case '{', '}', '"':
			return "", false, 0, false
		case '\\':
			i++
			if i == len(t) {
				return "", false, 0, false
			}
		}
		sb.WriteByte(t[i])
	}
	return strings.TrimRight(sb.String(), " \t\n\r"), false, i, true
}
