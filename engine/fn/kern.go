package fn

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// arg reads a fixed-width argument of form Flat or Const: row i is v[i&m].
type arg[T vec.Fixedwidth] struct {
	v []T
	m int
}

// argOf views a as values of T. A Dict vector is spread out first.
func argOf[T vec.Fixedwidth](a *vec.Vector) arg[T] {
	switch a.Form {
	case vec.Const:
		return arg[T]{vec.Values[T](a), 0}
	case vec.Dict:
		entries := vec.Values[T](&a.Dict.Values)
		out := make([]T, a.Len)
		if len(entries) > 0 {
			for i, c := range a.Codes()[:a.Len] {
				if int(c) < len(entries) {
					out[i] = entries[c]
				}
			}
		}
		return arg[T]{out, -1}
	}
	return arg[T]{vec.Values[T](a), -1}
}

func (a arg[T]) at(i int) T { return a.v[i&a.m] }

// rowsPerPoll is how many calls of a function may pass before a cancelled query
// notices: some take milliseconds.
const rowsPerPoll = 8

// rows calls f for every selected row until it fails or the query is cancelled.
// It is for functions that cost more than the call; hot kernels write their
// loops out.
func rows(env *Env, sel vec.Selection, n int, f func(i int) error) error {
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		if k%rowsPerPoll == 0 && env.stopped() {
			return ctxErr(env.Ctx)
		}
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// unary makes a kernel of a function on single values that cannot fail.
func unary[A, R vec.Fixedwidth](f func(A) R) Kernel {
	return func(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, o := argOf[A](args[0]), vec.Values[R](out)
		if sel == nil {
			for i := range n {
				o[i] = f(a.at(i))
			}
			return nil
		}
		for _, i := range sel {
			o[i] = f(a.at(int(i)))
		}
		return nil
	}
}

// unaryE is unary for functions that can fail.
func unaryE[A, R vec.Fixedwidth](f func(A) (R, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, o := argOf[A](args[0]), vec.Values[R](out)
		return rows(env, sel, n, func(i int) (err error) {
			o[i], err = f(a.at(i))
			return err
		})
	}
}

// binary makes a kernel of a function on two values that cannot fail.
func binary[A, B, R vec.Fixedwidth](f func(A, B) R) Kernel {
	return func(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, b, o := argOf[A](args[0]), argOf[B](args[1]), vec.Values[R](out)
		if sel == nil {
			for i := range n {
				o[i] = f(a.at(i), b.at(i))
			}
			return nil
		}
		for _, i := range sel {
			o[i] = f(a.at(int(i)), b.at(int(i)))
		}
		return nil
	}
}

// binaryE is binary for functions that can fail.
func binaryE[A, B, R vec.Fixedwidth](f func(A, B) (R, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, b, o := argOf[A](args[0]), argOf[B](args[1]), vec.Values[R](out)
		return rows(env, sel, n, func(i int) (err error) {
			o[i], err = f(a.at(i), b.at(i))
			return err
		})
	}
}

func b2u(b bool) uint8 {
	var r uint8
	if b {
		r = 1
	}
	return r
}

// writer fills the views of a PhysBytes result. It appends to the buffer that
// out.Bufs brings along (empty, its capacity from an earlier batch), so that
// steady state allocates nothing.
type writer struct {
	out *vec.Vector
	buf []byte
	beg int
}

// bytesMax bounds the text that one batch may make: offsets are 32 bits.
const bytesMax = 1 << 30

// WideBytes is the text from which a batch is evaluated in pieces.
const WideBytes = 16 << 20

// Wide is the error of a kernel whose rows make much text: rows are to be
// evaluated in pieces of about Rows. One row alone never fails so.
type Wide struct{ Rows int }

func (w *Wide) Error() string { return w.Unwrap().Error() }

// Unwrap is what a client sees where rows cannot be taken apart.
func (w *Wide) Unwrap() error { return errs.New(errs.ProgramLimit, "requested length too large") }

// rows is rows for kernels that write texts.
func (w *writer) rows(env *Env, sel vec.Selection, n int, f func(i int) error) error {
	all := n
	if sel != nil {
		all = len(sel)
	}
	done := 0
	return rows(env, sel, n, func(i int) error {
		err := f(i)
		if done++; err == nil && len(w.buf) > WideBytes && done < all {
			return &Wide{Rows: done}
		}
		if err == nil && len(w.buf)-w.beg > WideBytes/64 && env.stopped() {
			return ctxErr(env.Ctx)
		}
		return err
	})
}

func newWriter(out *vec.Vector) *writer {
	w := &writer{out: out}
	if len(out.Bufs) == 1 {
		w.buf = out.Bufs[0][:0]
	}
	return w
}

// put makes b row i.
func (w *writer) put(i int, b []byte) {
	w.begin()
	w.buf = append(w.buf, b...)
	w.end(i)
}

func (w *writer) putString(i int, s string) {
	w.begin()
	w.buf = append(w.buf, s...)
	w.end(i)
}

// begin starts a row: the caller appends to w.buf, then calls end.
func (w *writer) begin() { w.beg = len(w.buf) }

func (w *writer) end(i int) {
	b := w.buf[w.beg:]
	w.out.Views[i] = vec.MakeView(b, 0, uint32(w.beg))
	if len(b) <= 12 {
		w.buf = w.buf[:w.beg]
	}
}

// room refuses to grow past what one batch may hold.
func (w *writer) room(n int) error {
	if n < 0 || len(w.buf)+n > bytesMax {
		return errs.New(errs.ProgramLimit, "requested length too large")
	}
	return nil
}

// finish hands the buffer to the result. Call it also after an error.
func (w *writer) finish() {
	if len(w.out.Bufs) == 1 {
		w.out.Bufs[0] = w.buf
		return
	}
	w.out.Bufs = [][]byte{w.buf}
}

// text makes a kernel that writes one text value per row.
func text(f func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		return w.rows(env, sel, n, func(i int) error {
			w.begin()
			b, err := f(env, args, i, w.buf)
			if err != nil {
				return err
			}
			w.buf = b
			if err := w.room(0); err != nil {
				return err
			}
			if err := env.room(len(b) - w.beg); err != nil {
				return err
			}
			w.end(i)
			return nil
		})
	}
}

// text1 is text for a function of one text argument.
func text1(f func(dst, s []byte) []byte) Kernel {
	return text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
		return f(dst, args[0].BytesAt(i)), nil
	})
}

// fromText makes a kernel of a function from one text to a fixed-width value.
func fromText[R vec.Fixedwidth](f func(s []byte) R) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		o := vec.Values[R](out)
		return rows(env, sel, n, func(i int) error {
			o[i] = f(args[0].BytesAt(i))
			return nil
		})
	}
}

// fromText2 is fromText with two texts.
func fromText2[R vec.Fixedwidth](f func(a, b []byte) R) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		o := vec.Values[R](out)
		return rows(env, sel, n, func(i int) error {
			o[i] = f(args[0].BytesAt(i), args[1].BytesAt(i))
			return nil
		})
	}
}

// setNull marks row i of a result NULL and empties its view.
func setNull(out *vec.Vector, i int) {
	out.SetNull(i)
	if out.Views != nil {
		out.Views[i] = vec.View{}
	}
}

// Shorthands of the function tables.
const (
	tBool   = types.BoolOID
	tBytea  = types.ByteaOID
	tQChar  = types.CharOID
	tName   = types.NameOID
	tI8     = types.Int8OID
	tI2     = types.Int2OID
	tI4     = types.Int4OID
	tText   = types.TextOID
	tOid    = types.OidOID
	tXid    = types.XidOID
	tJSON   = types.JSONOID
	tJSONB  = types.JSONBOID
	tF4     = types.Float4OID
	tF8     = types.Float8OID
	tInet   = types.InetOID
	tBpchar = types.BpcharOID
	tDate   = types.DateOID
	tTime   = types.TimeOID
	tTimetz = types.TimetzOID
	tTs     = types.TimestampOID
	tTstz   = types.TimestamptzOID
	tIv     = types.IntervalOID
	tNum    = types.NumericOID
	tUUID   = types.UUIDOID
	tAny    = types.AnyOID
	tElem   = types.AnyElementOID
	tArr    = types.AnyArrayOID
	// Pseudo types of parameters only.
	tNonArr = types.OID(2776) // anynonarray
	tCompat = types.OID(5077) // anycompatible: all meet in a common type
	tComArr = types.OID(5078) // anycompatiblearray
)

// def is an immutable, strict function that cannot raise.
func def(name string, ret types.OID, k Kernel, args ...types.OID) *Func {
	return &Func{Name: name, Args: args, Ret: ret, Kernel: k}
}

func (f *Func) raises() *Func    { f.CanRaise = true; return f }
func (f *Func) stable() *Func    { f.Vol = Stable; return f }
func (f *Func) volatile() *Func  { f.Vol = Volatile; return f }
func (f *Func) leakproof() *Func { f.Leakproof = true; return f }
func (f *Func) seesNull() *Func  { f.NotStrict = true; return f }
func (f *Func) variadic() *Func  { f.Variadic = true; return f }

// AppendLower appends s in lower case, as lower() does: lc_ctype is C, which knows
// ASCII's letters only.
func AppendLower(dst, s []byte) []byte {
	n := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[n:] {
		if c-'A' < 26 {
			dst[n+i] = c | 0x20
		}
	}
	return dst
}

// AppendUpper appends s in upper case, as upper() does.
func AppendUpper(dst, s []byte) []byte {
	n := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[n:] {
		if c-'a' < 26 {
			dst[n+i] = c &^ 0x20
		}
	}
	return dst
}
