package fn

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// LookupVariadic resolves f(…, VARIADIC array): the array's elements are the last
// arguments.
func LookupVariadic(name string, args []types.Type) (*Func, []types.Type, error) {
	last := args[len(args)-1]
	missing := resolveError(resNone, "function", name+"("+typeList(args)+")")
	if !last.IsArray() {
		for _, f := range reg.funcs[name] {
			if f.Variadic && (f.Args[len(f.Args)-1] == tAny) {
				return nil, nil, errs.New(errs.DatatypeMismatch, "VARIADIC argument must be an array")
			}
		}
		if last.OID != types.UnknownOID {
			return nil, nil, missing
		}
	}
	for _, f := range reg.funcs[name] {
		if !f.Variadic || len(f.Args) != len(args) {
			continue
		}
		elem := types.Type{OID: f.Args[len(f.Args)-1], Mod: -1}
		if elem.OID == tAny {
			if elem = last.Elem(); elem.OID == 0 {
				elem = types.Text
			}
		}
		fixed := args[:len(args)-1]
		if !reachable(f.Args[:len(fixed)], fixed) || !FindCast(last, elem.Array(), CastImplicit) {
			continue
		}
		to := append(targets(f.Args[:len(fixed)], false, fixed), elem.Array())
		g := &Func{Name: name, Ret: f.Ret, NotStrict: true, CanRaise: f.CanRaise, Vol: f.Vol, OID: f.OID, Kernel: spread(f, elem)}
		for _, t := range to {
			g.Args = append(g.Args, t.OID)
		}
		return g, to, nil
	}
	return nil, nil, missing
}

// spread calls f row by row with the elements of the last argument. A NULL array
// gives NULL.
func spread(f *Func, elem types.Type) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		put := setter(out)
		last := len(args) - 1
		return rows(env, sel, n, func(i int) error {
			if args[last].Null(i) {
				setNull(out, i)
				return nil
			}
			var one []vec.Vector
			null := false
			add := func(t types.Type, d types.Datum) {
				null = null || d.Null
				one = append(one, vec.ConstVector(t, &d, 1))
			}
			for _, a := range args[:last] {
				add(a.Type, a.Datum(i))
			}
			list := types.OpenArray(elem, args[last].BytesAt(i))
			for {
				d, ok := list.Next()
				if !ok {
					break
				}
				add(elem, d)
			}
			if null && !f.NotStrict {
				setNull(out, i)
				return nil
			}
			refs := make([]*vec.Vector, len(one))
			for k := range one {
				refs[k] = &one[k]
			}
			res := flat(types.Type{OID: f.Ret, Mod: -1}, 1)
			if err := f.Kernel(env, refs, nil, 1, &res); err != nil {
				return err
			}
			d := res.Datum(0)
			if d.Null {
				setNull(out, i)
			} else {
				put(i, &d)
			}
			return nil
		})
	}
}
