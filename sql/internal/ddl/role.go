package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/settings"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

func (c *Ctx) mayCreateRole() bool {
	r := c.Cat.Role(c.Who.RoleID)
	return c.Who.Superuser || r != nil && r.CreateRole
}

func (c *Ctx) createRole(st *ast.CreateRole) error {
	c.out.Tag = "CREATE ROLE"
	if !c.mayCreateRole() {
		return errs.New(errs.InsufficientPrivilege, "permission denied to create role")
	}
	if err := roleName(st.Name); err != nil {
		return err
	}
	if c.Cat.RoleByName(st.Name) != nil {
		return errs.New(errs.DuplicateObject, "role %q already exists", st.Name)
	}
	r := &policy.Role{ID: c.newOID(), Name: st.Name, Inherit: true, Login: st.Kind == "user", ConnLimit: -1}
	if err := c.roleOptions(r, &st.Options); err != nil {
		return err
	}
	for _, in := range st.Options.InRole {
		id, err := c.role(in, false)
		if err != nil {
			return err
		}
		if err := c.mayGrantRole(id); err != nil {
			return err
		}
		r.MemberOf = append(r.MemberOf, id)
	}
	c.put(catalog.Change{Role: r, Create: true})
	for i, list := range [][]ast.Role{st.Options.RoleMembers, st.Options.AdminMembers} {
		for _, m := range list {
			id, err := c.role(m, false)
			if err != nil {
				return err
			}
			n := cloneRole(c.Cat.Role(id))
			n.MemberOf = append(n.MemberOf, r.ID)
			if i == 1 {
				n.AdminOf = append(n.AdminOf, r.ID)
			}
			c.put(catalog.Change{Role: n})
		}
	}
	return nil
}

func roleName(name string) error {
	switch {
	case name == "public" || name == "none":
		return errs.New(errs.ReservedName, "role name %q is reserved", name)
	case strings.HasPrefix(name, "pg_"):
		return errs.New(errs.ReservedName, "role name %q is reserved", name).
			WithDetail(`Role names starting with "pg_" are reserved.`)
	case name == "":
		return errs.New(errs.InvalidName, "zero-length role name")
	}
	return nil
}

// cloneRole copies a role so far that its lists can be changed.
func cloneRole(r *policy.Role) *policy.Role {
	n := *r
	n.MemberOf = slices.Clone(r.MemberOf)
	n.AdminOf = slices.Clone(r.AdminOf)
	if r.Settings != nil {
		n.Settings = map[string]string{}
		for k, v := range r.Settings {
			n.Settings[k] = v
		}
	}
	return &n
}

// roleOptions sets attributes; those beyond the giver's own rights are 42501.
func (c *Ctx) roleOptions(r *policy.Role, o *ast.RoleOptions) error {
	set := func(dst *bool, src *bool, name string) error {
		if src == nil {
			return nil
		}
		if *src && name != "" && !c.Who.Superuser {
			return errs.New(errs.InsufficientPrivilege, "must be superuser to create %s", name)
		}
		*dst = *src
		return nil
	}
	var replication bool
	for _, s := range []struct {
		dst, src *bool
		name     string
	}{
		{&r.Login, o.Login, ""}, {&r.Inherit, o.Inherit, ""}, {&r.CreateRole, o.CreateRole, ""},
		{&r.CreateDB, o.CreateDB, ""}, {&r.Superuser, o.Superuser, "superusers"},
		{&r.BypassRLS, o.BypassRLS, "bypassrls users"}, {&replication, o.Replication, "replication users"},
	} {
		if err := set(s.dst, s.src, s.name); err != nil {
			return err
		}
	}
	if replication {
		return errs.NotSupported("role option REPLICATION")
	}
	if o.ConnLimit != nil {
		if *o.ConnLimit < -1 {
			return errs.New(errs.InvalidParameterValue, "invalid connection limit: %d", *o.ConnLimit)
		}
		r.ConnLimit = *o.ConnLimit
	}
	if o.ValidUntil != nil {
		d, err := types.ParseText(types.Timestamptz, *o.ValidUntil, &types.Format{ExtraFloatDigits: 1, Now: c.Now})
		if err != nil {
			return err
		}
		r.ValidUntil = d.I
		if d.I == types.TimePosInf {
			r.ValidUntil = 0
		}
	}
	if o.Password != nil {
		v, err := c.password(o.Password)
		if err != nil {
			return err
		}
		r.Verifier = v
	}
	return nil
}

func (c *Ctx) alterRole(st *ast.AlterRole) error {
	c.out.Tag = "ALTER ROLE"
	switch {
	case st.All:
		return errs.NotSupported("ALTER ROLE ALL")
	case st.Max != nil:
		return errs.NotSupported("ALTER ROLE … SET MAX")
	case st.InDatabase != "" && st.InDatabase != "quern":
		return errs.New(errs.InvalidCatalogName, "database %q does not exist", st.InDatabase)
	}
	id, err := c.role(st.Role, false)
	if err != nil {
		return err
	}
	r := cloneRole(c.Cat.Role(id))
	if err := c.mayAlterRole(r, st); err != nil {
		return err
	}
	switch {
	case st.Options != nil:
		if err := c.roleOptions(r, st.Options); err != nil {
			return err
		}
	case st.Rename != "":
		if err := c.renameRole(r, st.Rename); err != nil {
			return err
		}
	case st.Setting != nil || st.Reset != nil:
		if err := c.roleSetting(r, st); err != nil {
			return err
		}
	default:
		return c.alterGroup(r, st)
	}
	c.put(catalog.Change{Role: r})
	return nil
}

// mayAlterRole: CREATEROLE alters roles that are not superusers; everybody may
// change the own password and settings.
func (c *Ctx) mayAlterRole(r *policy.Role, st *ast.AlterRole) error {
	if c.Who.Superuser {
		return nil
	}
	own := r.ID == c.Who.RoleID && (st.Setting != nil || st.Reset != nil || st.Options != nil && onlyPassword(st.Options))
	if own {
		return nil
	}
	if r.Superuser {
		return errs.New(errs.InsufficientPrivilege, "must be superuser to alter superuser roles or change superuser attribute")
	}
	if !c.mayCreateRole() || catalog.IsBuiltinRole(r.ID) {
		return errs.New(errs.InsufficientPrivilege, "permission denied")
	}
	return nil
}

func onlyPassword(o *ast.RoleOptions) bool {
	return o.Password != nil && o.Login == nil && o.Superuser == nil && o.CreateDB == nil && o.CreateRole == nil &&
		o.Inherit == nil && o.Replication == nil && o.BypassRLS == nil && o.ConnLimit == nil && o.ValidUntil == nil
}

func (c *Ctx) renameRole(r *policy.Role, to string) error {
	if err := roleName(to); err != nil {
		return err
	}
	if catalog.IsBuiltinRole(r.ID) {
		return errs.New(errs.ReservedName, "role name %q is reserved", r.Name)
	}
	if c.Cat.RoleByName(to) != nil {
		return errs.New(errs.DuplicateObject, "role %q already exists", to)
	}
	r.Name = to
	return nil
}

func (c *Ctx) roleSetting(r *policy.Role, st *ast.AlterRole) error {
	if st.Reset != nil {
		if st.Reset.Name == "" {
			r.Settings = nil
		} else {
			delete(r.Settings, strings.ToLower(st.Reset.Name))
		}
		return nil
	}
	set := st.Setting
	if set.FromCurrent {
		return errs.NotSupported("SET … FROM CURRENT")
	}
	if set.Default {
		delete(r.Settings, strings.ToLower(set.Name))
		return nil
	}
	key, value, err := settings.Check(set.Name, SettingText(set), settings.Startup, c.Who.Superuser)
	if err != nil {
		return err
	}
	if r.Settings == nil {
		r.Settings = map[string]string{}
	}
	r.Settings[key] = value
	return nil
}

// identLists are settings whose values are lists of identifiers: SHOW quotes
// what is not a plain name.
var identLists = map[string]bool{"search_path": true, "temp_tablespaces": true, "local_preload_libraries": true}

// SettingText joins the values of SET.
func SettingText(s *ast.Set) string {
	parts := make([]string, len(s.Values))
	for i, v := range s.Values {
		parts[i] = v.Text
		if identLists[strings.ToLower(s.Name)] && !plainName(v.Text) {
			parts[i] = `"` + strings.ReplaceAll(v.Text, `"`, `""`) + `"`
		}
	}
	return strings.Join(parts, ", ")
}

func plainName(s string) bool {
	for i, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// alterGroup is ALTER GROUP … ADD|DROP USER.
func (c *Ctx) alterGroup(r *policy.Role, st *ast.AlterRole) error {
	if err := c.mayGrantRole(r.ID); err != nil {
		return err
	}
	for i, list := range [][]ast.Role{st.AddUsers, st.DropUsers} {
		for _, m := range list {
			id, err := c.role(m, false)
			if err != nil {
				return err
			}
			if err := c.member(r.ID, id, i == 1, false, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Ctx) dropRole(st *ast.DropRole) error {
	c.out.Tag = "DROP ROLE"
	if !c.mayCreateRole() {
		return errs.New(errs.InsufficientPrivilege, "permission denied to drop role")
	}
	gone := map[uint32]bool{}
	for _, x := range st.Roles {
		r := c.Cat.RoleByName(x.Name)
		if x.Kind == ast.RoleName && r == nil {
			if !st.IfExists {
				return errs.New(errs.UndefinedObject, "role %q does not exist", x.Name)
			}
			c.notice("role %q does not exist, skipping", x.Name)
			continue
		}
		id, err := c.role(x, false)
		if err != nil {
			return err
		}
		if err := c.mayDropRole(c.Cat.Role(id)); err != nil {
			return err
		}
		gone[id] = true
	}
	for id := range gone {
		c.put(catalog.Change{Drop: "role", ID: id})
	}
	for _, r := range c.Cat.Roles() {
		if gone[r.ID] || !slices.ContainsFunc(r.MemberOf, func(m uint32) bool { return gone[m] }) {
			continue
		}
		n := cloneRole(r)
		n.MemberOf = slices.DeleteFunc(n.MemberOf, func(m uint32) bool { return gone[m] })
		n.AdminOf = slices.DeleteFunc(n.AdminOf, func(m uint32) bool { return gone[m] })
		c.put(catalog.Change{Role: n})
	}
	return nil
}

func (c *Ctx) mayDropRole(r *policy.Role) error {
	switch {
	case r.ID == c.Who.RoleID:
		return errs.New(errs.ObjectInUse, "current user cannot be dropped")
	case r.ID == c.SessionUser:
		return errs.New(errs.ObjectInUse, "session user cannot be dropped")
	case catalog.IsBuiltinRole(r.ID):
		return errs.New(errs.DependentObjects, "cannot drop role %s because it is required by the database system", r.Name)
	case r.Superuser && !c.Who.Superuser:
		return errs.New(errs.InsufficientPrivilege, "must be superuser to drop superusers")
	}
	if c.roleInUse(r.ID) {
		return errs.New(errs.DependentObjects, "role %q cannot be dropped because some objects depend on it", r.Name)
	}
	return nil
}

// roleInUse tells whether a role owns or is granted something.
func (c *Ctx) roleInUse(id uint32) bool {
	held := func(gs []policy.Grant) bool {
		return slices.ContainsFunc(gs, func(g policy.Grant) bool { return g.Role == id || g.Grantor == id })
	}
	for _, t := range c.Cat.Tables() {
		if t.Owner == id || held(t.Grants) {
			return true
		}
	}
	for _, s := range c.Cat.Schemas() {
		if s.Owner == id || held(s.Grants) {
			return true
		}
	}
	for _, m := range c.Cat.Maskings() {
		if m.Owner == id {
			return true
		}
	}
	return false
}
