package fn

import (
	"bytes"
	"math"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Conversion is a cast as the evaluator runs it.
type Conversion struct {
	// Relabel: the values stay as they are, only the type changes.
	Relabel  bool
	Kernel   Kernel // of one argument of the source type; nil if Relabel
	CanRaise bool
	Vol      Volatility
}

// ConversionOf finds how values of type from become values of type to, with to's
// modifier. 42846 if there is no way.
func ConversionOf(from, to types.Type, ctx CastContext) (Conversion, error) {
	if from.OID == to.OID {
		if to.Mod < 0 || from.Mod == to.Mod {
			return Conversion{Relabel: true}, nil
		}
		return withMod(Conversion{Relabel: true}, to, ctx), nil
	}
	c, ok := baseConversion(from, to)
	if !ok {
		return c, errs.New(errs.CannotCoerce, "cannot cast type %s to %s", bare(from), bare(to))
	}
	if to.Mod < 0 {
		return c, nil
	}
	return withMod(c, to, ctx), nil
}

// Convert makes dst the values of src as type to, for the rows of sel. dst owns
// fresh memory unless the values can be shared.
func Convert(env *Env, src *vec.Vector, sel vec.Selection, dst *vec.Vector, to types.Type, ctx CastContext) error {
	c, err := ConversionOf(src.Type, to, ctx)
	if err != nil {
		return err
	}
	if c.Relabel {
		*dst = *src
		dst.Type = to
		return nil
	}
	if src.Form == vec.Const {
		one := *src
		one.Len = 1
		d := types.NullDatum
		if !src.Null(0) {
			if d, err = runOne(env, c.Kernel, &one, to); err != nil {
				return err
			}
		}
		*dst = vec.ConstVector(to, &d, src.Len)
		return nil
	}
	if src.Valid != nil {
		sel = notNull(src, sel)
	}
	*dst = flat(to, src.Len)
	if err := c.Kernel(env, []*vec.Vector{src}, sel, src.Len, dst); err != nil {
		return err
	}
	if src.Valid == nil {
		return nil
	}
	if dst.Valid == nil {
		dst.Valid = src.Valid
		return nil
	}
	for i := range dst.Valid {
		dst.Valid[i] &= src.Valid[i]
	}
	return nil
}

// ConvertDatum is Convert for one value.
func ConvertDatum(env *Env, d types.Datum, from, to types.Type, ctx CastContext) (types.Datum, error) {
	if d.Null {
		return d, nil
	}
	c, err := ConversionOf(from, to, ctx)
	if err != nil || c.Relabel {
		return d, err
	}
	v := vec.ConstVector(from, &d, 1)
	return runOne(env, c.Kernel, &v, to)
}

func runOne(env *Env, k Kernel, v *vec.Vector, to types.Type) (types.Datum, error) {
	out := flat(to, 1)
	if err := k(env, []*vec.Vector{v}, nil, 1, &out); err != nil {
		return types.Datum{}, err
	}
	return out.Datum(0), nil
}

func flat(t types.Type, n int) vec.Vector {
	v := vec.Vector{Type: t, Len: n}
	if size := t.Phys().Size(); size > 0 {
		v.Fixed = vec.AlignedBytes(n * size)
	} else {
		v.Views = make([]vec.View, n)
	}
	return v
}

// notNull lists the rows of sel that are not NULL in v.
func notNull(v *vec.Vector, sel vec.Selection) vec.Selection {
	out := make(vec.Selection, 0, v.Len)
	if sel == nil {
		for i := range v.Len {
			if !v.Null(i) {
				out = append(out, uint16(i))
			}
		}
		return out
	}
	for _, i := range sel {
		if !v.Null(int(i)) {
			out = append(out, i)
		}
	}
	return out
}

// withMod adds to's modifier to a conversion to its base type.
func withMod(c Conversion, to types.Type, ctx CastContext) Conversion {
	explicit := ctx == CastExplicit
	var mod Kernel
	switch to.OID {
	case types.VarcharOID, types.BpcharOID:
		mod = text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			s, err := types.ApplyLength(to, string(args[0].BytesAt(i)), explicit)
			return append(dst, s...), err
		})
	case types.NumericOID:
		mod = unaryE(func(n types.Num) (types.Num, error) { return n.ApplyMod(to) })
	case types.TimeOID:
		digits := to.FracDigits()
		mod = unary(func(us int64) int64 { return types.RoundMicros(us, digits) })
	case types.TimestampOID, types.TimestamptzOID:
		digits := to.FracDigits()
		mod = unary(func(us int64) int64 { return types.RoundTimestamp(us, digits) })
	case types.IntervalOID:
		mod = unaryE(func(v types.IntervalVal) (types.IntervalVal, error) { return v.ApplyMod(to) })
	default:
		if !to.IsArray() {
			return c
		}
		mod = arrayConversion(bare(to), to, ctx)
	}
	if c.Relabel {
		return Conversion{Kernel: mod, CanRaise: true}
	}
	base := c.Kernel
	c.CanRaise = true
	c.Kernel = func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		mid := flat(bare(to), n)
		if err := base(env, args, sel, n, &mid); err != nil {
			return err
		}
		if mid.Valid != nil {
			sel = notNull(&mid, sel)
		}
		if err := mod(env, []*vec.Vector{&mid}, sel, n, out); err != nil {
			return err
		}
		if mid.Valid != nil {
			out.Valid = mid.Valid
		}
		return nil
	}
	return c
}

// baseConversion converts between types without modifiers.
func baseConversion(from, to types.Type) (Conversion, bool) {
	f, t := from.OID, to.OID
	if c, ok := numberConversion(f, t); ok {
		return c, true
	}
	if c, ok := timeConversion(f, t); ok {
		return c, true
	}
	fs, ts := isText(f), isText(t)
	switch {
	case f == tBpchar && t == tName:
		return Conversion{Kernel: text1(func(dst, s []byte) []byte { return append(dst, types.TruncateName(string(bytes.TrimRight(s, " ")))...) })}, true
	case (f == tBool || f == tInet) && t == tName: // not as a cast to text
		return Conversion{Kernel: text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return appendOutput(env, dst, args[0], i), nil
		})}, true
	case f == tBpchar && ts:
		return Conversion{Kernel: text1(func(dst, s []byte) []byte { return append(dst, bytes.TrimRight(s, " ")...) })}, true
	case fs && ts && t == tName:
		return Conversion{Kernel: text1(func(dst, s []byte) []byte { return append(dst, types.TruncateName(string(s))...) })}, true
	case fs && ts, f == tQChar && ts, f == types.NodeTreeOID && ts, f == tJSONB && t == tJSON:
		return Conversion{Relabel: true}, true
	case t == tQChar && fs:
		return Conversion{Kernel: text1(func(dst, s []byte) []byte { return append(dst, s[:min(1, len(s))]...) })}, true
	case ts:
		return Conversion{Kernel: toText(bare(from)), Vol: textVolatility(f)}, true
	case f == tJSONB:
		if k := jsonbConversion(t); k != nil {
			return Conversion{Kernel: k, CanRaise: true}, true
		}
		return Conversion{}, false
	case t == types.RegclassOID && fs:
		return Conversion{Kernel: toRegclass, CanRaise: true, Vol: Stable}, true
	case f == types.CidrOID && t == tInet:
		return Conversion{Kernel: byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
			return parseNetwork(a[0].S).inetText(), nil
		})}, true
	case f == tInet && t == types.CidrOID:
		return Conversion{Kernel: byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
			n := parseNetwork(a[0].S)
			return str(network{n.masked(false), n.bits}.full()), nil
		})}, true
	case fs || f == types.UnknownOID || f == tJSON && t == tJSONB:
		return Conversion{Kernel: fromTextTo(bare(to)), CanRaise: true, Vol: textVolatility(t)}, true
	}
	fe, fa := types.ElemOf(f)
	te, ta := types.ElemOf(t)
	if fa && ta {
		if fe == te {
			return Conversion{Relabel: true}, true
		}
		k := arrayConversion(bare(from), bare(to), CastExplicit)
		return Conversion{Kernel: k, CanRaise: true}, k != nil
	}
	return Conversion{}, false
}

func isText(oid types.OID) bool {
	switch oid {
	case tText, types.VarcharOID, tBpchar, tName:
		return true
	}
	return false
}

// textVolatility: the text of dates and times depends on settings.
func textVolatility(oid types.OID) Volatility {
	switch oid {
	case tDate, tTs, tTstz, tTime, tTimetz, tIv, types.RegclassOID, tF4, tF8, tBytea:
		return Stable
	}
	if _, ok := types.ElemOf(oid); ok {
		return Stable
	}
	return Immutable
}

// toText is the output function, with the casts that differ from it.
func toText(from types.Type) Kernel {
	switch from.OID {
	case tBool:
		return text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			if argOf[uint8](args[0]).at(i) != 0 {
				return append(dst, "true"...), nil
			}
			return append(dst, "false"...), nil
		})
	case tInet:
		return text1(appendInetFull)
	case types.RegclassOID:
		return text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			d := args[0].Datum(i)
			if env.Catalog != nil && d.I != 0 {
				if name, ok := env.Catalog.RelationName(uint32(d.I)); ok {
					return append(dst, name...), nil
				}
			}
			return types.AppendText(dst, from, &d, env.Format), nil
		})
	case tTstz:
		return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			z, a := types.NewZone(env.Format), argOf[int64](args[0])
			w := newWriter(out)
			defer w.finish()
			return w.rows(env, sel, n, func(i int) error {
				w.begin()
				w.buf = z.AppendTimestamptz(w.buf, a.at(i), env.Format)
				w.end(i)
				return nil
			})
		}
	}
	return text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
		d := args[0].Datum(i)
		return types.AppendText(dst, from, &d, env.Format), nil
	})
}

// appendInetFull writes the length even if it is the full one.
func appendInetFull(dst, s []byte) []byte {
	dst = append(dst, s...)
	switch {
	case bytes.IndexByte(s, '/') >= 0:
		return dst
	case bytes.IndexByte(s, ':') >= 0:
		return append(dst, "/128"...)
	}
	return append(dst, "/32"...)
}

// fromTextTo is the input function.
func fromTextTo(to types.Type) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		put := setter(out)
		return rows(env, sel, n, func(i int) error {
			var d types.Datum
			if err := types.ParseBytes(to, args[0].BytesAt(i), env.Format, &d); err != nil {
				return err
			}
			put(i, &d)
			return nil
		})
	}
}

func toRegclass(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[uint32](out)
	return rows(env, sel, n, func(i int) error {
		s := string(args[0].BytesAt(i))
		if d, err := types.ParseText(types.Type{OID: types.RegclassOID, Mod: -1}, s, env.Format); err == nil {
			o[i] = uint32(d.I)
			return nil
		}
		if env.Catalog != nil {
			if oid, ok := env.Catalog.RelationOID(s); ok {
				o[i] = oid
				return nil
			}
		}
		return errs.New(errs.UndefinedTable, "relation \"%s\" does not exist", s)
	})
}

// setter writes datums into a Flat vector of any type.
func setter(out *vec.Vector) func(i int, d *types.Datum) {
	switch out.Type.Phys() {
	case types.PhysBool:
		return func(i int, d *types.Datum) { out.Fixed[i] = uint8(d.I) }
	case types.PhysI16:
		v := vec.Values[int16](out)
		return func(i int, d *types.Datum) { v[i] = int16(d.I) }
	case types.PhysI32:
		v := vec.Values[int32](out)
		return func(i int, d *types.Datum) { v[i] = int32(d.I) }
	case types.PhysI64:
		v := vec.Values[int64](out)
		return func(i int, d *types.Datum) { v[i] = d.I }
	case types.PhysF32:
		v := vec.Values[float32](out)
		return func(i int, d *types.Datum) { v[i] = float32(d.F) }
	case types.PhysF64:
		v := vec.Values[float64](out)
		return func(i int, d *types.Datum) { v[i] = d.F }
	case types.PhysNum:
		v := vec.Values[types.Num](out)
		return func(i int, d *types.Datum) { v[i] = d.N }
	case types.PhysInterval:
		v := vec.Values[types.IntervalVal](out)
		return func(i int, d *types.Datum) { v[i] = d.Iv }
	case types.PhysUUID:
		v := vec.Values[[16]byte](out)
		return func(i int, d *types.Datum) { v[i] = d.U }
	}
	w := newWriter(out)
	return func(i int, d *types.Datum) {
		w.putString(i, d.S)
		w.finish()
	}
}

// arrayConversion converts element by element.
func arrayConversion(from, to types.Type, ctx CastContext) Kernel {
	fe, te := from.Elem(), to.Elem()
	if _, err := ConversionOf(fe, te, ctx); err != nil {
		return nil
	}
	return text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
		a := types.OpenArray(fe, args[0].BytesAt(i))
		b := types.ArrayBuilder{Elem: te}
		for {
			d, ok := a.Next()
			if !ok {
				return b.AppendShape(dst, a.Dims), nil
			}
			d, err := ConvertDatum(env, d, fe, te, ctx)
			if err != nil {
				return dst, err
			}
			b.Append(&d)
		}
	})
}

// numberConversion covers numbers, bool and object identifiers.
func numberConversion(f, t types.OID) (Conversion, bool) {
	safe := func(k Kernel) (Conversion, bool) { return Conversion{Kernel: k}, true }
	raise := func(k Kernel) (Conversion, bool) { return Conversion{Kernel: k, CanRaise: true}, true }
	if isOid(f) && isOid(t) {
		return Conversion{Relabel: true}, true
	}
	switch f {
	case tI2:
		return fromInt[int16](t)
	case tI4:
		switch t {
		case tBool:
			return safe(unary(func(x int32) uint8 { return b2u(x != 0) }))
		case tQChar:
			return raise(intToChar)
		}
		return fromInt[int32](t)
	case tI8:
		return fromInt[int64](t)
	case tBool:
		if t == tI4 {
			return safe(unary(func(x uint8) int32 { return int32(x) }))
		}
	case tF4:
		if t == tF8 {
			return safe(unary(func(x float32) float64 { return float64(x) }))
		}
		return fromFloat[float32](t)
	case tF8:
		if t == tF4 {
			return raise(unaryE(narrowFloat))
		}
		return fromFloat[float64](t)
	case tNum:
		return fromNum(t)
	case tQChar:
		if t == tI4 {
			return safe(fromText(func(s []byte) int32 {
				if len(s) == 0 {
					return 0
				}
				return int32(int8(s[0]))
			}))
		}
	}
	if isOid(f) {
		switch t {
		case tI4:
			return safe(unary(func(x uint32) int32 { return int32(x) }))
		case tI8:
			return safe(unary(func(x uint32) int64 { return int64(x) }))
		}
	}
	return Conversion{}, false
}

func isOid(o types.OID) bool {
	t := types.Type{OID: o, Mod: -1}
	return t.Unsigned() && o != tXid
}

func intToChar(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, w := argOf[int32](args[0]), newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		x := a.at(i)
		if x < -128 || x > 127 {
			return errs.New(errs.NumericOutOfRange, "\"char\" out of range")
		}
		if x != 0 {
			w.put(i, []byte{byte(x)})
		} else {
			w.put(i, nil)
		}
		return nil
	})
}

func fromInt[T signed](t types.OID) (Conversion, bool) {
	var k Kernel
	raises := false
	switch t {
	case tI2:
		k, raises = unaryE(narrowInt[T, int16]), true
	case tI4:
		k, raises = unaryE(narrowInt[T, int32]), typeOf[T]() == types.Int8
	case tI8:
		k = unary(func(x T) int64 { return int64(x) })
	case tF4:
		k = unary(func(x T) float32 { return float32(x) })
	case tF8:
		k = unary(func(x T) float64 { return float64(x) })
	case tNum:
		k = unary(func(x T) types.Num { return types.NumFromInt(int64(x)) })
	default:
		if !isOid(t) {
			return Conversion{}, false
		}
		if typeOf[T]() != types.Int8 {
			k = unary(func(x T) uint32 { return uint32(int32(x)) })
			break
		}
		k, raises = unaryE(func(x T) (uint32, error) {
			if v := int64(x); v < 0 || v > math.MaxUint32 {
				return 0, errs.New(errs.NumericOutOfRange, "OID out of range")
			}
			return uint32(x), nil
		}), true
	}
	return Conversion{Kernel: k, CanRaise: raises}, true
}

func narrowInt[A, R signed](x A) (R, error) {
	r := R(x)
	if int64(r) != int64(x) {
		return 0, types.IntRange(typeOf[R]())
	}
	return r, nil
}

func narrowFloat(x float64) (float32, error) {
	r := float32(x)
	if isInf(r) && !isInf(x) {
		return 0, errOverflow()
	}
	if r == 0 && x != 0 {
		return 0, errUnderflow()
	}
	return r, nil
}

func fromFloat[T float](t types.OID) (Conversion, bool) {
	var k Kernel
	switch t {
	case tI2:
		k = unaryE(floatToInt[T, int16])
	case tI4:
		k = unaryE(floatToInt[T, int32])
	case tI8:
		k = unaryE(floatToInt[T, int64])
	case tNum:
		bits := 64
		if typeOf[T]() == types.Float4 {
			bits = 32
		}
		k = unaryE(func(x T) (types.Num, error) { return types.NumFromFloat(float64(x), bits) })
	default:
		return Conversion{}, false
	}
	return Conversion{Kernel: k, CanRaise: true}, true
}

// floatToInt rounds half to even.
func floatToInt[T float, R signed](x T) (R, error) {
	f := math.RoundToEven(float64(x))
	var lim float64
	switch typeOf[R]() {
	case types.Int2:
		lim = 1 << 15
	case types.Int4:
		lim = 1 << 31
	default:
		lim = 1 << 63
	}
	if !(f >= -lim && f < lim) {
		return 0, types.IntRange(typeOf[R]())
	}
	return R(f), nil
}

func fromNum(t types.OID) (Conversion, bool) {
	var k Kernel
	switch t {
	case tI2:
		k = unaryE(numToInt[int16])
	case tI4:
		k = unaryE(numToInt[int32])
	case tI8:
		k = unaryE(numToInt[int64])
	case tF4:
		k = unaryE(func(n types.Num) (float32, error) {
			f := n.Float64()
			if r := float32(f); !isInf(r) || isInf(f) {
				return r, nil
			}
			return 0, errs.New(errs.NumericOutOfRange, "\"%s\" is out of range for type real", n)
		})
	case tF8:
		return Conversion{Kernel: unary(types.Num.Float64)}, true
	default:
		return Conversion{}, false
	}
	return Conversion{Kernel: k, CanRaise: true}, true
}

func numToInt[R signed](n types.Num) (R, error) {
	v, err := n.Int64(typeOf[R]())
	return R(v), err
}
