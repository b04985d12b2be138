package plan

import (
	"quern/engine/fn"
	"quern/storage/types"
)

// MayRaise tells whether evaluating e might raise.
func MayRaise(e Expr) bool {
	any := func(es []Expr) bool {
		for _, e := range es {
			if MayRaise(e) {
				return true
			}
		}
		return false
	}
	switch e := e.(type) {
	case *Col, *Lit, *Outer:
		return false
	case *And:
		return any(e.Args)
	case *Or:
		return any(e.Args)
	case *Not:
		return MayRaise(e.Arg)
	case *IsNull:
		return MayRaise(e.Arg)
	case *IsBool:
		return MayRaise(e.Arg)
	case *Distinct:
		return MayRaise(e.L) || MayRaise(e.R)
	case *In:
		return MayRaise(e.Arg) || any(e.List)
	case *Like:
		l, ok := e.Pattern.(*Lit)
		for i := 0; ok && i < len(l.Val.S); i++ {
			ok = rune(l.Val.S[i]) != e.Escape && l.Val.S[i] < 0x80 // a lonely escape raises
		}
		return !ok || MayRaise(e.Arg)
	case *Cast:
		return !Widens(e.Arg.Type(), e.Typ) || MayRaise(e.Arg)
	case *Call:
		return e.Fn.CanRaise || e.Fn.Vol != fn.Immutable || any(e.Args)
	}
	return true
}

// IsInt tells whether t is an integer type.
func IsInt(t types.Type) bool {
	switch t.OID {
	case types.Int2OID, types.Int4OID, types.Int8OID:
		return true
	}
	return false
}

// IsText tells whether t is text or varchar.
func IsText(t types.Type) bool { return t.OID == types.TextOID || t.OID == types.VarcharOID }

// Widens tells whether a cast keeps values and their order.
func Widens(from, to types.Type) bool {
	return IsInt(from) && IsInt(to) && from.Phys().Size() <= to.Phys().Size() || IsText(from) && IsText(to) && to.Mod < 0
}
