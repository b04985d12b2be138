package logical

import "quern/engine/plan"

// Out implementations.

func (n *Scan) Out() []Column    { return n.Cols }
func (n *Virtual) Out() []Column { return n.Cols }
func (n *Series) Out() []Column  { return n.Cols }
func (n *Values) Out() []Column  { return n.Cols }
func (n *Filter) Out() []Column  { return n.In.Out() }
func (n *Sort) Out() []Column    { return n.In.Out() }
func (n *Limit) Out() []Column   { return n.In.Out() }
func (n *Union) Out() []Column   { return n.Cols }
func (n *SetOp) Out() []Column   { return n.Cols }

func (n *Expand) Out() []Column {
	in := n.In.Out()
	return append(in[:len(in):len(in)], n.Func.Cols...)
}

func (n *Project) Out() []Column {
	out := make([]Column, len(n.Items))
	for i := range n.Items {
		out[i] = n.Items[i].Col
	}
	return out
}

func (n *Aggregate) Out() []Column {
	out := make([]Column, 0, len(n.Keys)+len(n.Aggs))
	for i := range n.Keys {
		out = append(out, n.Keys[i].Col)
	}
	for i := range n.Aggs {
		out = append(out, n.Aggs[i].Col)
	}
	return out
}

func (n *Join) Out() []Column { return n.appendOut(make([]Column, 0, n.width())) }

// width is how many columns Out has.
func (n *Join) width() int {
	w := 0
	for _, in := range [...]Node{n.L, n.R} {
		if j, ok := in.(*Join); ok {
			w += j.width()
		} else {
			w += len(in.Out())
		}
	}
	return w + 1
}

// appendOut appends Out to dst. A tree of joins is walked once: as slices of
// slices, 64 joins in a row would be copied 64 times.
func (n *Join) appendOut(dst []Column) []Column {
	first := len(dst)
	dst = appendCols(dst, n.L)
	second := len(dst)
	switch n.Kind {
	case plan.Semi, plan.Anti, plan.AntiNull:
		return dst
	case plan.Mark:
		return append(dst, n.MarkCol)
	}
	dst = appendCols(dst, n.R)
	for i := first; i < len(dst); i++ {
		lost := i < second && (n.Kind == plan.Right || n.Kind == plan.Full) ||
			i >= second && (n.Kind == plan.Left || n.Kind == plan.Full || n.Kind == plan.Single)
		if lost {
			dst[i].NotNull = false
		}
	}
	return dst
}

func appendCols(dst []Column, n Node) []Column {
	if j, ok := n.(*Join); ok {
		return j.appendOut(dst)
	}
	return append(dst, n.Out()...)
}

// Inputs implementations.

func (n *Scan) Inputs() []Node      { return nil }
func (n *Virtual) Inputs() []Node   { return nil }
func (n *Series) Inputs() []Node    { return nil }
func (n *Values) Inputs() []Node    { return nil }
func (n *Project) Inputs() []Node   { return []Node{n.In} }
func (n *Expand) Inputs() []Node    { return []Node{n.In} }
func (n *Filter) Inputs() []Node    { return []Node{n.In} }
func (n *Join) Inputs() []Node      { return []Node{n.L, n.R} }
func (n *Aggregate) Inputs() []Node { return []Node{n.In} }
func (n *Sort) Inputs() []Node      { return []Node{n.In} }
func (n *Limit) Inputs() []Node     { return []Node{n.In} }
func (n *Union) Inputs() []Node     { return n.Ins }
func (n *SetOp) Inputs() []Node     { return []Node{n.L, n.R} }

// WithInputs implementations.

func (n *Scan) WithInputs([]Node) Node       { return n }
func (n *Virtual) WithInputs([]Node) Node    { return n }
func (n *Series) WithInputs([]Node) Node     { return n }
func (n *Values) WithInputs([]Node) Node     { return n }
func (n *Project) WithInputs(in []Node) Node { c := *n; c.In = in[0]; return &c }
func (n *Filter) WithInputs(in []Node) Node  { c := *n; c.In = in[0]; return &c }
func (n *Expand) WithInputs(in []Node) Node  { c := *n; c.In = in[0]; return &c }
func (n *Join) WithInputs(in []Node) Node    { c := *n; c.L, c.R = in[0], in[1]; return &c }
func (n *Aggregate) WithInputs(in []Node) Node {
	c := *n
	c.In = in[0]
	return &c
}
func (n *Sort) WithInputs(in []Node) Node  { c := *n; c.In = in[0]; return &c }
func (n *Limit) WithInputs(in []Node) Node { c := *n; c.In = in[0]; return &c }
func (n *Union) WithInputs(in []Node) Node { c := *n; c.Ins = in; return &c }
func (n *SetOp) WithInputs(in []Node) Node { c := *n; c.L, c.R = in[0], in[1]; return &c }

// Exprs and WithExprs implementations.

func (n *Scan) Exprs() []plan.Expr    { return n.Filter }
func (n *Virtual) Exprs() []plan.Expr { return nil }
func (n *Series) Exprs() []plan.Expr  { return n.Args }
func (n *Expand) Exprs() []plan.Expr  { return n.Func.Args }
func (n *Union) Exprs() []plan.Expr   { return nil }
func (n *SetOp) Exprs() []plan.Expr   { return nil }
func (n *Filter) Exprs() []plan.Expr  { return n.Preds }
func (n *Join) Exprs() []plan.Expr    { return n.On }
func (n *Values) Exprs() []plan.Expr {
	var out []plan.Expr
	for _, r := range n.Rows {
		out = append(out, r...)
	}
	return out
}
func (n *Project) Exprs() []plan.Expr { return itemExprs(n.Items) }
func (n *Aggregate) Exprs() []plan.Expr {
	out := itemExprs(n.Keys)
	for i := range n.Aggs {
		c := &n.Aggs[i].Call
		out = append(out, c.Args...)
		if c.Filter != nil {
			out = append(out, c.Filter)
		}
		out = append(out, keyExprs(c.Order)...)
	}
	return out
}
func (n *Sort) Exprs() []plan.Expr { return keyExprs(n.Keys) }
func (n *Limit) Exprs() []plan.Expr {
	var out []plan.Expr
	if n.Count != nil {
		out = append(out, n.Count)
	}
	if n.Offset != nil {
		out = append(out, n.Offset)
	}
	return out
}

func (n *Scan) WithExprs(es []plan.Expr) Node   { c := *n; c.Filter = es; return &c }
func (n *Virtual) WithExprs(_ []plan.Expr) Node { return n }
func (n *Series) WithExprs(es []plan.Expr) Node { c := *n; c.Args = es; return &c }
func (n *Expand) WithExprs(es []plan.Expr) Node {
	c := *n
	f := *n.Func
	f.Args = es
	c.Func = &f
	return &c
}
func (n *Union) WithExprs(_ []plan.Expr) Node   { return n }
func (n *SetOp) WithExprs(_ []plan.Expr) Node   { return n }
func (n *Filter) WithExprs(es []plan.Expr) Node { c := *n; c.Preds = es; return &c }
func (n *Join) WithExprs(es []plan.Expr) Node   { c := *n; c.On = es; return &c }
func (n *Project) WithExprs(es []plan.Expr) Node {
	c := *n
	c.Items = withItems(n.Items, es)
	return &c
}
func (n *Sort) WithExprs(es []plan.Expr) Node { c := *n; c.Keys = withKeys(n.Keys, es); return &c }
func (n *Values) WithExprs(es []plan.Expr) Node {
	c := *n
	c.Rows = make([][]plan.Expr, len(n.Rows))
	for i, r := range n.Rows {
		c.Rows[i], es = es[:len(r):len(r)], es[len(r):]
	}
	return &c
}

func (n *Aggregate) WithExprs(es []plan.Expr) Node {
	c := *n
	c.Keys = withItems(n.Keys, es[:len(n.Keys)])
	es = es[len(n.Keys):]
	c.Aggs = append([]AggItem(nil), n.Aggs...)
	for i := range c.Aggs {
		a := &c.Aggs[i].Call
		k := len(a.Args)
		a.Args, es = es[:k:k], es[k:]
		if a.Filter != nil {
			a.Filter, es = es[0], es[1:]
		}
		k = len(a.Order)
		a.Order, es = withKeys(a.Order, es[:k]), es[k:]
	}
	return &c
}

func (n *Limit) WithExprs(es []plan.Expr) Node {
	c := *n
	if c.Count != nil {
		c.Count, es = es[0], es[1:]
	}
	if c.Offset != nil {
		c.Offset = es[0]
	}
	return &c
}

func itemExprs(items []Item) []plan.Expr {
	out := make([]plan.Expr, len(items))
	for i := range items {
		out[i] = items[i].Expr
	}
	return out
}

func withItems(items []Item, es []plan.Expr) []Item {
	out := append([]Item(nil), items...)
	for i := range out {
		out[i].Expr = es[i]
	}
	return out
}

func keyExprs(keys []plan.SortKey) []plan.Expr {
	out := make([]plan.Expr, len(keys))
	for i := range keys {
		out[i] = keys[i].Expr
	}
	return out
}

func withKeys(keys []plan.SortKey, es []plan.Expr) []plan.SortKey {
	out := append([]plan.SortKey(nil), keys...)
	for i := range out {
		out[i].Expr = es[i]
	}
	return out
}

func (n *DistinctOn) Out() []Column                 { return n.In.Out() }
func (n *DistinctOn) Inputs() []Node                { return []Node{n.In} }
func (n *DistinctOn) WithInputs(in []Node) Node     { c := *n; c.In = in[0]; return &c }
func (n *DistinctOn) Exprs() []plan.Expr            { return n.Keys }
func (n *DistinctOn) WithExprs(es []plan.Expr) Node { c := *n; c.Keys = es; return &c }
