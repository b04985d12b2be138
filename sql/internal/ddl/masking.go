package ddl

import (
	"slices"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// families are the mask families of GOVERNANCE.md §2.2.
var families = map[string]bool{"text": true, "numeric": true, "date": true, "timestamp": true, "bool": true,
	"uuid": true, "inet": true, "bytea": true, "json": true, "any": true}

var maskNames = map[ast.MaskKind]string{ast.MaskEmail: "EMAIL", ast.MaskPartial: "PARTIAL", ast.MaskPseudonym: "PSEUDONYM",
	ast.MaskDateTrunc: "DATE_TRUNC", ast.MaskBucket: "BUCKET", ast.MaskRound: "ROUND", ast.MaskIP: "IP",
	ast.MaskToken: "TOKEN", ast.MaskExpr: "an expression"}

func (c *Ctx) mustPolicy() error {
	if c.has(catalog.RolePolicyAdmin) {
		return nil
	}
	return errs.New(errs.InsufficientPrivilege, "permission denied to change masking policies").
		WithDetail("Only members of role policy_admin may do this.")
}

func (c *Ctx) createMasking(st *ast.CreateMaskingPolicy) error {
	c.out.Tag = "CREATE MASKING POLICY"
	if st.Alter {
		c.out.Tag = "ALTER MASKING POLICY"
	}
	if err := c.mustPolicy(); err != nil {
		return err
	}
	old := c.Cat.MaskingByName(st.Name)
	switch {
	case st.Alter && old == nil:
		return errs.New(errs.UndefinedObject, "masking policy %q does not exist", st.Name)
	case st.Alter && st.Rename != "":
		n := *old
		n.Name = st.Rename
		c.put(catalog.Change{Masking: &n})
		return nil
	case !st.Alter && old != nil && st.IfNotExists:
		c.notice("masking policy %q already exists, skipping", st.Name)
		return nil
	case !st.Alter && old != nil && !st.OrReplace:
		return errs.New(errs.DuplicateObject, "masking policy %q already exists", st.Name)
	}
	m := &policy.Masking{Name: st.Name, Family: st.Family, Owner: c.Who.RoleID}
	if old != nil {
		m.ID, m.Owner = old.ID, old.Owner
		if m.Family == "" {
			m.Family = old.Family
		}
	} else {
		m.ID = c.newOID()
	}
	if !families[m.Family] {
		return errs.New(errs.InvalidParameterValue, "masking policy family %q does not exist", m.Family)
	}
	if err := maskBody(m, st.Mask); err != nil {
		return err
	}
	for i := range st.Options {
		switch o := &st.Options[i]; o.Name {
		case "comment":
		default:
			return pos(errs.NotSupported("masking policy option "+o.Name), o.Pos)
		}
	}
	if old != nil {
		if err := c.stillFits(m); err != nil {
			return err
		}
	}
	c.put(catalog.Change{Masking: m})
	return nil
}

// familyTypes is a type that a constant of the family must fit.
var familyTypes = map[string]types.Type{"text": types.Text, "numeric": types.Numeric, "date": types.Date,
	"timestamp": types.Timestamptz, "bool": types.Bool, "uuid": types.UUID, "inet": {OID: types.InetOID, Mod: -1},
	"bytea": types.Bytea, "json": types.JSON}

func maskBody(m *policy.Masking, mask *ast.Mask) error {
	switch mask.Kind {
	case ast.MaskNull:
		m.Kind = policy.MaskNull
	case ast.MaskConstant:
		text, null, typ, ok := constant(mask.Expr)
		if !ok {
			return pos(errs.New(errs.InvalidObjectDefinition, "CONSTANT needs a literal"), mask.Pos)
		}
		if null {
			m.Kind = policy.MaskNull
			return nil
		}
		if t, known := familyTypes[m.Family]; known {
			bad := typ == "boolean" && m.Family != "bool" && m.Family != "text"
			if _, err := types.ParseText(t, text, types.DefaultFormat); err != nil || bad {
				return pos(errs.New(errs.DatatypeMismatch, "constant of masking policy %q is not of family %s", m.Name, m.Family), mask.Pos)
			}
		}
		m.Kind, m.Const = policy.MaskConstant, text
	default:
		return pos(errs.NotSupported("mask "+maskNames[mask.Kind]), mask.Pos)
	}
	return nil
}

// stillFits checks a replaced policy on the columns that have it.
func (c *Ctx) stillFits(m *policy.Masking) error {
	for _, t := range c.Cat.Tables() {
		for i := range t.Columns {
			if t.Columns[i].Masking == m.ID {
				if err := fits(m, t, &t.Columns[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func fits(m *policy.Masking, t *catalog.Table, col *catalog.Column) error {
	if err := policy.ValidateMask(m, col.Type); err != nil {
		if errs.CodeOf(err) == errs.DatatypeMismatch {
			return err
		}
		return errs.New(errs.DatatypeMismatch, "constant of masking policy %q does not fit column %q of table %q", m.Name, col.Name, t.Name)
	}
	return nil
}

func (c *Ctx) dropMasking(st *ast.DropMaskingPolicy) error {
	c.out.Tag = "DROP MASKING POLICY"
	if err := c.mustPolicy(); err != nil {
		return err
	}
	m := c.Cat.MaskingByName(st.Name)
	if m == nil {
		if st.IfExists {
			c.notice("masking policy %q does not exist, skipping", st.Name)
			return nil
		}
		return errs.New(errs.UndefinedObject, "masking policy %q does not exist", st.Name)
	}
	for _, t := range c.Cat.Tables() {
		for i := range t.Columns {
			if t.Columns[i].Masking == m.ID {
				return errs.New(errs.DependentObjects, "cannot drop masking policy %q because columns have it", st.Name).
					WithDetail("Column %q of table %q has it.", t.Columns[i].Name, t.Name)
			}
		}
	}
	c.put(catalog.Change{Drop: "masking", ID: m.ID})
	return nil
}

func (c *Ctx) setMasking(t *catalog.Table, a *ast.SetMaskingPolicy) error {
	if a.Add {
		return errs.NotSupported("ADD MASKING POLICY")
	}
	if len(a.Using) > 0 {
		return errs.NotSupported("SET MASKING POLICY … USING")
	}
	col, err := columnOf(t, a.Column)
	if err != nil {
		return err
	}
	m := c.Cat.MaskingByName(a.Policy)
	if m == nil {
		return errs.New(errs.UndefinedObject, "masking policy %q does not exist", a.Policy)
	}
	if err := fits(m, t, col); err != nil {
		return err
	}
	if isKeyColumn(t, a.Column) {
		return errs.NotSupported("a masking policy on a sort key or time column").
			WithDetail("Rows are stored in the order of column %q.", a.Column)
	}
	if slices.Contains(t.Options.DedupKey, col.ID) {
		return errs.NotSupported("a masking policy on a column of the dedup key").
			WithDetail("What counts as a duplicate would tell of its values.")
	}
	col.Masking = m.ID
	return nil
}

func (c *Ctx) unsetMasking(t *catalog.Table, a *ast.UnsetMaskingPolicy) error {
	col, err := columnOf(t, a.Column)
	if err != nil {
		return err
	}
	if a.Policy != "" {
		m := c.Cat.MaskingByName(a.Policy)
		if m == nil || m.ID != col.Masking {
			return errs.New(errs.UndefinedObject, "column %q has no masking policy %q", a.Column, a.Policy)
		}
	}
	if col.Masking == 0 {
		return errs.New(errs.UndefinedObject, "column %q has no masking policy", a.Column)
	}
	col.Masking = 0
	return nil
}
