package expr

import (
	"bytes"
	"math"
	"slices"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/types/canon"
	"quern/storage/vec"
)

// inNode is [NOT] IN. Constants are hashed; other items are compared one by one
// on the rows that have not matched yet.
type inNode struct {
	arg     node
	set     set
	hasNull bool // a constant NULL: no match is NULL
	items   []node
	not     bool
	buf     chooseBuf
	alive   chooseBuf
	konst   chooseBuf
	bufs    []chooseBuf
	acc     [2]chooseBuf
	memo    memo
	scratch vec.Scratch
	out     vec.Vector
}

func compileIn(e *plan.In, env *fn.Env) (node, error) {
	arg, err := compile(e.Arg, env)
	if err != nil {
		return nil, err
	}
	t := &inNode{arg: arg, not: e.Not, set: newSet(e.Arg.Type())}
	for _, it := range e.List {
		if l, ok := it.(*plan.Lit); ok {
			if l.Val.Null {
				t.hasNull = true
			} else {
				t.set.add(&l.Val)
			}
			continue
		}
		nd, err := compile(it, env)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, nd)
	}
	t.bufs = make([]chooseBuf, len(t.items)+1)
	t.set.finish()
	return t, nil
}

// match splits sel into the rows that equal an item; unsure lists rows without
// a match for which some comparison is NULL.
func (t *inNode) match(c *frame, sel vec.Selection) (hit, unsure, rows vec.Selection, err error) {
	v, err := t.arg.eval(c, sel)
	if err != nil {
		return nil, nil, nil, err
	}
	if v.Form == vec.Const && v.Null(0) {
		return empty, sel, empty, nil
	}
	rows = sel
	if v.Valid != nil && v.Form != vec.Const {
		rows = validRows(v.Valid, sel, c.n, &t.alive)
	}
	hit = t.constants(c, rows, v)
	if len(t.items) == 0 {
		if t.hasNull {
			unsure = sel // whatever did not match
		}
		return hit, unsure, rows, nil
	}
	rest := minus(rows, hit, c.n, &t.bufs[0])
	nulls := t.hasNull
	for i, it := range t.items {
		if rest != nil && len(rest) == 0 {
			break
		}
		w, err := it.eval(c, rest)
		if err != nil {
			return nil, nil, nil, err
		}
		nulls = nulls || w.Valid != nil
		found := filterRows(c.n, rest, &t.buf, func(i int) bool { return !w.Null(i) && vec.Compare(v, i, w, i) == 0 })
		if len(found) > 0 {
			hit = slices.Clone(union(hit, found, c.n, &t.acc[i&1]))
		}
		rest = minus(rest, found, c.n, &t.bufs[i+1])
	}
	if nulls {
		unsure = sel
		if !t.hasNull {
			if unsure, err = t.unsure(c, rest); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	return hit, unsure, rows, nil
}

// unsure lists the rows of rest for which an item is NULL.
func (t *inNode) unsure(c *frame, rest vec.Selection) (vec.Selection, error) {
	null := make([]bool, c.n)
	for _, it := range t.items {
		w, err := it.eval(c, rest)
		if err != nil {
			return nil, err
		}
		for i := range null {
			null[i] = null[i] || w.Null(i)
		}
	}
	var buf chooseBuf
	return filterRows(c.n, rest, &buf, func(i int) bool { return null[i] }), nil
}

// constants finds the rows whose value is in the set.
func (t *inNode) constants(c *frame, rows vec.Selection, v *vec.Vector) vec.Selection {
	if t.set.len() == 0 {
		return empty
	}
	switch v.Form {
	case vec.Const:
		if t.set.has(v, 0) {
			return rows
		}
		return empty
	case vec.Dict:
		vals := &v.Dict.Values
		return t.memo.filter(c.n, rows, v, 0, &t.konst, func(code int) bool { return t.set.has(vals, code) })
	}
	return t.set.filter(c.n, rows, v, &t.konst)
}

func (t *inNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	hit, unsure, rows, err := t.match(c, sel)
	if err != nil {
		return nil, err
	}
	if want != t.not { // rows that match
		return hit, nil
	}
	// Rows that certainly do not match.
	rest := minus(rows, hit, c.n, &t.acc[0])
	if unsure == nil && !t.hasNull {
		return rest, nil
	}
	if t.hasNull || unsure == nil {
		return empty, nil
	}
	return filterRows(c.n, rest, &t.acc[1], func(i int) bool {
		_, in := slices.BinarySearch(unsure, uint16(i))
		return !in
	}), nil
}

func (t *inNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	yes, err := t.choose(c, sel, true)
	if err != nil {
		return nil, err
	}
	if yes != nil {
		yes = slices.Clone(yes)
	}
	no, err := t.choose(c, sel, false)
	if err != nil {
		return nil, err
	}
	boolVector(&t.scratch, &t.out, c.n, yes)
	if rowCount(yes, c.n)+rowCount(no, c.n) == rowCount(sel, c.n) {
		return &t.out, nil
	}
	t.out.Valid = t.scratch.Valid(c.n)
	clear(t.out.Valid)
	for _, s := range []vec.Selection{yes, no} {
		for _, r := range s {
			t.out.Valid[r>>6] |= 1 << (r & 63)
		}
	}
	return &t.out, nil
}

// set is a set of constants of one type.
type set interface {
	add(d *types.Datum)
	finish()
	len() int
	has(v *vec.Vector, i int) bool // of a Flat vector
	filter(n int, sel vec.Selection, v *vec.Vector, buf *chooseBuf) vec.Selection
}

func newSet(t types.Type) set {
	switch t.Phys() {
	case types.PhysI16:
		return &intSet[int16]{}
	case types.PhysI32:
		if t.Unsigned() {
			return &intSet[uint32]{}
		}
		return &intSet[int32]{}
	case types.PhysI64:
		return &intSet[int64]{}
	}
	return &keySet{typ: t, m: map[string]struct{}{}}
}

// intSet holds integers: a few are compared in turn, many are hashed.
type intSet[T int16 | int32 | uint32 | int64] struct {
	list []T
	m    map[T]struct{}
}

// linearMax is the size up to which comparing in turn is faster than hashing.
const linearMax = 8

func (s *intSet[T]) add(d *types.Datum) { s.list = append(s.list, T(d.I)) }
func (s *intSet[T]) len() int           { return len(s.list) }

func (s *intSet[T]) finish() {
	slices.Sort(s.list)
	s.list = slices.Compact(s.list)
	if len(s.list) <= linearMax {
		return
	}
	s.m = make(map[T]struct{}, len(s.list))
	for _, x := range s.list {
		s.m[x] = struct{}{}
	}
}

func (s *intSet[T]) in(x T) bool {
	if s.m != nil {
		if x < s.list[0] || x > s.list[len(s.list)-1] {
			return false
		}
		_, ok := s.m[x]
		return ok
	}
	for _, y := range s.list {
		if x == y {
			return true
		}
	}
	return false
}

func (s *intSet[T]) has(v *vec.Vector, i int) bool { return s.in(vec.CastSlice[T](v.Fixed)[i]) }

func (s *intSet[T]) filter(n int, sel vec.Selection, v *vec.Vector, buf *chooseBuf) vec.Selection {
	vals := vec.CastSlice[T](v.Fixed)
	out, k := buf.take(n), 0
	if sel == nil {
		for i, x := range vals[:n] {
			out[k] = uint16(i)
			if s.in(x) {
				k++
			}
		}
		return out[:k]
	}
	for _, r := range sel {
		out[k] = r
		if s.in(vals[r]) {
			k++
		}
	}
	return out[:k]
}

// keySet holds values of the other types by a key that is equal for equal
// values.
type keySet struct {
	typ types.Type
	m   map[string]struct{}
	key []byte
}

func (s *keySet) finish()  {}
func (s *keySet) len() int { return len(s.m) }

func (s *keySet) add(d *types.Datum) {
	v := vec.ConstVector(s.typ, d, 1)
	s.m[string(s.keyOf(&v, 0))] = struct{}{}
}

func (s *keySet) has(v *vec.Vector, i int) bool {
	_, ok := s.m[string(s.keyOf(v, i))]
	return ok
}

func (s *keySet) filter(n int, sel vec.Selection, v *vec.Vector, buf *chooseBuf) vec.Selection {
	return filterRows(n, sel, buf, func(i int) bool { return s.has(v, i) })
}

// keyOf is the normal form of a value: −0 is 0, 1.0 is 1.00, char(n) has no
// trailing blanks, an interval is its total.
func (s *keySet) keyOf(v *vec.Vector, i int) []byte {
	switch s.typ.Phys() {
	case types.PhysBool:
		return v.Fixed[i : i+1]
	case types.PhysF32:
		return s.float(float64(vec.Values[float32](v)[i]))
	case types.PhysF64:
		return s.float(vec.Values[float64](v)[i])
	case types.PhysNum:
		s.key = append(s.key[:0], vec.BytesOf([]types.Num{vec.Values[types.Num](v)[i].Normalize()})...)
		return s.key
	case types.PhysInterval:
		hi, lo := vec.Values[types.IntervalVal](v)[i].Total()
		s.key = append(s.key[:0], vec.BytesOf([]uint64{uint64(hi), lo})...)
		return s.key
	case types.PhysUUID:
		return v.Fixed[16*i : 16*i+16]
	}
	b := v.Views[i].Bytes(v.Bufs)
	if s.typ.OID == types.BpcharOID {
		b = bytes.TrimRight(b, " ")
	}
	if canon.Spelled(s.typ) {
		s.key = canon.Append(s.key[:0], s.typ, b)
		return s.key
	}
	return b
}

func (s *keySet) float(f float64) []byte {
	if f == 0 {
		f = 0 // drops the sign
	}
	if f != f {
		f = math.NaN()
	}
	s.key = append(s.key[:0], vec.BytesOf([]uint64{math.Float64bits(f + 0)})...)
	return s.key
}
