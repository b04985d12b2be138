package fn

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// buildObject is json_build_object and jsonb_build_object.
func buildObject(t types.OID) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		if len(args)%2 != 0 {
			return errs.New(errs.InvalidParameterValue, "argument list must have even number of elements").
				WithHint("The arguments of %s_build_object() must consist of alternating keys and values.", types.InternalName(t))
		}
		w := newWriter(out)
		defer w.finish()
		return w.rows(env, sel, n, func(i int) error {
			s := []byte{'{'}
			for k := 0; k < len(args); k += 2 {
				if args[k].Null(i) {
					return errs.New(errs.InvalidParameterValue, "argument %d cannot be null", k+1).
						WithHint("Object keys should be text.")
				}
				if k > 0 {
					s = append(s, ", "...)
				}
				s = types.AppendJSONString(s, appendOutput(env, nil, args[k], i))
				s = append(s, " : "...)
				s = appendValue(env, s, args[k+1], i)
			}
			w.begin()
			b, err := normal(t, w.buf, append(s, '}'))
			w.buf = b
			w.end(i)
			return err
		})
	}
}
