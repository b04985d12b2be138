package fn

import (
	"unicode/utf8"

	"quern/engine/internal/are"
	"quern/storage/errs"
	"quern/storage/types"
)

// moreFuncs are array, regular expression and numeric functions that work on
// single values.
func moreFuncs() []*Func {
	out := []*Func{
		def("array_fill", tArr, byValue(arrayFill), tElem, 1007).raises().seesNull(),
		def("array_fill", tArr, byValue(arrayFill), tElem, 1007, 1007).raises().seesNull(),
		def("trim_array", tArr, byValue(trimArray), tArr, tI4).raises(),
		def("array_position", tI4, byValue(arrayPositionFrom), tComArr, tCompat, tI4).seesNull().raises(),
		def("width_bucket", tI4, byValue(widthBucketArray), tCompat, tComArr).raises(),
		def("gcd", tNum, byValue(gcdNum), tNum, tNum).raises(), def("lcm", tNum, byValue(lcmNum), tNum, tNum).raises(),
	}
	for _, f := range out[:2] {
		f.RetType = func(args []types.Type) types.Type { return bare(args[0]).Array() }
	}
	out[2].RetType = func(args []types.Type) types.Type { return bare(args[0]) }
	tail := []types.OID{tI4, tI4, tI4, tText, tI4}
	for n := 1; n <= 5; n++ {
		out = append(out, def("regexp_instr", tI4, byValue(regexpInstrN), append([]types.OID{tText, tText}, tail[:n]...)...).raises())
	}
	tail = []types.OID{tI4, tI4, tText, tI4}
	for n := 1; n <= 4; n++ {
		out = append(out, def("regexp_substr", tText, byValue(regexpSubstrN), append([]types.OID{tText, tText}, tail[:n]...)...).raises())
	}
	return out
}

func arrayFill(_ *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	if t[0].IsArray() {
		return types.NullDatum, errs.New(errs.UndefinedObject, "could not find array type for data type %s", t[0])
	}
	if a[1].Null || len(a) > 2 && a[2].Null {
		return types.NullDatum, errs.New(errs.NullNotAllowed, "dimension array or low bound array cannot be null")
	}
	lens := types.OpenArray(types.Int4, a[1].S)
	if len(lens.Dims) > 1 {
		return types.NullDatum, errs.New("2202E", "wrong number of array subscripts").WithDetail("Dimension array must be one dimensional.")
	}
	ns := allOf(&lens)
	var lows []types.Datum
	if len(a) > 2 {
		l := types.OpenArray(types.Int4, a[2].S)
		if len(l.Dims) > 1 || l.Len() != len(ns) {
			return types.NullDatum, errs.New("2202E", "wrong number of array subscripts").WithDetail("Low bound array has different size than dimensions array.")
		}
		lows = allOf(&l)
	}
	var dims []types.Dim
	total := int64(1)
	for i, d := range ns {
		if d.Null || lows != nil && lows[i].Null {
			return types.NullDatum, errs.New(errs.NullNotAllowed, "dimension values cannot be null")
		}
		low := int64(1)
		if lows != nil {
			low = lows[i].I
		}
		if d.I < 0 {
			return types.NullDatum, errs.New(errs.ProgramLimit, "array size exceeds the maximum allowed (%d)", 134217727)
		}
		if total *= d.I; total > 134217727 {
			return types.NullDatum, errs.New(errs.ProgramLimit, "array size exceeds the maximum allowed (%d)", 134217727)
		}
		dims = append(dims, types.Dim{Len: int(d.I), Lower: int(low)})
	}
	if len(dims) > 6 {
		return types.NullDatum, errs.New(errs.ProgramLimit, "number of array dimensions (%d) exceeds the maximum allowed (6)", len(dims))
	}
	b := types.ArrayBuilder{Elem: t[0]}
	if total == 0 || len(dims) == 0 {
		return str(b.AppendTo(nil)), nil
	}
	for range total {
		b.Append(&a[0])
	}
	return str(b.AppendShape(nil, dims)), nil
}

func trimArray(_ *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	x := types.OpenArray(t[0].Elem(), a[0].S)
	outer := 0
	if len(x.Dims) > 0 {
		outer = x.Dims[0].Len
	}
	if a[1].I < 0 || a[1].I > int64(outer) {
		return types.NullDatum, errs.New("2202E", "number of elements to trim must be between 0 and %d", outer)
	}
	dims := append([]types.Dim(nil), x.Dims...)
	all := allOf(&x)
	b := types.ArrayBuilder{Elem: t[0].Elem()}
	if outer == int(a[1].I) {
		return str(b.AppendTo(nil)), nil
	}
	keep := len(all) / outer * (outer - int(a[1].I))
	for i := range all[:keep] {
		b.Append(&all[i])
	}
	dims[0].Len = outer - int(a[1].I)
	for i := range dims {
		dims[i].Lower = 1
	}
	return str(b.AppendShape(nil, dims)), nil
}

func arrayPositionFrom(_ *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	x := types.OpenArray(t[0].Elem(), a[0].S)
	if a[0].Null || len(x.Dims) == 1 && a[1].Null && !hasNull(x) {
		return types.NullDatum, nil
	}
	if a[2].Null {
		return types.NullDatum, errs.New(errs.NullNotAllowed, "initial position must not be null")
	}
	if len(x.Dims) > 1 {
		return types.NullDatum, errs.NotSupported("searching for elements in multidimensional arrays")
	}
	if len(x.Dims) == 0 {
		return types.NullDatum, nil
	}
	for i, d := range allOf(&x) {
		at := int64(x.Dims[0].Lower + i)
		if at >= a[2].I && same(x.Elem, &d, &a[1]) {
			return integer(at), nil
		}
	}
	return types.NullDatum, nil
}

func hasNull(x types.Array) bool {
	for _, d := range allOf(&x) {
		if d.Null {
			return true
		}
	}
	return false
}

func widthBucketArray(_ *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	x := types.OpenArray(t[1].Elem(), a[1].S)
	if len(x.Dims) > 1 {
		return types.NullDatum, errs.New("2202E", "thresholds must be one-dimensional array")
	}
	all := allOf(&x)
	lo, hi := 0, len(all)
	for lo < hi {
		mid := (lo + hi) / 2
		if all[mid].Null {
			return types.NullDatum, errs.New(errs.NullNotAllowed, "thresholds array must not contain NULLs")
		}
		if types.CompareDatum(t[0], &a[0], &all[mid]) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	for _, d := range all {
		if d.Null {
			return types.NullDatum, errs.New(errs.NullNotAllowed, "thresholds array must not contain NULLs")
		}
	}
	return integer(int64(lo)), nil
}

func gcdNum(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	x, y := a[0].N, a[1].N
	if x.Kind != types.NumFinite || y.Kind != types.NumFinite {
		return types.Datum{N: types.Num{Kind: types.NumNaN}}, nil
	}
	scale := max(x.Scale, y.Scale)
	for !y.IsZero() {
		r, err := x.Mod(y)
		if err != nil {
			return types.NullDatum, err
		}
		x, y = y, r
	}
	g, err := x.Abs().Round(int(scale))
	return types.Datum{N: g}, err
}

func lcmNum(env *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	g, err := gcdNum(env, a, t)
	if err != nil || g.N.Kind != types.NumFinite {
		return g, err
	}
	scale := int(max(a[0].N.Scale, a[1].N.Scale))
	if a[0].N.IsZero() || a[1].N.IsZero() {
		z, err := types.Num{}.Round(scale)
		return types.Datum{N: z}, err
	}
	q, err := a[0].N.DivScale(g.N, 0)
	if err != nil {
		return types.NullDatum, err
	}
	p, err := q.Mul(a[1].N)
	if err != nil {
		return types.NullDatum, err
	}
	p, err = p.Abs().Round(scale)
	return types.Datum{N: p}, err
}

// regexpArgs are start, N, endoption, flags and subexpr of regexp_instr and its
// like, checked as PostgreSQL checks them.
func regexpArgs(a []types.Datum, names []string) (start, n, end, sub int64, flags string, err error) {
	start, n = 1, 1
	for i, name := range names {
		if len(a) <= i+2 {
			break
		}
		d := a[i+2]
		low := int64(0)
		switch name {
		case "start":
			start, low = d.I, 1
		case "n":
			n, low = d.I, 1
		case "endoption":
			end = d.I
			if end > 1 {
				return start, n, end, sub, flags, errs.New(errs.InvalidParameterValue, "invalid value for parameter \"endoption\": %d", end)
			}
		case "subexpr":
			sub = d.I
		case "flags":
			flags = d.S
			continue
		}
		if d.I < low {
			return start, n, end, sub, flags, errs.New(errs.InvalidParameterValue, "invalid value for parameter \"%s\": %d", name, d.I)
		}
	}
	return start, n, end, sub, flags, nil
}

// nthMatch finds the N-th match at or behind character start; nil if there is
// none or the pattern has fewer groups than sub.
func nthMatch(s []byte, pattern, flags, fn string, start, n, sub int64) ([]int, error) {
	for _, c := range flags {
		if c == 'g' {
			return nil, errs.New(errs.InvalidParameterValue, "%s() does not support the \"global\" option", fn)
		}
	}
	re, err := are.Compile(pattern, flags)
	if err != nil {
		return nil, err
	}
	from := 0
	for k := int64(1); k < start; k++ {
		if from >= len(s) {
			return nil, nil
		}
		_, w := utf8.DecodeRune(s[from:])
		from += w
	}
	if int(sub) > re.NumSubexp() {
		return nil, nil
	}
	for _, loc := range re.FindAllSubmatchIndex(s, -1) {
		if loc[0] >= from {
			if n--; n == 0 {
				return loc, nil
			}
		}
	}
	return nil, nil
}

func regexpInstrN(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	start, n, end, sub, flags, err := regexpArgs(a, []string{"start", "n", "endoption", "flags", "subexpr"})
	if err != nil {
		return types.NullDatum, err
	}
	s := []byte(a[0].S)
	loc, err := nthMatch(s, a[1].S, flags, "regexp_instr", start, n, sub)
	if err != nil || loc == nil || loc[2*sub] < 0 {
		return integer(0), err
	}
	return integer(int64(utf8.RuneCount(s[:loc[2*sub+end]])) + 1), nil
}

func regexpSubstrN(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	start, n, _, sub, flags, err := regexpArgs(a, []string{"start", "n", "flags", "subexpr"})
	if err != nil {
		return types.NullDatum, err
	}
	s := []byte(a[0].S)
	loc, err := nthMatch(s, a[1].S, flags, "regexp_substr", start, n, sub)
	if err != nil || loc == nil || loc[2*sub] < 0 {
		return types.NullDatum, err
	}
	return str(s[loc[2*sub]:loc[2*sub+1]]), nil
}
