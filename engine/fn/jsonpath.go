package fn

import (
	"cmp"
	"strings"

	"quern/engine/internal/jsonpath"
	"quern/storage/errs"
	"quern/storage/types"
)

// jsonPathFuncs are the functions and operators on jsonpath. The _tz forms differ
// only in .datetime(), which is not offered.
func jsonPathFuncs() []*Func {
	tPath := types.JSONPathOID
	out := []*Func{
		def("@?", tBool, byValue(pathExists), tJSONB, tPath).raises(),
		def("@@", tBool, byValue(pathMatch), tJSONB, tPath).raises(),
	}
	for _, tz := range [...]string{"", "_tz"} {
		for name, f := range map[string]func(*Env, []types.Datum, []types.Type) (types.Datum, error){"exists": pathExists, "match": pathMatch} {
			out = append(out, def("jsonb_path_"+name+tz, tBool, byValue(f), tJSONB, tPath, tJSONB, tBool).raises())
		}
		out = append(out, def("jsonb_path_query_array"+tz, tJSONB, byValue(pathArray), tJSONB, tPath, tJSONB, tBool).raises(),
			def("jsonb_path_query_first"+tz, tJSONB, byValue(pathFirst), tJSONB, tPath, tJSONB, tBool).raises())
	}
	return out
}

// runPath calls yield for the items of a path. With silent, as the operators are,
// errors of the data end it.
func runPath(a []types.Datum, yield func([]byte) bool) (failed bool, err error) {
	q, err := jsonpath.Compile(a[1].S)
	if err != nil {
		return false, err
	}
	vars, silent := []byte("{}"), true
	if len(a) > 2 {
		vars, silent = []byte(a[2].S), a[3].I != 0
	}
	if err = q.Run([]byte(a[0].S), vars, yield); err == nil {
		return false, nil
	}
	if silent && strings.HasPrefix(string(errs.CodeOf(err)), "22") {
		return true, nil
	}
	return true, err
}

func pathExists(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	found := false
	lax := len(a[1].S) < 6 || a[1].S[:6] != "strict"
	failed, err := runPath(a, func([]byte) bool { found = true; return !lax })
	return types.Datum{I: int64(b2u(found)), Null: failed}, err
}

func pathMatch(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	var got []string
	failed, err := runPath(a, func(v []byte) bool { got = append(got, string(v)); return true })
	if err != nil || failed {
		return types.NullDatum, err
	}
	if len(got) == 1 {
		switch got[0] {
		case "true", "false":
			return types.Datum{I: int64(b2u(got[0] == "true"))}, nil
		case "null":
			return types.NullDatum, nil
		}
	}
	if len(a) > 2 && a[3].I == 0 {
		return types.NullDatum, errs.New("22038", "single boolean result is expected")
	}
	return types.NullDatum, nil
}

func pathArray(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	out := []byte{'['}
	_, err := runPath(a, func(v []byte) bool {
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		out = append(out, v...)
		return true
	})
	return str(append(out, ']')), err
}

func pathFirst(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	out := types.NullDatum
	_, err := runPath(a, func(v []byte) bool {
		if out.Null {
			out = str(v)
		}
		return true
	})
	return out, err
}

// pathQuery is jsonb_path_query: a row per item.
func pathQuery(c *SetCall, put func(...types.Datum) error) (err error) {
	_, runErr := runPath(c.Args, func(v []byte) bool { err = put(str(v)); return err == nil })
	return cmp.Or(err, runErr)
}
