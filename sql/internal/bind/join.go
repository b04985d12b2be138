package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

func (b *binder) join(s *scope, j *ast.Join) (*from, error) {
	left, right := b.noSelf, b.noSelf
	if j.Kind == ast.JoinRight || j.Kind == ast.JoinFull {
		left = "an outer join"
	}
	if j.Kind == ast.JoinLeft || j.Kind == ast.JoinFull {
		right = "an outer join"
	}
	var l, r *from
	err := b.forbid(left, func() (err error) {
		l, err = b.tableExpr(s, j.Left)
		return err
	})
	if err != nil {
		return nil, err
	}
	// LATERAL items on the right see the left side too.
	inner := &scope{parent: s.parent, via: s.via, ctes: s.ctes,
		rels: append(s.rels[:len(s.rels):len(s.rels)], l.rels...),
		cols: append(s.cols[:len(s.cols):len(s.cols)], l.cols...)}
	err = b.forbid(right, func() (err error) {
		r, err = b.tableExpr(inner, j.Right)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := checkAliases(l.rels, r.rels); err != nil {
		return nil, err
	}
	lateral := logical.Free(r.node).Meets(logical.OutSet(l.node))
	if lateral && (j.Kind == ast.JoinRight || j.Kind == ast.JoinFull) {
		return nil, at(errs.New(errs.InvalidColumnReference,
			"invalid reference to FROM-clause entry: the combining JOIN type must be INNER or LEFT for a LATERAL reference"), j)
	}
	pad(j.Kind, l.rels, r.rels)
	node := &logical.Join{Kind: joinKinds[j.Kind], L: l.node, R: r.node, Lateral: lateral}
	f := &from{node: node, rels: append(l.rels[:len(l.rels):len(l.rels)], r.rels...)}
	using := j.Using
	if j.Natural {
		using = common(l.cols, r.cols)
		if b.rec != nil {
			b.rec.natural(j, using)
		}
	}
	if len(using) > 0 {
		if err := b.using(s, f, node, l, r, using, j); err != nil {
			return nil, err
		}
	} else {
		f.cols = append(l.cols[:len(l.cols):len(l.cols)], r.cols...)
	}
	if j.On != nil {
		on := &scope{parent: s.parent, via: s.via, rels: f.rels, cols: f.cols, ctes: s.ctes}
		e, err := b.condition(on, j.On, "JOIN/ON")
		if err != nil {
			return nil, err
		}
		node.On = logical.Conjuncts(nil, e)
	}
	return b.joinAlias(f, j)
}

// pad notes whose rows an outer join makes up.
func pad(kind ast.JoinKind, l, r []*relation) {
	mark := func(rels []*relation) {
		for _, x := range rels {
			x.padded = true
		}
	}
	if kind == ast.JoinLeft || kind == ast.JoinFull {
		mark(r)
	}
	if kind == ast.JoinRight || kind == ast.JoinFull {
		mark(l)
	}
}

var joinKinds = map[ast.JoinKind]plan.JoinKind{
	ast.JoinInner: plan.Inner, ast.JoinCross: plan.Inner, ast.JoinLeft: plan.Left,
	ast.JoinRight: plan.Right, ast.JoinFull: plan.Full,
}

// joinAlias applies (a JOIN b) AS j: it hides the relations inside.
func (b *binder) joinAlias(f *from, j *ast.Join) (*from, error) {
	if j.UsingAlias != "" {
		rel := &relation{alias: j.UsingAlias}
		rel.cols = append(rel.cols, f.cols[:len(j.Using)]...)
		f.rels = append(f.rels, rel)
	}
	if j.Alias == nil {
		return f, nil
	}
	rel := &relation{}
	for _, c := range f.cols {
		if c.hidden {
			continue
		}
		d := *c
		d.rel = rel
		rel.cols = append(rel.cols, &d)
	}
	if err := rename(rel, j.Alias); err != nil {
		return nil, err
	}
	f.rels, f.cols = []*relation{rel}, rel.cols
	return f, nil
}

func common(l, r []*column) []string {
	var out []string
	for _, c := range l {
		if c.hidden {
			continue
		}
		for _, d := range r {
			if d.Name == c.Name && !d.hidden {
				out = append(out, c.Name)
				break
			}
		}
	}
	return out
}

// using adds the equalities of USING or NATURAL and the merged columns, which
// stand first.
func (b *binder) using(s *scope, f *from, node *logical.Join, l, r *from, names []string, j *ast.Join) error {
	gone := map[*column]bool{}
	var merged []*column
	var items []logical.Item
	for i, name := range names {
		for _, n := range names[:i] {
			if n == name {
				return errs.New(errs.DuplicateColumn, "column name %q appears more than once in USING clause", name)
			}
		}
		lc, err := usingSide(l.cols, name, "left")
		if err != nil {
			return err
		}
		rc, err := usingSide(r.cols, name, "right")
		if err != nil {
			return err
		}
		eq, err := b.operator("=", b.ref(lc), b.ref(rc), j)
		if err != nil {
			return err
		}
		node.On = append(node.On, eq)
		gone[lc], gone[rc] = true, true
		m, item, err := b.mergedColumn(node.Kind, lc, rc, j)
		if err != nil {
			return err
		}
		merged = append(merged, m)
		if item != nil {
			items = append(items, *item)
		}
	}
	f.cols = merged
	for _, c := range append(l.cols[:len(l.cols):len(l.cols)], r.cols...) {
		if !gone[c] {
			f.cols = append(f.cols, c)
		}
	}
	if len(items) > 0 {
		for _, c := range node.Out() {
			items = append(items, logical.Item{Col: c, Expr: c.Col()})
		}
		f.node = &logical.Project{In: node, Items: items}
	}
	return nil
}

// mergedColumn is the output column of USING: the preserved side's, or for
// FULL (and where the types differ) a new one.
func (b *binder) mergedColumn(kind plan.JoinKind, lc, rc *column, j *ast.Join) (*column, *logical.Item, error) {
	t, err := b.commonType("JOIN/USING", []plan.Expr{lc.Col(), rc.Col()}, nil, j)
	if err != nil {
		return nil, nil, err
	}
	src := lc
	if kind == plan.Right || kind == plan.Inner && lc.Type.OID != t.OID && rc.Type.OID == t.OID {
		src = rc
	}
	if kind != plan.Full && src.Type.OID == t.OID {
		m := *src
		m.Name = lc.Name
		return &m, nil, nil
	}
	var e plan.Expr
	if kind == plan.Full {
		le, err := b.coerce(lc.Col(), t, castImplicit, j)
		if err != nil {
			return nil, nil, err
		}
		re, err := b.coerce(rc.Col(), t, castImplicit, j)
		if err != nil {
			return nil, nil, err
		}
		e = &plan.Coalesce{Args: []plan.Expr{le, re}, Typ: t}
	} else if e, err = b.coerce(src.Col(), t, castImplicit, j); err != nil {
		return nil, nil, err
	}
	col := b.newCol(lc.Name, t)
	return &column{Column: col}, &logical.Item{Col: col, Expr: e}, nil
}

func usingSide(cols []*column, name, side string) (*column, error) {
	var found *column
	for _, c := range cols {
		if c.Name != name {
			continue
		}
		if found != nil {
			return nil, errs.New(errs.AmbiguousColumn, "common column name %q appears more than once in %s table", name, side)
		}
		found = c
	}
	if found == nil {
		return nil, errs.New(errs.UndefinedColumn, "column %q specified in USING clause does not exist in %s table", name, side)
	}
	return found, nil
}
