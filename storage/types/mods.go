package types

import (
	"quern/storage/errs"
)

// WithMods makes the type that the modifiers stand for: numeric(10,2) has
// mods [10 2]. name is the spelling used, since float(24) is real. Errors are
// PostgreSQL's (22023, 42601).
func WithMods(oid OID, name string, mods []int) (Type, error) {
	t := Type{oid, -1}
	if len(mods) == 0 {
		return t, nil
	}
	switch oid {
	case NumericOID:
		return numericMods(mods)
	case VarcharOID, BpcharOID:
		return charMods(oid, mods)
	case TimeOID, TimetzOID, TimestampOID, TimestamptzOID:
		if len(mods) > 1 {
			return t, errs.New(errs.InvalidParameterValue, "invalid type modifier")
		}
		if mods[0] < 0 {
			head := "TIMESTAMP"
			if oid == TimeOID || oid == TimetzOID {
				head = "TIME"
			}
			return t, errs.New(errs.InvalidParameterValue, "%s(%d) precision must not be negative", head, mods[0])
		}
		t.Mod = int32(min(mods[0], 6))
		return t, nil
	case IntervalOID:
		if len(mods) > 1 || mods[0] < 0 {
			return t, errs.New(errs.InvalidParameterValue, "invalid INTERVAL type modifier")
		}
		t.Mod = 0x7FFF<<16 | int32(min(mods[0], 6))
		return t, nil
	case Float8OID:
		if name != "float" {
			break
		}
		switch p := mods[0]; {
		case p < 1:
			return t, errs.New(errs.InvalidParameterValue, "precision for type float must be at least 1 bit")
		case p > 53:
			return t, errs.New(errs.InvalidParameterValue, "precision for type float must be less than 54 bits")
		case p <= 24:
			return Float4, nil
		}
		return Float8, nil
	}
	return t, errs.New(errs.Syntax, "type modifier is not allowed for type %q", InternalName(oid))
}

func numericMods(mods []int) (Type, error) {
	p, s := mods[0], 0
	switch {
	case len(mods) > 2:
		return Numeric, errs.New(errs.InvalidParameterValue, "invalid NUMERIC type modifier")
	case p < 1 || p > 1000:
		return Numeric, errs.New(errs.InvalidParameterValue, "NUMERIC precision %d must be between 1 and 1000", p)
	case len(mods) == 2:
		if s = mods[1]; s < -1000 || s > 1000 {
			return Numeric, errs.New(errs.InvalidParameterValue, "NUMERIC scale %d must be between -1000 and 1000", s)
		}
	}
	return NumericType(p, s), nil
}

func charMods(oid OID, mods []int) (Type, error) {
	name := "varchar"
	if oid == BpcharOID {
		name = "char"
	}
	switch n := mods[0]; {
	case len(mods) > 1:
		return Type{oid, -1}, errs.New(errs.InvalidParameterValue, "invalid type modifier")
	case n < 1:
		return Type{oid, -1}, errs.New(errs.InvalidParameterValue, "length for type %s must be at least 1", name)
	case n > 10485760:
		return Type{oid, -1}, errs.New(errs.InvalidParameterValue, "length for type %s cannot exceed 10485760", name)
	default:
		return Type{oid, int32(n + 4)}, nil
	}
}
