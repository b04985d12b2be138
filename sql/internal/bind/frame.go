package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// defaultFrame is RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW.
var defaultFrame = plan.Frame{Mode: plan.FrameRange, End: plan.FrameBound{Kind: plan.CurrentRow}}

// frame binds the frame of a window. The kinds of both packages have the same
// order.
func (st *selectState) frame(d *windowDef) (plan.Frame, error) {
	f := d.frame
	if f == nil {
		return defaultFrame, nil
	}
	out := plan.Frame{Mode: plan.FrameMode(f.Mode), Exclude: plan.FrameExclude(f.Exclude)}
	out.Start.Kind, out.End.Kind = plan.BoundKind(f.Start.Kind), plan.BoundKind(f.End.Kind)
	offsets := f.Start.Offset != nil || f.End.Offset != nil
	switch {
	case out.Mode == plan.FrameRange && offsets && len(d.order) != 1:
		return out, at(errs.New(errs.Windowing, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"), f)
	case out.Mode == plan.FrameGroups && len(d.order) == 0:
		return out, at(errs.New(errs.Windowing, "GROUPS mode requires an ORDER BY clause"), f)
	}
	for _, x := range []struct {
		from ast.Expr
		to   *plan.FrameBound
	}{{f.Start.Offset, &out.Start}, {f.End.Offset, &out.End}} {
		if x.from == nil {
			continue
		}
		if err := st.frameOffset(d, &out, x.to, x.from); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (st *selectState) frameOffset(d *windowDef, f *plan.Frame, to *plan.FrameBound, e ast.Expr) error {
	word := [...]string{"ROWS", "RANGE", "GROUPS"}[f.Mode]
	x, err := st.b.expr(&exprCtx{scope: st.scope, clause: word}, e)
	if err != nil {
		return err
	}
	if len(logical.Refs(x)) > 0 {
		return at(errs.New(errs.InvalidColumnReference, "argument of %s must not contain variables", word), e)
	}
	if f.Mode == plan.FrameRange {
		return st.rangeOffset(d.order[0], f, to, x, e)
	}
	t := x.Type()
	if to.Offset, err = st.b.coerce(x, types.Int8, castAssignment, e); err != nil && errs.CodeOf(err) != errs.InvalidText {
		return at(errs.New(errs.DatatypeMismatch, "argument of %s must be type bigint, not type %s", word, bare(t)), e)
	}
	return err
}

// rangeOffset makes the value that the sort key is compared with: the key plus
// or minus the offset, in a type that has room for it.
func (st *selectState) rangeOffset(k plan.SortKey, f *plan.Frame, to *plan.FrameBound, off plan.Expr, e ast.Expr) error {
	b := st.b
	t := k.Expr.Type()
	wide, offType := t, types.Interval
	switch t.OID {
	case types.Int2OID, types.Int4OID, types.Int8OID:
		wide, offType = types.Numeric, types.Int8
	case types.Float4OID, types.Float8OID:
		wide, offType = types.Float8, types.Float8
	case types.NumericOID:
		wide, offType = types.Numeric, types.Numeric
	case types.DateOID:
		wide = types.Timestamp
	case types.TimestampOID, types.TimestamptzOID, types.IntervalOID:
	default:
		return at(errs.New(errs.FeatureNotSupported,
			"RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", bare(t)), e)
	}
	offFrom := bare(off.Type())
	off, err := b.coerce(off, offType, castImplicit, e)
	if err != nil {
		if errs.CodeOf(err) == errs.InvalidText {
			return err
		}
		return at(errs.New(errs.FeatureNotSupported,
			"RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s", bare(t), offFrom).
			WithHint("Cast the offset value to an appropriate type."), e)
	}
	to.Offset = off
	if f.Key, err = b.coerce(k.Expr, bare(wide), castExplicit, e); err != nil {
		return err
	}
	if offType.OID == types.Int8OID {
		if off, err = b.coerce(off, types.Numeric, castExplicit, e); err != nil {
			return err
		}
	}
	op := "+"
	if (to.Kind == plan.Preceding) != k.Desc {
		op = "-"
	}
	if to.At, err = b.operator(op, f.Key, off, e); err != nil {
		return err
	}
	to.At, err = b.coerce(to.At, f.Key.Type(), castExplicit, e)
	return err
}
