package lineage

import (
	"slices"
	"strings"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// need is what a column must have so that it shows no more than its sources:
// a mask, and no roles with UNMASK but these (superusers aside).
type need struct {
	mask  uint32
	roles []uint32
}

func (s *Source) need(cat *catalog.Snapshot, t types.Type) need {
	n := need{mask: catalog.MaskGuard}
	for i, c := range s.Cols {
		tab := cat.Table(c.Table)
		col := tab.ColumnByID(c.Col)
		roles := unmasked(tab, c.Col)
		if i == 0 {
			n.mask, n.roles = col.Masking, roles
			continue
		}
		if col.Masking != n.mask {
			n.mask = catalog.MaskGuard
		}
		n.roles = slices.DeleteFunc(n.roles, func(r uint32) bool { return !slices.Contains(roles, r) })
	}
	m := cat.MaskingPolicy(n.mask)
	if s.Derived || m == nil || policy.ValidateMask(m, t) != nil {
		n.mask = catalog.MaskGuard
	}
	return n
}

// unmasked are the roles with UNMASK on a column.
func unmasked(t *catalog.Table, col uint32) []uint32 {
	var out []uint32
	for _, g := range t.Grants {
		if g.Priv&policy.Unmask != 0 && (g.Cols == nil || slices.Contains(g.Cols, col)) && !slices.Contains(out, g.Role) {
			out = append(out, g.Role)
		}
	}
	return out
}

// Carry gives the columns of a table that is made from a query the masks of what
// they come from; cols are the table's columns by id, as Of's result lists them.
// A column that has a mask keeps it.
func Carry(cat *catalog.Snapshot, t *catalog.Table, cols []uint32, from []Source) error {
	for i := range from {
		col := t.ColumnByID(cols[i])
		if len(from[i].Cols) == 0 || col.Masking != 0 {
			continue
		}
		if key(t, col) {
			return errs.NotSupported("a masked column as sort key or time column").
				WithDetail("Rows are stored by column %q.", col.Name).
				WithHint("Name other columns WITH (time_column = …), (order_by = …) or (dedup_key = …).")
		}
		n := from[i].need(cat, col.Type)
		col.Masking = n.mask
		for _, r := range n.roles {
			t.Grants = append(t.Grants, policy.Grant{Role: r, Grantor: t.Owner, Priv: policy.Unmask, Cols: []uint32{col.ID}})
		}
	}
	return nil
}

// key tells whether where and whether rows are stored tells of a column's values.
func key(t *catalog.Table, col *catalog.Column) bool {
	if tc := t.TimeColumn(); tc != nil && tc.ID == col.ID || slices.Contains(t.Options.DedupKey, col.ID) {
		return true
	}
	return slices.ContainsFunc(t.Options.OrderBy, func(o string) bool { return strings.TrimSuffix(o, " desc") == col.Name })
}

// Check refuses to write raw values of masked columns where more roles would see
// them: into a column without a mask, with another one, or with other roles that
// may UNMASK it.
func Check(cat *catalog.Snapshot, t *catalog.Table, cols []uint32, from []Source) error {
	for i := range from {
		s := &from[i]
		col := t.ColumnByID(cols[i])
		if len(s.Cols) == 0 || col == nil || len(s.Cols) == 1 && !s.Derived && s.Cols[0] == (Column{t.ID, col.ID}) {
			continue
		}
		n := s.need(cat, col.Type)
		m := cat.MaskingPolicy(col.Masking)
		hides := col.Masking != 0 && (m == nil || m.Kind == policy.MaskNull || col.Masking == n.mask)
		for _, r := range unmasked(t, col.ID) {
			hides = hides && slices.Contains(n.roles, r)
		}
		if !hides {
			return errs.New(errs.InsufficientPrivilege, "column %q of table %q would show values of masked columns", col.Name, t.Name).
				WithHint("Set a masking policy on the column, or write as a role for which the values are masked.")
		}
	}
	return nil
}
