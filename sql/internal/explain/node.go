package explain

import (
	"fmt"
	"strings"

	"quern/engine/plan"
)

// description is what is printed of one node.
type description struct {
	kind     string // PostgreSQL's Node Type
	title    string
	notes    []string
	details  []string
	fields   map[string]any
	subplans []plan.Node
	subnames []string // InitPlan or SubPlan
}

func (d *description) add(key, text string) {
	if text == "" {
		return
	}
	d.details = append(d.details, key+": "+text)
	if d.fields == nil {
		d.fields = map[string]any{}
	}
	d.fields[key] = text
}

func (d *description) field(key string, v any) {
	if d.fields == nil {
		d.fields = map[string]any{}
	}
	d.fields[key] = v
}

var joinNames = map[plan.JoinKind]string{
	plan.Inner: "", plan.Left: " Left", plan.Right: " Right", plan.Full: " Full", plan.Semi: " Semi",
	plan.Anti: " Anti", plan.AntiNull: " Null-Aware Anti", plan.Mark: " Mark", plan.Single: " Single", plan.Cross: "",
}

// describe is one switch over all kinds of nodes.
func describe(n plan.Node, qualify bool) *description {
	d := &description{}
	t := texter{d: d, qualify: qualify}
	switch n := n.(type) {
	case *plan.Scan:
		d.kind, d.title = "Seq Scan", "Seq Scan on "+n.Table
		if n.Alias != "" && !strings.HasSuffix(n.Table, "."+n.Alias) {
			d.title += " " + n.Alias
			d.field("Alias", n.Alias)
		}
		d.field("Relation Name", n.Table)
		if len(n.Names) > 0 {
			d.notes = append(d.notes, "columns: "+strings.Join(n.Names, ", "))
		}
		t.names = n.Names
		if n.Filter != nil {
			d.add("Filter", t.expr(n.Filter))
		}
	case *plan.Virtual:
		d.kind, d.title = "Function Scan", "Virtual Scan on "+n.Name
		d.field("Relation Name", n.Name)
	case *plan.Values:
		d.kind, d.title = "Values Scan", "Values Scan"
		if len(n.Typs) == 0 || len(n.Rows) == 0 {
			d.kind, d.title = "Result", "Result"
		}
		if len(n.Rows) == 0 {
			d.add("One-Time Filter", "false")
		} else if len(n.Typs) > 0 {
			d.notes = append(d.notes, fmt.Sprintf("rows=%d", len(n.Rows)))
		}
		for _, r := range n.Rows {
			t.subs(r)
		}
	case *plan.Series:
		d.kind, d.title = "Function Scan", "Function Scan on "+n.Name
		d.field("Function Name", n.Name)
		t.subs(n.Args)
	case *plan.Recursive:
		d.kind, d.title = "Recursive Union", "Recursive Union"
	case *plan.Working:
		d.kind, d.title = "WorkTable Scan", "WorkTable Scan on "+n.Name
	case *plan.Window:
		window(d, &t, n)
	case *plan.DistinctOn:
		d.kind, d.title = "Unique", "Unique"
		t.names = names(n.In, t.qualify)
		d.add("Keys", t.list(n.Keys))
	case *plan.Expand:
		d.kind, d.title = "ProjectSet", "ProjectSet"
		t.names = names(n.In, t.qualify)
		if n.Sub == nil {
			d.add("Function", n.Name+"("+t.list(n.Args)+")")
			break
		}
		if d.kind, d.title = "Nested Loop", "Nested Loop"; n.Outer {
			d.title = "Nested Loop Left Join"
		}
		var given []string
		for i := range n.Args {
			given = append(given, fmt.Sprintf("$%d := %s", n.IDs[i], t.expr(n.Args[i])))
		}
		d.add("Parameters", strings.Join(given, ", "))
	case *plan.Filter:
		d.kind, d.title = "Result", "Filter"
		t.names = names(n.In, t.qualify)
		d.add("Filter", t.expr(n.Pred))
	case *plan.Project:
		d.kind, d.title = "Result", "Project"
		t.names = names(n.In, t.qualify)
		d.add("Output", t.list(n.Exprs))
	case *plan.Aggregate:
		aggregate(d, &t, n)
	case *plan.Join:
		join(d, &t, n)
	case *plan.Sort:
		d.kind, d.title = "Sort", "Sort"
		t.names = names(n.In, t.qualify)
		d.add("Sort Key", t.keys(n.Keys))
	case *plan.TopN:
		d.kind, d.title = "Limit", "Top-N"
		t.names = names(n.In, t.qualify)
		d.add("Sort Key", t.keys(n.Keys))
		limit(d, &t, n.Count, n.Offset)
		if n.Ties {
			d.notes = append(d.notes, "with ties")
		}
	case *plan.Limit:
		d.kind, d.title = "Limit", "Limit"
		limit(d, &t, n.Count, n.Offset)
	case *plan.Union:
		d.kind, d.title = "Append", "Append"
	case *plan.SetOp:
		d.kind, d.title = "SetOp", "HashSetOp Intersect"
		if n.Except {
			d.title = "HashSetOp Except"
		}
		if n.All {
			d.title += " All"
		}
	default:
		d.kind = fmt.Sprintf("%T", n)
		d.title = d.kind
	}
	return d
}

func aggregate(d *description, t *texter, n *plan.Aggregate) {
	d.kind, d.title = "Aggregate", "Aggregate"
	if len(n.Keys) > 0 {
		d.title = "HashAggregate"
		d.field("Strategy", "Hashed")
	}
	t.names = names(n.In, t.qualify)
	d.add("Group Key", t.list(n.Keys))
	var aggs []string
	for i := range n.Aggs {
		aggs = append(aggs, t.agg(&n.Aggs[i]))
	}
	d.add("Aggregates", strings.Join(aggs, ", "))
}

func join(d *description, t *texter, n *plan.Join) {
	how := "Nested Loop"
	if len(n.LeftKeys) > 0 {
		how = "Hash"
	}
	kind := joinNames[n.Kind]
	d.kind, d.title = how, how+kind
	if how == "Hash" || kind != "" {
		d.title += " Join"
	}
	if how == "Hash" {
		d.kind = "Hash Join"
	}
	d.field("Join Type", strings.TrimSpace(kind+" Join"))
	l, r := names(n.Left, t.qualify), names(n.Right, t.qualify)
	var conds []string
	for i := range n.LeftKeys {
		t.names = l
		a := t.expr(n.LeftKeys[i])
		t.names = r
		conds = append(conds, "("+a+" = "+t.expr(n.RightKeys[i])+")")
	}
	d.add("Hash Cond", strings.Join(conds, " AND "))
	t.names = append(append([]string(nil), l...), r...)
	if n.Residual != nil {
		d.add("Join Filter", t.expr(n.Residual))
	}
}

func limit(d *description, t *texter, count, offset plan.Expr) {
	if count != nil {
		d.notes = append(d.notes, "rows="+t.expr(count))
	}
	if offset != nil {
		d.notes = append(d.notes, "offset="+t.expr(offset))
	}
}

// names are the output columns of a node as expressions above call them: with
// their relation if qualify is set. One switch over all kinds of nodes.
func names(n plan.Node, qualify bool) []string {
	switch n := n.(type) {
	case *plan.Scan:
		return prefixed(n.Names, n.Alias, qualify)
	case *plan.Virtual:
		if n.Names != nil {
			return n.Names
		}
	case *plan.Project:
		t := texter{qualify: qualify, names: names(n.In, qualify), d: &description{}}
		out := make([]string, len(n.Exprs))
		for i, e := range n.Exprs {
			if i < len(n.Names) && n.Names[i] != "" && n.Names[i] != "?column?" {
				out[i] = n.Names[i]
			} else {
				out[i] = t.expr(e)
			}
		}
		return out
	case *plan.Aggregate:
		t := texter{qualify: qualify, names: names(n.In, qualify), d: &description{}}
		var out []string
		for _, e := range n.Keys {
			out = append(out, t.expr(e))
		}
		for i := range n.Aggs {
			out = append(out, t.agg(&n.Aggs[i]))
		}
		return out
	case *plan.Join:
		l := names(n.Left, qualify)
		switch n.Kind {
		case plan.Semi, plan.Anti, plan.AntiNull:
			return l
		case plan.Mark:
			return append(l[:len(l):len(l)], "mark")
		}
		return append(l[:len(l):len(l)], names(n.Right, qualify)...)
	case *plan.Window:
		t := texter{qualify: qualify, names: names(n.In, qualify), d: &description{}}
		out := t.names[:len(t.names):len(t.names)]
		for i := range n.Calls {
			out = append(out, t.window(&n.Calls[i]))
		}
		return out
	case *plan.Expand:
		in := names(n.In, qualify)
		out := in[:len(in):len(in)]
		for range n.Typs {
			out = append(out, n.Name)
		}
		return out
	case *plan.DistinctOn, *plan.Filter, *plan.Sort, *plan.TopN, *plan.Limit, *plan.Union, *plan.Recursive, *plan.SetOp:
		return names(n.Inputs()[0], qualify)
	}
	out := make([]string, len(n.Types()))
	for i := range out {
		out[i] = fmt.Sprintf("column%d", i+1)
	}
	return out
}

func prefixed(names []string, alias string, qualify bool) []string {
	if !qualify || alias == "" {
		return names
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = alias + "." + n
	}
	return out
}

// relations counts the stored tables of a plan: with several, columns are
// printed with their table.
func relations(n plan.Node) int {
	k := 0
	if _, ok := n.(*plan.Scan); ok {
		k = 1
	}
	for _, in := range n.Inputs() {
		k += relations(in)
	}
	return k
}
