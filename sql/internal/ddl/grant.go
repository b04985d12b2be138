package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

var privileges = map[string]policy.Privilege{
	"select": policy.Select, "insert": policy.Insert, "update": policy.Update, "delete": policy.Delete,
	"truncate": policy.Truncate, "references": policy.References, "trigger": policy.Trigger,
	"usage": policy.Usage, "create": policy.Create, "unmask": policy.Unmask,
}

// columnPrivileges may be given on columns.
const columnPrivileges = policy.Select | policy.Insert | policy.Update | policy.References | policy.Unmask

func (c *Ctx) grant(st *ast.Grant) error {
	c.out.Tag = "GRANT"
	if st.Revoke {
		c.out.Tag = "REVOKE"
	}
	if st.RequireReason {
		return errs.NotSupported("REQUIRE REASON")
	}
	if st.GrantedBy != nil {
		if id, err := c.role(*st.GrantedBy, false); err != nil || id != c.Who.RoleID {
			return errs.New(errs.FeatureNotSupported, "grantor must be current user")
		}
	}
	roles, err := c.roles(st.Roles, true)
	if err != nil {
		return err
	}
	switch {
	case st.Kind == ast.ObjTable && st.AllInSchema:
		return c.grantAllTables(st, roles)
	case st.Kind == ast.ObjTable:
		done := map[uint32]bool{}
		for _, name := range st.Objects {
			t, err := c.table(name)
			if err != nil {
				return err
			}
			if !done[t.ID] {
				done[t.ID] = true
				if err := c.grantTable(st, clone(t), roles); err != nil {
					return err
				}
			}
		}
		return nil
	case st.Kind == ast.ObjSchema:
		return c.grantSchema(st, roles)
	case st.Kind == ast.ObjDatabase:
		return c.grantDatabase(st)
	case st.Kind == ast.ObjSequence && st.AllInSchema:
		return nil // there are none
	}
	return errs.NotSupported("privileges on this kind of object")
}

func (c *Ctx) grantAllTables(st *ast.Grant, roles []uint32) error {
	for _, n := range st.Objects {
		s := c.Cat.SchemaByName(n[len(n)-1])
		if s == nil {
			return errs.New(errs.InvalidSchemaName, "schema %q does not exist", n[len(n)-1])
		}
		for _, t := range c.Cat.Tables() {
			if t.Schema != s.ID || isSystem(t.Schema) {
				continue
			}
			if err := c.grantTable(st, clone(t), roles); err != nil {
				return err
			}
		}
	}
	return nil
}

// asked turns the privilege words into a set per column list; "" is the whole
// table.
func (c *Ctx) asked(st *ast.Grant, all policy.Privilege, kind string) (map[string]policy.Privilege, error) {
	out := map[string]policy.Privilege{}
	for _, p := range st.Privileges {
		set, ok := privileges[p.Name]
		switch {
		case p.Name == "all":
			set = all
			if len(p.Columns) > 0 {
				set = all & columnPrivileges
			}
		case p.Name == "declassify":
			return nil, pos(errs.NotSupported("DECLASSIFY"), p.Pos)
		case !ok:
			return nil, pos(errs.New(errs.Syntax, "unrecognized privilege type %q", p.Name), p.Pos)
		case set&(all|policy.Unmask) == 0 || kind != "relation" && set == policy.Unmask:
			return nil, errs.New("0LP01", "invalid privilege type %s for %s", strings.ToUpper(p.Name), kind)
		case len(p.Columns) > 0 && set&columnPrivileges == 0:
			return nil, errs.New("0LP01", "invalid privilege type %s for column", strings.ToUpper(p.Name))
		}
		out[strings.Join(p.Columns, "\x00")] |= set
	}
	if len(st.Privileges) == 0 {
		out[""] = all
	}
	return out, nil
}

func (c *Ctx) grantTable(st *ast.Grant, t *catalog.Table, roles []uint32) error {
	asked, err := c.asked(st, policy.AllTable, "relation")
	if err != nil {
		return err
	}
	for names, set := range asked {
		var cols []uint32
		if names != "" {
			for _, n := range strings.Split(names, "\x00") {
				col, err := columnOf(t, n)
				if err != nil {
					return err
				}
				cols = append(cols, col.ID)
			}
		}
		set, err = c.mayGrant(t.Name, t.Owner, t.Grants, set, st.Revoke)
		if err != nil {
			return err
		}
		for _, r := range roles {
			t.Grants = apply(t.Grants, policy.Grant{Role: r, Grantor: c.grantor(t.Owner), Priv: set, Cols: cols}, st)
		}
	}
	c.putTable(t, false)
	return nil
}

// mayGrant gives the part of set that the principal may hand on; UNMASK is
// policy_admin's, not the owner's.
func (c *Ctx) mayGrant(object string, owner uint32, grants []policy.Grant, set policy.Privilege, revoke bool) (policy.Privilege, error) {
	deny := errs.New(errs.InsufficientPrivilege, "permission denied for table %s", object)
	var may policy.Privilege
	if c.active(owner) {
		may = ^policy.Unmask
	}
	if c.has(catalog.RolePolicyAdmin) {
		may |= policy.Unmask
	}
	active := policy.Active(c.Cat, c.Who.RoleID)
	for _, g := range grants {
		if g.Role != 0 && active[g.Role] {
			may |= g.Option &^ policy.Unmask
		}
	}
	if set&policy.Unmask != 0 && may&policy.Unmask == 0 {
		return 0, errs.New(errs.InsufficientPrivilege, "permission denied to change UNMASK on table %s", object).
			WithDetail("Only members of role policy_admin may do this.")
	}
	switch got := set & may; {
	case got == 0:
		return 0, deny
	case got != set:
		if revoke {
			c.warn("01006", "not all privileges could be revoked for %q", object)
		} else {
			c.warn("01007", "not all privileges were granted for %q", object)
		}
		return got, nil
	}
	return set, nil
}

// grantor is the owner when a superuser or member of the owner grants, as in
// PostgreSQL.
func (c *Ctx) grantor(owner uint32) uint32 {
	if c.active(owner) {
		return owner
	}
	return c.Who.RoleID
}

// apply adds g to the grants, or takes it away from every grantor's.
func apply(gs []policy.Grant, g policy.Grant, st *ast.Grant) []policy.Grant {
	if !st.Revoke {
		if st.WithGrant {
			g.Option = g.Priv
		}
		for i := range gs {
			if gs[i].Role == g.Role && gs[i].Grantor == g.Grantor && slices.Equal(gs[i].Cols, g.Cols) && (gs[i].Cols == nil) == (g.Cols == nil) {
				gs[i].Priv |= g.Priv
				gs[i].Option |= g.Option
				return gs
			}
		}
		return append(gs, g)
	}
	var out []policy.Grant
	for _, o := range gs {
		if o.Role != g.Role {
			out = append(out, o)
			continue
		}
		out = append(out, revokeFrom(o, g, st.GrantOptionFor)...)
	}
	return out
}

// revokeFrom takes g's privileges out of one grant. A revoke on the table also
// takes the column grants; one on columns leaves the other columns.
func revokeFrom(o, g policy.Grant, optionOnly bool) []policy.Grant {
	cut := func(o policy.Grant) []policy.Grant {
		o.Option &^= g.Priv
		if !optionOnly {
			o.Priv &^= g.Priv
		}
		if o.Priv == 0 {
			return nil
		}
		return []policy.Grant{o}
	}
	switch {
	case g.Cols == nil:
		return cut(o)
	case o.Cols == nil:
		return []policy.Grant{o}
	}
	hit, rest := o, o
	hit.Cols, rest.Cols = nil, nil
	for _, id := range o.Cols {
		if slices.Contains(g.Cols, id) {
			hit.Cols = append(hit.Cols, id)
		} else {
			rest.Cols = append(rest.Cols, id)
		}
	}
	var out []policy.Grant
	if len(rest.Cols) > 0 {
		out = append(out, rest)
	}
	if len(hit.Cols) > 0 {
		out = append(out, cut(hit)...)
	}
	return out
}

func (c *Ctx) grantSchema(st *ast.Grant, roles []uint32) error {
	asked, err := c.asked(st, policy.Usage|policy.Create, "schema")
	if err != nil {
		return err
	}
	for _, n := range st.Objects {
		name := n[len(n)-1]
		old := c.Cat.SchemaByName(name)
		if old == nil {
			return errs.New(errs.InvalidSchemaName, "schema %q does not exist", name)
		}
		if isSystem(old.ID) {
			return errs.New(errs.InsufficientPrivilege, "permission denied for schema %s", name)
		}
		s := *old
		s.Grants = slices.Clone(old.Grants)
		set, err := c.mayGrant(name, s.Owner, s.Grants, asked[""], st.Revoke)
		if err != nil {
			return errs.New(errs.InsufficientPrivilege, "permission denied for schema %s", name)
		}
		for _, r := range roles {
			s.Grants = apply(s.Grants, policy.Grant{Role: r, Grantor: c.grantor(s.Owner), Priv: set}, st)
		}
		c.put(catalog.Change{Schema: &s})
	}
	return nil
}

// grantDatabase takes CONNECT and TEMPORARY on the one database, which everybody
// has; the rest is refused.
func (c *Ctx) grantDatabase(st *ast.Grant) error {
	if !c.Who.Superuser {
		return errs.New(errs.InsufficientPrivilege, "permission denied for database quern")
	}
	for _, p := range st.Privileges {
		if st.Revoke || p.Name != "connect" && p.Name != "temporary" && p.Name != "temp" {
			return errs.NotSupported("this privilege on a database")
		}
	}
	return nil
}

// mayGrantRole: superusers, CREATEROLE (not of superusers and not of the
// built-in roles) and holders of the admin option hand a role on.
func (c *Ctx) mayGrantRole(id uint32) error {
	r := c.Cat.Role(id)
	me := c.Cat.Role(c.Who.RoleID)
	switch {
	case c.Who.Superuser, me != nil && slices.Contains(me.AdminOf, id):
		return nil
	case r.Superuser:
		return errs.New(errs.InsufficientPrivilege, "must be superuser to alter superusers")
	case c.mayCreateRole() && !catalog.IsBuiltinRole(id):
		return nil
	}
	return errs.New(errs.InsufficientPrivilege, "must have admin option on role %q", r.Name)
}

func (c *Ctx) grantRole(st *ast.GrantRole) error {
	c.out.Tag = "GRANT ROLE"
	if st.Revoke {
		c.out.Tag = "REVOKE ROLE"
	}
	granted, err := c.roles(st.Granted, false)
	if err != nil {
		return err
	}
	to, err := c.roles(st.Roles, false)
	if err != nil {
		return err
	}
	for _, g := range granted {
		if err := c.mayGrantRole(g); err != nil {
			return err
		}
		for _, r := range to {
			if err := c.member(g, r, st.Revoke, st.WithAdmin, st.AdminOptionFor); err != nil {
				return err
			}
		}
	}
	return nil
}

// member makes role a member of group, or no longer. Several changes of one
// role in a statement build on each other.
func (c *Ctx) member(group, role uint32, revoke, admin, adminOnly bool) error {
	r := c.pendingRole(role)
	g := c.Cat.Role(group)
	has := slices.Contains(r.MemberOf, group)
	drop := func(list []uint32) []uint32 {
		return slices.DeleteFunc(list, func(x uint32) bool { return x == group })
	}
	switch {
	case revoke && !has:
		c.warn(errs.Warning, "role %q is not a member of role %q", r.Name, g.Name)
		return nil
	case revoke:
		r.AdminOf = drop(r.AdminOf)
		if !adminOnly {
			r.MemberOf = drop(r.MemberOf)
		}
	default:
		if role == group || policy.Active(memberSource{c.Cat}, group)[role] {
			return errs.New("0LP01", "role %q is a member of role %q", g.Name, r.Name)
		}
		if has && (!admin || slices.Contains(r.AdminOf, group)) {
			c.notice("role %q is already a member of role %q", r.Name, g.Name)
			return nil
		}
		if !has {
			r.MemberOf = append(r.MemberOf, group)
		}
		if admin {
			r.AdminOf = append(drop(r.AdminOf), group)
		}
	}
	return nil
}

// pendingRole is the copy of a role that this statement puts.
func (c *Ctx) pendingRole(id uint32) *policy.Role {
	for i := range c.out.Changes {
		if r := c.out.Changes[i].Role; r != nil && r.ID == id {
			return r
		}
	}
	r := cloneRole(c.Cat.Role(id))
	c.put(catalog.Change{Role: r})
	return r
}

// memberSource follows memberships regardless of NOINHERIT, for cycle checks.
type memberSource struct{ *catalog.Snapshot }

func (m memberSource) Role(id uint32) *policy.Role {
	r := m.Snapshot.Role(id)
	if r == nil {
		return nil
	}
	n := *r
	n.Inherit = true
	return &n
}
