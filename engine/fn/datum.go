package fn

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// byValue makes a kernel of a function on single values. It is for functions that
// nobody calls on millions of rows.
func byValue(f func(env *Env, a []types.Datum, t []types.Type) (types.Datum, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		put := setter(out)
		vals, typs := make([]types.Datum, len(args)), make([]types.Type, len(args))
		for k := range args {
			typs[k] = args[k].Type
		}
		return rows(env, sel, n, func(i int) error {
			for k := range args {
				vals[k] = types.NullDatum
				if !args[k].Null(i) {
					vals[k] = args[k].Datum(i)
				}
			}
			d, err := f(env, vals, typs)
			switch {
			case err != nil:
				return err
			case d.Null:
				setNull(out, i)
			default:
				put(i, &d)
			}
			return nil
		})
	}
}

func truth(b bool) types.Datum { return types.Datum{I: int64(b2u(b))} }

func integer(n int64) types.Datum { return types.Datum{I: n} }

func sendFuncs() (out []*Func) {
	for name, t := range types.SendFuncs {
		out = append(out, def(name, tBytea, byValue(sendValue), t))
	}
	return out
}

func sendValue(_ *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	return types.BinaryDatum(t[0], &a[0])
}
