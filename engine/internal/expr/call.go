package expr

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// callNode runs a function's kernel.
type callNode struct {
	kernel fn.Kernel
	args   []node
	typ    types.Type
	strict bool
	raises bool
	vol    fn.Volatility
	lift   *lifted // nil if the call cannot be lifted to dictionary entries

	vecs    []*vec.Vector
	valid   []uint64
	alive   chooseBuf
	scratch vec.Scratch
	bufs    [1][]byte // byte buffer of results, kept from batch to batch
	out     vec.Vector
	konst   vec.Vector
}

func compileCall(e *plan.Call, env *fn.Env) (node, error) {
	args, err := compileAll(e.Args, env)
	if err != nil {
		return nil, err
	}
	if n := compileCompare(e, args); n != nil {
		return n, nil
	}
	return newCall(e.Fn.Kernel, args, e.Typ, !e.Fn.NotStrict, e.Fn.CanRaise, e.Fn.Vol), nil
}

func newCall(k fn.Kernel, args []node, typ types.Type, strict, raises bool, vol fn.Volatility) *callNode {
	c := &callNode{kernel: k, args: args, typ: typ, strict: strict, raises: raises, vol: vol, vecs: make([]*vec.Vector, len(args))}
	if vol != fn.Volatile && strict {
		c.lift = &lifted{}
	}
	return c
}

func (f *callNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	konst, dict := true, -1
	for i, a := range f.args {
		v, err := a.eval(c, sel)
		if err != nil {
			return nil, err
		}
		f.vecs[i] = v
		if f.strict && v.Form == vec.Const && v.Null(0) {
			return f.null(c.n), nil
		}
		switch {
		case v.Form == vec.Const:
		case v.Form == vec.Dict && konst:
			konst, dict = false, i
		default:
			konst, dict = false, -1
		}
		if !konst && v.Form == vec.Flat {
			dict = -1
			konst = false
		}
	}
	switch {
	case konst && f.vol != fn.Volatile && (sel == nil || len(sel) > 0):
		return f.constant(c)
	case dict >= 0 && f.lift != nil && f.onlyDict(dict):
		if v, ok := f.evalLifted(c, sel, dict); ok {
			return v, nil
		}
	}
	return f.run(c, sel)
}

// onlyDict tells whether argument k is the only one that is not constant.
func (f *callNode) onlyDict(k int) bool {
	for i, v := range f.vecs {
		if i != k && v.Form != vec.Const {
			return false
		}
	}
	return true
}

func (f *callNode) null(n int) *vec.Vector {
	f.konst = vec.ConstVector(f.typ, &types.NullDatum, n)
	return &f.konst
}

// constant runs the kernel once for all rows.
func (f *callNode) constant(c *frame) (*vec.Vector, error) {
	f.konst = vec.Vector{Type: f.typ, Len: 1}
	f.flat(&f.konst, 1)
	if err := f.kernel(c.env, f.vecs, nil, 1, &f.konst); err != nil {
		return nil, err
	}
	f.konst.Form, f.konst.Len = vec.Const, c.n
	return &f.konst, nil
}

// flat makes v a Flat vector of fresh memory.
func (f *callNode) flat(v *vec.Vector, n int) {
	*v = vec.Vector{Type: f.typ, Len: n}
	if size := f.typ.Phys().Size(); size > 0 {
		v.Fixed = vec.AlignedBytes(n * size)
	} else {
		v.Views = make([]vec.View, n)
	}
}

// run calls the kernel for the rows that are not NULL.
func (f *callNode) run(c *frame, sel vec.Selection) (*vec.Vector, error) {
	rows, valid := sel, []uint64(nil)
	if f.strict {
		if valid = f.validity(c.n); valid != nil {
			rows = f.notNull(valid, sel, c.n)
		}
	}
	f.scratch.Flat(&f.out, f.typ, c.n)
	own := f.typ.Phys() == types.PhysBytes
	if own {
		// A kernel that makes text appends to the buffer it finds here; one that
		// shares its argument's bytes replaces the list.
		if f.bufs[0] == nil {
			f.bufs[0] = make([]byte, 0, 1024)
		}
		f.bufs[0] = f.bufs[0][:0]
		f.out.Bufs = f.bufs[:]
		if valid != nil || sel != nil {
			clear(f.out.Views)
		}
	}
	if err := f.kernel(c.env, f.vecs, rows, c.n, &f.out); err != nil {
		return nil, err
	}
	switch {
	case valid == nil:
	case f.out.Valid == nil:
		f.out.Valid = valid
	default:
		for i := range f.out.Valid {
			f.out.Valid[i] &= valid[i]
		}
	}
	return &f.out, nil
}

// validity is the conjunction of the arguments' validities, nil if no row is
// NULL.
func (f *callNode) validity(n int) []uint64 {
	var first []uint64
	many := false
	for _, v := range f.vecs {
		if v.Valid == nil || v.Form == vec.Const {
			continue
		}
		if first == nil {
			first = v.Valid
			continue
		}
		if !many {
			many = true
			f.valid = append(f.valid[:0], first[:(n+63)/64]...)
		}
		for i := range f.valid {
			f.valid[i] &= v.Valid[i]
		}
	}
	if many {
		return f.valid
	}
	return first
}

func (f *callNode) notNull(valid []uint64, sel vec.Selection, n int) vec.Selection {
	return validRows(valid, sel, n, &f.alive)
}

// validRows lists the rows of sel whose validity bit is set.
func validRows(valid []uint64, sel vec.Selection, n int, buf *chooseBuf) vec.Selection {
	out, k := buf.take(n), 0
	if sel == nil {
		for i := range n {
			out[k] = uint16(i)
			k += int(valid[i>>6] >> (i & 63) & 1)
		}
		return out[:k]
	}
	for _, r := range sel {
		out[k] = r
		k += int(valid[r>>6] >> (r & 63) & 1)
	}
	return out[:k]
}

// lifted is the result of a call for every entry of one dictionary.
type lifted struct {
	id     uint64
	seen   int        // rows met since the dictionary appeared
	done   bool       // vals holds the results
	poison bool       // an entry raises: rows are evaluated one by one
	vals   vec.Vector // Flat, per entry
}

// evalLifted evaluates a call whose argument k is the only one that is not
// constant, and is a dictionary, once per entry. ok is false if that does not
// pay yet or an entry raises.
func (f *callNode) evalLifted(c *frame, sel vec.Selection, k int) (*vec.Vector, bool) {
	src, l := f.vecs[k], f.lift
	d := src.Dict
	if d.ID == 0 || l.id != d.ID {
		*l = lifted{id: d.ID}
	}
	l.seen += rowCount(sel, c.n)
	if l.poison || !l.done && l.seen < d.Values.Len {
		return nil, false
	}
	if !l.done {
		args := append([]*vec.Vector(nil), f.vecs...)
		args[k] = &d.Values
		for i := range args {
			if i != k {
				v := *args[i]
				v.Len = d.Values.Len
				args[i] = &v
			}
		}
		f.flat(&l.vals, d.Values.Len)
		if err := f.kernel(c.env, args, nil, d.Values.Len, &l.vals); err != nil {
			l.poison = true
			return nil, false
		}
		l.done = true
	}
	if l.vals.Valid == nil {
		lv := vec.Vector{Type: f.typ, Form: vec.Dict, Len: c.n, Fixed: src.Fixed, Valid: src.Valid, Dict: &vec.Dictionary{Values: l.vals}}
		f.scratch.Flatten(&f.out, &lv, sel)
		return &f.out, true
	}
	return f.spreadNullable(c, sel, src), true
}

// spreadNullable spreads lifted results of which some are NULL.
func (f *callNode) spreadNullable(c *frame, sel vec.Selection, src *vec.Vector) *vec.Vector {
	rows := make([]uint32, c.n)
	codes := src.Codes()
	put := func(i int) {
		if src.Null(i) || f.lift.vals.Null(int(codes[i])) {
			rows[i] = vec.NoRow
		} else {
			rows[i] = codes[i]
		}
	}
	if sel == nil {
		for i := range c.n {
			put(i)
		}
	} else {
		for i := range rows {
			rows[i] = vec.NoRow
		}
		for _, i := range sel {
			put(int(i))
		}
	}
	vals := f.lift.vals
	vals.Valid = nil
	f.scratch.GatherRows(&f.out, &vals, rows)
	return &f.out
}

// compileCast makes a conversion a call of its kernel.
func compileCast(e *plan.Cast, env *fn.Env) (node, error) {
	arg, err := compile(e.Arg, env)
	if err != nil {
		return nil, err
	}
	conv, err := fn.ConversionOf(e.Arg.Type(), e.Typ, e.Ctx)
	if err != nil {
		return nil, err
	}
	if conv.Relabel {
		return &relabelNode{arg: arg, typ: e.Typ}, nil
	}
	return newCall(conv.Kernel, []node{arg}, e.Typ, true, conv.CanRaise, conv.Vol), nil
}

// relabelNode changes the type and leaves the values.
type relabelNode struct {
	arg node
	typ types.Type
	out vec.Vector
}

func (r *relabelNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	v, err := r.arg.eval(c, sel)
	if err != nil {
		return nil, err
	}
	r.out = *v
	r.out.Type = r.typ
	return &r.out, nil
}
