package expr

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// merger assembles a Flat vector from the rows of several.
type merger struct {
	scratch vec.Scratch
	out     vec.Vector
	typ     types.Type
}

// start makes a vector of n NULL rows.
func (m *merger) start(n int) {
	m.scratch.Flat(&m.out, m.typ, n)
	m.out.Valid = m.scratch.Valid(n)
	clear(m.out.Valid)
	clear(m.out.Views)
}

// copyRows copies the rows of sel (nil = all) from v.
func (m *merger) copyRows(v *vec.Vector, sel vec.Selection) {
	from := v
	if v.Form == vec.Dict {
		from = &v.Dict.Values
	}
	shift := uint32(len(m.out.Bufs))
	m.out.Bufs = append(m.out.Bufs, from.Bufs...)
	switch m.typ.Phys().Size() {
	case 1:
		mergeFixed(m, m.out.Fixed, from.Fixed, v, sel)
	case 2:
		mergeFixed(m, vec.Values[int16](&m.out), vec.Values[int16](from), v, sel)
	case 4:
		mergeFixed(m, vec.Values[int32](&m.out), vec.Values[int32](from), v, sel)
	case 8:
		mergeFixed(m, vec.Values[int64](&m.out), vec.Values[int64](from), v, sel)
	case 16:
		mergeFixed(m, vec.Values[[16]byte](&m.out), vec.Values[[16]byte](from), v, sel)
	case 24:
		mergeFixed(m, vec.Values[types.Num](&m.out), vec.Values[types.Num](from), v, sel)
	default:
		mergeFixed(m, m.out.Views, from.Views, v, sel)
		m.shiftViews(v, sel, shift)
	}
}

// shiftViews points copied views to where their buffers lie now.
func (m *merger) shiftViews(v *vec.Vector, sel vec.Selection, shift uint32) {
	if shift == 0 {
		return
	}
	move := func(i int) {
		if w := &m.out.Views[i]; w.Len > 12 && !v.Null(i) {
			w.B += shift
		}
	}
	if sel == nil {
		for i := range m.out.Len {
			move(i)
		}
		return
	}
	for _, i := range sel {
		move(int(i))
	}
}

func mergeFixed[T any](m *merger, dst, src []T, v *vec.Vector, sel vec.Selection) {
	var codes []uint32
	if v.Form == vec.Dict {
		codes = v.Codes()
	}
	put := func(i int) {
		if v.Null(i) {
			return
		}
		m.out.Valid[i>>6] |= 1 << (i & 63)
		switch v.Form {
		case vec.Const:
			dst[i] = src[0]
		case vec.Dict:
			dst[i] = src[codes[i]]
		default:
			dst[i] = src[i]
		}
	}
	if sel == nil {
		for i := range m.out.Len {
			put(i)
		}
		return
	}
	for _, i := range sel {
		put(int(i))
	}
}

// caseNode is a searched CASE. Branches see only the rows that reach them.
type caseNode struct {
	conds  []chooser
	thens  []node
	orElse node // nil = NULL
	bufs   []chooseBuf
	m      merger
}

func compileCase(e *plan.Case, env *fn.Env) (node, error) {
	t := &caseNode{bufs: make([]chooseBuf, len(e.Whens)), m: merger{typ: e.Typ}}
	for _, w := range e.Whens {
		cond, err := compileBool(w.Cond, env)
		if err != nil {
			return nil, err
		}
		then, err := compile(w.Then, env)
		if err != nil {
			return nil, err
		}
		t.conds, t.thens = append(t.conds, cond), append(t.thens, then)
	}
	if e.Else != nil {
		var err error
		if t.orElse, err = compile(e.Else, env); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *caseNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	t.m.start(c.n)
	rest := sel
	for i, cond := range t.conds {
		if rest != nil && len(rest) == 0 {
			return &t.m.out, nil
		}
		hit, err := cond.choose(c, rest, true)
		if err != nil {
			return nil, err
		}
		if hit == nil || len(hit) > 0 {
			v, err := t.thens[i].eval(c, hit)
			if err != nil {
				return nil, err
			}
			t.m.copyRows(v, hit)
		}
		rest = minus(rest, hit, c.n, &t.bufs[i])
	}
	if t.orElse == nil || rest != nil && len(rest) == 0 {
		return &t.m.out, nil
	}
	v, err := t.orElse.eval(c, rest)
	if err != nil {
		return nil, err
	}
	t.m.copyRows(v, rest)
	return &t.m.out, nil
}

// coalesceNode evaluates its arguments only where all earlier ones are NULL.
type coalesceNode struct {
	args []node
	typ  types.Type
	m    merger
	bufs []chooseBuf
}

func (t *coalesceNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	rest := sel
	for i, a := range t.args {
		if rest != nil && len(rest) == 0 && i > 0 {
			break
		}
		v, err := a.eval(c, rest)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			if v.Valid == nil {
				return v, nil
			}
			t.m.typ = t.typ
			t.m.start(c.n)
			if t.bufs == nil {
				t.bufs = make([]chooseBuf, len(t.args))
			}
		}
		t.m.copyRows(v, rest)
		if v.Valid == nil {
			break
		}
		rest = filterRows(c.n, rest, &t.bufs[i], v.Null)
	}
	return &t.m.out, nil
}
