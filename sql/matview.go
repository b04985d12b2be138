package sql

import (
	"context"
	"errors"
	"slices"

	"quern/engine"
	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/ddl"
	"quern/sql/internal/lineage"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// materialize makes a new table a materialized view: its query is kept beside
// the rows that CREATE writes.
func materialize(d *ddl.Ctx, t *catalog.Table, st *ast.CreateTableAs) error {
	cols, next := t.Columns, t.NextCol
	names := make([]string, len(cols))
	for i := range cols {
		names[i] = cols[i].Name
	}
	if err := d.DefineView(t, st.Query, names); err != nil {
		if err == ddl.ErrTemporary {
			return errs.New(errs.FeatureNotSupported, "materialized views must not use temporary tables or views")
		}
		return err
	}
	t.Columns, t.NextCol, t.Kind = cols, next, catalog.KindMatView
	t.View.Empty = st.WithNoData
	return nil
}

// refreshView is REFRESH MATERIALIZED VIEW: all rows are computed anew, with
// the rights and under the policies of the view's owner, and replace the old
// ones in one commit.
func (s *Session) refreshView(ctx context.Context, c *commandPortal, st *ast.RefreshMaterializedView) error {
	c.tag = "REFRESH MATERIALIZED VIEW"
	if err := s.mayWrite(c.tag); err != nil {
		return err
	}
	if st.Concurrently && st.WithNoData {
		return errs.New(errs.Syntax, "CONCURRENTLY and WITH NO DATA options cannot be used together")
	}
	t, err := bind.FindTable(s.bindEnv(ctx, nil, false), st.Name)
	switch {
	case err != nil:
		return err
	case !policy.Active(s.catalog(), s.roleID)[t.Owner] && !s.Principal().Superuser:
		return errs.New(errs.InsufficientPrivilege, "must be owner of materialized view %s", t.Name)
	case t.Kind != catalog.KindMatView:
		return errs.New(errs.FeatureNotSupported, "%q is not a materialized view", t.Name)
	}
	if !s.tx.block {
		if err := s.lockRows(ctx, []uint32{t.ID}); err != nil {
			return err
		}
	}
	if len(s.tx.loads) > 0 {
		return errs.NotSupported("REFRESH MATERIALIZED VIEW after a write larger than memory in one transaction")
	}
	out := storage.TableRows{Table: t.ID}
	for i := range t.Columns {
		out.Cols = append(out.Cols, t.Columns[i].ID)
	}
	n, v := *t, *t.View
	n.View, v.Empty = &v, st.WithNoData
	n.Columns, n.Grants = slices.Clone(t.Columns), slices.Clone(t.Grants)
	var rows engine.Rows
	if !st.WithNoData {
		// The query reads the state before.
		if rows, err = s.viewRows(ctx, &n, out.Cols); err != nil {
			return err
		}
	}
	s.empty(t.ID)
	if t.View.Empty != st.WithNoData || !slices.Equal(masks(t), masks(&n)) {
		if err := s.change(s.permanent(), []catalog.Change{{Table: &n}}); err != nil {
			if rows != nil {
				err = errors.Join(err, rows.Close())
			}
			return err
		}
		s.tx.ddl = nil
	}
	if rows == nil {
		return nil
	}
	_, err = s.insertAll(ctx, rows, out)
	return err
}

func masks(t *catalog.Table) []uint32 {
	out := make([]uint32, len(t.Columns))
	for i := range t.Columns {
		out[i] = t.Columns[i].Masking
	}
	return out
}

// viewRows computes the rows of a materialized view as its owner; t's columns
// cols get the masks of what they are computed from.
func (s *Session) viewRows(ctx context.Context, t *catalog.Table, cols []uint32) (engine.Rows, error) {
	q, err := ddl.Query(t.View.Query)
	if err != nil {
		return nil, err
	}
	env := s.bindEnv(ctx, nil, false)
	env.Principal = policy.Principal{RoleID: t.Owner, SessionID: t.Owner, NoUnmask: s.db.o.NoSuperuserUnmask}
	if r := s.catalog().Role(t.Owner); r != nil {
		env.Principal.Superuser, env.Principal.Name = r.Superuser, r.Name
	}
	b, err := bind.Query(env, q)
	if err != nil {
		e := *errs.As(err)
		e.Pos = 0
		return nil, &e
	}
	if err := lineage.Carry(env.Catalog, t, cols, lineage.Of(env.Catalog, b.Root, b.Out, nil)); err != nil {
		return nil, err
	}
	return s.runBound(ctx, b, nil)
}
