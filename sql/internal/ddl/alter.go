package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

func (c *Ctx) alterTable(st *ast.AlterTable) error {
	c.out.Tag = "ALTER TABLE"
	switch st.Kind {
	case ast.ObjTable:
	case ast.ObjView:
		c.out.Tag = "ALTER VIEW"
	case ast.ObjMaterializedView:
		c.out.Tag = "ALTER MATERIALIZED VIEW"
	case ast.ObjIndex:
		return c.alterIndex(st)
	default:
		return errs.NotSupported("this form of ALTER")
	}
	old, err := c.findTable(st.Table.Name)
	if err != nil {
		return err
	}
	if old == nil {
		name := strings.Join(st.Table.Name, ".")
		if st.IfExists {
			c.notice("relation %q does not exist, skipping", name)
			return nil
		}
		return errs.New(errs.UndefinedTable, "relation %q does not exist", name)
	}
	if isSystem(old.Schema) {
		return errs.New(errs.InsufficientPrivilege, "permission denied: %q is a system catalog", old.Name)
	}
	if err := c.rightKind(old, st); err != nil {
		return err
	}
	t := clone(old)
	c.rewriting = &Rewrite{Old: old, New: t, Exprs: map[uint32]ast.Expr{}}
	names := false
	for _, a := range st.Actions {
		switch a.(type) {
		case *ast.RenameColumn, *ast.RenameTo, *ast.SetSchema:
			names = true
		}
		if err := c.mayAlter(t, a); err != nil {
			return err
		}
		if err := c.alter(t, a); err != nil {
			return err
		}
	}
	c.putTable(t, !slices.EqualFunc(old.Columns, t.Columns, sameShape))
	if slices.ContainsFunc(st.Actions, func(a ast.AlterAction) bool { _, set := a.(*ast.SetMaskingPolicy); return set }) {
		if err := c.maskViews(t.ID); err != nil {
			return err
		}
	}
	if r := c.rewriting; r.Rows || len(r.NotNull) > 0 || r.Empty != "" {
		c.out.Rewrite = r
	}
	if names {
		return c.renamed(t.ID)
	}
	return nil
}

// kinds are the relations that a statement's object word means.
var kinds = map[ast.ObjectKind]catalog.Kind{ast.ObjView: catalog.KindView, ast.ObjMaterializedView: catalog.KindMatView}

// rightKind: ALTER TABLE may rename views and change their owner, as in
// PostgreSQL; all else of it is for tables.
func (c *Ctx) rightKind(t *catalog.Table, st *ast.AlterTable) error {
	if st.Kind != ast.ObjTable && t.Kind != kinds[st.Kind] && c.mayRead(t) {
		return errs.New(errs.WrongObjectType, "%q is not a %s", t.Name, (&catalog.Table{Kind: kinds[st.Kind]}).Noun())
	}
	if t.Kind == catalog.KindTable {
		return nil
	}
	for _, a := range st.Actions {
		switch a := a.(type) {
		case *ast.RenameColumn, *ast.RenameTo, *ast.SetSchema, *ast.OwnerTo, *ast.SetColumnStorage, *ast.ClusterOn:
		case *ast.SetOptions:
			if a.Column != "" || t.Kind != catalog.KindView {
				return errs.NotSupported("this form of ALTER " + strings.ToUpper(t.Noun()))
			}
		default:
			return errs.NotSupported("this form of ALTER " + strings.ToUpper(t.Noun()))
		}
	}
	return nil
}

// sameShape tells whether rows decode the same under both definitions.
func sameShape(a, b catalog.Column) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Type == b.Type && a.NotNull == b.NotNull && a.Default == b.Default
}

// mayAlter: policies belong to policy_admin, retention to retention_admin, the
// rest to the owner.
func (c *Ctx) mayAlter(t *catalog.Table, a ast.AlterAction) error {
	switch a := a.(type) {
	case *ast.SetMaskingPolicy, *ast.UnsetMaskingPolicy:
		if !c.has(catalog.RolePolicyAdmin) {
			return errs.New(errs.InsufficientPrivilege, "permission denied to change masking policies").
				WithDetail("Only members of role policy_admin may do this.")
		}
		return nil
	case *ast.SetOptions:
		if len(a.Options) == 1 && a.Options[0].Name == "retention" && c.has(catalog.RoleRetentionAdmin) {
			return nil
		}
	}
	return c.mustOwn(t)
}

// alter applies one action. (One case per action; longer than usual.)
func (c *Ctx) alter(t *catalog.Table, a ast.AlterAction) error {
	switch a := a.(type) {
	case *ast.AddColumn:
		return c.alterAdd(t, a)
	case *ast.DropColumn:
		return c.alterDrop(t, a)
	case *ast.RenameColumn:
		return c.renameColumn(t, a)
	case *ast.RenameTo:
		if c.Cat.TableByName(t.Schema, a.To) != nil {
			return errs.New(errs.DuplicateTable, "relation %q already exists", a.To)
		}
		t.Name = a.To
		return nil
	case *ast.RenameConstraint:
		for i := range t.Keys {
			if t.Keys[i].Name == a.From {
				t.Keys[i].Name = a.To
				return nil
			}
		}
		return errs.New(errs.UndefinedObject, "constraint %q for table %q does not exist", a.From, t.Name)
	case *ast.SetSchema:
		sc, _, err := c.createIn([]string{a.Schema, t.Name})
		if err != nil {
			return err
		}
		if c.Cat.TableByName(sc.ID, t.Name) != nil {
			return errs.New(errs.DuplicateTable, "relation %q already exists in schema %q", t.Name, a.Schema)
		}
		t.Schema = sc.ID
		return nil
	case *ast.OwnerTo:
		return c.ownerTo(t, a)
	case *ast.SetColumnDefault:
		col, err := columnOf(t, a.Name)
		if err != nil {
			return err
		}
		col.Default = catalog.Default{}
		if a.Default != nil {
			col.Default, err = c.columnDefault(a.Name, col.Type, a.Default)
		}
		return err
	case *ast.SetColumnNotNull:
		return c.setNotNull(t, a)
	case *ast.SetOptions:
		return c.alterOptions(t, a)
	case *ast.AddConstraint:
		return c.addKey(t, a.Constraint)
	case *ast.DropConstraint:
		return c.dropConstraint(t, a)
	case *ast.SetMaskingPolicy:
		return c.setMasking(t, a)
	case *ast.UnsetMaskingPolicy:
		return c.unsetMasking(t, a)
	case *ast.SetColumnStorage, *ast.SetPersistence, *ast.ClusterOn, *ast.ReplicaIdentity:
		return nil // storage tuning of PostgreSQL without a meaning here
	case *ast.AlterColumnType:
		return c.alterType(t, a)
	case *ast.ColumnIdentity:
		return c.alterIdentity(t, a)
	case *ast.RowSecurity:
		return errs.NotSupported("ROW LEVEL SECURITY")
	case *ast.SetSubjectKey:
		return errs.NotSupported("SUBJECT KEY")
	}
	return errs.NotSupported("this form of ALTER TABLE")
}

func (c *Ctx) alterAdd(t *catalog.Table, a *ast.AddColumn) error {
	if t.Column(a.Column.Name) != nil {
		if a.IfNotExists {
			c.out.Notices = append(c.out.Notices, Notice{Severity: "NOTICE", Code: string(errs.DuplicateColumn),
				Msg: `column "` + a.Column.Name + `" of relation "` + t.Name + `" already exists, skipping`})
			return nil
		}
		return errs.New(errs.DuplicateColumn, "column %q of relation %q already exists", a.Column.Name, t.Name)
	}
	if err := c.addColumn(t, a.Column); err != nil {
		return err
	}
	col := &t.Columns[len(t.Columns)-1]
	switch col.Default.Kind {
	case catalog.DefaultNone:
		if col.NotNull {
			c.rewriting.Empty = col.Name
		}
	case catalog.DefaultConst:
		text := col.Default.Text
		col.Missing = &text
	case catalog.DefaultNow, catalog.DefaultUser:
		// One value for all rows that exist, as in PostgreSQL.
		text, err := c.valueNow(col)
		if err != nil {
			return err
		}
		col.Missing = &text
	default:
		c.rewriting.Rows = true
	}
	return nil
}

// valueNow is what a stable default gives at this moment, in text form.
func (c *Ctx) valueNow(col *catalog.Column) (string, error) {
	d := types.Datum{I: c.Now}
	switch {
	case col.Default.Kind == catalog.DefaultUser:
		return c.Who.Name, nil
	case col.Type.OID == types.DateOID:
		d.I = c.Now / 86_400_000_000
		if c.Now%86_400_000_000 < 0 {
			d.I--
		}
	}
	return string(types.AppendText(nil, col.Type, &d, types.DefaultFormat)), nil
}

func (c *Ctx) alterDrop(t *catalog.Table, a *ast.DropColumn) error {
	col := t.Column(a.Name)
	if col == nil {
		if a.IfExists {
			c.notice("column %q of relation %q does not exist, skipping", a.Name, t.Name)
			return nil
		}
		return errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", a.Name, t.Name)
	}
	switch {
	case col.Masking != 0:
		return errs.New(errs.DependentObjects, "cannot drop column %q of table %q because it has a masking policy", a.Name, t.Name).
			WithHint("A member of role policy_admin can drop the policy first.")
	case isKeyColumn(t, a.Name) && (t.Options.TimeColumn == a.Name || t.Options.Retention > 0 || t.Floor > 0 || len(t.Options.OrderBy) > 0):
		return errs.New(errs.DependentObjects, "cannot drop column %q of table %q because table options depend on it", a.Name, t.Name)
	}
	if slices.Contains(t.Options.DedupKey, col.ID) {
		return errs.New(errs.DependentObjects, "cannot drop column %q of table %q because table options depend on it", a.Name, t.Name)
	}
	if err := c.columnReaders(t, col, a.Cascade); err != nil {
		return err
	}
	id := col.ID
	t.Columns = slices.DeleteFunc(t.Columns, func(x catalog.Column) bool { return x.ID == id })
	t.Keys = slices.DeleteFunc(t.Keys, func(k catalog.Key) bool { return slices.Contains(k.Cols, id) })
	t.Indexes = slices.DeleteFunc(t.Indexes, func(x catalog.Index) bool {
		return slices.ContainsFunc(x.Items, func(it catalog.IndexItem) bool { return it.Col == id })
	})
	t.Grants = withoutColumn(t.Grants, id)
	return nil
}

func withoutColumn(gs []policy.Grant, id uint32) []policy.Grant {
	var out []policy.Grant
	for _, g := range gs {
		if g.Cols != nil {
			g.Cols = slices.DeleteFunc(slices.Clone(g.Cols), func(x uint32) bool { return x == id })
			if len(g.Cols) == 0 {
				continue
			}
		}
		out = append(out, g)
	}
	return out
}

func (c *Ctx) renameColumn(t *catalog.Table, a *ast.RenameColumn) error {
	col := t.Column(a.From)
	if col == nil {
		return errs.New(errs.UndefinedColumn, "column %q does not exist", a.From)
	}
	if t.Column(a.To) != nil || systemColumns[a.To] {
		return errs.New(errs.DuplicateColumn, "column %q of relation %q already exists", a.To, t.Name)
	}
	col.Name = a.To
	// Options name columns.
	if t.Options.TimeColumn == a.From {
		t.Options.TimeColumn = a.To
	}
	for i, o := range t.Options.OrderBy {
		if name, ok := strings.CutSuffix(o, " desc"); name == a.From {
			t.Options.OrderBy[i] = a.To
			if ok {
				t.Options.OrderBy[i] += " desc"
			}
		}
	}
	return nil
}

func (c *Ctx) ownerTo(t *catalog.Table, a *ast.OwnerTo) error {
	id, err := c.role(a.Owner, false)
	if err != nil {
		return err
	}
	if !c.Who.Superuser {
		if !c.active(id) {
			return errs.New(errs.InsufficientPrivilege, "must be member of role %q", c.Cat.Role(id).Name)
		}
		sc := c.Cat.SchemaByID(t.Schema)
		if !SchemaPrivilege(c.Cat, policy.Principal{RoleID: id}, sc, policy.Create) {
			return errs.New(errs.InsufficientPrivilege, "permission denied for schema %s", sc.Name)
		}
	}
	t.Owner = id
	return nil
}

func (c *Ctx) setNotNull(t *catalog.Table, a *ast.SetColumnNotNull) error {
	col, err := columnOf(t, a.Name)
	if err != nil {
		return err
	}
	if a.NotNull == col.NotNull {
		return nil
	}
	if a.NotNull {
		col.NotNull = true
		c.rewriting.NotNull = append(c.rewriting.NotNull, a.Name)
		return nil
	}
	for i := range t.Keys {
		if t.Keys[i].Kind == "p" && slices.Contains(t.Keys[i].Cols, col.ID) {
			return errs.New(errs.InvalidTableDefinition, "column %q is in a primary key", a.Name)
		}
	}
	col.NotNull = false
	return nil
}

func (c *Ctx) alterOptions(t *catalog.Table, a *ast.SetOptions) error {
	if a.Column != "" {
		if len(a.Options) > 0 && a.Options[0].Name == "masked_predicates" {
			return errs.NotSupported("masked_predicates")
		}
		return errs.NotSupported("ALTER COLUMN … SET (…)")
	}
	if t.Kind == catalog.KindView {
		return alterViewOptions(t, a)
	}
	if !a.Reset {
		return c.setOptions(t, a.Options, false)
	}
	for i := range a.Options {
		if err := c.resetOption(t, &a.Options[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Ctx) dropConstraint(t *catalog.Table, a *ast.DropConstraint) error {
	n := len(t.Keys)
	t.Keys = slices.DeleteFunc(t.Keys, func(k catalog.Key) bool { return k.Name == a.Name })
	if len(t.Keys) < n {
		return nil
	}
	if a.IfExists {
		c.notice("constraint %q of relation %q does not exist, skipping", a.Name, t.Name)
		return nil
	}
	return errs.New(errs.UndefinedObject, "constraint %q of relation %q does not exist", a.Name, t.Name)
}
