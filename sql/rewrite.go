package sql

import (
	"context"
	"errors"

	"quern/engine"
	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/ddl"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// altered does what ALTER TABLE asks of the rows of a table: looks for NULLs,
// or writes all rows again in the same commit as the definition. define changes
// the catalog. That no row came meanwhile is a condition of the commit.
func (s *Session) altered(ctx context.Context, r *ddl.Rewrite, define func() error) error {
	if len(s.tx.loads) > 0 {
		return errs.NotSupported("this ALTER TABLE after a write larger than memory in one transaction")
	}
	if r.Empty != "" {
		if err := s.noRow(ctx, r, nil, r.Empty); err != nil {
			return err
		}
	}
	for _, name := range r.NotNull {
		if err := s.noRow(ctx, r, &ast.Is{Expr: &ast.Column{Parts: []string{name}}, Kind: ast.IsNull}, name); err != nil {
			return err
		}
	}
	out := storage.TableRows{Table: r.Old.ID}
	var rows engine.Rows
	if r.Rows {
		// The query reads the old definition.
		sel := &ast.Select{}
		for i := range r.New.Columns {
			col := &r.New.Columns[i]
			old := r.Old.ColumnByID(col.ID)
			if old == nil {
				continue
			}
			e := r.Exprs[col.ID]
			if e == nil {
				e = &ast.Column{Parts: []string{old.Name}}
			}
			sel.Targets = append(sel.Targets, &ast.Target{Expr: e, Alias: old.Name})
			out.Cols = append(out.Cols, col.ID)
		}
		var err error
		if rows, err = s.rawRows(ctx, r, sel); err != nil {
			return err
		}
	}
	if err := define(); err != nil {
		if rows != nil {
			err = errors.Join(err, rows.Close())
		}
		return err
	}
	if !isTemp(r.Old.ID) {
		if s.tx.snap == nil {
			s.tx.snap = s.db.store.Snapshot()
		}
		s.tx.stale()
		s.tx.deletes = append(s.tx.deletes, s.tx.snap.Unchanged(r.Old.ID, r.Rows))
	}
	if rows == nil {
		return nil
	}
	s.forget(r.Old.ID)
	_, err := s.insertAll(ctx, rows, out)
	for i := range s.tx.rows {
		if s.tx.rows[i].Table == r.Old.ID {
			s.tx.rows[i].Update = true // copies that were there stay
		}
	}
	return err
}

// noRow fails with 23502 if a row of the table meets a condition.
func (s *Session) noRow(ctx context.Context, r *ddl.Rewrite, where ast.Expr, column string) error {
	one := &ast.Literal{Kind: ast.LitInt, Text: "1"}
	rows, err := s.rawRows(ctx, r, &ast.Select{Targets: []*ast.Target{{Expr: one}}, Where: where})
	if err != nil {
		return err
	}
	found := false
	if err := drain(ctx, rows, 0, func(b *vec.Batch) error { found = found || b.Rows() > 0; return nil }); err != nil {
		return err
	}
	if found {
		e := errs.New(errs.NotNullViolation, "column %q of relation %q contains null values", column, r.Old.Name)
		e.Table, e.Column = r.Old.Name, column
		return e
	}
	return nil
}

// rawRows runs a query on all rows of a table as they are stored. Its targets
// take the types of the new definition's columns.
func (s *Session) rawRows(ctx context.Context, r *ddl.Rewrite, sel *ast.Select) (engine.Rows, error) {
	env := s.bindEnv(ctx, nil, false)
	env.Principal = policy.Principal{RoleID: catalog.RoleAdmin, SessionID: catalog.RoleAdmin, Superuser: true}
	sc := env.Catalog.SchemaByID(r.Old.Schema)
	sel.From = []ast.TableExpr{&ast.TableRef{Name: []string{sc.Name, r.Old.Name}}}
	var want []types.Type
	for i := range r.New.Columns {
		if old := r.Old.ColumnByID(r.New.Columns[i].ID); old != nil && len(sel.Targets) > 0 && sel.Targets[0].Alias != "" {
			want = append(want, r.New.Columns[i].Type)
		}
	}
	b, err := bind.Assigned(env, &ast.Query{Body: sel}, want)
	if err != nil {
		return nil, err
	}
	return s.runBound(ctx, b, nil)
}
