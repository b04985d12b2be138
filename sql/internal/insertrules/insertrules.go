// Package insertrules are the checks of INSERT and UPDATE that need no plan: ON
// CONFLICT, and who may give identity columns a value.
package insertrules

import (
	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
)

func at(err *errs.Error, n ast.Node) error { return err.WithPos(n.Position() + 1) }

// OnConflict checks ON CONFLICT DO NOTHING: the only keys that are enforced are
// dedup keys, and those drop copies in any case.
func OnConflict(tab *catalog.Table, c *ast.OnConflict) error {
	if c == nil {
		return nil
	}
	key := tab.Options.DedupKey
	switch {
	case len(key) == 0:
		return at(errs.NotSupported("ON CONFLICT on a table without dedup_key"), c)
	case c.Constraint != "":
		return at(errs.New(errs.UndefinedObject, "constraint %q for table %q does not exist", c.Constraint, tab.Name), c)
	case c.Where != nil:
		return at(errs.NotSupported("ON CONFLICT … WHERE"), c)
	case len(c.Columns) == 0:
		return nil
	}
	named := map[uint32]bool{}
	for _, e := range c.Columns {
		ref, ok := e.(*ast.Column)
		if !ok || len(ref.Parts) != 1 {
			return at(errs.NotSupported("an expression in ON CONFLICT"), c)
		}
		col := tab.Column(ref.Parts[0])
		if col == nil {
			return at(errs.New(errs.UndefinedColumn, "column %q does not exist", ref.Parts[0]), ref)
		}
		named[col.ID] = true
	}
	for _, id := range key {
		if !named[id] || len(named) != len(key) {
			return at(errs.New(errs.InvalidColumnReference,
				"there is no unique or exclusion constraint matching the ON CONFLICT specification"), c)
		}
	}
	return nil
}

// codeGenerated is PostgreSQL's generated_always.
const codeGenerated errs.Code = "428C9"

// Identity checks values for identity columns: GENERATED ALWAYS takes only DEFAULT
// unless the statement says OVERRIDING SYSTEM VALUE; OVERRIDING USER VALUE makes
// them all DEFAULT. cols are the target's, as listed; the statement that it returns
// is st or a copy.
func Identity(st *ast.Insert, cols []*catalog.Column) (*ast.Insert, error) {
	if st.Query == nil {
		return st, nil
	}
	v, _ := st.Query.Body.(*ast.Values)
	if v != nil && (st.Query.With != nil || len(st.Query.OrderBy) > 0 || st.Query.Limit != nil || st.Query.Offset != nil) {
		v = nil
	}
	for i, c := range cols {
		switch {
		case c.Identity == "" || v != nil && i >= len(v.Rows[0]):
		case st.Overriding == ast.OverridingUser && v != nil:
			st, v = defaulted(st, v, i)
		case st.Overriding == ast.OverridingUser || c.Identity != "a" || st.Overriding == ast.OverridingSystem:
		case v == nil && len(st.Columns) == 0 && i >= targets(st.Query):
		case v == nil || !allDefault(v, i):
			return nil, errs.New(codeGenerated, "cannot insert a non-DEFAULT value into column %q", c.Name).
				WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", c.Name).
				WithHint("Use OVERRIDING SYSTEM VALUE to override.")
		}
	}
	return st, nil
}

// targets is how many columns a query has, as far as its text says; a star counts
// as many.
func targets(q *ast.Query) int {
	for {
		switch body := q.Body.(type) {
		case *ast.SetOp:
			q = body.Left
			continue
		case *ast.Values:
			return len(body.Rows[0])
		case *ast.Select:
			for _, t := range body.Targets {
				switch t.Expr.(type) {
				case *ast.Star, *ast.RowStar:
					return 1 << 20
				}
			}
			return len(body.Targets)
		}
		return 1 << 20
	}
}

func allDefault(v *ast.Values, i int) bool {
	for _, row := range v.Rows {
		if i < len(row) {
			if _, ok := row[i].(*ast.Default); !ok {
				return false
			}
		}
	}
	return true
}

// defaulted is st with DEFAULT in column i of every row.
func defaulted(st *ast.Insert, v *ast.Values, i int) (*ast.Insert, *ast.Values) {
	n := *v
	n.Rows = make([][]ast.Expr, len(v.Rows))
	for k, row := range v.Rows {
		n.Rows[k] = append([]ast.Expr(nil), row...)
		if i < len(row) {
			n.Rows[k][i] = &ast.Default{At: v.At}
		}
	}
	s, q := *st, *st.Query
	q.Body, s.Query = &n, &q
	return &s, &n
}

// OnlyDefault is UPDATE's check of a column that gets another value than DEFAULT.
func OnlyDefault(c *catalog.Column) error {
	if c.Identity != "a" {
		return nil
	}
	return errs.New(codeGenerated, "column %q can only be updated to DEFAULT", c.Name).
		WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", c.Name)
}
