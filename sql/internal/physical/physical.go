// Package physical turns an optimized logical plan into what the engine runs:
// column numbers become positions, equalities of joins become hash keys, Sort
// under Limit becomes TopN, subqueries that refer to nothing outside become
// plan.Subquery.
//
// It decides nothing about meaning; what it cannot translate (a correlation
// that optimize left) is refused with 0A000.
package physical

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// layout is where columns lie in a node's output.
type layout map[int]int

// builder translates one plan.
type builder struct {
	// from remembers what a node was made of; nil if nobody asks.
	from map[plan.Node]logical.Node
}

// Build translates n so that its output columns are out, in order. From, if not
// nil, is filled with the logical node of each node, for EXPLAIN's estimates.
func Build(n logical.Node, out []logical.Column, from map[plan.Node]logical.Node) (plan.Node, error) {
	return (&builder{from: from}).whole(n, out)
}

// whole is Build inside a plan.
func (bd *builder) whole(n logical.Node, out []logical.Column) (plan.Node, error) {
	p, lay, err := bd.build(n)
	if err != nil {
		return nil, err
	}
	root, err := arrange(p, lay, out)
	bd.note(root, n)
	return root, err
}

func (bd *builder) note(p plan.Node, n logical.Node) {
	if bd.from != nil && p != nil {
		bd.from[p] = n
	}
}

// arrange puts columns into the wanted order, with their names.
func arrange(p plan.Node, lay layout, out []logical.Column) (plan.Node, error) {
	have := p.Types()
	if pr, ok := p.(*plan.Project); ok && len(have) == len(out) {
		same := true
		for i, c := range out {
			same = same && lay[c.ID] == i && inLayout(lay, c.ID)
		}
		if same {
			c := *pr
			c.Names = names(out)
			return &c, nil
		}
	}
	same := len(have) == len(out)
	proj := &plan.Project{In: p, Names: names(out)}
	for i, c := range out {
		at, ok := lay[c.ID]
		if !ok {
			return nil, missing(c.ID)
		}
		same = same && at == i
		proj.Exprs = append(proj.Exprs, &plan.Col{Index: at, Typ: have[at]})
	}
	if same {
		return p, nil
	}
	return proj, nil
}

func inLayout(lay layout, id int) bool { _, ok := lay[id]; return ok }

func names(cols []logical.Column) []string {
	out := make([]string, len(cols))
	for i := range cols {
		out[i] = cols[i].Name
	}
	return out
}

// ordered lists a layout's columns by position.
func ordered(lay layout, n int) []logical.Column {
	out := make([]logical.Column, n)
	for id, at := range lay {
		out[at].ID = id
	}
	return out
}

func layoutOf(cols []logical.Column) layout {
	lay := layout{}
	for i, c := range cols {
		if _, dup := lay[c.ID]; !dup {
			lay[c.ID] = i
		}
	}
	return lay
}

func (bd *builder) build(n logical.Node) (plan.Node, layout, error) {
	p, lay, err := bd.translate(n)
	bd.note(p, n)
	return p, lay, err
}

// translate is one switch over all kinds of nodes.
func (bd *builder) translate(n logical.Node) (plan.Node, layout, error) {
	switch n := n.(type) {
	case *logical.Scan:
		return bd.scan(n)
	case *logical.Virtual:
		return virtual(n)
	case *logical.Series:
		args, err := bd.exprs(n.Args, nil)
		return &plan.Series{Name: n.Name, Args: args, Typs: colTypes(n.Cols), Gen: n.Gen}, layoutOf(n.Cols), err
	case *logical.DistinctOn:
		in, lay, err := bd.build(n.In)
		if err != nil {
			return nil, nil, err
		}
		keys, err := bd.exprs(n.Keys, lay)
		return &plan.DistinctOn{In: in, Keys: keys}, lay, err
	case *logical.Recursive:
		input := bd.canonicalInput
		if n.All {
			input = bd.mapped
		}
		base, err := input(n.Base, n.BaseMap, n.Cols)
		if err != nil {
			return nil, nil, err
		}
		step, err := input(n.Step, n.StepMap, n.Cols)
		return &plan.Recursive{Base: base, Step: step, All: n.All, ID: n.ID}, layoutOf(n.Cols), err
	case *logical.Working:
		return &plan.Working{ID: n.ID, Name: n.Name, Typs: colTypes(n.Cols)}, layoutOf(n.Cols), nil
	case *logical.Window:
		return bd.window(n)
	case *logical.Expand:
		in, lay, err := bd.build(n.In)
		if err != nil {
			return nil, nil, err
		}
		args, err := bd.exprs(n.Func.Args, lay)
		if err != nil {
			return nil, nil, err
		}
		x := &plan.Expand{In: in, Name: n.Func.Name, Args: args, Typs: colTypes(n.Func.Cols), Gen: n.Func.Gen, Outer: n.Outer}
		if n.Func.Sub != nil {
			x.Sub, err = bd.whole(n.Func.Sub, n.Func.Cols)
			x.IDs = n.Func.IDs
		}
		return x, layoutOf(append(ordered(lay, len(in.Types())), n.Func.Cols...)), err
	case *logical.Values:
		return bd.values(n)
	case *logical.Project:
		return bd.project(n)
	case *logical.Filter:
		in, lay, err := bd.build(n.In)
		if err != nil {
			return nil, nil, err
		}
		preds, err := bd.exprs(n.Preds, lay)
		if err != nil {
			return nil, nil, err
		}
		if len(preds) == 0 {
			return in, lay, nil
		}
		return &plan.Filter{In: in, Pred: logical.AndOf(preds)}, lay, nil
	case *logical.Join:
		return bd.join(n)
	case *logical.Aggregate:
		return bd.aggregate(n)
	case *logical.Sort:
		in, lay, err := bd.build(n.In)
		if err != nil {
			return nil, nil, err
		}
		keys, err := bd.sortKeys(n.Keys, lay)
		return &plan.Sort{In: in, Keys: keys}, lay, err
	case *logical.Limit:
		return bd.limit(n)
	case *logical.Union:
		u := &plan.Union{}
		for i, in := range n.Ins {
			p, err := bd.mapped(in, n.Maps[i], n.Cols)
			if err != nil {
				return nil, nil, err
			}
			u.Ins = append(u.Ins, p)
		}
		return u, layoutOf(n.Cols), nil
	case *logical.SetOp:
		l, err := bd.canonicalInput(n.L, n.LMap, n.Cols)
		if err != nil {
			return nil, nil, err
		}
		r, err := bd.canonicalInput(n.R, n.RMap, n.Cols)
		return &plan.SetOp{Except: n.Except, All: n.All, L: l, R: r}, layoutOf(n.Cols), err
	}
	return nil, nil, errs.New(errs.Internal, "no plan for %T", n)
}

// mapped builds an input of a set operation with its columns in order.
func (bd *builder) mapped(n logical.Node, ids []int, cols []logical.Column) (plan.Node, error) {
	want := make([]logical.Column, len(ids))
	for i, id := range ids {
		want[i] = cols[i]
		want[i].ID = id
	}
	return bd.whole(n, want)
}

func missing(id int) error {
	return errs.New(errs.Internal, "column #%d is not produced below its use", id)
}
