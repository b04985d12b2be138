package fn

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// zoned makes a kernel of a function that needs the session's zone.
func zoned[A, R vec.Fixedwidth](f func(z *types.Zone, a A) (R, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z := types.NewZone(env.Format)
		a, o := argOf[A](args[0]), vec.Values[R](out)
		return rows(env, sel, n, func(i int) (err error) {
			o[i], err = f(&z, a.at(i))
			return err
		})
	}
}

func dateToTstz(z *types.Zone, d int32) (int64, error) {
	us, err := types.DateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return z.Instant(us)
}

// timeOfDay is the time of a timestamp; NULL for an infinite one.
func timeOfDay(us int64) int64 {
	_, micros := types.SplitTimestamp(us)
	return micros
}

// infToNull wraps a conversion whose infinite inputs give NULL.
func infToNull(f func(z *types.Zone, us int64) int64) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z := types.NewZone(env.Format)
		a, o := argOf[int64](args[0]), vec.Values[int64](out)
		return rows(env, sel, n, func(i int) error {
			us := a.at(i)
			if us == types.TimePosInf || us == types.TimeNegInf {
				setNull(out, i)
				return nil
			}
			o[i] = f(&z, us)
			return nil
		})
	}
}

// timeConversion covers dates and times.
func timeConversion(f, t types.OID) (Conversion, bool) {
	switch (castKey{f, t}) {
	case castKey{tDate, tTs}:
		return Conversion{Kernel: unaryE(types.DateToTimestamp), CanRaise: true}, true
	case castKey{tDate, tTstz}:
		return Conversion{Kernel: zoned(dateToTstz), CanRaise: true, Vol: Stable}, true
	case castKey{tTs, tTstz}:
		return Conversion{Kernel: zoned(func(z *types.Zone, us int64) (int64, error) { return z.Instant(us) }), CanRaise: true, Vol: Stable}, true
	case castKey{tTs, tDate}:
		return Conversion{Kernel: unary(types.TimestampToDate)}, true
	case castKey{tTstz, tTs}:
		return Conversion{Kernel: zoned(func(z *types.Zone, us int64) (int64, error) { return z.Local(us), nil }), Vol: Stable}, true
	case castKey{tTstz, tDate}:
		return Conversion{Kernel: zoned(func(z *types.Zone, us int64) (int32, error) { return types.TimestampToDate(z.Local(us)), nil }), Vol: Stable}, true
	case castKey{tTs, tTime}:
		return Conversion{Kernel: infToNull(func(_ *types.Zone, us int64) int64 { return timeOfDay(us) })}, true
	case castKey{tTstz, tTime}:
		return Conversion{Kernel: infToNull(func(z *types.Zone, us int64) int64 { return timeOfDay(z.Local(us)) }), Vol: Stable}, true
	case castKey{tTstz, tTimetz}:
		return Conversion{Kernel: tstzToTimetz, Vol: Stable}, true
	case castKey{tTime, tTimetz}:
		return Conversion{Kernel: timeToTimetz, Vol: Stable}, true
	case castKey{tTimetz, tTime}:
		return Conversion{Kernel: fromText(func(s []byte) int64 { us, _ := types.SplitTimetz(string(s)); return us })}, true
	case castKey{tTime, tIv}:
		return Conversion{Kernel: unary(func(us int64) types.IntervalVal { return types.IntervalVal{Micros: us} })}, true
	case castKey{tIv, tTime}:
		return Conversion{Kernel: unary(func(v types.IntervalVal) int64 { return timeOfDay(v.Micros) })}, true
	}
	return Conversion{}, false
}

func tstzToTimetz(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z := types.NewZone(env.Format)
	a, w := argOf[int64](args[0]), newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		us := a.at(i)
		if us == types.TimePosInf || us == types.TimeNegInf {
			setNull(out, i)
			return nil
		}
		w.putString(i, types.Timetz(timeOfDay(z.Local(us)), int32(-z.Offset(us))))
		return nil
	})
}

func timeToTimetz(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z := types.NewZone(env.Format)
	west := int32(-z.Offset(env.Format.Now))
	a, w := argOf[int64](args[0]), newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.putString(i, types.Timetz(a.at(i), west))
		return nil
	})
}

// jsonbConversion casts a jsonb scalar to a number or bool, nil for others.
func jsonbConversion(t types.OID) Kernel {
	kind, word := "", ""
	switch t {
	case tBool:
		word = "boolean"
	case tI2, tI4, tI8, tF4, tF8, tNum:
		kind, word = "number", types.Type{OID: t, Mod: -1}.String()
	default:
		return nil
	}
	num := types.Type{OID: t, Mod: -1}
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		put := setter(out)
		return rows(env, sel, n, func(i int) error {
			s := args[0].BytesAt(i)
			have := jsonType(s)
			if kind == "" && have == "boolean" {
				put(i, &types.Datum{I: int64(b2u(s[0] == 't'))})
				return nil
			}
			if kind == "" || have != kind {
				if have == "array" || have == "object" {
					return errs.New(errs.InvalidParameterValue, "cannot cast jsonb %s to type %s", have, word)
				}
				if have == "number" {
					have = "numeric"
				}
				return errs.New(errs.InvalidParameterValue, "cannot cast jsonb %s to type %s", have, word)
			}
			d, err := types.ParseText(types.Numeric, string(s), env.Format)
			if err != nil {
				return err
			}
			if d, err = ConvertDatum(env, d, types.Numeric, num, CastExplicit); err != nil {
				return err
			}
			put(i, &d)
			return nil
		})
	}
}

// jsonType names the type of a JSON value in normal form.
func jsonType(s []byte) string {
	if len(s) == 0 {
		return "null"
	}
	switch s[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}
