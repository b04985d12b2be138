package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
)

// comment plans COMMENT ON.
func (c *Ctx) comment(st *ast.Comment) error {
	c.out.Tag = "COMMENT"
	text := ""
	if st.Text != nil {
		text = *st.Text
	}
	switch st.Kind {
	case ast.ObjTable, ast.ObjView, ast.ObjMaterializedView, ast.ObjColumn:
		return c.commentTable(st, text)
	case ast.ObjConstraint:
		t, err := c.ownTable(st.Table)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(t.Keys, func(k catalog.Key) bool { return k.Name == st.Name[0] })
		if i < 0 {
			return errs.New(errs.UndefinedObject, "constraint %q for table %q does not exist", st.Name[0], t.Name)
		}
		t.Keys[i].Comment = text
		c.putTable(t, false)
		return nil
	case ast.ObjIndex:
		return c.commentIndex(st, text)
	case ast.ObjSchema:
		old := c.Cat.SchemaByName(st.Name[0])
		switch {
		case old == nil:
			return errs.New(errs.InvalidSchemaName, "schema %q does not exist", st.Name[0])
		case !c.active(old.Owner):
			return errs.New(errs.InsufficientPrivilege, "must be owner of schema %s", old.Name)
		}
		s := *old
		s.Comment = text
		c.put(catalog.Change{Schema: &s})
		return nil
	case ast.ObjRole:
		r := c.Cat.RoleByName(st.Name[0])
		switch {
		case r == nil:
			return errs.New(errs.UndefinedObject, "role %q does not exist", st.Name[0])
		case r.Superuser && !c.Who.Superuser:
			return errs.New(errs.InsufficientPrivilege, "must be superuser to comment on superuser role")
		case !c.mayCreateRole():
			return errs.New(errs.InsufficientPrivilege, "must have CREATEROLE privilege")
		}
		n := cloneRole(r)
		n.Comment = text
		c.put(catalog.Change{Role: n})
		return nil
	}
	return errs.NotSupported("COMMENT on this kind of object")
}

func (c *Ctx) commentTable(st *ast.Comment, text string) error {
	name := st.Name
	if st.Kind == ast.ObjColumn {
		if len(name) < 2 {
			return errs.New(errs.Syntax, "column name must be qualified")
		}
		name = name[:len(name)-1]
	}
	t, err := c.ownTable(name)
	if err != nil {
		return err
	}
	if st.Kind == ast.ObjColumn {
		col, err := columnOf(t, st.Name[len(name)])
		if err != nil {
			return err
		}
		col.Comment = text
	} else {
		if kind := kinds[st.Kind]; t.Kind != kind {
			return errs.New(errs.WrongObjectType, "%q is not a %s", t.Name, (&catalog.Table{Kind: kind}).Noun())
		}
		t.Comment = text
	}
	c.putTable(t, false)
	return nil
}

func (c *Ctx) commentIndex(st *ast.Comment, text string) error {
	t, i, err := c.findIndex(st.Name)
	if err != nil {
		return err
	}
	name := st.Name[len(st.Name)-1]
	if t == nil {
		return errs.New(errs.UndefinedTable, "relation %q does not exist", strings.Join(st.Name, "."))
	}
	if err := c.mustOwnIndex(t, name); err != nil {
		return err
	}
	n := clone(t)
	if i >= 0 {
		n.Indexes[i].Comment = text
	}
	for k := range n.Keys {
		if i < 0 && n.Keys[k].Name == name {
			n.Keys[k].IndexComment = text
		}
	}
	c.putTable(n, false)
	return nil
}
