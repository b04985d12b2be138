package fn

import (
	"math/bits"

	"quern/storage/types"
	"quern/storage/vec"
)

// Loops of the arithmetic that analytics spends its time in. Each has a fast
// path in the body and falls back to the exact function for a row, or for the
// batch, when a check says so.

// Float loops look at all results at once: an infinity, a NaN or a vanished
// product sends the batch through the exact function, which raises.

func addFloats[T float](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	odd := false
	if sel == nil {
		for i := range n {
			s := a.at(i) + b.at(i)
			o[i] = s
			odd = odd || s-s != 0
		}
	} else {
		for _, r := range sel {
			s := a.at(int(r)) + b.at(int(r))
			o[r] = s
			odd = odd || s-s != 0
		}
	}
	if !odd {
		return nil
	}
	return binaryE(addFloat[T])(nil, args, sel, n, out)
}

func subFloats[T float](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	odd := false
	if sel == nil {
		for i := range n {
			s := a.at(i) - b.at(i)
			o[i] = s
			odd = odd || s-s != 0
		}
	} else {
		for _, r := range sel {
			s := a.at(int(r)) - b.at(int(r))
			o[r] = s
			odd = odd || s-s != 0
		}
	}
	if !odd {
		return nil
	}
	return binaryE(subFloat[T])(nil, args, sel, n, out)
}

func mulFloats[T float](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	odd := false
	if sel == nil {
		for i := range n {
			x, y := a.at(i), b.at(i)
			p := x * y
			o[i] = p
			odd = odd || p-p != 0 || p == 0 && x != 0 && y != 0
		}
	} else {
		for _, r := range sel {
			x, y := a.at(int(r)), b.at(int(r))
			p := x * y
			o[r] = p
			odd = odd || p-p != 0 || p == 0 && x != 0 && y != 0
		}
	}
	if !odd {
		return nil
	}
	return binaryE(mulFloat[T])(nil, args, sel, n, out)
}

// small tells whether a finite coefficient fits 64 bits.
func small(n *types.Num) bool { return n.Hi == int64(n.Lo)>>63 && n.Kind == types.NumFinite }

func addNums(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return addOrSub(args, sel, n, out, false)
}

func subNums(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return addOrSub(args, sel, n, out, true)
}

// addOrSub is one loop for both signs. A constant of a smaller scale, as in
// `1 - discount`, is brought to that of the first row once per batch.
func addOrSub(args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector, sub bool) error {
	a, b, o := argOf[types.Num](args[0]), argOf[types.Num](args[1]), vec.Values[types.Num](out)
	if sel != nil {
		n = len(sel)
	}
	if n == 0 {
		return nil
	}
	first := 0
	if sel != nil {
		first = int(sel[0])
	}
	sa, sb := a, b
	if a.m == 0 && b.m != 0 {
		sa.v = scaledTo(&a.v[0], &b.v[first])
	}
	if b.m == 0 && a.m != 0 {
		sb.v = scaledTo(&b.v[0], &a.v[first])
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		x, y := &sa.v[i&sa.m], &sb.v[i&sb.m]
		if x.Scale == y.Scale && small(x) && small(y) {
			if sub {
				s, c := bits.Sub64(x.Lo, y.Lo, 0)
				o[i] = types.NumFrom128(x.Hi-y.Hi-int64(c), s, int(x.Scale))
			} else {
				s, c := bits.Add64(x.Lo, y.Lo, 0)
				o[i] = types.NumFrom128(x.Hi+y.Hi+int64(c), s, int(x.Scale))
			}
			continue
		}
		x, y = &a.v[i&a.m], &b.v[i&b.m]
		var err error
		if sub {
			o[i], err = x.Sub(*y)
		} else {
			o[i], err = x.Add(*y)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scaledTo gives constant c with the scale of like, if that is larger and the
// coefficient stays small: rows of that scale have results of that scale.
func scaledTo(c, like *types.Num) []types.Num {
	d := int(like.Scale) - int(c.Scale)
	if d <= 0 || d > 18 || !small(c) {
		return []types.Num{*c}
	}
	v, p := int64(c.Lo), int64(1)
	for range d {
		p *= 10
	}
	if r := v * p; r/p == v {
		return []types.Num{types.NumFrom128(r>>63, uint64(r), int(like.Scale))}
	}
	return []types.Num{*c}
}

func mulNums(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[types.Num](args[0]), argOf[types.Num](args[1]), vec.Values[types.Num](out)
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		x, y := &a.v[i&a.m], &b.v[i&b.m]
		if small(x) && small(y) && int(x.Scale)+int(y.Scale) < 1<<14 {
			hi, lo := bits.Mul64(x.Lo, y.Lo)
			hi -= uint64(x.Hi)&y.Lo + uint64(y.Hi)&x.Lo // signed high word
			o[i] = types.NumFrom128(int64(hi), lo, int(x.Scale)+int(y.Scale))
			continue
		}
		var err error
		if o[i], err = x.Mul(*y); err != nil {
			return err
		}
	}
	return nil
}
