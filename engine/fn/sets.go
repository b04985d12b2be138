package fn

import (
	"bytes"
	"cmp"
	"strings"

	"quern/engine/internal/are"
	"quern/engine/internal/jsonscan"
	"quern/engine/internal/keywords"
	"quern/storage/errs"
	"quern/storage/types"
)

// Set is one overload of a set-returning function with a fixed signature
// (generate_series and unnest, whose results follow from their arguments, are
// the binder's). A NULL argument gives no rows unless NotStrict.
type Set struct {
	Name string
	Args []types.OID
	Cols []SetCol
	// Gen calls put for every row, in order.
	Gen       func(c *SetCall, put func(row ...types.Datum) error) error
	NotStrict bool
	OID       uint32
}

// SetCol is a result column. A single column without OUT parameter has no name:
// it is called as the function is.
type SetCol struct {
	Name string
	Type types.OID
}

// SetCall is one call's input.
type SetCall struct {
	Env   *Env
	Args  []types.Datum
	Types []types.Type
}

func (c *SetCall) text(i int) []byte { return []byte(c.Args[i].S) }

// LookupSet resolves a call of a set-returning function.
func LookupSet(name string, args []types.Type) (*Set, []types.Type, error) {
	list := reg.sets[name]
	cands := make([]candidate, len(list))
	for i, s := range list {
		cands[i] = candidate{args: s.Args}
	}
	i, st := choose(cands, args, false)
	if st != resOK {
		return nil, nil, resolveError(st, "function", name+"("+typeList(args)+")")
	}
	return list[i], targets(list[i].Args, false, args), nil
}

// IsSet tells whether name is a set-returning function of this package.
func IsSet(name string) bool { return len(reg.sets[name]) > 0 }

// Sets lists all of them.
func Sets() []*Set { return reg.allSets }

func str[S ~string | ~[]byte](s S) types.Datum { return types.Datum{S: string(s)} }

func setFuncs() []*Set {
	var out []*Set
	set := func(name string, gen func(*SetCall, func(...types.Datum) error) error, cols []SetCol, args ...types.OID) *Set {
		s := &Set{Name: name, Args: args, Cols: cols, Gen: gen}
		out = append(out, s)
		return s
	}
	one := func(name string, t types.OID) []SetCol { return []SetCol{{name, t}} }
	for _, t := range []types.OID{tJSON, tJSONB} {
		n := types.InternalName(t)
		set(n+"_each", jsonEach(n+"_each", false), []SetCol{{"key", tText}, {"value", t}}, t)
		set(n+"_each_text", jsonEach(n+"_each_text", true), []SetCol{{"key", tText}, {"value", tText}}, t)
		set(n+"_array_elements", jsonElements(n+"_array_elements", false), one("value", t), t)
		set(n+"_array_elements_text", jsonElements(n+"_array_elements_text", true), one("value", tText), t)
		set(n+"_object_keys", jsonKeys(n+"_object_keys"), one("", tText), t)
	}
	for _, name := range [...]string{"jsonb_path_query", "jsonb_path_query_tz"} {
		set(name, pathQuery, one("", tJSONB), tJSONB, types.JSONPathOID, tJSONB, tBool)
	}
	set("pg_partition_ancestors", func(*SetCall, func(...types.Datum) error) error { return nil }, one("relid", types.RegclassOID), types.RegclassOID)
	set("pg_get_keywords", func(_ *SetCall, put func(...types.Datum) error) (err error) {
		for _, w := range keywords.All() {
			err = cmp.Or(err, put(str(w.Text), str(w.Class), types.Datum{I: int64(b2u(w.Bare))}, str(w.Describe()), str(w.DescribeBare())))
		}
		return err
	}, []SetCol{{"word", tText}, {"catcode", tQChar}, {"barelabel", tBool}, {"catdesc", tText}, {"baredesc", tText}})
	set("regexp_matches", regexpMatches, one("", 1009), tText, tText)
	set("regexp_matches", regexpMatches, one("", 1009), tText, tText, tText)
	set("regexp_split_to_table", regexpSplitRows, one("", tText), tText, tText)
	set("regexp_split_to_table", regexpSplitRows, one("", tText), tText, tText, tText)
	set("string_to_table", stringRows, one("", tText), tText, tText).NotStrict = true
	set("string_to_table", stringRows, one("", tText), tText, tText, tText).NotStrict = true
	set("generate_subscripts", subscripts, one("", tI4), tArr, tI4)
	set("generate_subscripts", subscripts, one("", tI4), tArr, tI4, tBool)
	return out
}

// jsonText is a JSON value as ->> gives it.
func jsonText(v []byte) types.Datum {
	v = bytes.TrimRight(jsonscan.SkipSpace(v), " \t\r\n")
	switch {
	case string(v) == "null":
		return types.NullDatum
	case v[0] == '"':
		return str(types.UnquoteJSON(nil, v))
	}
	return str(v)
}

func jsonEach(name string, asText bool) func(*SetCall, func(...types.Datum) error) error {
	return func(c *SetCall, put func(...types.Datum) error) (err error) {
		s := jsonscan.SkipSpace(c.text(0))
		switch t := jsonType(s); {
		case t == "object":
		case strings.HasPrefix(name, "jsonb"):
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a non-object", name)
		case t == "array":
			return errs.New(errs.InvalidParameterValue, "cannot deconstruct an array as an object")
		default:
			return errs.New(errs.InvalidParameterValue, "cannot deconstruct a scalar")
		}
		jsonscan.EachMember(s, func(k, v []byte) bool {
			val := str(v)
			if asText {
				val = jsonText(v)
			}
			err = put(str(types.UnquoteJSON(nil, k)), val)
			return err == nil
		})
		return err
	}
}

func jsonElements(name string, asText bool) func(*SetCall, func(...types.Datum) error) error {
	return func(c *SetCall, put func(...types.Datum) error) (err error) {
		s := jsonscan.SkipSpace(c.text(0))
		binary := strings.HasPrefix(name, "jsonb")
		switch t := jsonType(s); {
		case t == "array":
		case t == "object" && binary:
			return errs.New(errs.InvalidParameterValue, "cannot extract elements from an object")
		case t == "object":
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a non-array", name)
		case binary:
			return errs.New(errs.InvalidParameterValue, "cannot extract elements from a scalar")
		default:
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a scalar", name)
		}
		jsonscan.EachElement(s, func(v []byte) bool {
			val := str(v)
			if asText {
				val = jsonText(v)
			}
			err = put(val)
			return err == nil
		})
		return err
	}
}

func jsonKeys(name string) func(*SetCall, func(...types.Datum) error) error {
	return func(c *SetCall, put func(...types.Datum) error) (err error) {
		s := jsonscan.SkipSpace(c.text(0))
		switch jsonType(s) {
		case "object":
		case "array":
			return errs.New(errs.InvalidParameterValue, "cannot call %s on an array", name)
		default:
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a scalar", name)
		}
		jsonscan.EachMember(s, func(k, _ []byte) bool {
			err = put(str(types.UnquoteJSON(nil, k)))
			return err == nil
		})
		return err
	}
}

func (c *SetCall) flags(i int) string {
	if len(c.Args) > i {
		return c.Args[i].S
	}
	return ""
}

func regexpMatches(c *SetCall, put func(...types.Datum) error) error {
	flags := c.flags(2)
	re, err := are.Compile(c.Args[1].S, flags)
	if err != nil {
		return err
	}
	s, n := c.text(0), 1
	if strings.ContainsRune(flags, 'g') {
		n = -1
	}
	for _, loc := range re.FindAllSubmatchIndex(s, n) {
		b := types.ArrayBuilder{Elem: types.Text}
		appendGroups(&b, s, loc)
		if err := put(str(b.AppendTo(nil))); err != nil {
			return err
		}
	}
	return nil
}

func regexpSplitRows(c *SetCall, put func(...types.Datum) error) error {
	flags := c.flags(2)
	if strings.ContainsRune(flags, 'g') {
		return errs.New(errs.InvalidParameterValue, "regexp_split_to_table() does not support the \"global\" option")
	}
	re, err := are.Compile(c.Args[1].S, flags)
	if err != nil {
		return err
	}
	return splitRegex(re, c.text(0), func(part []byte) error { return put(str(part)) })
}

func stringRows(c *SetCall, put func(...types.Datum) error) error {
	if c.Args[0].Null {
		return nil
	}
	var sep *types.Datum
	if !c.Args[1].Null {
		sep = &c.Args[1]
	}
	return splitString(c.text(0), sep, func(part []byte) error {
		if len(c.Args) > 2 && !c.Args[2].Null && c.Args[2].S == string(part) {
			return put(types.NullDatum)
		}
		return put(str(part))
	})
}

// splitString cuts s at a separator; nil cuts it into characters.
func splitString(s []byte, sep *types.Datum, add func([]byte) error) error {
	switch {
	case len(s) == 0:
		return nil
	case sep == nil:
		for len(s) > 0 {
			k := prefixLen(s, 1)
			if err := add(s[:k]); err != nil {
				return err
			}
			s = s[k:]
		}
		return nil
	case sep.S == "":
		return add(s)
	}
	for p := range bytes.SplitSeq(s, []byte(sep.S)) {
		if err := add(p); err != nil {
			return err
		}
	}
	return nil
}

func subscripts(c *SetCall, put func(...types.Datum) error) error {
	a := types.OpenArray(c.Types[0].Elem(), c.Args[0].S)
	k := c.Args[1].I
	if k < 1 || k > int64(len(a.Dims)) {
		return nil
	}
	d := a.Dims[k-1]
	for i := range d.Len {
		at := d.Lower + i
		if len(c.Args) > 2 && c.Args[2].I != 0 {
			at = d.Lower + d.Len - 1 - i
		}
		if err := put(types.Datum{I: int64(at)}); err != nil {
			return err
		}
	}
	return nil
}

// RecordKind tells how a function that returns records of the caller's shape
// takes its argument.
type RecordKind uint8

// Kinds: none, one record of an object, a set of records of an array.
const (
	NoRecord RecordKind = iota
	RecordOfObject
	RecordsOfArray
)

// RecordFunc is the argument's type and the kind of json_to_record and its like.
func RecordFunc(name string) (types.Type, RecordKind) {
	switch name {
	case "json_to_record":
		return types.JSON, RecordOfObject
	case "jsonb_to_record":
		return types.JSONB, RecordOfObject
	case "json_to_recordset":
		return types.JSON, RecordsOfArray
	case "jsonb_to_recordset":
		return types.JSONB, RecordsOfArray
	}
	return types.Type{}, NoRecord
}

// Records makes the rows of json_to_record and its like, for the columns that the
// caller named.
func Records(env *Env, name string, doc types.Datum, cols []string, typs []types.Type, put func(row ...types.Datum) error) error {
	s := jsonscan.SkipSpace([]byte(doc.S))
	_, kind := RecordFunc(name)
	row := make([]types.Datum, len(cols))
	one := func(obj []byte) (err error) {
		for i := range cols {
			v, ok := jsonscan.Field(obj, []byte(cols[i]))
			row[i] = types.NullDatum
			if ok {
				if row[i], err = populate(env, v, typs[i]); err != nil {
					return err
				}
			}
		}
		return put(row...)
	}
	if kind == RecordOfObject {
		switch jsonType(s) {
		case "object":
			return one(s)
		case "array":
			return errs.New(errs.InvalidParameterValue, "cannot call populate_composite on an array")
		}
		return errs.New(errs.InvalidParameterValue, "cannot call populate_composite on a scalar")
	}
	switch jsonType(s) {
	case "array":
	case "object":
		if strings.HasPrefix(name, "jsonb") {
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a non-array", name)
		}
		return errs.New(errs.InvalidParameterValue, "cannot call %s on an object", name)
	default:
		if strings.HasPrefix(name, "jsonb") {
			return errs.New(errs.InvalidParameterValue, "cannot call %s on a non-array", name)
		}
		return errs.New(errs.InvalidParameterValue, "cannot call %s on a scalar", name)
	}
	var err error
	jsonscan.EachElement(s, func(v []byte) bool {
		if v = jsonscan.SkipSpace(v); jsonType(v) != "object" {
			err = errs.New(errs.InvalidParameterValue, "argument of %s must be an array of objects", name)
		} else {
			err = one(v)
		}
		return err == nil
	})
	return err
}

// populate makes a value of type t of a JSON value.
func populate(env *Env, v []byte, t types.Type) (types.Datum, error) {
	v = bytes.TrimRight(jsonscan.SkipSpace(v), " \t\r\n")
	kind := jsonType(v)
	switch {
	case kind == "null":
		return types.NullDatum, nil
	case t.OID == tJSON:
		return str(v), nil
	case t.OID == tJSONB:
		b, err := types.NormalizeJSONB(nil, string(v))
		return str(b), err
	case kind == "string":
		return types.ParseText(t, string(types.UnquoteJSON(nil, v)), env.Format)
	case t.IsArray():
		return populateArray(env, v, t)
	}
	return types.ParseText(t, string(v), env.Format)
}

func populateArray(env *Env, v []byte, t types.Type) (types.Datum, error) {
	b := types.ArrayBuilder{Elem: t.Elem()}
	var dims []types.Dim
	var level func(v []byte, depth int) error
	level = func(v []byte, depth int) error {
		if jsonType(v) != "array" {
			return errs.New(errs.InvalidText, "expected JSON array")
		}
		n := 0
		var err error
		jsonscan.EachElement(v, func(x []byte) bool {
			x = jsonscan.SkipSpace(x)
			n++
			if jsonType(x) == "array" && t.Elem().OID != tJSON && t.Elem().OID != tJSONB {
				if depth+1 == len(dims) {
					dims = append(dims, types.Dim{Len: -1, Lower: 1})
				}
				err = level(x, depth+1)
				return err == nil
			}
			if depth+1 < len(dims) {
				err = errs.New(errs.InvalidText, "expected JSON array")
				return false
			}
			var d types.Datum
			if d, err = populate(env, x, t.Elem()); err == nil {
				b.Append(&d)
			}
			return err == nil
		})
		if err == nil && dims[depth].Len >= 0 && dims[depth].Len != n {
			err = errs.New(errs.InvalidText, "malformed JSON array").WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		dims[depth].Len = n
		return err
	}
	dims = append(dims, types.Dim{Len: -1, Lower: 1})
	if err := level(v, 0); err != nil {
		return types.NullDatum, err
	}
	if b.Len() == 0 {
		return str(b.AppendTo(nil)), nil
	}
	return str(b.AppendShape(nil, dims)), nil
}
