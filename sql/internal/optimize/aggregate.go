package optimize

import (
	"fmt"
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// aggregates rewrites the calls of aggregations: equal ones are computed once,
// and sum(x ± k) of integers becomes sum(x) ± k·count(x), so that any number of
// such sums costs one.
func (o *optimizer) aggregates(n logical.Node) logical.Node {
	n = mapInputs(n, o.aggregates)
	a, ok := n.(*logical.Aggregate)
	if !ok {
		return n
	}
	r := &aggRewrite{o: o, known: map[string]logical.Column{}, out: *a}
	r.out.Aggs = nil
	shifts := make([]*shift, len(a.Aggs))
	uses := map[string]int{}
	for i := range a.Aggs {
		if shifts[i] = shiftOf(&a.Aggs[i].Call); shifts[i] != nil {
			uses[shifts[i].key]++
		} else {
			uses[callKey(&a.Aggs[i].Call)]++
		}
	}
	var items []logical.Item
	for _, k := range a.Keys {
		items = append(items, logical.Item{Col: k.Col, Expr: k.Col.Col()})
	}
	changed := false
	for i := range a.Aggs {
		it := a.Aggs[i]
		if s := shifts[i]; s != nil && uses[s.key] > 1 {
			items = append(items, logical.Item{Col: it.Col, Expr: r.shifted(s)})
			changed = true
			continue
		}
		c := r.share(it)
		changed = changed || c.ID != it.Col.ID
		items = append(items, logical.Item{Col: it.Col, Expr: c.Col()})
	}
	if !changed {
		return n
	}
	return &logical.Project{In: &r.out, Items: items}
}

// aggRewrite is an Aggregate in the making.
type aggRewrite struct {
	o     *optimizer
	known map[string]logical.Column
	out   logical.Aggregate
}

// share gives the column of an equal call, or adds it.
func (r *aggRewrite) share(it logical.AggItem) logical.Column {
	k := callKey(&it.Call)
	if c, ok := r.known[k]; ok {
		return c
	}
	r.known[k] = it.Col
	r.out.Aggs = append(r.out.Aggs, it)
	return it.Col
}

// shifted computes sum(x) + k·count(x), or k·count(x) − sum(x).
func (r *aggRewrite) shifted(s *shift) plan.Expr {
	count := s.sum
	count.Agg, count.Typ = s.count, types.Int8
	var e [2]plan.Expr
	for i, c := range []plan.AggCall{s.sum, count} {
		e[i] = r.share(logical.AggItem{Col: r.o.newCol(c.Agg.Name, c.Typ), Call: c}).Col()
	}
	k := &plan.Lit{Val: types.Datum{I: s.k}, Typ: types.Int8}
	shift := &plan.Call{Fn: s.mul, Args: []plan.Expr{k, e[1]}, Typ: types.Int8}
	if s.negate {
		return &plan.Call{Fn: s.sub, Args: []plan.Expr{shift, e[0]}, Typ: types.Int8}
	}
	return &plan.Call{Fn: s.add, Args: []plan.Expr{e[0], shift}, Typ: types.Int8}
}

// shift is sum(x + k) or, with negate, sum(k − x).
type shift struct {
	key           string // of sum(x)
	sum           plan.AggCall
	count         *fn.Agg
	add, sub, mul *fn.Func
	k             int64
	negate        bool
}

// shiftOf recognises a sum of integers plus a constant whose addition can
// nowhere overflow: the type of x, before widening, proves it. The sums
// themselves are int8 of int4 values and stay in range for 2^31 rows, as in
// PostgreSQL.
func shiftOf(c *plan.AggCall) *shift {
	if c.Agg.Kind != fn.AggSum || c.Distinct || c.Typ.OID != types.Int8OID || len(c.Args) != 1 {
		return nil
	}
	call, ok := c.Args[0].(*plan.Call)
	if !ok || len(call.Args) != 2 || call.Fn.Name != "+" && call.Fn.Name != "-" {
		return nil
	}
	at := 0
	lit, ok := constantInt(call.Args[1])
	if !ok {
		at = 1
		if lit, ok = constantInt(call.Args[0]); !ok {
			return nil
		}
	}
	x := unwidened(call.Args[at])
	b, isInt := intBounds[x.Type().OID]
	to, toInt := intBounds[call.Typ.OID]
	if !isInt || !toInt || x.Type().OID == types.Int8OID || logical.Volatile(x) || logical.HasSub(x) {
		return nil
	}
	s := &shift{k: lit, sum: *c}
	switch {
	case call.Fn.Name == "-" && at == 0:
		s.k = -lit
	case call.Fn.Name == "-":
		s.negate, b = true, [2]int64{-b[1], -b[0]}
	}
	if s.k < -1<<31 || s.k > 1<<31 || b[0]+s.k < to[0] || b[1]+s.k > to[1] {
		return nil
	}
	s.sum.Args = []plan.Expr{x}
	if !s.resolve(x.Type()) {
		return nil
	}
	s.key = callKey(&s.sum)
	return s
}

func (s *shift) resolve(t types.Type) bool {
	var errors [5]error
	s.sum.Agg, _, errors[0] = fn.LookupAgg("sum", []types.Type{t})
	s.count, _, errors[1] = fn.LookupAgg("count", []types.Type{t})
	s.add, _, errors[2] = fn.LookupOp("+", types.Int8, types.Int8)
	s.sub, _, errors[3] = fn.LookupOp("-", types.Int8, types.Int8)
	s.mul, _, errors[4] = fn.LookupOp("*", types.Int8, types.Int8)
	for _, err := range errors {
		if err != nil {
			return false
		}
	}
	return s.sum.Agg.Ret == types.Int8OID
}

func constantInt(e plan.Expr) (int64, bool) {
	l, ok := e.(*plan.Lit)
	if !ok || l.Val.Null {
		return 0, false
	}
	_, isInt := intBounds[l.Typ.OID]
	return l.Val.I, isInt
}

// unwidened takes casts to larger integers off.
func unwidened(e plan.Expr) plan.Expr {
	for {
		c, ok := e.(*plan.Cast)
		if !ok {
			return e
		}
		from, isInt := intBounds[c.Arg.Type().OID]
		to, toInt := intBounds[c.Typ.OID]
		if !isInt || !toInt || from[1] > to[1] {
			return e
		}
		e = c.Arg
	}
}

// callKey is a text that equal calls share.
func callKey(c *plan.AggCall) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%v:%d.%d %t", c.Agg.Name, c.Agg.Args, c.Typ.OID, c.Typ.Mod, c.Distinct)
	for _, a := range c.Args {
		b.WriteString("," + logical.Key(a))
	}
	if c.Filter != nil {
		b.WriteString(" filter " + logical.Key(c.Filter))
	}
	for _, k := range c.Order {
		fmt.Fprintf(&b, " order %s %t %t", logical.Key(k.Expr), k.Desc, k.NullsFirst)
	}
	return b.String()
}

// computedKeys takes keys out of a grouping that the other keys decide: constants
// and immutable functions of plain columns. They are computed from the groups. A
// key that nobody reads stays if it is not plain: it might have to raise.
//
// Equal keys must be the same value for that: numeric 1.0 and 1.00, -0 and 0,
// intervals and padded strings group together but look different to functions.
func computedKeys(n *logical.Aggregate, need logical.Set) logical.Node {
	plain := logical.Set{}
	for i := range n.Keys {
		if c, ok := n.Keys[i].Expr.(*plan.Col); ok && identical(c.Typ) {
			plain[c.Index] = true
		}
	}
	at := map[int]plan.Expr{}
	var keys []logical.Item
	moved := make([]bool, len(n.Keys))
	for i, k := range n.Keys {
		if c, ok := k.Expr.(*plan.Col); ok {
			keys = append(keys, k)
			if at[c.Index] == nil {
				at[c.Index] = k.Col.Col()
			}
			continue
		}
		_, literal := k.Expr.(*plan.Lit)
		moved[i] = literal || need[k.Col.ID] && plain.Has(logical.Refs(k.Expr)) && immutable(k.Expr)
		if !moved[i] {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 && len(n.Keys) > 0 {
		// Without a key there would be a group of no rows.
		keys, moved[0] = n.Keys[:1], false
	}
	if len(keys) == len(n.Keys) {
		return n
	}
	c := *n
	c.Keys = keys
	var items []logical.Item
	for i, k := range n.Keys {
		e := plan.Expr(k.Col.Col())
		if moved[i] {
			e = substituted(k.Expr, at)
		}
		items = append(items, logical.Item{Col: k.Col, Expr: e})
	}
	for i := range n.Aggs {
		items = append(items, logical.Item{Col: n.Aggs[i].Col, Expr: n.Aggs[i].Col.Col()})
	}
	return &logical.Project{In: &c, Items: items}
}

// identical tells whether equal values of t are the same value.
func identical(t types.Type) bool {
	switch t.OID {
	case types.BoolOID, types.Int2OID, types.Int4OID, types.Int8OID, types.TextOID, types.VarcharOID,
		types.DateOID, types.TimestampOID, types.TimestamptzOID, types.UUIDOID, types.ByteaOID:
		return true
	}
	return false
}

func immutable(e plan.Expr) bool {
	ok := true
	logical.Walk(e, func(x plan.Expr) bool {
		switch x := x.(type) {
		case *plan.Call:
			ok = ok && x.Fn.Vol == fn.Immutable
		case *plan.Subquery, *logical.Sub:
			ok = false
		}
		return ok
	})
	return ok
}
