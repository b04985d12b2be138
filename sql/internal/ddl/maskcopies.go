package ddl

import (
	"slices"

	"quern/sql/internal/bind"
	"quern/sql/internal/lineage"
	"quern/storage/catalog"
	"quern/storage/policy"
)

// maskViews gives materialized views that read a table the masks that it got:
// their rows were computed before. Views on views follow in the order of their
// creation, so that each reads the masks of those below.
func (c *Ctx) maskViews(table uint32) error {
	reads := map[uint32]bool{table: true}
	cat := c.Cat
	for again := true; again; {
		again = false
		for _, v := range sorted(cat.Tables()) {
			if v.Kind == catalog.KindTable || reads[v.ID] || !slices.ContainsFunc(v.View.Deps, func(d catalog.Dep) bool { return reads[d.Table] }) {
				continue
			}
			reads[v.ID], again = true, true
		}
	}
	delete(reads, table)
	for _, v := range sorted(cat.Tables()) {
		if !reads[v.ID] || v.Kind != catalog.KindMatView {
			continue
		}
		now, err := cat.Apply(c.out.Changes)
		if err != nil {
			return err
		}
		n := clone(v)
		n.Columns, n.Grants = slices.Clone(v.Columns), slices.Clone(v.Grants)
		if err := c.maskView(now, n); err != nil {
			return err
		}
		if !slices.EqualFunc(v.Columns, n.Columns, func(a, b catalog.Column) bool { return a.Masking == b.Masking }) {
			c.putTable(n, false)
		}
	}
	return nil
}

func sorted(list []*catalog.Table) []*catalog.Table {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b *catalog.Table) int { return int(a.ID) - int(b.ID) })
	return out
}

// maskView binds the view's query as one who sees everything, to find where its
// columns come from.
func (c *Ctx) maskView(cat *catalog.Snapshot, v *catalog.Table) error {
	q, err := Query(v.View.Query)
	if err != nil {
		return err
	}
	env := c.Bind(cat)
	env.Principal = policy.Principal{RoleID: catalog.RoleAdmin, SessionID: catalog.RoleAdmin, Superuser: true}
	b, err := bind.Query(env, q)
	if err != nil {
		return err
	}
	cols := make([]uint32, len(v.Columns))
	for i := range v.Columns {
		cols[i] = v.Columns[i].ID
	}
	return lineage.Carry(cat, v, cols, lineage.Of(cat, b.Root, b.Out, nil))
}
