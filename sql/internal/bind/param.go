package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// paramState infers the types of $n: the first use that needs a type decides.
type paramState struct {
	given []types.Type
	known []types.Type
	// seen are parameters that occurred.
	seen []bool
}

func (p *paramState) clone() paramState {
	return paramState{p.given, append([]types.Type(nil), p.known...), append([]bool(nil), p.seen...)}
}

func (p *paramState) grow(n int) {
	for len(p.known) < n {
		p.known = append(p.known, types.Unknown)
	}
	for len(p.seen) < n {
		p.seen = append(p.seen, false)
	}
}

func untyped(t types.Type) bool { return t.OID == 0 || t.OID == types.UnknownOID }

func (b *binder) param(e *ast.Param) (plan.Expr, error) {
	if !b.env.HasParams || e.N < 1 || e.N > 65535 {
		return nil, at(errs.New(errs.UndefinedParameter, "there is no parameter $%d", e.N), e)
	}
	b.params.grow(e.N)
	b.params.seen[e.N-1] = true
	x := &plan.Param{Index: e.N - 1, Typ: b.params.known[e.N-1]}
	if untyped(x.Typ) {
		x.Typ = types.Unknown
	}
	b.exprPos[x] = e
	return x, nil
}

// paramAs gives an untyped parameter the type t.
func (b *binder) paramAs(p *plan.Param, t types.Type, ctx castContext, n ast.Node) (plan.Expr, error) {
	if t.OID == types.UnknownOID {
		return p, nil
	}
	known := &b.params.known[p.Index]
	switch {
	case untyped(*known):
		*known = bare(t)
	case known.OID != t.OID:
		return nil, at(errs.New(errs.AmbiguousParameter, "inconsistent types deduced for parameter $%d", p.Index+1).
			WithDetail("%s versus %s", *known, bare(t)), n)
	}
	var out plan.Expr = &plan.Param{Index: p.Index, Typ: *known}
	if t.Mod >= 0 {
		out = &plan.Cast{Arg: out, Typ: t, Ctx: ctx}
	}
	return out, nil
}

// finish gives all types; gaps and untyped parameters are 42P18.
func (p *paramState) finish(has, partial bool) ([]types.Type, error) {
	if !has {
		return nil, nil
	}
	if partial {
		return p.known, nil
	}
	for i, t := range p.known {
		if untyped(t) {
			return nil, errs.New(errs.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
		}
	}
	return p.known, nil
}

// settleParams gives parameters that were left without a type in the tree
// (`$1 IS NULL`) the type that another use decided.
func (b *binder) settleParams(n logical.Node) logical.Node {
	if len(b.params.seen) == 0 {
		return n
	}
	return logical.MapExprs(n, func(e plan.Expr) plan.Expr {
		if p, ok := e.(*plan.Param); ok && p.Typ.OID == types.UnknownOID {
			return &plan.Param{Index: p.Index, Typ: b.params.known[p.Index]}
		}
		return nil
	})
}
