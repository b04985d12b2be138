package sql

import (
	"context"
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/lineage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Data-modifying WITH: every part of the statement, the main query last, reads the
// state before it; what one part returns the later ones read by its name. The
// changes are added to the transaction when all of them are known.

// changesIn is the WITH of a statement if a query in it changes data.
func changesIn(st ast.Stmt) *ast.With {
	var with *ast.With
	switch st := st.(type) {
	case *ast.SelectStmt:
		with = st.Query.With
	case *ast.Insert:
		with = st.With
	case *ast.Update:
		with = st.With
	case *ast.Delete:
		with = st.With
	}
	if with == nil || !slices.ContainsFunc(with.CTEs, func(c *ast.CTE) bool { return c.Stmt != nil }) {
		return nil
	}
	return with
}

// boundChanges are the parts of such a statement.
type boundChanges struct {
	parts []boundPart
	main  *bind.Bound
	feeds lineage.Feeds
}

// boundPart is one data-modifying WITH query; rows are there once it ran.
type boundPart struct {
	st    ast.Stmt
	bound *bind.Bound
	rows  []*vec.Batch
}

// bindChanges binds all parts. A parameter may get its type in any of them: they
// are bound until no more types are found.
func (s *Session) bindChanges(ctx context.Context, st ast.Stmt, with *ast.With, given []types.Type, hasParams bool) (*boundChanges, error) {
	for {
		_, known, err := s.bindParts(ctx, st, with, given, hasParams, true)
		if err != nil {
			return nil, err
		}
		if !hasParams || slices.Equal(known, given) {
			break
		}
		given = known
	}
	w, _, err := s.bindParts(ctx, st, with, given, hasParams, false)
	return w, err
}

func (s *Session) bindParts(ctx context.Context, st ast.Stmt, with *ast.With, given []types.Type, hasParams, partial bool) (*boundChanges, []types.Type, error) {
	w := &boundChanges{feeds: lineage.Feeds{}}
	w.parts = make([]boundPart, 0, len(with.CTEs)) // parts keep their places
	changes := map[*ast.CTE]*bind.Change{}
	one := func(st ast.Stmt) (*bind.Bound, error) {
		env := s.bindEnv(ctx, given, hasParams)
		env.Changes, env.Partial = changes, partial
		b, err := bindIn(env, st)
		if err == nil && partial {
			given = b.Params
		}
		return b, err
	}
	for i, c := range with.CTEs {
		if c.Stmt == nil {
			continue
		}
		b, err := one(after(with, i, c.Stmt))
		if err != nil {
			return nil, nil, err
		}
		w.parts = append(w.parts, boundPart{st: c.Stmt, bound: b})
		p := &w.parts[len(w.parts)-1]
		changes[c] = &bind.Change{Fields: b.Field, Gen: func(context.Context) ([]*vec.Batch, error) { return p.rows, nil }}
		w.feeds[bind.ChangeName(c)] = s.returned(b, w.feeds)
	}
	var err error
	w.main, err = one(st)
	return w, given, err
}

// returned is the lineage of what a part returns.
func (s *Session) returned(b *bind.Bound, feeds lineage.Feeds) []lineage.Source {
	if len(b.Returning) > 0 {
		return lineage.Returned(b.Target.Table, b.Returning)
	}
	return lineage.Of(s.catalog(), b.Root, b.Out[len(b.Out)-len(b.Field):], feeds)
}

// after is part i of WITH as a statement that sees the parts before it.
func after(with *ast.With, i int, st ast.Stmt) ast.Stmt {
	if i == 0 {
		return st
	}
	before := &ast.With{At: with.At, Recursive: with.Recursive, CTEs: with.CTEs[:i]}
	switch st := st.(type) {
	case *ast.Insert:
		n := *st
		n.With = before
		return &n
	case *ast.Update:
		n := *st
		n.With = before
		return &n
	case *ast.Delete:
		n := *st
		n.With = before
		return &n
	}
	return st
}

// runChanges runs the parts and the main statement.
func (s *Session) runChanges(ctx context.Context, c *commandPortal, with *ast.With) error {
	st := c.p.st.stmt
	if err := s.mayWrite(strings.TrimSuffix(tagVerb(st), " 0")); err != nil {
		return err
	}
	w, err := s.bindChanges(ctx, st, with, c.p.params, c.p.hasParams)
	if err != nil {
		return err
	}
	tables, err := changedTables(w, st)
	if err != nil {
		return err
	}
	if err := s.lockRows(ctx, tables); err != nil {
		return err
	}
	// The lock may have waited: names and policies are resolved anew.
	if w, err = s.bindChanges(ctx, st, with, c.p.params, c.p.hasParams); err != nil {
		return err
	}
	var all []*change
	for i := range w.parts {
		p := &w.parts[i]
		ch, err := s.changePart(ctx, p.st, p.bound, c.params, w.feeds)
		if err != nil {
			return err
		}
		all, p.rows = append(all, ch), ch.out
	}
	ch := &change{}
	if _, query := st.(*ast.SelectStmt); query {
		rows, err := s.runBound(ctx, w.main, c.params)
		if err != nil {
			return err
		}
		if err := drain(ctx, rows, s.db.o.WriteMemory, func(b *vec.Batch) error {
			ch.n += int64(b.Rows())
			ch.out = append(ch.out, b)
			return nil
		}); err != nil {
			return err
		}
	} else if ch, err = s.changePart(ctx, st, w.main, c.params, w.feeds); err != nil {
		return err
	}
	for _, ch := range append(all, ch) {
		if err := s.apply(ctx, ch); err != nil {
			return err
		}
	}
	c.verb = tagVerb(st)
	c.tag, c.out = countTag(c.verb, ch.n), ch.out
	return nil
}

// changePart finds what one part does.
func (s *Session) changePart(ctx context.Context, st ast.Stmt, b *bind.Bound, params []types.Datum, feeds lineage.Feeds) (*change, error) {
	if _, insert := st.(*ast.Insert); !insert {
		if err := s.checkCopy(b, b.Out[1:1+len(b.Target.Cols)], feeds); err != nil {
			return nil, err
		}
		return s.findChange(ctx, b, params, joined(st))
	}
	if b.Target.Table.Schema == catalog.SchemaSystem {
		return nil, errs.New(errs.InsufficientPrivilege, "permission denied for table %s", b.Target.Table.Name)
	}
	if err := s.checkCopy(b, b.Out, feeds); err != nil {
		return nil, err
	}
	rows, err := s.runBound(ctx, b, params)
	if err != nil {
		return nil, err
	}
	return s.newRows(ctx, b, rows, params)
}

// changedTables are the stored tables whose rows the parts update or delete. Each
// may be changed by one part: what two do to the same row depends on their order.
func changedTables(w *boundChanges, main ast.Stmt) (stored []uint32, err error) {
	var seen []uint32
	add := func(st ast.Stmt, b *bind.Bound) {
		switch st.(type) {
		case *ast.Update, *ast.Delete:
		default:
			return
		}
		t := b.Target.Table
		if slices.Contains(seen, t.ID) {
			err = errs.NotSupported("changing rows of a table in several parts of one statement").
				WithDetail("Table %q is changed twice.", t.Name)
		}
		if seen = append(seen, t.ID); !isTemp(t.ID) {
			stored = append(stored, t.ID)
		}
	}
	for i := range w.parts {
		add(w.parts[i].st, w.parts[i].bound)
	}
	add(main, w.main)
	return stored, err
}

// tagVerb is the word of the command tag.
func tagVerb(st ast.Stmt) string {
	switch st.(type) {
	case *ast.Insert:
		return "INSERT 0"
	case *ast.Update:
		return "UPDATE"
	case *ast.Delete:
		return "DELETE"
	}
	return "SELECT"
}
