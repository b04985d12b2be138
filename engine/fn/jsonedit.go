package fn

import (
	"bytes"
	"strconv"

	"quern/engine/internal/jsonscan"
	"quern/storage/errs"
	"quern/storage/types"
)

// jsonEditFuncs are the functions that make or change JSON beyond operators.
func jsonEditFuncs() []*Func {
	texts := types.OID(1009)
	out := []*Func{
		def("jsonb_insert", tJSONB, byValue(jsonbInsert), tJSONB, texts, tJSONB, tBool).raises(),
		def("jsonb_set_lax", tJSONB, byValue(jsonbSetLax), tJSONB, texts, tJSONB, tBool, tText).raises().seesNull(),
		def("json_strip_nulls", tJSON, byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
			return str(stripText(nil, []byte(a[0].S))), nil
		}), tJSON),
		def("-", tJSONB, byValue(deleteKeys), tJSONB, texts).raises(),
		def("array_to_json", tJSON, byValue(arrayToJSON), tArr, tBool).stable(),
		def("array_to_json", tJSON, byValue(arrayToJSON), tArr).stable(),
	}
	for name, t := range map[string]types.OID{"json_object": tJSON, "jsonb_object": tJSONB} {
		out = append(out, def(name, t, byValue(jsonObject(t)), texts).raises(), def(name, t, byValue(jsonObject(t)), texts, texts).raises())
	}
	return out
}

// stripText drops members that are null, keeping json's own order of members.
func stripText(dst, s []byte) []byte {
	s = bytes.TrimSpace(s)
	sep := byte(0)
	put := func() {
		if sep != 0 {
			dst = append(dst, sep)
		}
		sep = ','
	}
	switch jsonType(s) {
	case "object":
		dst = append(dst, '{')
		jsonscan.EachMember(s, func(k, v []byte) bool {
			if v = bytes.TrimSpace(v); string(v) != "null" {
				put()
				dst = types.AppendJSONString(dst, types.UnquoteJSON(nil, k))
				dst = stripText(append(dst, ':'), v)
			}
			return true
		})
		return append(dst, '}')
	case "array":
		dst = append(dst, '[')
		jsonscan.EachElement(s, func(v []byte) bool {
			put()
			dst = stripText(dst, v)
			return true
		})
		return append(dst, ']')
	case "string":
		return types.AppendJSONString(dst, types.UnquoteJSON(nil, s))
	}
	return append(dst, s...)
}

func deleteKeys(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	v := parseJSON([]byte(a[0].S))
	if err := errDelete(&v); err != nil {
		return types.NullDatum, err
	}
	list := types.OpenArray(types.Text, a[1].S)
	for {
		d, ok := list.Next()
		if !ok {
			break
		}
		if d.Null {
			continue
		}
		if v.kind == '[' {
			kept := v.items[:0]
			for _, x := range v.items {
				if x.kind != 's' || string(unquoted(x.raw)) != d.S {
					kept = append(kept, x)
				}
			}
			v.items = kept
		} else if k := v.find([]byte(d.S)); k >= 0 {
			v.keys, v.items = append(v.keys[:k:k], v.keys[k+1:]...), append(v.items[:k:k], v.items[k+1:]...)
		}
	}
	return str(v.append(nil)), nil
}

func arrayToJSON(env *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	s := appendDatum(env, nil, t[0], &a[0])
	if len(a) < 2 || a[1].I == 0 {
		return str(s), nil
	}
	// Line breaks between the elements of the outer array.
	out := []byte{'['}
	first := true
	jsonscan.EachElement(s, func(v []byte) bool {
		if !first {
			out = append(out, ",\n "...)
		}
		first = false
		out = append(out, v...)
		return true
	})
	return str(append(out, ']')), nil
}

// jsonObject is json_object: of one array with keys and values in turn or in
// pairs, or of an array of each.
func jsonObject(t types.OID) func(env *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	return func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		var keys, vals []types.Datum
		if len(a) == 2 {
			k, v := types.OpenArray(types.Text, a[0].S), types.OpenArray(types.Text, a[1].S)
			if len(k.Dims) > 1 || len(v.Dims) > 1 {
				return types.NullDatum, errs.New("2202E", "wrong number of array subscripts")
			}
			if k.Len() != v.Len() {
				return types.NullDatum, errs.New("2202E", "mismatched array dimensions")
			}
			keys, vals = allOf(&k), allOf(&v)
		} else {
			x := types.OpenArray(types.Text, a[0].S)
			switch {
			case len(x.Dims) == 1 && x.Dims[0].Len%2 != 0:
				return types.NullDatum, errs.New("2202E", "array must have even number of elements")
			case len(x.Dims) == 2 && x.Dims[1].Len != 2:
				return types.NullDatum, errs.New("2202E", "array must have two columns")
			case len(x.Dims) > 2:
				return types.NullDatum, errs.New("2202E", "wrong number of array subscripts")
			}
			for i, d := range allOf(&x) {
				if i%2 == 0 {
					keys = append(keys, d)
				} else {
					vals = append(vals, d)
				}
			}
		}
		s := []byte{'{'}
		for i := range keys {
			if keys[i].Null {
				return types.NullDatum, errs.New(errs.NullNotAllowed, "null value not allowed for object key")
			}
			if i > 0 {
				s = append(s, ", "...)
			}
			s = append(types.AppendJSONString(s, keys[i].S), " : "...)
			if vals[i].Null {
				s = append(s, "null"...)
			} else {
				s = types.AppendJSONString(s, vals[i].S)
			}
		}
		b, err := normal(t, nil, append(s, '}'))
		return str(b), err
	}
}

func allOf(a *types.Array) (out []types.Datum) {
	for {
		d, ok := a.Next()
		if !ok {
			return out
		}
		out = append(out, d)
	}
}

func jsonbSetLax(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	if a[0].Null || a[1].Null || a[3].Null {
		return types.NullDatum, nil
	}
	if a[4].Null {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
	}
	v := parseJSON([]byte(a[0].S))
	if a[2].Null {
		switch a[4].S {
		case "raise_exception":
			return types.NullDatum, errs.New(errs.NullNotAllowed, "JSON value must not be null").
				WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
				WithHint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
		case "use_json_null":
			a[2] = str("null")
		case "return_target":
			return a[0], nil
		case "delete_key":
			if v.kind != '{' && v.kind != '[' {
				return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot delete path in scalar")
			}
			err := v.edit(pathData(a[1].S), 0, nil, false)
			return str(v.append(nil)), err
		default:
			return types.NullDatum, errs.New(errs.InvalidParameterValue, "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
		}
	}
	if v.kind != '{' && v.kind != '[' {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot set path in scalar")
	}
	x := parseJSON([]byte(a[2].S))
	if len(v.items) == 0 && a[3].I == 0 {
		return a[0], nil
	}
	err := v.edit(pathData(a[1].S), 0, &x, a[3].I != 0)
	return str(v.append(nil)), err
}

func pathData(s string) []types.Datum {
	a := types.OpenArray(types.Text, s)
	return allOf(&a)
}

func jsonbInsert(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	v, x := parseJSON([]byte(a[0].S)), parseJSON([]byte(a[2].S))
	if v.kind != '{' && v.kind != '[' {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot set path in scalar")
	}
	err := v.insert(pathData(a[1].S), 0, x, a[3].I != 0)
	return str(v.append(nil)), err
}

// pathIndex is the array index that step k of a path names.
func pathIndex(path []types.Datum, k int) (int, error) {
	n, err := strconv.Atoi(path[k].S)
	if err != nil {
		return 0, errs.New(errs.InvalidText, "path element at position %d is not an integer: \"%s\"", k+1, path[k].S)
	}
	return n, nil
}

// insert puts x where path leads: before or behind an element, or as a new key.
func (v *jval) insert(path []types.Datum, k int, x jval, after bool) error {
	if k >= len(path) {
		return nil
	}
	if path[k].Null {
		return errs.New(errs.NullNotAllowed, "path element at position %d is null", k+1)
	}
	last := k == len(path)-1
	switch v.kind {
	case '{':
		switch at := v.find([]byte(path[k].S)); {
		case at >= 0 && last:
			return errs.New(errs.InvalidParameterValue, "cannot replace existing key").
				WithHint("Try using the function jsonb_set to replace key value.")
		case at >= 0:
			return v.items[at].insert(path, k+1, x, after)
		case last:
			v.set(types.AppendJSONString(nil, path[k].S), x)
		}
	case '[':
		n, err := pathIndex(path, k)
		if err != nil {
			return err
		}
		if n < 0 {
			n += len(v.items)
		}
		if !last {
			if n >= 0 && n < len(v.items) {
				return v.items[n].insert(path, k+1, x, after)
			}
			return nil
		}
		if n >= 0 && n < len(v.items) && after {
			n++
		}
		n = min(max(n, 0), len(v.items))
		v.items = append(v.items[:n:n], append([]jval{x}, v.items[n:]...)...)
	}
	return nil
}
