package fn

import (
	"bytes"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// arrayFuncs are the functions on arrays. An array's element type is that of
// the vector, so one kernel serves all.
func arrayFuncs() []*Func {
	retArg := func(k int) func([]types.Type) types.Type {
		return func(args []types.Type) types.Type { return bare(args[k]) }
	}
	arr := func(name string, ret int, k Kernel, args ...types.OID) *Func {
		f := def(name, tArr, k, args...)
		f.RetType = retArg(ret)
		return f
	}
	out := []*Func{
		def("array_length", tI4, dimension(func(d types.Dim) int { return d.Len }), tArr, tI4),
		def("array_upper", tI4, dimension(func(d types.Dim) int { return d.Lower + d.Len - 1 }), tArr, tI4),
		def("array_lower", tI4, dimension(func(d types.Dim) int { return d.Lower }), tArr, tI4),
		def("array_ndims", tI4, arrayNdims, tArr), def("array_dims", tText, arrayDims, tArr),
		def("cardinality", tI4, cardinality, tArr),
		def("array_to_string", tText, arrayToString, tArr, tText).stable(),
		def("array_to_string", tText, arrayToString, tArr, tText, tText).seesNull().stable(),
		def("string_to_array", types.OID(1009), stringToArray, tText, tText).seesNull(),
		def("string_to_array", types.OID(1009), stringToArray, tText, tText, tText).seesNull(),
		arr("array_append", 0, arrayAppend, tComArr, tCompat).seesNull().raises(), arr("array_prepend", 1, arrayPrepend, tCompat, tComArr).seesNull().raises(),
		arr("array_cat", 0, arrayCat, tComArr, tComArr).seesNull().raises(),
		arr("array_remove", 0, arrayReplace(true), tComArr, tCompat).seesNull().raises(), arr("array_replace", 0, arrayReplace(false), tComArr, tCompat, tCompat).seesNull(),
		def("array_position", tI4, arrayPosition, tComArr, tCompat).seesNull(),
		def("array_positions", types.OID(1007), arrayPositions, tComArr, tCompat).seesNull(),
		arr("||", 0, arrayCat, tComArr, tComArr).seesNull().raises(), arr("||", 0, arrayAppend, tComArr, tCompat).seesNull().raises(),
		arr("||", 1, arrayPrepend, tCompat, tComArr).seesNull().raises(),
		def("@>", tBool, arrayContains(false), tArr, tArr), def("<@", tBool, arrayContains(true), tArr, tArr),
		def("&&", tBool, arrayOverlap, tArr, tArr),
	}
	return append(out, arrayComparisons()...)
}

// arrayComparisons are the six operators, by elements, then length.
func arrayComparisons() []*Func {
	op := func(test func(int) bool) Kernel {
		return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			return rows(env, sel, n, func(i int) error {
				out.Fixed[i] = b2u(test(compareArrays(args[0].Type, args[0].BytesAt(i), args[1].BytesAt(i))))
				return nil
			})
		}
	}
	return comparisons(tArr, op(func(r int) bool { return r == 0 }), op(func(r int) bool { return r != 0 }),
		op(func(r int) bool { return r < 0 }), op(func(r int) bool { return r <= 0 }))
}

func compareArrays(t types.Type, x, y []byte) int { return types.CompareArrays(t.Elem(), x, y) }

func open(v *vec.Vector, i int) types.Array { return types.OpenArray(v.Type.Elem(), v.BytesAt(i)) }

func dimension(f func(types.Dim) int) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		k, o := argOf[int32](args[1]), vec.Values[int32](out)
		return rows(env, sel, n, func(i int) error {
			a, d := open(args[0], i), int(k.at(i))
			if d < 1 || d > len(a.Dims) {
				setNull(out, i)
				return nil
			}
			o[i] = int32(f(a.Dims[d-1]))
			return nil
		})
	}
}

func arrayNdims(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		a := open(args[0], i)
		if o[i] = int32(len(a.Dims)); o[i] == 0 {
			setNull(out, i)
		}
		return nil
	})
}

func arrayDims(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		a := open(args[0], i)
		if len(a.Dims) == 0 {
			setNull(out, i)
			return nil
		}
		w.begin()
		for _, d := range a.Dims {
			w.buf = append(w.buf, '[')
			w.buf = types.NumFromInt(int64(d.Lower)).AppendText(w.buf)
			w.buf = append(w.buf, ':')
			w.buf = types.NumFromInt(int64(d.Lower + d.Len - 1)).AppendText(w.buf)
			w.buf = append(w.buf, ']')
		}
		w.end(i)
		return nil
	})
}

func cardinality(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		a := open(args[0], i)
		o[i] = int32(a.Len())
		return nil
	})
}

func arrayToString(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		if args[0].Null(i) || args[1].Null(i) {
			setNull(out, i)
			return nil
		}
		a, sep := open(args[0], i), args[1].BytesAt(i)
		w.begin()
		for first := true; ; {
			d, ok := a.Next()
			if !ok {
				break
			}
			if d.Null && (len(args) < 3 || args[2].Null(i)) {
				continue
			}
			if !first {
				w.buf = append(w.buf, sep...)
			}
			if first = false; d.Null {
				w.buf = append(w.buf, args[2].BytesAt(i)...)
			} else {
				w.buf = types.AppendText(w.buf, a.Elem, &d, env.Format)
			}
		}
		w.end(i)
		return w.room(0)
	})
}

func stringToArray(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: types.Text}
	return w.rows(env, sel, n, func(i int) error {
		if args[0].Null(i) {
			setNull(out, i)
			return nil
		}
		b.Reset()
		add := func(p []byte) {
			if len(args) == 3 && !args[2].Null(i) && bytes.Equal(p, args[2].BytesAt(i)) {
				b.Append(&types.NullDatum)
				return
			}
			b.Append(&types.Datum{S: string(p)})
		}
		s := args[0].BytesAt(i)
		switch {
		case len(s) == 0:
		case args[1].Null(i): // every character on its own
			for len(s) > 0 {
				k := prefixLen(s, 1)
				add(s[:k])
				s = s[k:]
			}
		case len(args[1].BytesAt(i)) == 0:
			add(s)
		default:
			for p := range bytes.SplitSeq(s, args[1].BytesAt(i)) {
				add(p)
			}
		}
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return w.room(0)
	})
}

// collect appends all elements of a to b.
func collect(b *types.ArrayBuilder, a *types.Array) {
	for {
		d, ok := a.Next()
		if !ok {
			return
		}
		b.Append(&d)
	}
}

func errDims() error {
	return errs.New("2202E", "argument must be empty or one-dimensional array")
}

func arrayAppend(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return push(env, args[0], args[1], false, sel, n, out)
}

func arrayPrepend(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return push(env, args[1], args[0], true, sel, n, out)
}

func push(env *Env, arr, elem *vec.Vector, front bool, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: arr.Type.Elem()}
	return w.rows(env, sel, n, func(i int) error {
		var a types.Array
		if !arr.Null(i) {
			a = open(arr, i)
		}
		if len(a.Dims) > 1 {
			return errDims()
		}
		b.Reset()
		d := elem.Datum(i)
		if front {
			b.Append(&d)
		}
		collect(&b, &a)
		if !front {
			b.Append(&d)
		}
		w.begin()
		if len(a.Dims) == 1 && a.Dims[0].Lower != 1 {
			low := a.Dims[0].Lower
			w.buf = b.AppendShape(w.buf, []types.Dim{{Len: b.Len(), Lower: low}})
		} else {
			w.buf = b.AppendTo(w.buf)
		}
		w.end(i)
		return w.room(0)
	})
}

func arrayCat(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: args[0].Type.Elem()}
	return w.rows(env, sel, n, func(i int) error {
		ln, rn := args[0].Null(i), args[1].Null(i)
		switch {
		case ln && rn:
			setNull(out, i)
			return nil
		case ln:
			w.put(i, args[1].BytesAt(i))
			return nil
		case rn:
			w.put(i, args[0].BytesAt(i))
			return nil
		}
		x, y := open(args[0], i), open(args[1], i)
		dims, err := catDims(x.Dims, y.Dims)
		if err != nil {
			return err
		}
		b.Reset()
		collect(&b, &x)
		collect(&b, &y)
		w.begin()
		w.buf = b.AppendShape(w.buf, dims)
		w.end(i)
		return w.room(0)
	})
}

// catDims is the shape of a || b: along the first dimension, or one as an
// element of the other.
func catDims(a, b []types.Dim) ([]types.Dim, error) {
	bad := errs.New("2202E", "cannot concatenate incompatible arrays")
	switch {
	case len(a) == 0:
		return b, nil
	case len(b) == 0:
		return a, nil
	case len(a) == len(b):
		for i := 1; i < len(a); i++ {
			if a[i] != b[i] {
				return nil, bad.WithDetail("Arrays with differing element dimensions are not compatible for concatenation.")
			}
		}
		out := append([]types.Dim(nil), a...)
		out[0].Len += b[0].Len
		return out, nil
	case len(a) == len(b)+1 || len(b) == len(a)+1:
		big, small := a, b
		if len(b) > len(a) {
			big, small = b, a
		}
		for i := range small {
			if big[i+1].Len != small[i].Len {
				return nil, bad.WithDetail("Arrays with differing dimensions are not compatible for concatenation.")
			}
		}
		out := append([]types.Dim(nil), big...)
		out[0].Len++
		return out, nil
	}
	return nil, bad.WithDetail("Arrays of %d and %d dimensions are not compatible for concatenation.", len(a), len(b))
}

// same tells whether two elements are equal, NULL being equal to NULL.
func same(t types.Type, a, b *types.Datum) bool {
	if a.Null || b.Null {
		return a.Null && b.Null
	}
	return types.CompareDatum(t, a, b) == 0
}

func arrayReplace(remove bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		b := types.ArrayBuilder{Elem: args[0].Type.Elem()}
		return w.rows(env, sel, n, func(i int) error {
			if args[0].Null(i) {
				setNull(out, i)
				return nil
			}
			a, from := open(args[0], i), args[1].Datum(i)
			if remove && len(a.Dims) > 1 {
				return errs.New(errs.FeatureNotSupported, "removing elements from multidimensional arrays is not supported")
			}
			b.Reset()
			for {
				d, ok := a.Next()
				if !ok {
					break
				}
				if same(a.Elem, &d, &from) {
					if remove {
						continue
					}
					d = args[2].Datum(i)
				}
				b.Append(&d)
			}
			w.begin()
			if remove {
				w.buf = b.AppendTo(w.buf)
			} else {
				w.buf = b.AppendShape(w.buf, a.Dims)
			}
			w.end(i)
			return w.room(0)
		})
	}
}

func arrayPosition(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		if !args[0].Null(i) {
			a, want := open(args[0], i), args[1].Datum(i)
			for k := 0; ; k++ {
				d, ok := a.Next()
				if !ok {
					break
				}
				if same(a.Elem, &d, &want) {
					o[i] = int32(a.Dims[0].Lower + k)
					return nil
				}
			}
		}
		setNull(out, i)
		return nil
	})
}

// arrayPositions is the list of an element's positions.
func arrayPositions(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: types.Int4}
	return w.rows(env, sel, n, func(i int) error {
		if args[0].Null(i) {
			setNull(out, i)
			return nil
		}
		b.Reset()
		a, want := open(args[0], i), args[1].Datum(i)
		for k := 0; ; k++ {
			d, ok := a.Next()
			if !ok {
				break
			}
			if same(a.Elem, &d, &want) {
				b.Append(&types.Datum{I: int64(a.Dims[0].Lower + k)})
			}
		}
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return w.room(0)
	})
}

// elements lists an array's elements that are not NULL.
func elements(v *vec.Vector, i int) (ds []types.Datum, null bool) {
	a := open(v, i)
	for {
		d, ok := a.Next()
		if !ok {
			return ds, null
		}
		if d.Null {
			null = true
		} else {
			ds = append(ds, d)
		}
	}
}

func has(t types.Type, ds []types.Datum, d *types.Datum) bool {
	for k := range ds {
		if types.CompareDatum(t, &ds[k], d) == 0 {
			return true
		}
	}
	return false
}

func arrayContains(swapped bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, b := args[0], args[1]
		if swapped {
			a, b = b, a
		}
		return rows(env, sel, n, func(i int) error {
			big, _ := elements(a, i)
			small, null := elements(b, i)
			ok := !null
			for k := range small {
				ok = ok && has(a.Type.Elem(), big, &small[k])
			}
			out.Fixed[i] = b2u(ok)
			return nil
		})
	}
}

func arrayOverlap(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return rows(env, sel, n, func(i int) error {
		x, _ := elements(args[0], i)
		y, _ := elements(args[1], i)
		out.Fixed[i] = 0
		for k := range y {
			if has(args[0].Type.Elem(), x, &y[k]) {
				out.Fixed[i] = 1
				break
			}
		}
		return nil
	})
}
