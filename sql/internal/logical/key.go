package logical

import (
	"fmt"
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
)

// Key is a text that equal expressions share and different ones do not;
// volatile calls and subqueries with some are equal only to themselves.
func Key(e plan.Expr) string {
	var w keyWriter
	w.expr(e)
	return w.b.String()
}

// keyWriter writes keys. inner numbers the columns that subqueries' plans produce
// in order of appearance: two bindings of one text have different numbers.
type keyWriter struct {
	b     strings.Builder
	inner map[int]int
}

func (w *keyWriter) col(id int) {
	if n, ok := w.inner[id]; ok {
		fmt.Fprintf(&w.b, "i%d", n)
		return
	}
	fmt.Fprintf(&w.b, "#%d", id)
}

func (w *keyWriter) cols(ids []int) {
	for _, id := range ids {
		w.col(id)
		w.b.WriteByte(' ')
	}
}

func (w *keyWriter) number(id int) {
	if w.inner == nil {
		w.inner = map[int]int{}
	}
	if _, ok := w.inner[id]; !ok {
		w.inner[id] = len(w.inner)
	}
}

// node writes a plan: inputs, what the operator has besides expressions, its
// expressions. One switch over all kinds.
func (w *keyWriter) node(n Node) {
	b := &w.b
	if x, ok := n.(*Recursive); ok {
		w.number(x.ID)
	}
	b.WriteByte('{')
	for _, in := range n.Inputs() {
		w.node(in)
	}
	fmt.Fprintf(b, "%T ", n)
	switch x := n.(type) {
	case *Scan:
		fmt.Fprintf(b, "%q %v %p", x.Table, x.ColIDs, x.view.Filter())
		for _, id := range x.ColIDs {
			if m := x.view.Mask(id); m != nil {
				fmt.Fprintf(b, " %d:%p", id, m) // seen through another view it may not be masked
			}
		}
	case *Virtual:
		fmt.Fprintf(b, "%q %v", x.Name, x.At)
	case *Series:
		w.series(x)
	case *Expand:
		fmt.Fprintf(b, "%t", x.Outer)
		w.series(x.Func)
	case *Values:
		fmt.Fprintf(b, "%d", len(x.Rows))
	case *Project:
		fmt.Fprintf(b, "%t", x.Barrier)
	case *Join:
		fmt.Fprintf(b, "%d %t", x.Kind, x.Lateral)
	case *Aggregate:
		fmt.Fprintf(b, "%d", len(x.Keys))
		for i := range x.Aggs {
			w.agg(&x.Aggs[i].Call)
		}
	case *Sort:
		w.sort(x.Keys)
	case *Limit:
		fmt.Fprintf(b, "%t %t %t", x.Count != nil, x.Offset != nil, x.Ties)
	case *Union:
		for _, m := range x.Maps {
			w.cols(m)
		}
	case *SetOp:
		fmt.Fprintf(b, "%t %t ", x.Except, x.All)
		w.cols(x.LMap)
		w.cols(x.RMap)
	case *Recursive:
		fmt.Fprintf(b, "%t ", x.All)
		w.cols(append([]int{x.ID}, x.BaseMap...))
		w.cols(x.StepMap)
	case *Working:
		w.col(x.ID)
	case *Window:
		fmt.Fprintf(b, "%d", len(x.Partition))
		w.sort(x.Order)
		for i := range x.Calls {
			c := &x.Calls[i].Call
			f := &c.Frame
			fmt.Fprintf(b, " %d %s %d %d %d %d", c.Func, c.Name, f.Mode, f.Start.Kind, f.End.Kind, f.Exclude)
			if c.Func == plan.WinAggregate {
				w.agg(&c.AggCall)
			}
		}
	case *Filter, *DistinctOn:
	default:
		fmt.Fprintf(b, "%p", n)
	}
	for _, e := range n.Exprs() {
		b.WriteByte(';')
		w.expr(e)
	}
	for _, c := range n.Out() {
		w.number(c.ID)
	}
	b.WriteByte('}')
}

func (w *keyWriter) series(s *Series) {
	fmt.Fprintf(&w.b, "%q", s.Name)
	for _, c := range s.Cols {
		fmt.Fprintf(&w.b, " %q %d", c.Name, c.Type.OID)
	}
	if s.Sub != nil {
		w.node(s.Sub)
	}
}

func (w *keyWriter) agg(c *plan.AggCall) {
	fmt.Fprintf(&w.b, " %s %v %t %t %d %d", c.Agg.Name, c.Agg.Args, c.Distinct, c.Filter != nil, len(c.Args), c.Typ.OID)
	w.sort(c.Order)
}

func (w *keyWriter) sort(keys []plan.SortKey) {
	for _, k := range keys {
		fmt.Fprintf(&w.b, " %t%t", k.Desc, k.NullsFirst)
	}
}

// expr is one switch over all expressions; it exceeds the usual length.
func (w *keyWriter) expr(e plan.Expr) {
	b := &w.b
	switch e := e.(type) {
	case *plan.Col:
		w.col(e.Index)
	case *plan.Lit:
		fmt.Fprintf(b, "L%d.%d:", e.Typ.OID, e.Typ.Mod)
		writeDatum(b, e.Typ, &e.Val)
	case *plan.Param:
		fmt.Fprintf(b, "$%d:%d", e.Index, e.Typ.OID)
	case *plan.Outer:
		fmt.Fprintf(b, "O%d", e.ID)
	case *plan.Call:
		if e.Fn.Vol == fn.Volatile {
			fmt.Fprintf(b, "V%p", e)
			return
		}
		if e.Fn.NotStrict && len(e.Fn.Args) == 2 && e.Fn.Args[0] != e.Fn.Args[1] {
			// op ANY (array) and op ALL (array) differ in nothing else.
			fmt.Fprintf(b, "A%p", e.Fn)
		}
		fmt.Fprintf(b, "F%s%v%d:%d.%d", e.Fn.Name, e.Fn.Args, e.Fn.Ret, e.Typ.OID, e.Typ.Mod)
	case *plan.Cast:
		fmt.Fprintf(b, "C%d.%d.%d", e.Typ.OID, e.Typ.Mod, e.Ctx)
	case *plan.And:
		b.WriteString("and")
	case *plan.Or:
		b.WriteString("or")
	case *plan.Not:
		b.WriteString("not")
	case *plan.IsNull:
		fmt.Fprintf(b, "isnull%t", e.Not)
	case *plan.IsBool:
		fmt.Fprintf(b, "is%t%t", e.Val, e.Not)
	case *plan.Distinct:
		fmt.Fprintf(b, "dist%t", e.Not)
	case *plan.Case:
		fmt.Fprintf(b, "case%t:%d", e.Else != nil, e.Typ.OID)
	case *plan.Coalesce:
		fmt.Fprintf(b, "coal%d", e.Typ.OID)
	case *plan.In:
		fmt.Fprintf(b, "in%t", e.Not)
	case *plan.Like:
		fmt.Fprintf(b, "like%t%t%d", e.Fold, e.Not, e.Escape)
	case *Sub:
		if Volatile(e) {
			fmt.Fprintf(b, "P%p", e)
			return
		}
		fmt.Fprintf(b, "sub%d.%t", e.Kind, e.Applied)
		w.node(e.Node)
	default:
		fmt.Fprintf(b, "P%p", e)
		return
	}
	ch := Children(e)
	if len(ch) == 0 {
		return
	}
	b.WriteByte('(')
	for i, c := range ch {
		if i > 0 {
			b.WriteByte(',')
		}
		w.expr(c)
	}
	b.WriteByte(')')
}

func writeDatum(b *strings.Builder, t types.Type, d *types.Datum) {
	if d.Null {
		b.WriteString("null")
		return
	}
	switch t.Phys() {
	case types.PhysF32, types.PhysF64:
		fmt.Fprintf(b, "%x", d.F)
	case types.PhysNum:
		fmt.Fprintf(b, "%x.%x.%d.%d", d.N.Hi, d.N.Lo, d.N.Scale, d.N.Kind)
	case types.PhysInterval:
		fmt.Fprintf(b, "%d.%d.%d", d.Iv.Micros, d.Iv.Days, d.Iv.Months)
	case types.PhysUUID:
		fmt.Fprintf(b, "%x", d.U)
	case types.PhysBytes:
		fmt.Fprintf(b, "%q", d.S)
	default:
		fmt.Fprintf(b, "%d", d.I)
	}
}

// AggKey is equal for equal aggregates, "" for one that must not be shared.
func AggKey(c *plan.AggCall) string {
	var sb strings.Builder
	sb.WriteString(c.Agg.Name)
	for _, o := range c.Agg.Args {
		sb.WriteString(fmt.Sprintf(",%d", o))
	}
	if c.Distinct {
		sb.WriteString(" distinct")
	}
	for _, a := range c.Args {
		if Volatile(a) {
			return ""
		}
		sb.WriteString(" " + Key(a))
	}
	if c.Filter != nil {
		sb.WriteString(" filter " + Key(c.Filter))
	}
	for _, k := range c.Order {
		sb.WriteString(" order " + Key(k.Expr))
		if k.Desc {
			sb.WriteString(" desc")
		}
		if k.NullsFirst {
			sb.WriteString(" nf")
		}
	}
	return sb.String()
}

// Contains tells whether an expression equal to x is in es.
func Contains(es []plan.Expr, x plan.Expr) bool {
	k := Key(x)
	for _, e := range es {
		if Key(e) == k {
			return true
		}
	}
	return false
}
