package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// selfRef is a WITH RECURSIVE query while its own definition is bound: cols are
// what a reference to itself has.
type selfRef struct {
	id   int
	cols []logical.Column // nil in the non-recursive term
	ref  *ast.TableRef    // the reference that was bound: there may be one in the text
}

// notHere is the part of PostgreSQL's message that tells where a recursive
// reference stands; "" where it may.
type notHere string

// forbid says for the duration of f where a recursive reference would stand.
func (b *binder) forbid(where notHere, f func() error) error {
	old := b.noSelf
	b.noSelf = where
	err := f()
	b.noSelf = old
	return err
}

func badRecursion(n ast.Node, format string, args ...any) error {
	return at(errs.New(errs.InvalidRecursion, format, args...), n)
}

// recursiveRef binds a WITH RECURSIVE query anew for each reference.
func (b *binder) recursiveRef(c *cte) (*result, error) {
	q, name := c.def.Query, c.def.Name
	body, ok := q.Body.(*ast.SetOp)
	if !ok || body.Kind != ast.Union {
		return nil, badRecursion(c.def, "recursive query %q does not have the form non-recursive-term UNION [ALL] recursive-term", name)
	}
	switch {
	case len(q.OrderBy) > 0:
		return nil, at(errs.New(errs.FeatureNotSupported, "ORDER BY in a recursive query is not implemented"), q.OrderBy[0])
	case q.Offset != nil:
		return nil, at(errs.New(errs.FeatureNotSupported, "OFFSET in a recursive query is not implemented"), q.Offset)
	case q.Limit != nil:
		return nil, at(errs.New(errs.FeatureNotSupported, "LIMIT in a recursive query is not implemented"), q.Limit)
	}
	self := &selfRef{id: b.newID()}
	sees := &scope{parent: c.scope, ctes: map[string]*cte{name: {def: c.def, self: self}}}
	if q.With != nil {
		w := &scope{parent: sees, ctes: map[string]*cte{}}
		if err := b.forbid("a subquery", func() error { return b.with(w, q.With) }); err != nil {
			return nil, err
		}
		sees = w
	}
	var base, step *result
	err := b.forbid("its non-recursive term", func() (err error) {
		if base, err = b.query(&scope{parent: sees}, body.Left); err != nil {
			return err
		}
		base, err = b.resolveUnknowns(base)
		return err
	})
	if err != nil {
		return nil, err
	}
	self.cols = make([]logical.Column, len(base.cols))
	if len(c.def.Columns) > len(base.cols) {
		return nil, at(errs.New(errs.InvalidColumnReference, "WITH query %q has %d columns available but %d columns specified",
			name, len(base.cols), len(c.def.Columns)), c.def)
	}
	for i, bc := range base.cols {
		self.cols[i] = logical.Column{Name: bc.Name, Type: bc.Type}
		if i < len(c.def.Columns) {
			self.cols[i].Name = c.def.Columns[i]
		}
	}
	err = b.forbid("", func() (err error) {
		step, err = b.query(&scope{parent: sees}, body.Right)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b.recursion(c, self, base, step, body)
}

// recursion puts the terms together; the non-recursive one decides the types.
func (b *binder) recursion(c *cte, self *selfRef, base, step *result, body *ast.SetOp) (*result, error) {
	if len(base.cols) != len(step.cols) {
		return nil, at(errs.New(errs.Syntax, "each UNION query must have the same number of columns"), step.place(0, body.Right))
	}
	want := make([]types.Type, len(base.cols))
	for i := range want {
		want[i] = base.cols[i].Type
		t, err := b.commonType("UNION", []plan.Expr{base.cols[i].expr(), step.cols[i].expr()}, nil, step.place(i, body.Right))
		if err != nil {
			return nil, err
		}
		if t.OID != want[i].OID {
			return nil, at(errs.New(errs.DatatypeMismatch,
				"recursive query %q column %d has type %s in non-recursive term but type %s overall", c.def.Name, i+1, want[i], t).
				WithHint("Cast the output of the non-recursive term to the correct type."), base.place(i, body.Left))
		}
	}
	step, err := b.coerceResult(step, want, castImplicit, body.Right)
	if err != nil {
		return nil, err
	}
	n := &logical.Recursive{Base: base.node, Step: step.node, All: body.All, BaseMap: base.ids(), StepMap: step.ids(), ID: self.id}
	res := &result{node: n}
	for i, bc := range base.cols {
		if !body.All {
			if err := b.sortable(want[i], base.place(i, body.Left)); err != nil {
				return nil, err
			}
		}
		col := b.newCol(bc.Name, want[i])
		n.Cols = append(n.Cols, col)
		res.cols = append(res.cols, outCol{Column: col})
	}
	return res, nil
}

// cteQuery binds the query of a CTE anew.
func (b *binder) cteQuery(c *cte) (r *result, err error) {
	if c.recursive {
		return b.recursiveRef(c)
	}
	err = b.forbid(c.noSelf, func() error {
		if r, err = b.query(&scope{parent: c.scope}, c.def.Query); err == nil {
			r, err = b.resolveUnknowns(r)
		}
		return err
	})
	return r, err
}

// subquery binds a query of an expression.
func (b *binder) subquery(ctx *exprCtx, q *ast.Query) (r *result, err error) {
	err = b.forbid("a subquery", func() error {
		r, err = b.query(&scope{parent: ctx.scope, via: ctx}, q)
		return err
	})
	return r, err
}

// selfReference binds the reference of a recursive term to its own query.
func (b *binder) selfReference(c *cte, t *ast.TableRef) (*from, error) {
	name := c.def.Name
	if b.noSelf != "" || c.self.cols == nil {
		where := b.noSelf
		if where == "" {
			where = "its non-recursive term"
		}
		return nil, badRecursion(t, "recursive reference to query %q must not appear within %s", name, where)
	}
	if c.self.ref == nil {
		c.self.ref = t
	}
	if c.self.ref != t {
		return nil, badRecursion(t, "recursive reference to query %q must not appear more than once", name)
	}
	b.selfLevel = b.level
	n := &logical.Working{ID: c.self.id, Name: name}
	rel := &relation{alias: name}
	for _, sc := range c.self.cols {
		col := &column{Column: b.newCol(sc.Name, sc.Type), rel: rel}
		n.Cols = append(n.Cols, col.Column)
		rel.cols = append(rel.cols, col)
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	return &from{node: n, rels: []*relation{rel}, cols: rel.cols}, nil
}
