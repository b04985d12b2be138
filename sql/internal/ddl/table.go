package ddl

import (
	"cmp"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
)

// columnsMax is PostgreSQL's limit.
const columnsMax = 1600

func (c *Ctx) createTable(st *ast.CreateTable) error {
	c.out.Tag = "CREATE TABLE"
	if st.Persistence == ast.Temporary && !c.Temporary {
		return errs.NotSupported("a temporary table")
	}
	t, err := c.NewTable(st.Name, st.IfNotExists)
	if err != nil || t == nil {
		return err
	}
	for _, l := range st.Likes {
		if err := c.like(t, l); err != nil {
			return err
		}
	}
	for _, def := range st.Columns {
		if err := c.addColumn(t, def); err != nil {
			return err
		}
	}
	for _, k := range st.Constraints {
		if err := c.addKey(t, k); err != nil {
			return err
		}
	}
	if err := c.setOptions(t, st.Options, true); err != nil {
		return err
	}
	c.put(catalog.Change{Table: t, Create: true})
	return nil
}

// NewTable makes the definition of a new table without columns: name and
// schema are checked. It is nil if the table exists and ifNotExists is set.
func (c *Ctx) NewTable(name []string, ifNotExists bool) (*catalog.Table, error) {
	if c.next == 0 {
		c.next = cmp.Or(c.FirstOID, c.Cat.NextOID())
	}
	sc, object, err := c.createIn(name)
	if err != nil {
		return nil, err
	}
	if c.Cat.TableByName(sc.ID, object) != nil {
		if ifNotExists {
			c.out.Notices = append(c.out.Notices, Notice{Severity: "NOTICE", Code: string(errs.DuplicateTable),
				Msg: `relation "` + object + `" already exists, skipping`})
			return nil, nil
		}
		return nil, errs.New(errs.DuplicateTable, "relation %q already exists", object)
	}
	return &catalog.Table{ID: c.newOID(), Schema: sc.ID, Name: object, Owner: c.Who.RoleID, Version: 1, NextCol: 1}, nil
}

// Result is what NewTable and others collected; for callers that build a
// table themselves (CREATE TABLE AS).
func (c *Ctx) Result() Result { return c.out }

// SetOptions applies WITH (…) of a new table.
func (c *Ctx) SetOptions(t *catalog.Table, opts []ast.Option) error {
	return c.setOptions(t, opts, true)
}

// like copies columns of another table.
func (c *Ctx) like(t *catalog.Table, l *ast.LikeClause) error {
	src, err := c.table(l.Table)
	if err != nil {
		return err
	}
	if !c.mayRead(src) {
		return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", src.Name)
	}
	defaults := false
	for _, w := range l.Including {
		defaults = defaults || w == "all" || w == "defaults"
	}
	for i := range src.Columns {
		col := src.Columns[i]
		col.ID, col.Masking, col.Comment = t.NextCol, 0, ""
		if !defaults || col.Default.Kind == catalog.DefaultCounter {
			col.Default = catalog.Default{}
		}
		if err := checkNewColumn(t, col.Name); err != nil {
			return err
		}
		t.Columns = append(t.Columns, col)
		t.NextCol++
	}
	return nil
}

// keyKinds are pg_constraint.contype and the default name's ending.
var keyKinds = map[ast.ConstraintKind][3]string{
	ast.PrimaryKey: {"p", "pkey", "PRIMARY KEY"},
	ast.Unique:     {"u", "key", "UNIQUE"},
	ast.ForeignKey: {"f", "fkey", "FOREIGN KEY"},
}

// addKey records a key: metadata for tools, announced as such.
func (c *Ctx) addKey(t *catalog.Table, k *ast.Constraint) error {
	kind := keyKinds[k.Kind]
	key := catalog.Key{Name: k.Name, Kind: kind[0]}
	var names []string
	for _, n := range k.Columns {
		col := t.Column(n)
		if col == nil {
			return pos(errs.New(errs.UndefinedColumn, "column %q named in key does not exist", n), k.Pos)
		}
		key.Cols = append(key.Cols, col.ID)
		names = append(names, n)
		if k.Kind == ast.PrimaryKey {
			col.NotNull = true
		}
	}
	if k.Kind == ast.PrimaryKey {
		for i := range t.Keys {
			if t.Keys[i].Kind == "p" {
				return pos(errs.New(errs.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", t.Name), k.Pos)
			}
		}
		names = nil
	}
	if k.Kind == ast.ForeignKey {
		if err := c.reference(t, &key, k); err != nil {
			return err
		}
	}
	if key.Name == "" {
		key.Name = freeKeyName(t, strings.Join(append(append([]string{t.Name}, names...), kind[1]), "_"))
	}
	for i := range t.Keys {
		if t.Keys[i].Name == key.Name {
			return errs.New(errs.DuplicateObject, "constraint %q for relation %q already exists", key.Name, t.Name)
		}
	}
	t.Keys = append(t.Keys, key)
	c.notice("%s of table %q is kept as metadata and not enforced", kind[2], t.Name)
	return nil
}

func (c *Ctx) reference(t *catalog.Table, key *catalog.Key, k *ast.Constraint) error {
	ref := t
	if _, name, err := splitName(k.RefTable); err != nil || name != t.Name || len(k.RefTable) > 1 {
		if ref, err = c.table(k.RefTable); err != nil {
			return err
		}
	}
	if ref.ID != t.ID && !c.mayRead(ref) {
		return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", ref.Name)
	}
	key.RefTable = ref.ID
	for _, n := range k.RefColumns {
		col := ref.Column(n)
		if col == nil {
			return errs.New(errs.UndefinedColumn, "column %q referenced in foreign key constraint does not exist", n)
		}
		key.RefCols = append(key.RefCols, col.ID)
	}
	if len(k.RefColumns) == 0 {
		for i := range ref.Keys {
			if ref.Keys[i].Kind == "p" {
				key.RefCols = ref.Keys[i].Cols
			}
		}
		if key.RefCols == nil {
			return errs.New(errs.UndefinedObject, "there is no primary key for referenced table %q", ref.Name)
		}
	}
	if len(key.RefCols) != len(key.Cols) {
		return errs.New("42830", "number of referencing and referenced columns for foreign key disagree")
	}
	return nil
}

func freeKeyName(t *catalog.Table, name string) string {
	if len(name) > 63 {
		name = name[:63]
	}
	out := name
	for n := 1; ; n++ {
		taken := false
		for i := range t.Keys {
			taken = taken || t.Keys[i].Name == out
		}
		if !taken {
			return out
		}
		out = name + string(rune('0'+n%10))
	}
}
