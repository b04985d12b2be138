// Package lineage decides what a copy of masked columns shows (GOVERNANCE.md §6):
// when a role that sees raw values writes them to a table, the masks go along.
//
//	bound plan ─ Of ─► per result column: the masked columns its values come from
//	                   │
//	                   ├─ Carry   a new table: masks and UNMASK grants of its columns
//	                   └─ Check   an existing table: 42501 where its masks are weaker
//
// A column that passes through unchanged (identity) takes its source's policy; one
// that is computed from masked columns is tainted: NULL for all without UNMASK
// (catalog.MaskGuard). Counts are clean, sums and averages too. What this package
// does not know is tainted, never open. Columns that the writing role sees masked
// carry nothing: their copies hold what it saw.
//
// It looks at plans as they were bound, before any rule, when every column still
// has the number under which its scan made it.
package lineage

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
)

// Column is a stored column with a masking policy.
type Column struct{ Table, Col uint32 }

// Source is where the values of a result column come from: the masked columns
// among its origins, and whether they were computed with.
type Source struct {
	Cols    []Column
	Derived bool
}

func (s *Source) add(o Source) {
	for _, c := range o.Cols {
		if !slices.Contains(s.Cols, c) {
			s.Cols = append(s.Cols, c)
		}
	}
	s.Derived = s.Derived || o.Derived && len(o.Cols) > 0
}

// Feeds are the sources of the columns of relations that are computed before a
// statement (data-modifying WITH queries), by their names in plans.
type Feeds map[string][]Source

// Of is the lineage of the columns out of a bound plan.
func Of(cat *catalog.Snapshot, root logical.Node, out []logical.Column, feeds Feeds) []Source {
	t := &tracer{cat: cat, cols: map[int]Source{}, feeds: feeds}
	t.node(root)
	list := make([]Source, len(out))
	for i, c := range out {
		list[i] = t.cols[c.ID]
	}
	return list
}

// tracer holds the sources of every column of the statement that has any.
type tracer struct {
	cat   *catalog.Snapshot
	cols  map[int]Source
	feeds Feeds
}

// Returned is the lineage of RETURNING of an INSERT: expressions over the columns
// of its table.
func Returned(view *catalog.Table, list []plan.Expr) []Source {
	t := &tracer{cols: map[int]Source{}}
	for i := range view.Columns {
		if col := &view.Columns[i]; col.Masking != 0 {
			t.set(i, Source{Cols: []Column{{view.ID, col.ID}}})
		}
	}
	out := make([]Source, len(list))
	for i, e := range list {
		out[i] = t.expr(e)
	}
	return out
}

func (t *tracer) set(id int, s Source) {
	if len(s.Cols) > 0 {
		t.cols[id] = s
	}
}

// node traces n's inputs, the subqueries of its expressions and its columns.
// (One case per operator; longer than usual.)
func (t *tracer) node(n logical.Node) {
	if r, ok := n.(*logical.Recursive); ok {
		t.recursive(r)
		return
	}
	for _, in := range n.Inputs() {
		t.node(in)
	}
	for _, e := range n.Exprs() {
		t.subqueries(e)
	}
	switch n := n.(type) {
	case *logical.Scan:
		t.scan(n)
	case *logical.Project:
		t.items(n.Items)
	case *logical.Values:
		for _, row := range n.Rows {
			for i, e := range row {
				if i < len(n.Cols) {
					s := t.cols[n.Cols[i].ID]
					s.add(t.expr(e))
					t.set(n.Cols[i].ID, s)
				}
			}
		}
	case *logical.Aggregate:
		t.items(n.Keys)
		for i := range n.Aggs {
			c := &n.Aggs[i].Call
			if !clean(c.Agg.Name) {
				t.set(n.Aggs[i].Col.ID, t.derived(append(slices.Clone(c.Args), keys(c.Order)...)...))
			}
		}
	case *logical.Window:
		over := append(slices.Clone(n.Partition), keys(n.Order)...)
		for i := range n.Calls {
			c := &n.Calls[i]
			if c.Call.Agg == nil || !clean(c.Call.Agg.Name) {
				t.set(c.Col.ID, t.derived(append(slices.Clone(over), c.Call.Exprs()...)...))
			}
		}
	case *logical.Union:
		for i, c := range n.Cols {
			s := Source{}
			for k := range n.Ins {
				s.add(t.cols[n.Maps[k][i]])
			}
			t.set(c.ID, s)
		}
	case *logical.SetOp:
		for i, c := range n.Cols {
			s := t.cols[n.LMap[i]]
			if !n.Except {
				s.add(t.cols[n.RMap[i]])
			}
			t.set(c.ID, s)
		}
	case *logical.Series:
		t.series(n)
	case *logical.Expand:
		t.series(n.Func)
	case *logical.Join:
		if n.Kind == plan.Mark {
			t.set(n.MarkCol.ID, t.derived(n.On...))
		}
	case *logical.Virtual:
		for i, s := range t.feeds[n.Name] {
			t.set(n.Cols[i].ID, s)
		}
	case *logical.Filter, *logical.Sort, *logical.Limit, *logical.DistinctOn, *logical.Working:
	default:
		t.unknown(n)
	}
}

func (t *tracer) scan(n *logical.Scan) {
	tab := t.cat.Table(n.View().Table())
	if tab == nil {
		return
	}
	for i, id := range n.ColIDs {
		if col := tab.ColumnByID(id); col != nil && col.Masking != 0 && n.View().Mask(id) == nil {
			t.set(n.Cols[i].ID, Source{Cols: []Column{{tab.ID, id}}})
		}
	}
}

func (t *tracer) items(items []logical.Item) {
	for i := range items {
		t.set(items[i].Col.ID, t.expr(items[i].Expr))
	}
}

func (t *tracer) series(n *logical.Series) {
	s := t.derived(n.Args...)
	for _, c := range n.Cols {
		t.set(c.ID, s)
	}
}

// recursive goes round until the working table's columns have all their sources.
func (t *tracer) recursive(n *logical.Recursive) {
	t.node(n.Base)
	for range 1 + len(n.Cols) {
		for i, c := range n.Cols {
			s := t.cols[c.ID]
			s.add(t.cols[n.BaseMap[i]])
			s.add(t.cols[n.StepMap[i]])
			t.set(c.ID, s)
		}
		t.working(n, n.Step)
		t.node(n.Step)
	}
	for i, c := range n.Cols {
		s := t.cols[c.ID]
		s.add(t.cols[n.StepMap[i]])
		t.set(c.ID, s)
	}
}

// working gives the references to the working table below in the sources of the
// recursive query's columns.
func (t *tracer) working(n *logical.Recursive, in logical.Node) {
	if w, ok := in.(*logical.Working); ok && w.ID == n.ID {
		for i := range w.Cols {
			t.set(w.Cols[i].ID, t.cols[n.Cols[i].ID])
		}
	}
	for _, x := range in.Inputs() {
		t.working(n, x)
	}
}

// unknown taints all columns of an operator by all masked columns below it.
func (t *tracer) unknown(n logical.Node) {
	s := Source{Derived: true}
	for _, in := range n.Inputs() {
		for _, c := range in.Out() {
			s.add(t.cols[c.ID])
		}
	}
	for _, c := range n.Out() {
		t.set(c.ID, s)
	}
}

func (t *tracer) subqueries(e plan.Expr) {
	logical.Walk(e, func(x plan.Expr) bool {
		if sub, ok := x.(*logical.Sub); ok {
			t.node(sub.Node)
			if sub.Cond != nil {
				t.subqueries(sub.Cond)
			}
			return false
		}
		return true
	})
}

// expr is the lineage of an expression.
func (t *tracer) expr(e plan.Expr) Source {
	switch e := e.(type) {
	case nil:
		return Source{}
	case *plan.Col:
		return t.cols[e.Index]
	case *logical.Sub:
		if out := e.Node.Out(); e.Kind == logical.SubScalar && len(out) == 1 {
			return t.cols[out[0].ID]
		}
	}
	return t.derived(e)
}

// derived is the lineage of what is computed with expressions.
func (t *tracer) derived(es ...plan.Expr) Source {
	s := Source{}
	for _, e := range es {
		if e == nil {
			continue
		}
		logical.Walk(e, func(x plan.Expr) bool {
			switch x := x.(type) {
			case *plan.Col:
				s.add(t.cols[x.Index])
			case *logical.Sub:
				t.sub(x, &s)
			}
			return true
		})
	}
	s.Derived = true
	return s
}

// sub adds what the value of a subquery tells of: a scalar's column, or, for
// EXISTS and ANY, every column that it refers to.
func (t *tracer) sub(x *logical.Sub, s *Source) {
	if x.Kind == logical.SubScalar {
		for _, c := range x.Node.Out() {
			s.add(t.cols[c.ID])
		}
		return
	}
	if x.Cond != nil {
		s.add(t.derived(x.Cond))
	}
	t.referred(x.Node, s)
}

func (t *tracer) referred(n logical.Node, s *Source) {
	for id := range logical.Refs(n.Exprs()...) {
		s.add(t.cols[id])
	}
	for _, in := range n.Inputs() {
		t.referred(in, s)
	}
}

// clean are the aggregates whose value tells of no single row.
func clean(name string) bool {
	switch name {
	case "count", "approx_count_distinct", "sum", "avg", "stddev", "stddev_samp", "stddev_pop",
		"variance", "var_samp", "var_pop":
		return true
	}
	return false
}

func keys(ks []plan.SortKey) []plan.Expr {
	out := make([]plan.Expr, len(ks))
	for i := range ks {
		out[i] = ks[i].Expr
	}
	return out
}
