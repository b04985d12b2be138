package dialect

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// role takes a role name or one of the key words for roles.
func (w *walker) role() (ast.Role, error) {
	t := w.cur()
	r := ast.Role{At: at(t), Name: t.Text}
	switch {
	case t.is("current_user"), t.is("current_role"):
		r.Kind = ast.RoleCurrentUser
	case t.is("session_user"):
		r.Kind = ast.RoleSessionUser
	case t.Kind == Quoted, t.Kind == Word && t.Class != Reserved:
		if _, err := w.name(t); err != nil {
			return r, err
		}
		if t.Text == "public" {
			r.Kind = ast.RolePublic
		}
		if t.Text == "none" {
			return r, errs.New(errs.ReservedName, "role name \"none\" is reserved").WithPos(int(t.Start) + 1)
		}
	default:
		return r, w.err()
	}
	w.p++
	return r, nil
}

func (w *walker) roles() ([]ast.Role, error) {
	var list []ast.Role
	for {
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		if !w.punct(",") {
			return list, nil
		}
	}
}

// grantees takes [GROUP] role, ….
func (w *walker) grantees() ([]ast.Role, error) {
	var list []ast.Role
	for {
		if w.cur().is("group") {
			w.p++
		}
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		if !w.punct(",") {
			return list, nil
		}
	}
}

// createRole takes ROLE|USER|GROUP name [WITH] options.
func (w *walker) createRole(t *Token) (ast.Stmt, error) {
	n := &ast.CreateRole{At: at(t), Kind: w.next().Text}
	k := w.cur()
	r, err := w.role()
	if err != nil {
		return nil, err
	}
	if r.Kind != ast.RoleName {
		return nil, errs.New(errs.ReservedName, "role name \"%s\" is reserved", r.Name).WithPos(int(k.Start) + 1)
	}
	n.Name = r.Name
	if n.Kind == "user" {
		yes := true
		n.Options.Login = &yes
	}
	w.word("with")
	_, err = w.roleOptions(&n.Options, true)
	return n, err
}

// roleOptions takes role options and reports how many.
func (w *walker) roleOptions(o *ast.RoleOptions, create bool) (int, error) {
	for n := 0; ; n++ {
		if w.cur().Kind != Word {
			return n, nil
		}
		done, err := w.roleOption(o, create)
		if err != nil || done {
			return n, err
		}
	}
}

// roleOption takes one role option; done if there is none.
func (w *walker) roleOption(o *ast.RoleOptions, create bool) (done bool, err error) {
	t := w.cur()
	flag, value := t.Text, true
	if strings.HasPrefix(flag, "no") && flag != "no" {
		flag, value = flag[2:], false
	}
	var target **bool
	switch flag {
	case "login":
		target = &o.Login
	case "superuser":
		target = &o.Superuser
	case "createdb":
		target = &o.CreateDB
	case "createrole", "createuser":
		target = &o.CreateRole
	case "inherit":
		target = &o.Inherit
	case "replication":
		target = &o.Replication
	case "bypassrls":
		target = &o.BypassRLS
	}
	if target != nil {
		w.p++
		*target = &value
		return false, nil
	}
	switch {
	case t.is("encrypted") && w.peek(1).is("password"):
		w.p++
		fallthrough
	case t.is("password"):
		w.p++
		o.Password, err = w.secret()
	case w.words("connection", "limit"):
		var n int
		n, err = w.signedInt()
		o.ConnLimit = &n
	case w.words("valid", "until"):
		var s string
		s, err = w.stringLit()
		o.ValidUntil = &s
	case create && w.words("in", "role"), create && w.words("in", "group"):
		o.InRole, err = w.roles()
	case w.word("role"), w.word("user"):
		o.RoleMembers, err = w.roles()
	case create && w.word("admin"):
		o.AdminMembers, err = w.roles()
	case w.word("sysid"):
		_, err = w.intLit()
	case t.Class == Unreserved:
		err = errs.New(errs.Syntax, "unrecognized role option \"%s\"", t.Text).WithPos(int(t.Start) + 1)
	default:
		return true, nil
	}
	return false, err
}

// secret takes a string that must not be logged, or NULL.
func (w *walker) secret() (*ast.Secret, error) {
	t := w.cur()
	s := &ast.Secret{At: at(t), Start: int(t.Start), End: int(t.End), Text: t.Text}
	if w.word("null") {
		return &ast.Secret{At: at(t), Start: int(t.Start), End: int(t.End), Null: true}, nil
	}
	if t.Kind != String {
		return nil, w.err()
	}
	w.p++
	return s, nil
}

// alterRole takes ALTER ROLE|USER|GROUP behind the word.
func (w *walker) alterRole(t *Token, kind string) (ast.Stmt, error) {
	n := &ast.AlterRole{At: at(t)}
	var err error
	if w.cur().is("all") {
		n.All = true
		w.p++
	} else if n.Role, err = w.role(); err != nil {
		return nil, err
	}
	if kind == "group" {
		switch {
		case w.words("add", "user"):
			n.AddUsers, err = w.roles()
			return n, err
		case w.words("drop", "user"):
			n.DropUsers, err = w.roles()
			return n, err
		}
	}
	if w.words("in", "database") {
		if n.InDatabase, err = w.colID(); err != nil {
			return nil, err
		}
	}
	switch {
	case w.words("rename", "to"):
		n.Rename, err = w.colID()
	case w.cur().is("set") && w.peek(1).is("max") && isColID(w.peek(2)) && !w.peek(2).is("to"):
		w.p += 2
		n.Max, err = w.setting()
	case w.word("set"):
		n.Setting, err = w.setting()
	case w.cur().is("reset"):
		var s ast.Stmt
		k := w.cur()
		if s, err = w.reset(); err != nil {
			return nil, err
		}
		r, ok := s.(*ast.Reset)
		if !ok {
			return nil, w.errAt(k)
		}
		n.Reset = r
	case n.All:
		return nil, w.err()
	default:
		w.word("with")
		n.Options = &ast.RoleOptions{}
		_, err = w.roleOptions(n.Options, false)
	}
	return n, err
}

func (w *walker) dropRole(t *Token) (ast.Stmt, error) {
	n := &ast.DropRole{At: at(t), IfExists: w.ifExists()}
	var err error
	n.Roles, err = w.roles()
	return n, err
}

// dropOwned takes OWNED BY roles.
func (w *walker) dropOwned(t *Token) (ast.Stmt, error) {
	n := &ast.ReassignOwned{At: at(t), Drop: true}
	if err := w.expectWords("owned", "by"); err != nil {
		return nil, err
	}
	var err error
	if n.Roles, err = w.roles(); err != nil {
		return nil, err
	}
	n.Cascade = w.cascade()
	return n, nil
}

// reassign takes REASSIGN OWNED BY roles TO role.
func (w *walker) reassign() (ast.Stmt, error) {
	n := &ast.ReassignOwned{At: at(w.next())}
	if err := w.expectWords("owned", "by"); err != nil {
		return nil, err
	}
	var err error
	if n.Roles, err = w.roles(); err != nil {
		return nil, err
	}
	if err := w.expectWord("to"); err != nil {
		return nil, err
	}
	r, err := w.role()
	n.To = &r
	return n, err
}

// grant takes GRANT of privileges or roles.
func (w *walker) grant() (ast.Stmt, error) {
	t := w.next()
	if k := w.cur(); !w.grantsObjects() && k.Class != Reserved && !w.peek(1).punct("(") {
		n := &ast.GrantRole{At: at(t)}
		var err error
		if n.Granted, err = w.roles(); err != nil {
			return nil, err
		}
		if err := w.expectWord("to"); err != nil {
			return nil, err
		}
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
		n.WithAdmin = w.words("with", "admin", "option")
		n.GrantedBy, err = w.grantedBy()
		return n, err
	}
	n := &ast.Grant{At: at(t)}
	if err := w.privileges(n); err != nil {
		return nil, err
	}
	if err := w.grantTarget(n); err != nil {
		return nil, err
	}
	return n, w.grantTo(n)
}

// grantTo takes TO roles [WITH GRANT OPTION] [GRANTED BY].
func (w *walker) grantTo(n *ast.Grant) error {
	if err := w.expectWord("to"); err != nil {
		return err
	}
	var err error
	if n.Roles, err = w.grantees(); err != nil {
		return err
	}
	switch {
	case w.words("with", "grant", "option"):
		n.WithGrant = true
	case w.cur().is("with") && w.peek(1).punct("(") && w.peek(2).is("require") && w.peek(3).is("reason"):
		w.p += 4
		n.RequireReason = true
		if err := w.expect(")"); err != nil {
			return err
		}
	}
	n.GrantedBy, err = w.grantedBy()
	return err
}

func (w *walker) grantedBy() (*ast.Role, error) {
	if !w.words("granted", "by") {
		return nil, nil
	}
	r, err := w.role()
	return &r, err
}

// grantsObjects reports whether ON stands before TO or FROM: then it is about
// privileges, else about roles.
func (w *walker) grantsObjects() bool {
	for i := w.p; i < len(w.toks)-1; i++ {
		t := &w.toks[i]
		if t.punct("(") {
			i = w.matchOf(i)
			continue
		}
		if t.is("on") {
			return true
		}
		if t.is("to") || t.is("from") {
			return false
		}
	}
	return false
}

// privileges takes ALL [PRIVILEGES] or privilege [(columns)], ….
func (w *walker) privileges(n *ast.Grant) error {
	if k := w.cur(); k.is("all") {
		w.p++
		w.word("privileges")
		p := ast.Privilege{At: at(k), Name: "all"}
		var err error
		if p.Columns, err = w.optNames(); err != nil {
			return err
		}
		n.Privileges = []ast.Privilege{p}
		return nil
	}
	for {
		k := w.cur()
		if !isLabel(k) || k.Kind == Word && k.Class == Reserved && !k.is("select") && !k.is("references") && !k.is("create") {
			return w.err()
		}
		w.p++
		p := ast.Privilege{At: at(k), Name: k.Text}
		switch k.Text {
		case "select", "insert", "update", "delete", "truncate", "references", "trigger", "usage", "create", "connect",
			"temporary", "temp", "execute", "unmask", "declassify":
			if k.Text == "temp" {
				p.Name = "temporary"
			}
		default:
			return errs.New(errs.Syntax, "unrecognized privilege type \"%s\"", k.Text)
		}
		var err error
		if p.Columns, err = w.optNames(); err != nil {
			return err
		}
		n.Privileges = append(n.Privileges, p)
		if !w.punct(",") {
			return nil
		}
	}
}

// grantTarget takes ON objects.
func (w *walker) grantTarget(n *ast.Grant) error {
	if err := w.expectWord("on"); err != nil {
		return err
	}
	k := w.cur()
	switch {
	case w.words("all", "tables", "in", "schema"):
		n.AllInSchema = true
		return w.grantNames(n)
	case w.words("all", "sequences", "in", "schema"):
		n.AllInSchema, n.Kind = true, ast.ObjSequence
		return w.grantNames(n)
	case k.is("all") && w.peek(2).is("in"):
		return refuse("GRANT ON ALL "+upper(w.peek(1).Text), k)
	}
	next := w.peek(1)
	named := next.Kind == Word && !next.is("to") && !next.is("from") || next.Kind == Quoted
	switch {
	case named && w.word("table"), k.is("table"):
		if k.is("table") && !named {
			w.p++
		}
	case named && w.word("schema"):
		n.Kind = ast.ObjSchema
	case named && w.word("database"):
		n.Kind = ast.ObjDatabase
	case named && w.word("sequence"):
		n.Kind = ast.ObjSequence
	case named && (k.is("function") || k.is("procedure") || k.is("routine") || k.is("type") || k.is("domain") ||
		k.is("language") || k.is("tablespace") || k.is("foreign") || k.is("large") || k.is("parameter")):
		return refuse("GRANT ON "+upper(k.Text), k)
	}
	return w.grantNames(n)
}

func (w *walker) grantNames(n *ast.Grant) error {
	for {
		n.ObjectPos = append(n.ObjectPos, int(w.cur().Start))
		name, err := w.qualified()
		if err != nil {
			return err
		}
		n.Objects = append(n.Objects, name)
		if !w.punct(",") {
			return nil
		}
	}
}

// revoke takes REVOKE of privileges or roles.
func (w *walker) revoke() (ast.Stmt, error) {
	t := w.next()
	if k := w.cur(); !w.grantsObjects() && k.Class != Reserved && !w.peek(1).punct("(") {
		n := &ast.GrantRole{At: at(t), Revoke: true, AdminOptionFor: w.words("admin", "option", "for")}
		var err error
		if n.Granted, err = w.roles(); err != nil {
			return nil, err
		}
		if err := w.expectWord("from"); err != nil {
			return nil, err
		}
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
		if n.GrantedBy, err = w.grantedBy(); err != nil {
			return nil, err
		}
		n.Cascade = w.cascade()
		return n, nil
	}
	n := &ast.Grant{At: at(t), Revoke: true, GrantOptionFor: w.words("grant", "option", "for")}
	if err := w.privileges(n); err != nil {
		return nil, err
	}
	if err := w.grantTarget(n); err != nil {
		return nil, err
	}
	return n, w.revokeFrom(n)
}

func (w *walker) revokeFrom(n *ast.Grant) error {
	if err := w.expectWord("from"); err != nil {
		return err
	}
	var err error
	if n.Roles, err = w.grantees(); err != nil {
		return err
	}
	if n.GrantedBy, err = w.grantedBy(); err != nil {
		return err
	}
	n.Cascade = w.cascade()
	return nil
}

// alterDefaults takes ALTER DEFAULT PRIVILEGES [FOR ROLE …] [IN SCHEMA …]
// GRANT|REVOKE ….
func (w *walker) alterDefaults(t *Token) (ast.Stmt, error) {
	if err := w.expectWord("privileges"); err != nil {
		return nil, err
	}
	n := &ast.AlterDefaultPrivileges{At: at(t)}
	var err error
	for {
		switch {
		case w.words("for", "role"), w.words("for", "user"):
			n.ForRoles, err = w.roles()
		case w.words("in", "schema"):
			n.InSchemas, err = w.colIDs()
		default:
			g := &ast.Grant{At: at(w.cur())}
			n.Grant = g
			return n, w.defaultGrant(g)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (w *walker) defaultGrant(g *ast.Grant) error {
	switch {
	case w.word("grant"):
	case w.word("revoke"):
		g.Revoke = true
		g.GrantOptionFor = w.words("grant", "option", "for")
	default:
		return w.err()
	}
	if err := w.privileges(g); err != nil {
		return err
	}
	if err := w.expectWord("on"); err != nil {
		return err
	}
	switch k := w.cur(); {
	case w.word("tables"):
	case w.word("sequences"):
		g.Kind = ast.ObjSequence
	case w.word("schemas"):
		g.Kind = ast.ObjSchema
	case k.is("functions"), k.is("routines"), k.is("types"):
		return refuse("default privileges on "+upper(k.Text), k)
	default:
		return w.err()
	}
	if g.Revoke {
		return w.revokeFrom(g)
	}
	return w.grantTo(g)
}

// policyExpr takes (expr) and its text.
func (w *walker) policyExpr() (ast.Expr, string, error) {
	if err := w.expect("("); err != nil {
		return nil, "", err
	}
	e, err := w.parseExpr()
	if err != nil {
		return nil, "", err
	}
	return e, ast.Print(e), w.expect(")")
}

// createPolicy takes POLICY name ON table ….
func (w *walker) createPolicy(t *Token) (ast.Stmt, error) {
	w.p++
	n := &ast.CreatePolicy{At: at(t), Permissive: true, Command: "all"}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if w.word("as") {
		switch k := w.cur(); {
		case w.word("permissive"):
		case w.word("restrictive"):
			n.Permissive = false
		default:
			return nil, errs.New(errs.Syntax, "unrecognized row security option \"%s\"", k.Text).WithPos(int(k.Start) + 1).
				WithHint("Only PERMISSIVE or RESTRICTIVE policies are supported currently.")
		}
	}
	if w.word("for") {
		switch k := w.cur(); {
		case k.is("all"), k.is("select"), k.is("insert"), k.is("update"), k.is("delete"):
			n.Command = k.Text
			w.p++
		default:
			return nil, w.err()
		}
	}
	if w.word("to") {
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
	}
	if w.word("using") {
		if n.Using, n.UsingText, err = w.policyExpr(); err != nil {
			return nil, err
		}
	}
	if w.words("with", "check") {
		n.Check, n.CheckText, err = w.policyExpr()
	}
	return n, err
}

func (w *walker) alterPolicy(t *Token) (ast.Stmt, error) {
	n := &ast.AlterPolicy{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if w.words("rename", "to") {
		n.Rename, err = w.colID()
		return n, err
	}
	if w.word("to") {
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
	}
	if w.word("using") {
		if n.Using, n.UsingText, err = w.policyExpr(); err != nil {
			return nil, err
		}
	}
	if w.words("with", "check") {
		n.Check, n.CheckText, err = w.policyExpr()
	}
	return n, err
}

func (w *walker) dropPolicy(t *Token) (ast.Stmt, error) {
	n := &ast.DropPolicy{At: at(t), IfExists: w.ifExists()}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	n.Cascade = w.cascade()
	return n, nil
}
