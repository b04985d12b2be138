package fn

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"quern/engine/internal/jsonscan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/types/orderkey"
	"quern/storage/vec"
)

// jsonFuncs are the operators and functions on json and jsonb. A jsonb value is
// its normal text; reading a field scans it, changing one parses it.
func jsonFuncs() []*Func {
	textArr := types.OID(1009)
	var out []*Func
	for _, t := range []types.OID{tJSON, tJSONB} {
		out = append(out,
			def("->", t, jsonKernel(field, false), t, tText), def("->", t, jsonKernel(element, false), t, tI4),
			def("->>", tText, jsonKernel(field, true), t, tText), def("->>", tText, jsonKernel(element, true), t, tI4),
			def("#>", t, jsonKernel(path, false), t, textArr), def("#>>", tText, jsonKernel(path, true), t, textArr))
		name := types.InternalName(t)
		out = append(out,
			def(name+"_typeof", tText, text1(func(dst, s []byte) []byte { return append(dst, jsonType(jsonscan.SkipSpace(s))...) }), t),
			def(name+"_array_length", tI4, jsonArrayLength, t).raises(),
			def(name+"_extract_path", t, jsonKernel(pathArgs, false), t, tText).variadic(),
			def(name+"_extract_path_text", tText, jsonKernel(pathArgs, true), t, tText).variadic(),
			def(name+"_build_array", t, buildArray(t), tAny).variadic().seesNull().stable(),
			def(name+"_build_array", t, buildArray(t)),
			def(name+"_build_object", t, buildObject(t), tAny).variadic().seesNull().stable().raises(),
			def(name+"_build_object", t, buildObject(t)))
	}
	out = append(out,
		def("row_to_json", tJSON, toJSON, types.RecordOID).stable(),
		def("to_json", tJSON, toJSON, tElem).stable(), def("to_jsonb", tJSONB, toJSON, tElem).stable(),
		def("jsonb_strip_nulls", tJSONB, jsonbUnary(stripNulls), tJSONB),
		def("jsonb_pretty", tText, jsonbPretty, tJSONB),
		def("@>", tBool, jsonbBool(contains), tJSONB, tJSONB),
		def("<@", tBool, jsonbBool(func(a, b *jval) bool { return contains(b, a) }), tJSONB, tJSONB),
		def("?", tBool, fromText2(func(s, k []byte) uint8 { v := parseJSON(s); return b2u(v.exists(string(k))) }), tJSONB, tText),
		def("?|", tBool, keysExist(false), tJSONB, textArr), def("?&", tBool, keysExist(true), tJSONB, textArr),
		def("||", tJSONB, jsonbMerge, tJSONB, tJSONB),
		def("-", tJSONB, deleteKey, tJSONB, tText).raises(), def("-", tJSONB, deleteIndex, tJSONB, tI4).raises(),
		def("#-", tJSONB, deletePath, tJSONB, textArr).raises(),
		def("jsonb_set", tJSONB, jsonbSet, tJSONB, textArr, tJSONB).raises(),
		def("jsonb_set", tJSONB, jsonbSet, tJSONB, textArr, tJSONB, tBool).raises(),
	)
	return append(out, bytesOps(tJSONB, func(a, b []byte) int {
		if bytes.Equal(a, b) {
			return 0
		}
		return bytes.Compare(orderkey.Append(nil, types.JSONB, a), orderkey.Append(nil, types.JSONB, b))
	})...)
}

type jsonGetter func(args []*vec.Vector, i int, s []byte) ([]byte, bool)

func field(args []*vec.Vector, i int, s []byte) ([]byte, bool) {
	return jsonscan.Field(s, args[1].BytesAt(i))
}

func element(args []*vec.Vector, i int, s []byte) ([]byte, bool) {
	if t := jsonscan.SkipSpace(s); args[0].Type.OID == tJSON && len(t) > 0 && t[0] != '[' {
		return nil, false
	}
	return jsonscan.Element(s, int(argOf[int32](args[1]).at(i)))
}

func path(args []*vec.Vector, i int, s []byte) ([]byte, bool) {
	a := types.OpenArray(types.Text, args[1].BytesAt(i))
	for {
		d, ok := a.Next()
		if !ok {
			return s, true
		}
		if d.Null {
			return nil, false
		}
		if s, ok = step(s, d.S); !ok {
			return nil, false
		}
	}
}

func pathArgs(args []*vec.Vector, i int, s []byte) ([]byte, bool) {
	ok := true
	for _, a := range args[1:] {
		if s, ok = step(s, string(a.BytesAt(i))); !ok {
			return nil, false
		}
	}
	return s, ok
}

// step goes to a field, or to an element if s is an array.
func step(s []byte, key string) ([]byte, bool) {
	if t := jsonscan.SkipSpace(s); len(t) > 0 && t[0] == '[' {
		n, err := strconv.Atoi(key)
		if err != nil {
			return nil, false
		}
		return jsonscan.Element(s, n)
	}
	return jsonscan.Field(s, []byte(key))
}

// jsonKernel makes -> (text false) and ->> (text true) of a getter.
func jsonKernel(get jsonGetter, asText bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		return w.rows(env, sel, n, func(i int) error {
			v, ok := get(args, i, args[0].BytesAt(i))
			v = jsonscan.SkipSpace(v)
			if !ok || asText && bytes.Equal(bytes.TrimRight(v, " \t\r\n"), []byte("null")) {
				setNull(out, i)
				return nil
			}
			w.begin()
			if asText && v[0] == '"' {
				w.buf = types.UnquoteJSON(w.buf, v[:jsonscan.SkipString(v)])
			} else {
				w.buf = append(w.buf, v...)
			}
			w.end(i)
			return w.room(0)
		})
	}
}

func jsonArrayLength(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		s := jsonscan.SkipSpace(args[0].BytesAt(i))
		switch jsonType(s) {
		case "array":
		case "object":
			return errs.New(errs.InvalidParameterValue, "cannot get array length of a non-array")
		default:
			return errs.New(errs.InvalidParameterValue, "cannot get array length of a scalar")
		}
		k := int32(0)
		jsonscan.EachElement(s, func([]byte) bool { k++; return true })
		o[i] = k
		return nil
	})
}

// jval is a parsed value: of an object, keys and items run together.
type jval struct {
	kind  byte // 'n'ull, 's'tring, '0' number, 'b'ool, '[', '{'
	raw   []byte
	keys  [][]byte // quoted
	items []jval
}

// parseJSON parses valid JSON.
func parseJSON(s []byte) jval {
	s = bytes.TrimSpace(s)
	v := jval{raw: s}
	switch jsonType(s) {
	case "object":
		v.kind = '{'
		jsonscan.EachMember(s, func(k, x []byte) bool {
			v.keys = append(v.keys, k)
			v.items = append(v.items, parseJSON(x))
			return true
		})
	case "array":
		v.kind = '['
		jsonscan.EachElement(s, func(x []byte) bool { v.items = append(v.items, parseJSON(x)); return true })
	case "string":
		v.kind = 's'
	case "boolean":
		v.kind = 'b'
	case "null":
		v.kind = 'n'
	default:
		v.kind = '0'
	}
	return v
}

// append writes v in normal form, its keys in order.
func (v *jval) append(dst []byte) []byte {
	switch v.kind {
	case '{':
		dst = append(dst, '{')
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(dst, v.keys[i]...), ": "...)
			dst = v.items[i].append(dst)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = v.items[i].append(dst)
		}
		return append(dst, ']')
	}
	return append(dst, v.raw...)
}

func unquoted(k []byte) []byte { return types.UnquoteJSON(nil, k) }

func (v *jval) find(key []byte) int {
	for i, k := range v.keys {
		if bytes.Equal(unquoted(k), key) {
			return i
		}
	}
	return -1
}

// set gives a key its value, at its place in the order of keys.
func (v *jval) set(quoted []byte, x jval) {
	key := unquoted(quoted)
	i, found := slices.BinarySearchFunc(v.keys, key, func(k, key []byte) int {
		u := unquoted(k)
		return cmp.Or(cmp.Compare(len(u), len(key)), bytes.Compare(u, key))
	})
	if found {
		v.items[i] = x
		return
	}
	v.keys = slices.Insert(v.keys, i, quoted)
	v.items = slices.Insert(v.items, i, x)
}

func (v *jval) exists(key string) bool {
	if v.kind == '{' {
		return v.find([]byte(key)) >= 0
	}
	for i := range v.items {
		if v.items[i].kind == 's' && string(unquoted(v.items[i].raw)) == key {
			return true
		}
	}
	return v.kind == 's' && string(unquoted(v.raw)) == key
}

func equalScalar(a, b *jval) bool {
	if a.kind != b.kind {
		return false
	}
	if a.kind == '0' {
		return bytes.Equal(orderkey.Append(nil, types.JSONB, a.raw), orderkey.Append(nil, types.JSONB, b.raw))
	}
	return bytes.Equal(a.raw, b.raw)
}

// contains is @>.
func contains(a, b *jval) bool {
	switch {
	case a.kind == '{' && b.kind == '{':
		for i := range b.items {
			k := a.find(unquoted(b.keys[i]))
			if k < 0 || !containsValue(&a.items[k], &b.items[i]) {
				return false
			}
		}
		return true
	case a.kind == '[' && b.kind == '[':
		for i := range b.items {
			if !slices.ContainsFunc(a.items, func(x jval) bool { return containsValue(&x, &b.items[i]) }) {
				return false
			}
		}
		return true
	case a.kind == '[' && b.kind != '{': // an array contains a scalar, at the top only
		return slices.ContainsFunc(a.items, func(x jval) bool { return equalScalar(&x, b) })
	}
	return a.kind != '[' && a.kind != '{' && equalScalar(a, b)
}

func containsValue(a, b *jval) bool {
	if a.kind != b.kind {
		return false
	}
	if a.kind == '{' || a.kind == '[' {
		return contains(a, b)
	}
	return equalScalar(a, b)
}

func jsonbBool(f func(a, b *jval) bool) Kernel {
	return fromText2(func(x, y []byte) uint8 {
		a, b := parseJSON(x), parseJSON(y)
		return b2u(f(&a, &b))
	})
}

func jsonbUnary(f func(v *jval)) Kernel {
	return text1(func(dst, s []byte) []byte {
		v := parseJSON(s)
		f(&v)
		return v.append(dst)
	})
}

func stripNulls(v *jval) {
	k := 0
	for i := range v.items {
		if v.kind == '{' && v.items[i].kind == 'n' {
			continue
		}
		stripNulls(&v.items[i])
		v.items[k] = v.items[i]
		if v.kind == '{' {
			v.keys[k] = v.keys[i]
		}
		k++
	}
	v.items = v.items[:k]
	if v.kind == '{' {
		v.keys = v.keys[:k]
	}
}

var jsonbPretty = text1(func(dst, s []byte) []byte {
	v := parseJSON(s)
	return v.pretty(dst, 0)
})

func (v *jval) pretty(dst []byte, depth int) []byte {
	if len(v.items) == 0 {
		if v.kind == '{' || v.kind == '[' {
			dst = append(dst, v.kind, '\n')
			dst = append(dst, bytes.Repeat([]byte("    "), depth)...)
			return append(dst, v.kind+2)
		}
		return append(dst, v.raw...)
	}
	dst = append(dst, v.kind)
	for i := range v.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '\n'), bytes.Repeat([]byte("    "), depth+1)...)
		if v.kind == '{' {
			dst = append(append(dst, v.keys[i]...), ": "...)
		}
		dst = v.items[i].pretty(dst, depth+1)
	}
	dst = append(append(dst, '\n'), bytes.Repeat([]byte("    "), depth)...)
	return append(dst, v.kind+2) // '[' and '{' stand two before their partners
}

func keysExist(all bool) Kernel {
	return fromText2(func(s, keys []byte) uint8 {
		v := parseJSON(s)
		a := types.OpenArray(types.Text, keys)
		for {
			d, ok := a.Next()
			if !ok {
				return b2u(all)
			}
			if !d.Null && v.exists(d.S) != all {
				return b2u(!all)
			}
		}
	})
}

var jsonbMerge = text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	a, b := parseJSON(args[0].BytesAt(i)), parseJSON(args[1].BytesAt(i))
	if a.kind == '{' && b.kind == '{' {
		for k := range b.items {
			a.set(b.keys[k], b.items[k])
		}
		return a.append(dst), nil
	}
	list := jval{kind: '['}
	for _, v := range []jval{a, b} {
		if v.kind == '[' {
			list.items = append(list.items, v.items...)
		} else {
			list.items = append(list.items, v)
		}
	}
	return list.append(dst), nil
})

func errDelete(v *jval) error {
	if v.kind != '{' && v.kind != '[' {
		return errs.New(errs.InvalidParameterValue, "cannot delete from scalar")
	}
	return nil
}

var deleteKey = text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	v, key := parseJSON(args[0].BytesAt(i)), args[1].BytesAt(i)
	if err := errDelete(&v); err != nil {
		return dst, err
	}
	if v.kind == '[' {
		v.items = slices.DeleteFunc(v.items, func(x jval) bool { return x.kind == 's' && bytes.Equal(unquoted(x.raw), key) })
	} else if k := v.find(key); k >= 0 {
		v.keys, v.items = slices.Delete(v.keys, k, k+1), slices.Delete(v.items, k, k+1)
	}
	return v.append(dst), nil
})

var deleteIndex = text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	v, n := parseJSON(args[0].BytesAt(i)), int(argOf[int32](args[1]).at(i))
	if err := errDelete(&v); err != nil {
		return dst, err
	}
	if v.kind == '{' {
		return dst, errs.New(errs.InvalidParameterValue, "cannot delete from object using integer index")
	}
	if n < 0 {
		n += len(v.items)
	}
	if n >= 0 && n < len(v.items) {
		v.items = slices.Delete(v.items, n, n+1)
	}
	return v.append(dst), nil
})

// edit replaces (x not nil) or deletes what path leads to.
func (v *jval) edit(path []types.Datum, level int, x *jval, create bool) error {
	if level >= len(path) {
		return nil
	}
	if path[level].Null {
		return errs.New(errs.NullNotAllowed, "path element at position %d is null", level+1)
	}
	last := level == len(path)-1
	k := -1
	switch v.kind {
	case '{':
		k = v.find([]byte(path[level].S))
	case '[':
		n, err := pathIndex(path, level)
		if err != nil {
			return err
		}
		if n < 0 {
			n += len(v.items)
		}
		if n >= 0 && n < len(v.items) {
			k = n
		} else if x != nil && create && last {
			if n < 0 {
				v.items = slices.Insert(v.items, 0, *x)
			} else {
				v.items = append(v.items, *x)
			}
			return nil
		}
	default:
		return nil
	}
	switch {
	case k >= 0 && !last:
		return v.items[k].edit(path, level+1, x, create)
	case k >= 0 && x != nil:
		v.items[k] = *x
	case k >= 0:
		v.items = slices.Delete(v.items, k, k+1)
		if v.kind == '{' {
			v.keys = slices.Delete(v.keys, k, k+1)
		}
	case x != nil && create && last:
		v.set(types.AppendJSONString(nil, path[level].S), *x)
	}
	return nil
}

var deletePath = text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	v := parseJSON(args[0].BytesAt(i))
	if v.kind != '{' && v.kind != '[' {
		return dst, errs.New(errs.InvalidParameterValue, "cannot delete path in scalar")
	}
	if len(v.items) == 0 {
		return append(dst, v.raw...), nil
	}
	err := v.edit(pathData(string(args[1].BytesAt(i))), 0, nil, false)
	return v.append(dst), err
})

var jsonbSet = text(func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	v, x := parseJSON(args[0].BytesAt(i)), parseJSON(args[2].BytesAt(i))
	if v.kind != '{' && v.kind != '[' {
		return dst, errs.New(errs.InvalidParameterValue, "cannot set path in scalar")
	}
	create := len(args) < 4 || argOf[uint8](args[3]).at(i) != 0
	if len(v.items) == 0 && !create {
		return append(dst, v.raw...), nil
	}
	err := v.edit(pathData(string(args[1].BytesAt(i))), 0, &x, create)
	return v.append(dst), err
})

// AppendJSON writes a value as to_json does.
func AppendJSON(env *Env, dst []byte, t types.Type, d *types.Datum) []byte {
	if d.Null {
		return append(dst, "null"...)
	}
	return appendDatum(env, dst, t, d)
}

// AppendJSONKey writes a value, not NULL, as an object's key.
func AppendJSONKey(env *Env, dst []byte, t types.Type, d *types.Datum) ([]byte, error) {
	if t.IsArray() || t.OID == tJSON || t.OID == tJSONB {
		return dst, errs.New(errs.InvalidParameterValue, "key value must be scalar, not array, composite, or json")
	}
	s := d.S
	if t.Phys() != types.PhysBytes || types.Category(t.OID) != types.CatString {
		v := vec.ConstVector(t, d, 1)
		s = string(appendOutput(env, nil, &v, 0))
	}
	return types.AppendJSONString(dst, s), nil
}

// appendValue writes row i of v as JSON.
func appendValue(env *Env, dst []byte, v *vec.Vector, i int) []byte {
	if v.Null(i) {
		return append(dst, "null"...)
	}
	d := v.Datum(i)
	return appendDatum(env, dst, v.Type, &d)
}

func appendDatum(env *Env, dst []byte, t types.Type, d *types.Datum) []byte {
	switch t.OID {
	case tBool:
		return strconv.AppendBool(dst, d.I != 0)
	case tI2, tI4, tI8:
		return strconv.AppendInt(dst, d.I, 10)
	case tJSON, tJSONB:
		return append(dst, d.S...)
	case tF4, tF8, tNum:
		n := len(dst)
		dst = types.AppendText(dst, t, d, env.Format)
		if c := dst[len(dst)-1]; c-'0' > 9 { // NaN, Infinity
			s := string(dst[n:])
			return types.AppendJSONString(dst[:n], s)
		}
		return dst
	case tTs, tTstz:
		f := *env.Format
		f.DateStyle = types.DateISO
		s := types.AppendText(nil, t, d, &f)
		if k := bytes.IndexByte(s, ' '); k > 0 {
			s[k] = 'T'
		}
		// JSON's offsets have minutes.
		if t.OID == tTstz && len(s) > 3 && (s[len(s)-3] == '+' || s[len(s)-3] == '-') {
			s = append(s, ":00"...)
		}
		return types.AppendJSONString(dst, s)
	case types.RecordOID:
		return appendRecordJSON(env, dst, d)
	}
	if !t.IsArray() {
		return types.AppendJSONString(dst, types.AppendText(nil, t, d, env.Format))
	}
	a := types.OpenArray(t.Elem(), d.S)
	if len(a.Dims) == 0 {
		return append(dst, "[]"...)
	}
	return appendDim(env, dst, &a, 0)
}

// appendRecordJSON writes a record as an object. Fields without a name are f1,
// f2 and so on.
func appendRecordJSON(env *Env, dst []byte, d *types.Datum) []byte {
	fields, err := types.RecordFields(d.S)
	if err != nil { // made by constructRecord
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		name := f.Name
		if name == "" {
			name = "f" + strconv.Itoa(i+1)
		}
		dst = append(types.AppendJSONString(dst, name), ':')
		dst = AppendJSON(env, dst, f.Type, &f.Val)
	}
	return append(dst, '}')
}

func appendDim(env *Env, dst []byte, a *types.Array, dim int) []byte {
	dst = append(dst, '[')
	for i := range a.Dims[dim].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dim+1 < len(a.Dims) {
			dst = appendDim(env, dst, a, dim+1)
			continue
		}
		if d, ok := a.Next(); !ok || d.Null {
			dst = append(dst, "null"...)
		} else {
			dst = appendDatum(env, dst, a.Elem, &d)
		}
	}
	return append(dst, ']')
}

// normal brings JSON into jsonb's form if t is jsonb.
func normal(t types.OID, dst, s []byte) ([]byte, error) {
	if t == tJSONB {
		return types.NormalizeJSONB(dst, string(s))
	}
	return append(dst, s...), nil
}

var toJSON = Kernel(func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.begin()
		b, err := normal(out.Type.OID, w.buf, appendValue(env, nil, args[0], i))
		w.buf = b
		w.end(i)
		return err
	})
})

func buildArray(t types.OID) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		return w.rows(env, sel, n, func(i int) error {
			s := []byte{'['}
			for k, a := range args {
				if k > 0 {
					s = append(s, ", "...)
				}
				s = appendValue(env, s, a, i)
			}
			w.begin()
			b, err := normal(t, w.buf, append(s, ']'))
			w.buf = b
			w.end(i)
			return err
		})
	}
}
