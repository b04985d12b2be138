// Package expr evaluates bound expressions over batches.
//
//	plan.Expr ── Compile ─► tree of nodes, each with its own scratch
//	Eval(b)              the value of every live row, as a vector
//	Select(b, sel)       the rows for which a predicate is true
//
// A node looks only at the rows of the selection it is given, so that CASE,
// COALESCE, AND and OR keep errors away from rows that do not reach them: a
// predicate is not evaluated on rows that earlier ones removed. Calls with
// constant arguments run once per batch; a call over one dictionary column runs
// once per entry as soon as that is cheaper. Comparisons with constants, IN and
// LIKE write selections without making a vector of truth values.
//
// A Program belongs to one worker; Clone makes another. It does not know nodes
// of plans, storage or SQL.
package expr

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Program is a compiled expression of one worker.
type Program struct {
	expr plan.Expr
	env  *fn.Env
	root node
	pred chooser // root, if it is boolean
	cx   frame
}

// frame is what nodes see of the current batch.
type frame struct {
	env    *fn.Env
	b      *vec.Batch
	n      int
	params []types.Datum
}

// node evaluates one expression for the rows of sel (nil = all). Other rows of
// the result hold anything. The vector is valid until the node's next use.
type node interface {
	eval(c *frame, sel vec.Selection) (*vec.Vector, error)
}

// chooser is a boolean node that finds the rows of sel where it is want (true
// or false, never NULL) without making a vector. sel nil stands for all rows;
// so does a nil result. The result is valid until the node's next use.
type chooser interface {
	node
	choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error)
}

// Compile makes a program. Subqueries must have been replaced by constants.
func Compile(e plan.Expr, env *fn.Env) (*Program, error) {
	root, err := compile(e, env)
	if err != nil {
		return nil, err
	}
	p := &Program{expr: e, env: env, root: root}
	if e.Type().OID == types.BoolOID {
		p.pred = chooserOf(root)
	}
	return p, nil
}

// Clone makes a program for another worker.
func (p *Program) Clone() *Program {
	q, err := Compile(p.expr, p.env)
	if err != nil { // it compiled once, and compiling is pure
		panic(err)
	}
	return q
}

// Eval evaluates at b.Sel. The result is valid until the next call.
func (p *Program) Eval(b *vec.Batch, params []types.Datum) (*vec.Vector, error) {
	p.cx = frame{env: p.env, b: b, n: b.Len, params: params}
	return p.root.eval(&p.cx, b.Sel)
}

// Select lists the rows of sel (nil = all of b) for which the predicate is
// true; a nil result means all rows of b. Valid until the next call.
func (p *Program) Select(b *vec.Batch, sel vec.Selection, params []types.Datum) (vec.Selection, error) {
	p.cx = frame{env: p.env, b: b, n: b.Len, params: params}
	out, err := p.pred.choose(&p.cx, sel, true)
	if w := wideOf(err); w != nil {
		return p.selectInPieces(b, sel, params, w)
	}
	return out, err
}

// EvalConst evaluates an expression without columns.
func EvalConst(e plan.Expr, env *fn.Env, params []types.Datum) (types.Datum, error) {
	if l, ok := e.(*plan.Lit); ok {
		return l.Val, nil
	}
	p, err := Compile(e, env)
	if err != nil {
		return types.Datum{}, err
	}
	v, err := p.Eval(&vec.Batch{Len: 1}, params)
	if err != nil {
		return types.Datum{}, err
	}
	return v.Datum(0), nil
}

// compile is one switch over all expressions.
func compile(e plan.Expr, env *fn.Env) (node, error) {
	switch e := e.(type) {
	case *plan.Col:
		return colNode(e.Index), nil
	case *plan.Lit:
		return &litNode{v: vec.ConstVector(e.Typ, &e.Val, 1)}, nil
	case *plan.Param:
		return &paramNode{e: e}, nil
	case *plan.Call:
		return compileCall(e, env)
	case *plan.Cast:
		return compileCast(e, env)
	case *plan.And:
		return compileLogic(e.Args, env, true)
	case *plan.Or:
		return compileLogic(e.Args, env, false)
	case *plan.Not:
		arg, err := compileBool(e.Arg, env)
		return &notNode{arg: arg}, err
	case *plan.IsNull:
		arg, err := compile(e.Arg, env)
		return &isNullNode{arg: arg, not: e.Not}, err
	case *plan.IsBool:
		arg, err := compileBool(e.Arg, env)
		return &isBoolNode{arg: arg, val: e.Val, not: e.Not}, err
	case *plan.Distinct:
		return compileDistinct(e, env)
	case *plan.Case:
		return compileCase(e, env)
	case *plan.Coalesce:
		args, err := compileAll(e.Args, env)
		return &coalesceNode{args: args, typ: e.Typ}, err
	case *plan.In:
		return compileIn(e, env)
	case *plan.Like:
		return compileLike(e, env)
	case *plan.Subquery:
		return nil, errs.NotSupported("a subquery in this place")
	}
	return nil, errs.NotSupported("this expression")
}

func compileAll(es []plan.Expr, env *fn.Env) ([]node, error) {
	out := make([]node, len(es))
	for i, e := range es {
		n, err := compile(e, env)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// colNode is a column of the input.
type colNode int

func (i colNode) eval(c *frame, _ vec.Selection) (*vec.Vector, error) { return &c.b.Cols[i], nil }

// litNode is a constant.
type litNode struct{ v vec.Vector }

func (l *litNode) eval(c *frame, _ vec.Selection) (*vec.Vector, error) {
	l.v.Len = c.n
	return &l.v, nil
}

// paramNode is a parameter.
type paramNode struct {
	e   *plan.Param
	v   vec.Vector
	set *types.Datum // the value that v was made of
}

func (p *paramNode) eval(c *frame, _ vec.Selection) (*vec.Vector, error) {
	if p.e.Index >= len(c.params) {
		return nil, errs.New(errs.UndefinedParameter, "there is no parameter $%d", p.e.Index+1)
	}
	if d := &c.params[p.e.Index]; p.set == nil || *p.set != *d {
		p.v = vec.ConstVector(p.e.Typ, d, 1)
		p.set = d
	}
	p.v.Len = c.n
	return &p.v, nil
}

// chooseBuf is the memory of a selection that a node returns.
type chooseBuf struct{ sel vec.Selection }

func (s *chooseBuf) take(n int) vec.Selection {
	if cap(s.sel) < n {
		s.sel = make(vec.Selection, max(n, vec.BatchRows))
	}
	return s.sel[:n]
}

// empty is a selection of no rows (not nil, which means all).
var empty = vec.Selection{}

// pickNode makes a chooser of any boolean node.
type pickNode struct {
	node
	buf chooseBuf
}

func (p *pickNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	v, err := p.eval(c, sel)
	if err != nil {
		return nil, err
	}
	return pick(v, c.n, sel, want, &p.buf), nil
}

// compileBool compiles a boolean expression.
func compileBool(e plan.Expr, env *fn.Env) (chooser, error) {
	nd, err := compile(e, env)
	if err != nil {
		return nil, err
	}
	return chooserOf(nd), nil
}

func chooserOf(nd node) chooser {
	if ch, ok := nd.(chooser); ok {
		return ch
	}
	return &pickNode{node: nd}
}

// pick lists the rows of sel where the boolean vector is want.
func pick(v *vec.Vector, n int, sel vec.Selection, want bool, buf *chooseBuf) vec.Selection {
	w := uint8(0)
	if want {
		w = 1
	}
	switch v.Form {
	case vec.Const:
		if !v.Null(0) && v.Fixed[0] == w {
			return sel
		}
		return empty
	case vec.Dict:
		codes, vals := v.Codes(), v.Dict.Values.Fixed
		return filterRows(n, sel, buf, func(i int) bool { return !v.Null(i) && vals[codes[i]] == w })
	}
	out, k := buf.take(n), 0
	switch {
	case sel == nil && v.Valid == nil:
		for i, x := range v.Fixed[:n] {
			out[k] = uint16(i)
			k += int(x ^ w ^ 1)
		}
	case sel == nil:
		for i, x := range v.Fixed[:n] {
			out[k] = uint16(i)
			k += int((x ^ w ^ 1) & uint8(v.Valid[i>>6]>>(i&63)) & 1)
		}
	case v.Valid == nil:
		for _, r := range sel {
			out[k] = r
			k += int(v.Fixed[r] ^ w ^ 1)
		}
	default:
		for _, r := range sel {
			out[k] = r
			k += int((v.Fixed[r] ^ w ^ 1) & uint8(v.Valid[r>>6]>>(r&63)) & 1)
		}
	}
	return out[:k]
}

func filterRows(n int, sel vec.Selection, buf *chooseBuf, f func(i int) bool) vec.Selection {
	out, k := buf.take(n), 0
	if sel == nil {
		for i := range n {
			if f(i) {
				out[k] = uint16(i)
				k++
			}
		}
		return out[:k]
	}
	for _, r := range sel {
		if f(int(r)) {
			out[k] = r
			k++
		}
	}
	return out[:k]
}

// rowCount is the number of rows of sel.
func rowCount(sel vec.Selection, n int) int {
	if sel != nil {
		return len(sel)
	}
	return n
}

// minus lists the rows of sel (nil = n rows) that are not in rm, a subset of it.
func minus(sel, rm vec.Selection, n int, buf *chooseBuf) vec.Selection {
	if rm == nil {
		return empty
	}
	if len(rm) == 0 {
		return sel
	}
	out, k, j := buf.take(n), 0, 0
	add := func(r uint16) {
		if j < len(rm) && rm[j] == r {
			j++
			return
		}
		out[k] = r
		k++
	}
	if sel == nil {
		for i := range n {
			add(uint16(i))
		}
	} else {
		for _, r := range sel {
			add(r)
		}
	}
	return out[:k]
}

// union merges two disjoint ascending selections.
func union(a, b vec.Selection, n int, buf *chooseBuf) vec.Selection {
	if a == nil || b == nil {
		return nil
	}
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out, k := buf.take(len(a)+len(b)), 0
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out[k], a = a[0], a[1:]
		} else {
			out[k], b = b[0], b[1:]
		}
		k++
	}
	k += copy(out[k:], a)
	k += copy(out[k:], b)
	_ = n
	return out[:k]
}
