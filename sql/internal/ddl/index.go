package ddl

import (
	"slices"
	"strconv"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
)

// Indexes are metadata: tools see them, nothing is built and none is enforced.

// indexMethods are PostgreSQL's access methods.
var indexMethods = map[string]bool{"btree": true, "hash": true, "gin": true, "gist": true, "brin": true, "spgist": true}

func (c *Ctx) createIndex(st *ast.CreateIndex) error {
	c.out.Tag = "CREATE INDEX"
	t, err := c.table(st.Table.Name)
	if err != nil {
		return err
	}
	if err := c.mustOwn(t); err != nil {
		return err
	}
	if t.Kind == catalog.KindView {
		return errs.New(errs.WrongObjectType, "cannot create index on relation %q", t.Name).
			WithDetail("This operation is not supported for views.")
	}
	ix := catalog.Index{Name: st.Name, Method: st.Method, Unique: st.Unique, Include: len(st.Include)}
	if ix.Method == "" {
		ix.Method = "btree"
	}
	if !indexMethods[ix.Method] {
		return errs.New(errs.UndefinedObject, "access method %q does not exist", ix.Method)
	}
	names, err := indexItems(t, &ix, st)
	if err != nil {
		return err
	}
	if st.Where != nil {
		ix.Where = ast.Print(st.Where)
	}
	if ix.Name == "" {
		ix.Name = c.freeIndexName(t, strings.Join(append(append([]string{t.Name}, names...), "idx"), "_"))
	} else if c.relationExists(t.Schema, ix.Name) {
		if st.IfNotExists {
			c.out.Notices = append(c.out.Notices, Notice{Severity: "NOTICE", Code: string(errs.DuplicateTable),
				Msg: `relation "` + ix.Name + `" already exists, skipping`})
			return nil
		}
		return errs.New(errs.DuplicateTable, "relation %q already exists", ix.Name)
	}
	n := clone(t)
	n.Indexes = append(n.Indexes, ix)
	c.putTable(n, false)
	c.notice("indexes are not needed: CREATE INDEX is accepted and changes nothing")
	return nil
}

// indexItems fills in the keys and gives the parts of a default name.
func indexItems(t *catalog.Table, ix *catalog.Index, st *ast.CreateIndex) (names []string, err error) {
	for _, it := range st.Items {
		item := catalog.IndexItem{Desc: it.Desc, NullsFirst: it.Desc}
		if it.Nulls != ast.NullsUnset {
			item.NullsFirst = it.Nulls == ast.NullsFirst
		}
		if it.Column == "" {
			item.Expr = ast.Print(it.Expr)
			name := "expr"
			if call, ok := it.Expr.(*ast.Call); ok {
				name = call.Name[len(call.Name)-1]
			}
			names = append(names, name)
		} else {
			col := t.Column(it.Column)
			if col == nil {
				return nil, errs.New(errs.UndefinedColumn, "column %q does not exist", it.Column)
			}
			item.Col = col.ID
			names = append(names, it.Column)
		}
		ix.Items = append(ix.Items, item)
	}
	for _, n := range st.Include {
		col := t.Column(n)
		if col == nil {
			return nil, errs.New(errs.UndefinedColumn, "column %q does not exist", n)
		}
		ix.Items = append(ix.Items, catalog.IndexItem{Col: col.ID})
	}
	return names, nil
}

// relationExists tells whether a table, view or index has a name.
func (c *Ctx) relationExists(schema uint32, name string) bool {
	if c.Cat.TableByName(schema, name) != nil {
		return true
	}
	for _, t := range c.Cat.Tables() {
		if t.Schema != schema {
			continue
		}
		if slices.ContainsFunc(t.Indexes, func(x catalog.Index) bool { return x.Name == name }) ||
			slices.ContainsFunc(t.Keys, func(k catalog.Key) bool { return k.Kind != "f" && k.Name == name }) {
			return true
		}
	}
	return false
}

func (c *Ctx) freeIndexName(t *catalog.Table, name string) string {
	if len(name) > 63 {
		name = name[:63]
	}
	out := name
	for n := 1; c.relationExists(t.Schema, out); n++ {
		out = name + strconv.Itoa(n)
	}
	return out
}

// findIndex finds the table of an index by name, -1 for one of a key.
func (c *Ctx) findIndex(name []string) (*catalog.Table, int, error) {
	schema, object, err := splitName(name)
	if err != nil {
		return nil, 0, err
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
		for _, t := range c.Cat.Tables() {
			if t.Schema != sc.ID || !c.mayRead(t) {
				continue
			}
			if i := slices.IndexFunc(t.Indexes, func(x catalog.Index) bool { return x.Name == object }); i >= 0 {
				return t, i, nil
			}
			if slices.ContainsFunc(t.Keys, func(k catalog.Key) bool { return k.Kind != "f" && k.Name == object }) {
				return t, -1, nil
			}
		}
	}
	return nil, 0, nil
}

func (c *Ctx) dropIndexes(st *ast.Drop) error {
	changed := map[uint32]*catalog.Table{}
	var order []uint32
	for _, n := range st.Names {
		name := strings.Join(n, ".")
		t, i, err := c.findIndex(n)
		if err != nil {
			return err
		}
		if t == nil {
			if r, _ := c.findTable(n); r != nil && !isSystem(r.Schema) && c.mayRead(r) {
				return errs.New(errs.WrongObjectType, "%q is not an index", r.Name).
					WithHint("Use DROP %s to remove a %s.", strings.ToUpper(r.Noun()), r.Noun())
			}
			if !st.IfExists {
				return errs.New(errs.UndefinedObject, "index %q does not exist", name)
			}
			c.notice("index %q does not exist, skipping", name)
			continue
		}
		if err := c.mustOwnIndex(t, n[len(n)-1]); err != nil {
			return err
		}
		if i < 0 {
			return errs.New(errs.DependentObjects, "cannot drop index %s because constraint %s on table %s requires it", name, name, c.nameOf(t)).
				WithHint("You can drop constraint %s on table %s instead.", name, c.nameOf(t))
		}
		if changed[t.ID] == nil {
			changed[t.ID], order = clone(t), append(order, t.ID)
		}
		x := changed[t.ID]
		x.Indexes = slices.DeleteFunc(x.Indexes, func(y catalog.Index) bool { return y.Name == t.Indexes[i].Name })
	}
	for _, id := range order {
		c.putTable(changed[id], false)
	}
	return nil
}

func (c *Ctx) mustOwnIndex(t *catalog.Table, name string) error {
	if isSystem(t.Schema) || !c.active(t.Owner) {
		return errs.New(errs.InsufficientPrivilege, "must be owner of index %s", name)
	}
	return nil
}

// alterIndex is ALTER INDEX … RENAME TO.
func (c *Ctx) alterIndex(st *ast.AlterTable) error {
	c.out.Tag = "ALTER INDEX"
	t, i, err := c.findIndex(st.Table.Name)
	if err != nil {
		return err
	}
	name := strings.Join(st.Table.Name, ".")
	if t == nil {
		if st.IfExists {
			c.notice("relation %q does not exist, skipping", name)
			return nil
		}
		return errs.New(errs.UndefinedTable, "relation %q does not exist", name)
	}
	if err := c.mustOwnIndex(t, st.Table.Name[len(st.Table.Name)-1]); err != nil {
		return err
	}
	n := clone(t)
	for _, a := range st.Actions {
		r, ok := a.(*ast.RenameTo)
		switch {
		case !ok:
			return errs.NotSupported("this form of ALTER INDEX")
		case c.relationExists(t.Schema, r.To):
			return errs.New(errs.DuplicateTable, "relation %q already exists", r.To)
		case i >= 0:
			n.Indexes[i].Name = r.To
		default:
			for k := range n.Keys {
				if n.Keys[k].Name == st.Table.Name[len(st.Table.Name)-1] {
					n.Keys[k].Name = r.To
				}
			}
		}
	}
	c.putTable(n, false)
	return nil
}
