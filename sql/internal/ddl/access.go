package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// active tells whether the principal acts with role's rights.
func (c *Ctx) active(role uint32) bool {
	return c.Who.Superuser || policy.Active(c.Cat, c.Who.RoleID)[role]
}

// has is active by one of the built-in roles.
func (c *Ctx) has(builtin uint32) bool { return c.active(builtin) }

// schemaOf resolves the schema of a name: its own, or the first of the search
// path (create) or, for lookups, whichever holds the table.
func splitName(name []string) (schema, object string, err error) {
	switch len(name) {
	case 1:
		return "", name[0], nil
	case 2:
		return name[0], name[1], nil
	case 3:
		if name[0] == "quern" {
			return name[1], name[2], nil
		}
		return "", "", errs.New(errs.FeatureNotSupported, "cross-database references are not implemented: %q", strings.Join(name, "."))
	}
	return "", "", errs.New(errs.Syntax, "improper qualified name (too many dotted names): %s", strings.Join(name, "."))
}

// findTable looks a table up; nil and no error if there is none.
func (c *Ctx) findTable(name []string) (*catalog.Table, error) {
	schema, object, err := splitName(name)
	if err != nil {
		return nil, err
	}
	path := c.SearchPath
	if schema != "" {
		path = []string{schema}
	}
	for _, s := range path {
		sc := c.Cat.SchemaByName(s)
		if sc == nil {
			continue
		}
		if t := c.Cat.TableByName(sc.ID, object); t != nil {
			return t, nil
		}
	}
	return nil, nil
}

// table is findTable with 42P01.
func (c *Ctx) table(name []string) (*catalog.Table, error) {
	t, err := c.findTable(name)
	if err == nil && t == nil {
		return nil, errs.New(errs.UndefinedTable, "relation %q does not exist", strings.Join(name, "."))
	}
	return t, err
}

// ownTable is a copy of a table that the principal owns.
func (c *Ctx) ownTable(name []string) (*catalog.Table, error) {
	t, err := c.table(name)
	if err != nil {
		return nil, err
	}
	if err := c.mustOwn(t); err != nil {
		return nil, err
	}
	return clone(t), nil
}

func (c *Ctx) mustOwn(t *catalog.Table) error {
	if isSystem(t.Schema) {
		return errs.New(errs.InsufficientPrivilege, "permission denied: %q is a system catalog", t.Name)
	}
	if !c.active(t.Owner) {
		return errs.New(errs.InsufficientPrivilege, "must be owner of %s %s", t.Noun(), t.Name)
	}
	return nil
}

func isSystem(schema uint32) bool {
	return schema == catalog.SchemaCatalog || schema == catalog.SchemaInfo || schema == catalog.SchemaSystem
}

// clone copies a table so far that its lists can be changed.
func clone(t *catalog.Table) *catalog.Table {
	n := *t
	n.Columns = slices.Clone(t.Columns)
	n.Keys = slices.Clone(t.Keys)
	n.Indexes = slices.Clone(t.Indexes)
	n.Grants = slices.Clone(t.Grants)
	n.Options.OrderBy = slices.Clone(t.Options.OrderBy)
	return &n
}

// createIn finds the schema for a new object and checks CREATE on it.
func (c *Ctx) createIn(name []string) (*catalog.Schema, string, error) {
	schema, object, err := splitName(name)
	if err != nil {
		return nil, "", err
	}
	if schema == "" {
		for _, s := range c.SearchPath {
			if s != "pg_catalog" && c.Cat.SchemaByName(s) != nil {
				schema = s
				break
			}
		}
	}
	if schema == "" {
		return nil, "", errs.New(errs.InvalidSchemaName, "no schema has been selected to create in")
	}
	sc := c.Cat.SchemaByName(schema)
	if sc == nil {
		return nil, "", errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema)
	}
	if isSystem(sc.ID) || !SchemaPrivilege(c.Cat, c.Who, sc, policy.Create) {
		return nil, "", errs.New(errs.InsufficientPrivilege, "permission denied for schema %s", schema)
	}
	return sc, object, nil
}

// SchemaPrivilege tells whether a principal holds p on a schema.
func SchemaPrivilege(cat *catalog.Snapshot, who policy.Principal, s *catalog.Schema, p policy.Privilege) bool {
	active := policy.Active(cat, who.RoleID)
	if who.Superuser || active[s.Owner] {
		return true
	}
	for _, g := range s.Grants {
		if (g.Role == 0 || active[g.Role]) && g.Priv&p == p {
			return true
		}
	}
	return false
}

// role resolves a role as written; PUBLIC is 0.
func (c *Ctx) role(r ast.Role, allowPublic bool) (uint32, error) {
	switch r.Kind {
	case ast.RolePublic:
		if allowPublic {
			return 0, nil
		}
		return 0, pos(errs.New(errs.ReservedName, "role name %q is reserved", "public"), r.Pos)
	case ast.RoleCurrentUser:
		return c.Who.RoleID, nil
	case ast.RoleSessionUser:
		return c.SessionUser, nil
	}
	x := c.Cat.RoleByName(r.Name)
	if x == nil {
		return 0, pos(errs.New(errs.UndefinedObject, "role %q does not exist", r.Name), -1)
	}
	return x.ID, nil
}

func (c *Ctx) roles(rs []ast.Role, allowPublic bool) ([]uint32, error) {
	out := make([]uint32, 0, len(rs))
	for _, r := range rs {
		id, err := c.role(r, allowPublic)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// columnOf finds a column or 42703.
func columnOf(t *catalog.Table, name string) (*catalog.Column, error) {
	col := t.Column(name)
	if col == nil {
		return nil, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", name, t.Name)
	}
	return col, nil
}
