package expr

import (
	"bytes"
	"math"

	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// cmpOp is a comparison operator.
type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
)

var cmpOps = map[string]cmpOp{"=": opEq, "<>": opNe, "!=": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe}

// mirrored is the operator with its sides exchanged.
var mirrored = [...]cmpOp{opEq, opNe, opGt, opGe, opLt, opLe}

// negated is the operator that is true where the other is false.
var negated = [...]cmpOp{opNe, opEq, opGe, opGt, opLe, opLt}

// holds tells whether a three-way result satisfies the operator.
func (o cmpOp) holds(c int) bool {
	switch o {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// compareNode is a comparison of two values of one type. Against a constant it
// chooses rows without a vector of truth values.
type compareNode struct {
	call  *callNode
	op    cmpOp
	typ   types.Type
	buf   chooseBuf
	alive chooseBuf
	memo  memo
}

func compileCompare(e *plan.Call, args []node) node {
	op, ok := cmpOps[e.Fn.Name]
	if !ok || len(e.Args) != 2 || len(e.Fn.Args) != 2 || e.Fn.Args[0] != e.Fn.Args[1] || e.Fn.Ret != types.BoolOID || e.Fn.NotStrict {
		return nil
	}
	typ := types.Type{OID: e.Fn.Args[0], Mod: -1}
	if typ.IsArray() {
		return nil
	}
	switch typ.OID {
	case types.JSONBOID, types.RecordOID, types.AnyArrayOID:
		return nil
	}
	return &compareNode{call: newCall(e.Fn.Kernel, args, e.Typ, true, false, e.Fn.Vol), op: op, typ: typ}
}

func (t *compareNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	return t.call.eval(c, sel)
}

func (t *compareNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	l, err := t.call.args[0].eval(c, sel)
	if err != nil {
		return nil, err
	}
	r, err := t.call.args[1].eval(c, sel)
	if err != nil {
		return nil, err
	}
	op := t.op
	if !want {
		op = negated[op]
	}
	if l.Form == vec.Const {
		l, r, op = r, l, mirrored[op]
	}
	if l.Form == vec.Const && l.Null(0) || r.Form == vec.Const && r.Null(0) {
		return empty, nil
	}
	if r.Form != vec.Const || l.Form == vec.Const {
		return t.general(c, sel, l, r, op), nil
	}
	rows := sel
	if l.Valid != nil {
		rows = validRows(l.Valid, sel, c.n, &t.alive)
	}
	if l.Form == vec.Dict {
		return t.dict(c, rows, l, r, op), nil
	}
	if out, ok := t.flat(c, rows, l, r, op); ok {
		return out, nil
	}
	return t.general(c, sel, l, r, op), nil
}

// general compares row by row, for all types and forms.
func (t *compareNode) general(c *frame, sel vec.Selection, l, r *vec.Vector, op cmpOp) vec.Selection {
	nulls := l.Valid != nil || r.Valid != nil
	return filterRows(c.n, sel, &t.buf, func(i int) bool {
		if nulls && (l.Null(i) || r.Null(i)) {
			return false
		}
		return op.holds(vec.Compare(l, i, r, i))
	})
}

// flat compares a Flat vector with a constant.
func (t *compareNode) flat(c *frame, sel vec.Selection, l, r *vec.Vector, op cmpOp) (vec.Selection, bool) {
	out := t.buf.take(c.n)
	switch t.typ.Phys() {
	case types.PhysI16:
		return out[:chooseInt(vec.Values[int16](l), vec.Values[int16](r)[0], math.MinInt16, math.MaxInt16, op, sel, c.n, out)], true
	case types.PhysI32:
		if t.typ.Unsigned() {
			return out[:chooseInt(vec.Values[uint32](l), vec.Values[uint32](r)[0], 0, math.MaxUint32, op, sel, c.n, out)], true
		}
		return out[:chooseInt(vec.Values[int32](l), vec.Values[int32](r)[0], math.MinInt32, math.MaxInt32, op, sel, c.n, out)], true
	case types.PhysI64:
		return out[:chooseInt(vec.Values[int64](l), vec.Values[int64](r)[0], math.MinInt64, math.MaxInt64, op, sel, c.n, out)], true
	case types.PhysF64:
		if k := vec.Values[float64](r)[0]; k == k {
			return out[:chooseFloat(vec.Values[float64](l), k, op, sel, c.n, out)], true
		}
	case types.PhysF32:
		if k := vec.Values[float32](r)[0]; k == k {
			return out[:chooseFloat(vec.Values[float32](l), k, op, sel, c.n, out)], true
		}
	case types.PhysBytes:
		if t.typ.OID != types.BpcharOID && (op == opEq || op == opNe) {
			return out[:chooseBytesEqual(l, &r.Views[0], r.Bufs, op == opNe, sel, c.n, out)], true
		}
	}
	return nil, false
}

// chooseInt lists the rows where `v op k` holds. Every operator is a test for a
// range or its complement: one subtraction and one unsigned comparison.
func chooseInt[T int16 | int32 | uint32 | int64](v []T, k, minT, maxT T, op cmpOp, sel vec.Selection, n int, out vec.Selection) int {
	lo, hi, neg := k, k, 0
	switch op {
	case opNe:
		neg = 1
	case opLt, opGe:
		if k == minT {
			return allOrNone(op == opGe, sel, n, out)
		}
		lo, hi = minT, k-1
		if op == opGe {
			neg = 1
		}
	case opLe, opGt:
		lo = minT
		if op == opGt {
			neg = 1
		}
	}
	_ = maxT
	width := uint64(int64(hi)) - uint64(int64(lo))
	j := 0
	if sel == nil {
		for i, x := range v[:n] {
			out[j] = uint16(i)
			in := 0
			if uint64(int64(x))-uint64(int64(lo)) <= width {
				in = 1
			}
			j += in ^ neg
		}
		return j
	}
	for _, r := range sel {
		out[j] = r
		in := 0
		if uint64(int64(v[r]))-uint64(int64(lo)) <= width {
			in = 1
		}
		j += in ^ neg
	}
	return j
}

func allOrNone(all bool, sel vec.Selection, n int, out vec.Selection) int {
	if !all {
		return 0
	}
	if sel != nil {
		return copy(out, sel)
	}
	for i := range n {
		out[i] = uint16(i)
	}
	return n
}

// chooseFloat is chooseInt for floats; k is not NaN, and NaN is greatest.
func chooseFloat[T float32 | float64](v []T, k T, op cmpOp, sel vec.Selection, n int, out vec.Selection) int {
	neg := 0
	switch op {
	case opNe:
		op, neg = opEq, 1
	case opGe:
		op, neg = opLt, 1
	case opGt:
		op, neg = opLe, 1
	}
	j := 0
	step := func(r uint16, in bool) {
		out[j] = r
		x := neg
		if in {
			x ^= 1
		}
		j += x
	}
	if sel == nil {
		for i, x := range v[:n] {
			switch op {
			case opEq:
				step(uint16(i), x == k)
			case opLt:
				step(uint16(i), x < k)
			default:
				step(uint16(i), x <= k)
			}
		}
		return j
	}
	for _, r := range sel {
		switch x := v[r]; op {
		case opEq:
			step(r, x == k)
		case opLt:
			step(r, x < k)
		default:
			step(r, x <= k)
		}
	}
	return j
}

// chooseBytesEqual compares lengths and prefixes before bytes.
func chooseBytesEqual(v *vec.Vector, k *vec.View, kbufs [][]byte, ne bool, sel vec.Selection, n int, out vec.Selection) int {
	key := k.Bytes(kbufs)
	j := 0
	test := func(i int) {
		w := &v.Views[i]
		eq := w.Len == k.Len && w.A == k.A
		if eq {
			if k.Len <= 12 {
				eq = w.B == k.B && w.C == k.C
			} else {
				eq = bytes.Equal(w.Bytes(v.Bufs), key)
			}
		}
		out[j] = uint16(i)
		if eq != ne {
			j++
		}
	}
	if sel == nil {
		for i := range n {
			test(i)
		}
		return j
	}
	for _, r := range sel {
		test(int(r))
	}
	return j
}

// dict compares each dictionary entry at most once.
func (t *compareNode) dict(c *frame, sel vec.Selection, l, r *vec.Vector, op cmpOp) vec.Selection {
	vals := &l.Dict.Values
	return t.memo.filter(c.n, sel, l, int(op), &t.buf, func(code int) bool {
		return op.holds(vec.Compare(vals, code, r, 0))
	})
}

// memo keeps a yes or no per dictionary entry, found out when first needed.
type memo struct {
	id   uint64
	what int
	at   []uint8 // 0 unknown, 1 no, 2 yes
}

func (m *memo) filter(n int, sel vec.Selection, v *vec.Vector, what int, buf *chooseBuf, test func(code int) bool) vec.Selection {
	size := v.Dict.Values.Len
	if m.id == 0 || m.id != v.Dict.ID || m.what != what || len(m.at) != size {
		m.id, m.what = v.Dict.ID, what
		if cap(m.at) < size {
			m.at = make([]uint8, size)
		}
		m.at = m.at[:size]
		clear(m.at)
	}
	codes := v.Codes()
	at := m.at
	out, k := buf.take(n), 0
	look := func(code uint32) int {
		x := at[code]
		if x == 0 {
			x = 1
			if test(int(code)) {
				x = 2
			}
			at[code] = x
		}
		return int(x - 1)
	}
	if sel == nil {
		for i, code := range codes[:n] {
			out[k] = uint16(i)
			x := at[code]
			if x == 0 {
				k += look(code)
				continue
			}
			k += int(x - 1)
		}
		return out[:k]
	}
	for _, r := range sel {
		out[k] = r
		code := codes[r]
		x := at[code]
		if x == 0 {
			k += look(code)
			continue
		}
		k += int(x - 1)
	}
	return out[:k]
}
