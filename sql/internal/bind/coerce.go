package bind

import (
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/storage/errs"
	"quern/storage/types"
)

type castContext = fn.CastContext

const (
	castImplicit   = fn.CastImplicit
	castAssignment = fn.CastAssignment
	castExplicit   = fn.CastExplicit
)

func (b *binder) format() *types.Format {
	if b.env.Fn != nil && b.env.Fn.Format != nil {
		return b.env.Fn.Format
	}
	return types.DefaultFormat
}

// coerce converts e to type t in the given context. A bare string is read as a
// value of t at once; an untyped parameter takes type t.
func (b *binder) coerce(e plan.Expr, t types.Type, ctx castContext, n ast.Node) (plan.Expr, error) {
	from := e.Type()
	if p := b.exprPos[e]; p != nil {
		n = p
	}
	switch {
	case from == t:
		return e, nil
	case from.OID == t.OID && t.Mod < 0:
		return e, nil
	case from.OID == types.UnknownOID:
		switch x := e.(type) {
		case *plan.Lit:
			return b.literalAs(x, t, ctx, n)
		case *plan.Param:
			return b.paramAs(x, t, ctx, n)
		}
		// A column of an inner query that nobody typed is text.
		from = types.Text
	case from.OID != t.OID && !fn.FindCast(from, t, ctx):
		return nil, at(literal.CannotCast(bare(from), bare(t), ctx == castAssignment), n)
	}
	if text, ok := b.longNumbers[e]; ok && (t.OID == types.Float8OID || t.OID == types.Float4OID) {
		return b.literalAs(&plan.Lit{Val: types.Datum{S: text}, Typ: types.Unknown}, t, ctx, n)
	}
	if l, ok := e.(*plan.Lit); ok {
		if d, done := literal.Widen(l, t); done {
			return d, nil
		}
	}
	return &plan.Cast{Arg: e, Typ: t, Ctx: ctx}, nil
}

// literalAs reads a bare string or NULL as a value of type t.
func (b *binder) literalAs(l *plan.Lit, t types.Type, ctx castContext, n ast.Node) (plan.Expr, error) {
	x, err := b.readLiteral(l, t, ctx, n)
	if v, ok := x.(*plan.Lit); ok && err == nil && b.rec != nil {
		b.rec.literal(n, v)
	}
	return x, err
}

func (b *binder) readLiteral(l *plan.Lit, t types.Type, ctx castContext, n ast.Node) (plan.Expr, error) {
	if l.Val.Null {
		return &plan.Lit{Val: types.NullDatum, Typ: t}, nil
	}
	switch t.OID {
	case types.UnknownOID:
		return l, nil
	case types.RecordOID:
		return nil, at(errs.New(errs.FeatureNotSupported, "input of anonymous composite types is not implemented"), n)
	case types.RegclassOID, types.RegtypeOID, types.RegprocOID, types.RegnamespaceOID, types.RegroleOID:
		return &plan.Cast{Arg: &plan.Lit{Val: l.Val, Typ: types.Text}, Typ: t, Ctx: castExplicit}, nil
	}
	d, err := types.ParseText(types.Type{OID: t.OID, Mod: -1}, l.Val.S, b.format())
	if err != nil {
		return nil, at(err, n)
	}
	if t.Mod >= 0 {
		if err := types.ApplyMod(t, &d, ctx == castExplicit); err != nil {
			return nil, at(err, n)
		}
	}
	return &plan.Lit{Val: d, Typ: t}, nil
}

// commonType is the type of UNION, CASE, … over es; places are the syntax of es
// (nil = n).
func (b *binder) commonType(what string, es []plan.Expr, places []ast.Expr, n ast.Node) (types.Type, error) {
	ts := make([]types.Type, len(es))
	for i, e := range es {
		ts[i] = e.Type()
	}
	t, err := fn.CommonType(what, ts)
	if err == nil {
		return t, nil
	}
	// The error points at the first expression that does not fit.
	for i := range es {
		if _, e := fn.CommonType(what, ts[:i+1]); e != nil {
			err = e
			if i < len(places) && places[i] != nil {
				n = places[i]
			}
			break
		}
	}
	return t, at(err, n)
}

func (b *binder) cast(ctx *exprCtx, e *ast.Cast) (plan.Expr, error) {
	t, err := b.typeName(e.Type)
	if err != nil {
		return nil, err
	}
	if l, ok := e.Expr.(*ast.Literal); ok && l.Kind == ast.LitString && e.Type.Fields != "" {
		c := *l
		if c.Text, err = literal.Interval(l.Text, e.Type.Fields); err != nil {
			return nil, at(err, e)
		}
		x, err := b.castTo(ctx, &c, t, e)
		return b.intervalFields(x, e, err)
	}
	x, err := b.castTo(ctx, e.Expr, t, e)
	return b.intervalFields(x, e, err)
}

// intervalFields cuts an interval behind the last field of its type's
// restriction: interval day to hour has no minutes.
func (b *binder) intervalFields(x plan.Expr, e *ast.Cast, err error) (plan.Expr, error) {
	words := strings.Fields(strings.ToLower(e.Type.Fields))
	if err != nil || len(words) == 0 || words[len(words)-1] == "second" || x.Type().OID != types.IntervalOID {
		return x, err
	}
	return b.function("date_trunc", []plan.Expr{&plan.Lit{Val: types.Datum{S: words[len(words)-1]}, Typ: types.Text}, x}, e)
}

func (b *binder) castTo(ctx *exprCtx, arg ast.Expr, t types.Type, e *ast.Cast) (plan.Expr, error) {
	if a, ok := arg.(*ast.Array); ok && t.IsArray() {
		return b.arrayCast(ctx, a, t, e)
	}
	if l, ok := arg.(*ast.Literal); ok && l.Kind == ast.LitNumeric && (t.OID == types.Float4OID || t.OID == types.Float8OID) {
		// 1e300::float8 has no need to fit numeric.
		c := *l
		c.Kind = ast.LitString
		arg = &c
	}
	x, err := b.expr(ctx, arg)
	if err != nil {
		return nil, err
	}
	r, err := b.coerce(x, t, castExplicit, e)
	if err != nil {
		if errs.CodeOf(err) == errs.CannotCoerce {
			errs.As(err).Pos = e.Position() + 1
		}
		return nil, err
	}
	if b.rec != nil {
		b.rec.cast(arg)
	}
	if _, ok := x.(*plan.Col); ok && r == x && x.Type() != t {
		// x::varchar of a varchar(n) loses the modifier.
		return &plan.Cast{Arg: x, Typ: t, Ctx: castExplicit}, nil
	}
	return r, nil
}

// TypeOf resolves a type name as written, with its modifiers.
func TypeOf(t *ast.TypeName) (types.Type, error) { return (&binder{}).typeName(t) }

func (b *binder) typeName(t *ast.TypeName) (types.Type, error) {
	name := t.Parts[len(t.Parts)-1]
	missing := errs.New(errs.UndefinedObject, "type %q does not exist", quoteName(t.Parts))
	if len(t.Parts) > 1 && t.Parts[len(t.Parts)-2] != "pg_catalog" {
		return types.Type{}, at(missing, t)
	}
	lookup := name
	if t.Quoted && name == "char" {
		lookup = `"char"`
	}
	ty, ok := types.ByName(lookup)
	if !ok || types.Category(ty.OID) == types.CatPseudo && ty.OID != types.RecordOID {
		return types.Type{}, at(missing, t)
	}
	if len(t.Mods) > 0 {
		var err error
		if ty, err = types.WithMods(ty.OID, name, t.Mods); err != nil {
			return types.Type{}, at(err, t)
		}
	}
	if len(t.Array) > 0 {
		ty = ty.Array()
	}
	return ty, nil
}
