package logical

import "quern/engine/plan"

// WinItem is one window function; its expressions are over the input.
type WinItem struct {
	Col  Column
	Call plan.WindowCall
}

// Window adds Calls to its input's columns: functions over the rows with equal
// Partition, in Order.
type Window struct {
	In        Node
	Partition []plan.Expr
	Order     []plan.SortKey
	Calls     []WinItem
}

// Out implements Node.
func (n *Window) Out() []Column {
	in := n.In.Out()
	out := in[:len(in):len(in)]
	for i := range n.Calls {
		out = append(out, n.Calls[i].Col)
	}
	return out
}

// Inputs implements Node.
func (n *Window) Inputs() []Node { return []Node{n.In} }

// WithInputs implements Node.
func (n *Window) WithInputs(in []Node) Node { c := *n; c.In = in[0]; return &c }

// Exprs implements Node.
func (n *Window) Exprs() []plan.Expr {
	out := append([]plan.Expr(nil), n.Partition...)
	out = append(out, keyExprs(n.Order)...)
	for i := range n.Calls {
		out = append(out, n.Calls[i].Call.Exprs()...)
	}
	return out
}

// WithExprs implements Node.
func (n *Window) WithExprs(es []plan.Expr) Node {
	c := *n
	k := len(n.Partition)
	c.Partition, es = es[:k:k], es[k:]
	k = len(n.Order)
	c.Order, es = withKeys(n.Order, es[:k]), es[k:]
	c.Calls = append([]WinItem(nil), n.Calls...)
	for i := range c.Calls {
		k = len(c.Calls[i].Call.Exprs())
		c.Calls[i].Call, es = c.Calls[i].Call.WithExprs(es[:k]), es[k:]
	}
	return &c
}
