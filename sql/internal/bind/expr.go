package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// exprCtx is where an expression stands.
type exprCtx struct {
	scope *scope
	// clause names the place for messages: "WHERE", "SELECT", ….
	clause string
	// agg collects aggregates; nil where they are refused.
	agg *aggState
	// inAgg is set inside an aggregate's arguments.
	inAgg bool
	// sets takes a set-returning call of a SELECT list; nil elsewhere.
	sets *setCalls
	// win collects window functions; nil where they are refused, which
	// inWindow may explain.
	win      *windowState
	inWindow windowCtx
}

// expr binds an expression. Its type may be Unknown (a bare string, NULL or a
// parameter that nothing has typed yet). One switch over all kinds.
func (b *binder) expr(ctx *exprCtx, e ast.Expr) (plan.Expr, error) {
	if err := b.enter(e); err != nil {
		return nil, err
	}
	defer b.leave()
	switch e := e.(type) {
	case *ast.Literal:
		return b.literal(e)
	case *ast.Param:
		return b.param(e)
	case *ast.Column:
		return b.columnRef(ctx, e)
	case *ast.Cast:
		return b.cast(ctx, e)
	case *ast.Op:
		return b.op(ctx, e)
	case *ast.Logic:
		return b.logic(ctx, e)
	case *ast.Pattern:
		return b.pattern(ctx, e)
	case *ast.Between:
		return b.between(ctx, e)
	case *ast.In:
		return b.in(ctx, e)
	case *ast.AnyAll:
		return b.anyAll(ctx, e)
	case *ast.Is:
		return b.is(ctx, e)
	case *ast.Distinct:
		return b.distinctFrom(ctx, e)
	case *ast.Exists:
		return b.exists(ctx, e)
	case *ast.Subquery:
		return b.scalarSubquery(ctx, e)
	case *ast.ArrayQuery:
		return b.arrayQuery(ctx, e)
	case *ast.Array:
		return b.arrayConstructor(ctx, e)
	case *ast.Subscripts:
		return b.subscripts(ctx, e)
	case *ast.Case:
		return b.caseExpr(ctx, e)
	case *ast.Builtin:
		return b.builtin(ctx, e)
	case *ast.ValueFunc:
		return b.valueFunc(e)
	case *ast.Call:
		return b.call(ctx, e)
	case *ast.Collate:
		return b.collate(ctx, e)
	case *ast.Default:
		return nil, at(errs.New(errs.Syntax, "DEFAULT is not allowed in this context"), e)
	case *ast.Row:
		return b.rowValue(ctx, e)
	case *ast.Field:
		return b.field(ctx, e)
	case *ast.Star:
		if len(e.Parts) > 0 {
			return b.rowValue(ctx, e)
		}
	}
	if o, ok := e.(*ast.Overlaps); ok {
		return b.overlaps(ctx, o)
	}
	return nil, at(errs.NotSupported(ast.Construct(e)), e)
}

// overlaps binds (a, b) OVERLAPS (c, d).
func (b *binder) overlaps(ctx *exprCtx, e *ast.Overlaps) (plan.Expr, error) {
	args, err := b.exprs(ctx, append(e.Left.Elems[:len(e.Left.Elems):len(e.Left.Elems)], e.Right.Elems...))
	if err != nil {
		return nil, err
	}
	return b.function("overlaps", args, e)
}

// condition binds a boolean expression in which aggregates are refused.
func (b *binder) condition(s *scope, e ast.Expr, clause string) (plan.Expr, error) {
	return b.boolExpr(&exprCtx{scope: s, clause: clause}, e, clause)
}

// boolExpr binds e and requires type boolean.
func (b *binder) boolExpr(ctx *exprCtx, e ast.Expr, what string) (plan.Expr, error) {
	x, err := b.expr(ctx, e)
	if err != nil {
		return nil, err
	}
	return b.toBool(x, e, what)
}

func (b *binder) toBool(x plan.Expr, e ast.Expr, what string) (plan.Expr, error) {
	t := x.Type()
	if t.OID != types.BoolOID && t.OID != types.UnknownOID {
		return nil, at(errs.New(errs.DatatypeMismatch, "argument of %s must be type boolean, not type %s", what, bare(t)), e)
	}
	return b.coerce(x, types.Bool, castImplicit, e)
}

// known makes an Unknown expression text.
func (b *binder) known(x plan.Expr, e ast.Node) (plan.Expr, error) {
	if x.Type().OID != types.UnknownOID {
		return x, nil
	}
	return b.coerce(x, types.Text, castImplicit, e)
}

func (b *binder) literal(e *ast.Literal) (plan.Expr, error) {
	l := &plan.Lit{Typ: types.Unknown}
	switch e.Kind {
	case ast.LitNull:
		l.Val = types.NullDatum
	case ast.LitBool:
		l.Typ = types.Bool
		if e.Text == "true" {
			l.Val.I = 1
		}
	case ast.LitString:
		l.Val.S = e.Text
	case ast.LitInt:
		for _, t := range []types.Type{types.Int4, types.Int8, types.Numeric} {
			d, err := types.ParseText(t, e.Text, b.format())
			if err == nil {
				l.Typ, l.Val = t, d
				break
			}
			if t == types.Numeric {
				return b.longNumber(e), nil
			}
		}
	case ast.LitNumeric:
		d, err := types.ParseText(types.Numeric, e.Text, b.format())
		if err != nil {
			return b.longNumber(e), nil
		}
		l.Typ, l.Val = types.Numeric, d
	default:
		return nil, at(errs.NotSupported("a bit string"), e)
	}
	b.exprPos[l] = e
	return l, nil
}

// longNumber is a numeric literal with more digits than numeric holds here: an
// error where it is used as one, but a float can be made of it.
func (b *binder) longNumber(e *ast.Literal) plan.Expr {
	c := &plan.Cast{Arg: &plan.Lit{Val: types.Datum{S: e.Text}, Typ: types.Text}, Typ: types.Numeric, Ctx: castExplicit}
	if b.longNumbers == nil {
		b.longNumbers = map[plan.Expr]string{}
	}
	b.longNumbers[c] = e.Text
	b.exprPos[c] = e
	return c
}

func (b *binder) columnRef(ctx *exprCtx, e *ast.Column) (plan.Expr, error) {
	c, _, err := b.column(ctx.scope, e)
	if err != nil {
		if len(e.Parts) == 1 && errs.CodeOf(err) == errs.UndefinedColumn {
			if r, _, rerr := ctx.scope.relation(e.Parts); rerr == nil && r != nil {
				return b.rowValue(ctx, e)
			}
		}
		return nil, err
	}
	if b.rec != nil {
		b.rec.ref(b, ctx.scope, c, e)
	}
	return b.named(c, e), nil
}

// named is a reference to c that error messages can point at.
func (b *binder) named(c *column, n ast.Node) plan.Expr {
	x := b.ref(c).(*plan.Col)
	b.refPos[x] = n
	if b.refName[c.ID] == "" {
		name := c.Name
		if c.rel != nil && c.rel.alias != "" {
			name = c.rel.alias + "." + name
		}
		b.refName[c.ID] = name
	}
	return x
}

func (b *binder) logic(ctx *exprCtx, e *ast.Logic) (plan.Expr, error) {
	what := [...]string{"AND", "OR", "NOT"}[e.Kind]
	args := make([]plan.Expr, len(e.Args))
	for i, a := range e.Args {
		x, err := b.boolExpr(ctx, a, what)
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	switch e.Kind {
	case ast.And:
		return &plan.And{Args: args}, nil
	case ast.Or:
		return &plan.Or{Args: args}, nil
	}
	return &plan.Not{Arg: args[0]}, nil
}

func (b *binder) is(ctx *exprCtx, e *ast.Is) (plan.Expr, error) {
	if e.Kind == ast.IsNull {
		if r, err := b.row(ctx, e.Expr); err != nil || r != nil {
			if err != nil {
				return nil, err
			}
			return b.rowNull(r, e)
		}
	}
	words := map[ast.IsKind]string{ast.IsTrue: "IS TRUE", ast.IsFalse: "IS FALSE", ast.IsUnknown: "IS UNKNOWN"}
	notWords := map[ast.IsKind]string{ast.IsTrue: "IS NOT TRUE", ast.IsFalse: "IS NOT FALSE", ast.IsUnknown: "IS NOT UNKNOWN"}
	switch e.Kind {
	case ast.IsNull:
		x, err := b.expr(ctx, e.Expr)
		if err != nil {
			return nil, err
		}
		// A parameter that only this looks at stays without a type (42P18).
		if l, ok := x.(*plan.Lit); ok && l.Typ.OID == types.UnknownOID {
			x, err = b.known(x, e.Expr)
		}
		return &plan.IsNull{Arg: x, Not: e.Not}, err
	case ast.IsTrue, ast.IsFalse, ast.IsUnknown:
		what := words[e.Kind]
		if e.Not {
			what = notWords[e.Kind]
		}
		x, err := b.boolExpr(ctx, e.Expr, what)
		if err != nil {
			return nil, err
		}
		if e.Kind == ast.IsUnknown {
			return &plan.IsNull{Arg: x, Not: e.Not}, nil
		}
		return &plan.IsBool{Arg: x, Val: e.Kind == ast.IsTrue, Not: e.Not}, nil
	case ast.IsNormalized:
		x, err := b.expr(ctx, e.Expr)
		if err != nil {
			return nil, err
		}
		form := e.Form
		if form == "" {
			form = "nfc"
		}
		x, err = b.function("is_normalized", []plan.Expr{x, &plan.Lit{Val: types.Datum{S: form}, Typ: types.Text}}, e)
		if err != nil || !e.Not {
			return x, err
		}
		return &plan.Not{Arg: x}, nil
	case ast.IsDocument:
		return nil, at(errs.NotSupported("IS DOCUMENT"), e)
	}
	return nil, at(errs.NotSupported("IS JSON"), e)
}

// caseExpr binds CASE; a simple one compares its argument with `=`.
func (b *binder) caseExpr(ctx *exprCtx, e *ast.Case) (plan.Expr, error) {
	var arg plan.Expr
	var err error
	sets := ctx.setCount()
	if e.Arg != nil {
		if arg, err = b.expr(ctx, e.Arg); err != nil {
			return nil, err
		}
		if arg, err = b.known(arg, e.Arg); err != nil {
			return nil, err
		}
	}
	c := &plan.Case{}
	// ELSE counts as the first result for the common type, as in PostgreSQL.
	results := make([]plan.Expr, 1, len(e.Whens)+1)
	places := make([]ast.Expr, 1, len(e.Whens)+1)
	for _, w := range e.Whens {
		cond, err := b.whenCond(ctx, arg, w.Cond)
		if err != nil {
			return nil, err
		}
		then, err := b.expr(ctx, w.Then)
		if err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, plan.When{Cond: cond})
		results = append(results, then)
		places = append(places, w.Then)
	}
	if e.Else != nil {
		if results[0], err = b.expr(ctx, e.Else); err != nil {
			return nil, err
		}
	} else {
		results[0] = &plan.Lit{Val: types.NullDatum, Typ: types.Unknown}
	}
	if err := ctx.noSets(sets, "CASE"); err != nil {
		return nil, err
	}
	places[0] = e.Else
	if c.Typ, err = b.commonType("CASE", results, places, e); err != nil {
		return nil, err
	}
	for i, r := range results {
		if r, err = b.coerce(r, c.Typ, castImplicit, places[i]); err != nil {
			return nil, err
		}
		if i == 0 {
			c.Else = r
		} else {
			c.Whens[i-1].Then = r
		}
	}
	if e.Else == nil {
		c.Else = nil
	}
	return c, nil
}

func (b *binder) whenCond(ctx *exprCtx, arg plan.Expr, e ast.Expr) (plan.Expr, error) {
	if arg == nil {
		return b.boolExpr(ctx, e, "CASE/WHEN")
	}
	x, err := b.expr(ctx, e)
	if err != nil {
		return nil, err
	}
	return b.operator("=", arg, x, e)
}

func (b *binder) builtin(ctx *exprCtx, e *ast.Builtin) (plan.Expr, error) {
	if e.Kind == ast.Grouping {
		return b.groupingExpr(ctx, e)
	}
	sets := ctx.setCount()
	args := make([]plan.Expr, len(e.Args))
	for i, a := range e.Args {
		x, err := b.expr(ctx, a)
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	if e.Kind == ast.Coalesce {
		if err := ctx.noSets(sets, "COALESCE"); err != nil {
			return nil, err
		}
	}
	if e.Kind == ast.NullIf {
		return b.nullIf(args, e)
	}
	what := [...]string{"COALESCE", "GREATEST", "LEAST"}[e.Kind]
	t, err := b.commonType(what, args, e.Args, e)
	if err != nil {
		return nil, err
	}
	for i := range args {
		if args[i], err = b.coerce(args[i], t, castImplicit, e.Args[i]); err != nil {
			return nil, err
		}
	}
	if e.Kind == ast.Coalesce {
		return &plan.Coalesce{Args: args, Typ: t}, nil
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return b.function([...]string{"", "greatest", "least"}[e.Kind], args, e)
}

// nullIf is CASE WHEN a = b THEN NULL ELSE a END.
func (b *binder) nullIf(args []plan.Expr, e *ast.Builtin) (plan.Expr, error) {
	eq, err := b.operator("=", args[0], args[1], e)
	if err != nil {
		return nil, err
	}
	a := args[0]
	if c, ok := eq.(*plan.Call); ok && !fn.ComparedAsIs(a.Type().OID, args[1].Type().OID) {
		a = c.Args[0]
	}
	return &plan.Case{
		Whens: []plan.When{{Cond: eq, Then: &plan.Lit{Val: types.NullDatum, Typ: a.Type()}}},
		Else:  a, Typ: a.Type(),
	}, nil
}

func (b *binder) collate(ctx *exprCtx, e *ast.Collate) (plan.Expr, error) {
	x, err := b.expr(ctx, e.Expr)
	if err != nil {
		return nil, err
	}
	if t := x.Type(); t.OID != types.UnknownOID && types.Category(t.OID) != types.CatString {
		return nil, at(errs.New(errs.DatatypeMismatch, "collations are not supported by type %s", bare(t)), e)
	}
	switch e.Name[len(e.Name)-1] {
	case "C", "POSIX", "default", "ucs_basic", "C.UTF-8", "C.utf8":
		return x, nil
	}
	return nil, at(errs.New(errs.UndefinedObject, "collation %q for encoding \"UTF8\" does not exist", quoteName(e.Name)), e)
}

func bare(t types.Type) types.Type { return types.Type{OID: t.OID, Mod: -1} }

// freeOf tells whether e refers to no column of the scope itself (only to
// outer queries').
func (b *binder) freeOf(s *scope, e plan.Expr) bool {
	local := logical.Set{}
	for _, r := range s.rels {
		for _, c := range r.cols {
			local[c.ID] = true
		}
	}
	for _, c := range s.cols {
		local[c.ID] = true
	}
	return !logical.Refs(e).Meets(local)
}
