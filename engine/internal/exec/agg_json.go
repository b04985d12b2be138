package exec

import (
	"quern/engine/fn"
	"quern/storage/errs"
	"quern/storage/types"
)

// finishJSON is json_agg and jsonb_agg.
func finishJSON(a *collectAgg, refs []collected) (types.Datum, error) {
	buf := []byte{'['}
	for j, c := range refs {
		if j > 0 {
			buf = append(buf, ", "...)
			if a.args[0].IsArray() && !c.null(0) {
				buf = append(buf, "\n "...)
			}
		}
		d := c.datum(0)
		buf = fn.AppendJSON(a.env, buf, a.args[0], &d)
	}
	return a.document(append(buf, ']'))
}

// finishObject is json_object_agg and jsonb_object_agg; of equal keys jsonb
// keeps the last.
func finishObject(a *collectAgg, refs []collected) (types.Datum, error) {
	buf := []byte("{ ")
	for j, c := range refs {
		if c.null(0) {
			return types.NullDatum, errs.New(errs.InvalidParameterValue, "field name must not be null")
		}
		if j > 0 {
			buf = append(buf, ", "...)
		}
		d := c.datum(0)
		var err error
		if buf, err = fn.AppendJSONKey(a.env, buf, a.args[0], &d); err != nil {
			return types.NullDatum, err
		}
		buf = append(buf, " : "...)
		d = c.datum(1)
		buf = fn.AppendJSON(a.env, buf, a.args[1], &d)
	}
	return a.document(append(buf, " }"...))
}

// document brings the result's text into its type's form.
func (a *collectAgg) document(text []byte) (types.Datum, error) {
	if a.typ.OID == types.JSONOID {
		return types.Datum{S: string(text)}, nil
	}
	b, err := types.NormalizeJSONB(nil, string(text))
	return types.Datum{S: string(b)}, err
}
