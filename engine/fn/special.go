package fn

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// specials are functions whose overloads depend on all arguments at once: they
// are made for the call. "array" is the constructor ARRAY[…], "[]" the subscript
// a[i] (several for several dimensions), "[:]" the slice a[i:j].
var specials = map[string]func(args []types.Type) (*Func, []types.Type, error){
	"greatest": extreme("GREATEST", 1),
	"least":    extreme("LEAST", -1),
	"array":    arrayConstructor,
	"[]":       arraySubscript,
	"[:]":      arraySlice,
}

func repeatType(t types.Type, n int) []types.Type {
	out := make([]types.Type, n)
	for i := range out {
		out[i] = t
	}
	return out
}

// extreme is GREATEST (sign 1) and LEAST (-1): NULLs are passed over.
func extreme(what string, sign int) func(args []types.Type) (*Func, []types.Type, error) {
	return func(args []types.Type) (*Func, []types.Type, error) {
		t, err := CommonType(what, args)
		if err != nil {
			return nil, nil, err
		}
		f := &Func{Name: map[int]string{1: "greatest", -1: "least"}[sign], NotStrict: true, Ret: t.OID,
			RetType: func([]types.Type) types.Type { return t }, Kernel: extremeKernel(sign)}
		for range args {
			f.Args = append(f.Args, t.OID)
		}
		return f, repeatType(t, len(args)), nil
	}
}

func extremeKernel(sign int) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		put := setter(out)
		return rows(env, sel, n, func(i int) error {
			best := -1
			for k, a := range args {
				if !a.Null(i) && (best < 0 || vec.Compare(a, i, args[best], i)*sign > 0) {
					best = k
				}
			}
			if best < 0 {
				setNull(out, i)
				return nil
			}
			d := args[best].Datum(i)
			put(i, &d)
			return nil
		})
	}
}

// arrayConstructor is ARRAY[…]; elements that are arrays add a dimension.
func arrayConstructor(args []types.Type) (*Func, []types.Type, error) {
	t, err := CommonType("ARRAY", args)
	if err != nil {
		return nil, nil, err
	}
	t = bare(t)
	ret := t
	if !t.IsArray() {
		if ret = t.Array(); ret.OID == 0 {
			return nil, nil, errs.New(errs.UndefinedObject, "could not find array type for data type %s", t)
		}
	}
	f := &Func{Name: "array", NotStrict: true, Ret: ret.OID, CanRaise: t.IsArray(), Kernel: constructArray(ret)}
	for range args {
		f.Args = append(f.Args, t.OID)
	}
	return f, repeatType(t, len(args)), nil
}

func constructArray(ret types.Type) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		b := types.ArrayBuilder{Elem: ret.Elem()}
		nested := len(args) > 0 && args[0].Type.IsArray()
		return w.rows(env, sel, n, func(i int) error {
			b.Reset()
			dims := []types.Dim{{Len: len(args), Lower: 1}}
			for k, a := range args {
				if !nested {
					d := a.Datum(i)
					b.Append(&d)
					continue
				}
				var sub types.Array
				if !a.Null(i) {
					sub = open(a, i)
				}
				if k == 0 {
					dims = append(dims, sub.Dims...)
				} else if len(sub.Dims) != len(dims)-1 || !sameDims(sub.Dims, dims[1:]) {
					return errs.New("2202E", "multidimensional arrays must have array expressions with matching dimensions")
				}
				collect(&b, &sub)
			}
			w.begin()
			w.buf = b.AppendShape(w.buf, dims)
			w.end(i)
			return w.room(0)
		})
	}
}

func sameDims(a, b []types.Dim) bool {
	for i := range a {
		if a[i].Len != b[i].Len {
			return false
		}
	}
	return true
}

// arraySubscript is a[i]…; out of bounds is NULL.
func arraySubscript(args []types.Type) (*Func, []types.Type, error) {
	if len(args) < 2 || !args[0].IsArray() {
		return nil, nil, errs.New(errs.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(args[0]))
	}
	to := append([]types.Type{args[0]}, repeatType(types.Int4, len(args)-1)...)
	for _, a := range args[1:] {
		if !FindCast(a, types.Int4, CastAssignment) {
			return nil, nil, errs.New(errs.DatatypeMismatch, "array subscript must have type integer")
		}
	}
	f := &Func{Name: "array_get", Args: []types.OID{args[0].OID}, Ret: args[0].Elem().OID, Kernel: subscriptKernel}
	for range args[1:] {
		f.Args = append(f.Args, tI4)
	}
	return f, to, nil
}

func subscriptKernel(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	put := setter(out)
	return rows(env, sel, n, func(i int) error {
		a := open(args[0], i)
		if len(a.Dims) != len(args)-1 {
			setNull(out, i)
			return nil
		}
		at := 0
		for k, d := range a.Dims {
			j := int(argOf[int32](args[k+1]).at(i)) - d.Lower
			if j < 0 || j >= d.Len {
				setNull(out, i)
				return nil
			}
			at = at*d.Len + j
		}
		for range at {
			a.Next()
		}
		d, ok := a.Next()
		if !ok || d.Null {
			setNull(out, i)
			return nil
		}
		put(i, &d)
		return nil
	})
}

// arraySlice is a[lo:hi] of one dimension; a NULL bound means the array's own
// only where the binder says so by leaving it out.
func arraySlice(args []types.Type) (*Func, []types.Type, error) {
	if len(args) != 3 || !args[0].IsArray() {
		return nil, nil, errs.New(errs.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(args[0]))
	}
	return &Func{Name: "array_slice", Args: []types.OID{args[0].OID, tI4, tI4}, Ret: args[0].OID, CanRaise: true, Kernel: sliceArray},
		[]types.Type{args[0], types.Int4, types.Int4}, nil
}

func sliceArray(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	lo, hi, w := argOf[int32](args[1]), argOf[int32](args[2]), newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: args[0].Type.Elem()}
	return w.rows(env, sel, n, func(i int) error {
		a := open(args[0], i)
		if len(a.Dims) > 1 {
			return errs.NotSupported("a slice of a multidimensional array")
		}
		b.Reset()
		if len(a.Dims) == 1 {
			for k := a.Dims[0].Lower; ; k++ {
				d, ok := a.Next()
				if !ok || k > int(hi.at(i)) {
					break
				}
				if k >= int(lo.at(i)) {
					b.Append(&d)
				}
			}
		}
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return w.room(0)
	})
}

// ArrayOp makes `left op ANY (array)` (all false) or ALL of an operator. The
// result's arguments are the left operand and the array, with the types to cast
// them to.
func ArrayOp(name string, left, array types.Type, all bool) (*Func, []types.Type, error) {
	elem := array.Elem()
	if array.OID == types.UnknownOID {
		elem = types.Unknown
	} else if !array.IsArray() {
		return nil, nil, errs.New(errs.WrongObjectType, "op ANY/ALL (array) requires array on right side")
	}
	op, to, err := LookupOp(name, left, elem)
	if err != nil {
		return nil, nil, err
	}
	if op.Ret != tBool {
		return nil, nil, errs.New(errs.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	at := bare(to[1]).Array()
	f := &Func{Name: name, Args: []types.OID{to[0].OID, at.OID}, Ret: tBool, NotStrict: true, CanRaise: op.CanRaise, Vol: op.Vol,
		Kernel: anyAll(op, bare(to[1]), all)}
	return f, []types.Type{to[0], at}, nil
}

func anyAll(op *Func, elem types.Type, all bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		return rows(env, sel, n, func(i int) error {
			if args[1].Null(i) {
				setNull(out, i)
				return nil
			}
			a := types.OpenArray(elem, args[1].BytesAt(i))
			out.Fixed[i] = b2u(all)
			if a.Len() == 0 {
				return nil
			}
			if args[0].Null(i) && !op.NotStrict {
				setNull(out, i)
				return nil
			}
			bld, null := vec.NewBuilder(elem, a.Len()), false
			for {
				d, ok := a.Next()
				if !ok {
					break
				}
				if d.Null {
					null = true
					continue
				}
				bld.Append(&d)
			}
			list := bld.Finish()
			l := args[0].Datum(i)
			left := vec.ConstVector(args[0].Type, &l, list.Len)
			res := flat(types.Bool, list.Len)
			if err := op.Kernel(env, []*vec.Vector{&left, &list}, nil, list.Len, &res); err != nil {
				return err
			}
			for _, x := range res.Fixed[:list.Len] {
				if (x != 0) != all { // decides
					out.Fixed[i] = b2u(!all)
					return nil
				}
			}
			if null {
				setNull(out, i)
			}
			return nil
		})
	}
}
