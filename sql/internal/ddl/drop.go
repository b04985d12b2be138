package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

func (c *Ctx) drop(st *ast.Drop) error {
	switch st.Kind {
	case ast.ObjTable:
		c.out.Tag = "DROP TABLE"
		return c.dropTables(st, catalog.KindTable)
	case ast.ObjView:
		c.out.Tag = "DROP VIEW"
		return c.dropTables(st, catalog.KindView)
	case ast.ObjMaterializedView:
		c.out.Tag = "DROP MATERIALIZED VIEW"
		return c.dropTables(st, catalog.KindMatView)
	case ast.ObjSchema:
		c.out.Tag = "DROP SCHEMA"
		return c.dropSchemas(st)
	case ast.ObjIndex:
		c.out.Tag = "DROP INDEX"
		return c.dropIndexes(st)
	case ast.ObjSequence:
		return c.dropNothing(st)
	}
	return errs.NotSupported("this form of DROP")
}

// dropNothing is DROP of a kind of which no object can exist.
func (c *Ctx) dropNothing(st *ast.Drop) error {
	const word = "sequence"
	c.out.Tag = "DROP " + strings.ToUpper(word)
	for _, n := range st.Names {
		name := strings.Join(n, ".")
		if t, _ := c.findTable(n); t != nil && !isSystem(t.Schema) && c.mayRead(t) {
			return errs.New(errs.WrongObjectType, "%q is not %s", name, "a "+word).
				WithHint("Use DROP %s to remove a %s.", strings.ToUpper(t.Noun()), t.Noun())
		}
		if !st.IfExists {
			return errs.New(errs.UndefinedTable, "%s %q does not exist", word, name)
		}
		c.notice("%s %q does not exist, skipping", word, name)
	}
	return nil
}

// dropTables drops relations of one kind.
func (c *Ctx) dropTables(st *ast.Drop, kind catalog.Kind) error {
	noun := (&catalog.Table{Kind: kind}).Noun()
	dropped := map[uint32]bool{}
	what := ""
	for _, n := range st.Names {
		t, err := c.findTable(n)
		if err != nil {
			return err
		}
		if t == nil {
			name := strings.Join(n, ".")
			if len(n) == 2 && c.Cat.SchemaByName(n[0]) == nil && st.IfExists {
				c.notice("schema %q does not exist, skipping", n[0])
				continue
			}
			if !st.IfExists {
				return errs.New(errs.UndefinedTable, "%s %q does not exist", noun, name)
			}
			c.notice("%s %q does not exist, skipping", noun, name)
			continue
		}
		if t.Kind != kind && c.mayRead(t) {
			return errs.New(errs.WrongObjectType, "%q is not a %s", t.Name, noun).
				WithHint("Use DROP %s to remove a %s.", strings.ToUpper(t.Noun()), t.Noun())
		}
		if err := c.mustOwn(t); err != nil {
			return err
		}
		if !dropped[t.ID] {
			dropped[t.ID] = true
			c.put(catalog.Change{Drop: "table", ID: t.ID})
		}
		if what = c.describe(t); len(dropped) > 1 {
			what = "desired object(s)"
		}
	}
	if err := c.dropDependents(dropped, what, st.Cascade); err != nil {
		return err
	}
	return c.dropReferences(dropped, st.Cascade)
}

// dropReferences deals with foreign keys of other tables to dropped ones.
func (c *Ctx) dropReferences(dropped map[uint32]bool, cascade bool) error {
	for _, o := range c.Cat.Tables() {
		if dropped[o.ID] {
			continue
		}
		n := clone(o)
		n.Keys = slices.DeleteFunc(n.Keys, func(k catalog.Key) bool { return k.Kind == "f" && dropped[k.RefTable] })
		if len(n.Keys) == len(o.Keys) {
			continue
		}
		if !cascade {
			e := errs.New(errs.DependentObjects, "cannot drop table because other objects depend on it").
				WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
			if c.mayRead(o) {
				e = e.WithDetail("A foreign key of table %s depends on it.", o.Name)
			}
			return e
		}
		c.putTable(n, false)
	}
	return nil
}

// mayRead tells whether the principal has any privilege on a table.
func (c *Ctx) mayRead(t *catalog.Table) bool {
	v, err := policy.Resolve(c.Cat, t.ID, c.Who, c.Now)
	return err == nil && v.HasAny()
}

func (c *Ctx) dropSchemas(st *ast.Drop) error {
	for _, n := range st.Names {
		name := n[len(n)-1]
		s := c.Cat.SchemaByName(name)
		if s == nil {
			if !st.IfExists {
				return errs.New(errs.InvalidSchemaName, "schema %q does not exist", name)
			}
			c.notice("schema %q does not exist, skipping", name)
			continue
		}
		if err := c.ownSchema(s); err != nil {
			return err
		}
		dropped := map[uint32]bool{}
		for _, t := range c.Cat.Tables() {
			if t.Schema != s.ID {
				continue
			}
			if !st.Cascade {
				return errs.New(errs.DependentObjects, "cannot drop schema %s because other objects depend on it", name).
					WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
			}
			dropped[t.ID] = true
			c.put(catalog.Change{Drop: "table", ID: t.ID})
		}
		if err := c.dropDependents(dropped, "schema "+name, st.Cascade); err != nil {
			return err
		}
		if err := c.dropReferences(dropped, st.Cascade); err != nil {
			return err
		}
		c.put(catalog.Change{Drop: "schema", ID: s.ID})
	}
	return nil
}

func (c *Ctx) ownSchema(s *catalog.Schema) error {
	if isSystem(s.ID) || !c.active(s.Owner) {
		return errs.New(errs.InsufficientPrivilege, "must be owner of schema %s", s.Name)
	}
	return nil
}

func (c *Ctx) createSchema(st *ast.CreateSchema) error {
	c.out.Tag = "CREATE SCHEMA"
	owner := c.Who.RoleID
	name := st.Name
	if st.Owner != nil {
		id, err := c.role(*st.Owner, false)
		if err != nil {
			return err
		}
		if !c.active(id) {
			return errs.New(errs.InsufficientPrivilege, "must be member of role %q", c.Cat.Role(id).Name)
		}
		owner = id
		if name == "" {
			name = c.Cat.Role(id).Name
		}
	}
	// The database's CREATE privilege is its owner's: superusers and CREATEDB.
	if r := c.Cat.Role(c.Who.RoleID); !c.Who.Superuser && (r == nil || !r.CreateDB) {
		return errs.New(errs.InsufficientPrivilege, "permission denied for database quern")
	}
	if strings.HasPrefix(name, "pg_") {
		return errs.New(errs.ReservedName, "unacceptable schema name %q", name).
			WithDetail(`The prefix "pg_" is reserved for system schemas.`)
	}
	if c.Cat.SchemaByName(name) != nil {
		if st.IfNotExists {
			c.out.Notices = append(c.out.Notices, Notice{Severity: "NOTICE", Code: string(errs.DuplicateSchema), Msg: `schema "` + name + `" already exists, skipping`})
			return nil
		}
		return errs.New(errs.DuplicateSchema, "schema %q already exists", name)
	}
	c.put(catalog.Change{Schema: &catalog.Schema{ID: c.newOID(), Name: name, Owner: owner}, Create: true})
	return nil
}

func (c *Ctx) alterSchema(st *ast.AlterSchema) error {
	c.out.Tag = "ALTER SCHEMA"
	s := c.Cat.SchemaByName(st.Name)
	if s == nil {
		return errs.New(errs.InvalidSchemaName, "schema %q does not exist", st.Name)
	}
	if err := c.ownSchema(s); err != nil {
		return err
	}
	n := *s
	if st.Rename != "" {
		if strings.HasPrefix(st.Rename, "pg_") {
			return errs.New(errs.ReservedName, "unacceptable schema name %q", st.Rename)
		}
		n.Name = st.Rename
	}
	if st.Owner != nil {
		id, err := c.role(*st.Owner, false)
		if err != nil {
			return err
		}
		if !c.active(id) {
			return errs.New(errs.InsufficientPrivilege, "must be member of role %q", c.Cat.Role(id).Name)
		}
		n.Owner = id
	}
	c.put(catalog.Change{Schema: &n})
	if st.Rename == "" {
		return nil
	}
	var inside []uint32
	for _, t := range c.Cat.Tables() {
		if t.Schema == s.ID {
			inside = append(inside, t.ID)
		}
	}
	return c.renamed(inside...)
}
