package pgcatalog

import (
	"strings"

	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// grantee splits off the leading role argument of has_…_privilege; want is the
// number of arguments without it.
func (c *Context) grantee(a []types.Datum, want int) (policy.Principal, []types.Datum, error) {
	if len(a) <= want {
		return c.Principal, a, nil
	}
	d := a[0]
	r := c.Catalog.Role(uint32(d.I))
	if d.S != "" {
		if r = c.Catalog.RoleByName(d.S); r == nil {
			return policy.Principal{}, nil, errs.New(errs.UndefinedObject, "role %q does not exist", d.S)
		}
	}
	if r == nil {
		return policy.Principal{}, a[1:], nil
	}
	return policy.Principal{RoleID: r.ID, Superuser: r.Superuser, Name: r.Name}, a[1:], nil
}

// askedPrivileges reads "SELECT, INSERT WITH GRANT OPTION": any of them is enough.
func askedPrivileges(s string) ([]policy.Privilege, error) {
	var out []policy.Privilege
	for _, w := range strings.Split(s, ",") {
		w = strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(w)), " WITH GRANT OPTION")
		found := false
		for i, n := range append(append([]string(nil), privilegeNames...), "USAGE", "CREATE", "UNMASK") {
			if n == w {
				out, found = append(out, 1<<i), true
			}
		}
		if !found {
			return nil, errs.New(errs.InvalidParameterValue, "unrecognized privilege type: %q", w)
		}
	}
	return out, nil
}

func hasTablePrivilege(c *Context, a []types.Datum) (types.Datum, error) {
	who, a, err := c.grantee(a, 2)
	if err != nil {
		return null, err
	}
	t, ok := c.tableArg(arg(a, 0))
	if !ok {
		if arg(a, 0).S != "" {
			return null, errs.New(errs.UndefinedTable, "relation %q does not exist", arg(a, 0).S)
		}
		return null, nil
	}
	asked, err := askedPrivileges(arg(a, 1).S)
	if err != nil {
		return null, err
	}
	if t == nil {
		return boolean(who.Superuser || asked[0] == policy.Select), nil
	}
	v, err := policy.Resolve(c.Catalog, t.ID, who, c.Now)
	if err != nil {
		return null, err
	}
	for _, p := range asked {
		if v.Has(p) {
			return boolean(true), nil
		}
	}
	return boolean(false), nil
}

func hasColumnPrivilege(c *Context, a []types.Datum) (types.Datum, error) {
	who, a, err := c.grantee(a, 3)
	if err != nil {
		return null, err
	}
	t, ok := c.tableArg(arg(a, 0))
	if !ok {
		return null, nil
	}
	asked, err := askedPrivileges(arg(a, 2).S)
	if err != nil {
		return null, err
	}
	if t == nil {
		return boolean(true), nil
	}
	id := uint32(arg(a, 1).I)
	if n := arg(a, 1).S; n != "" {
		col := t.Column(n)
		if col == nil {
			return null, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", n, t.Name)
		}
		id = col.ID
	}
	v, err := policy.Resolve(c.Catalog, t.ID, who, c.Now)
	if err != nil {
		return null, err
	}
	for _, p := range asked {
		if v.HasColumn(p, id) {
			return boolean(true), nil
		}
	}
	return boolean(false), nil
}

func hasSchemaPrivilege(c *Context, a []types.Datum) (types.Datum, error) {
	who, a, err := c.grantee(a, 2)
	if err != nil {
		return null, err
	}
	s := c.Catalog.SchemaByID(uint32(arg(a, 0).I))
	if n := arg(a, 0).S; n != "" {
		if s = c.Catalog.SchemaByName(n); s == nil {
			return null, errs.New(errs.InvalidSchemaName, "schema %q does not exist", n)
		}
	}
	if s == nil {
		return null, nil
	}
	asked, err := askedPrivileges(arg(a, 1).S)
	if err != nil {
		return null, err
	}
	active := policy.Active(c.Catalog, who.RoleID)
	for _, p := range asked {
		if who.Superuser || active[s.Owner] {
			return boolean(true), nil
		}
		for _, g := range s.Grants {
			if (g.Role == 0 || active[g.Role]) && g.Priv&p == p {
				return boolean(true), nil
			}
		}
	}
	return boolean(false), nil
}

func hasRole(c *Context, a []types.Datum) (types.Datum, error) {
	who, a, err := c.grantee(a, 2)
	if err != nil {
		return null, err
	}
	id := uint32(arg(a, 0).I)
	if n := arg(a, 0).S; n != "" {
		r := c.Catalog.RoleByName(n)
		if r == nil {
			return null, errs.New(errs.UndefinedObject, "role %q does not exist", n)
		}
		id = r.ID
	}
	return boolean(who.Superuser || policy.Active(c.Catalog, who.RoleID)[id]), nil
}
