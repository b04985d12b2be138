package stmt

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// role takes a role name or one of the key words for roles.
func (w *parser) role() (ast.Role, error) {
	t := w.Cur()
	r := ast.Role{At: dialect.At(t), Name: t.Text}
	switch {
	case t.Is("current_user"), t.Is("current_role"):
		r.Kind = ast.RoleCurrentUser
	case t.Is("session_user"):
		r.Kind = ast.RoleSessionUser
	case t.Kind == dialect.Quoted, t.Kind == dialect.Word && t.Class != dialect.Reserved:
		if _, err := w.Name(t); err != nil {
			return r, err
		}
		if t.Text == "public" {
			r.Kind = ast.RolePublic
		}
		if t.Text == "none" {
			return r, errs.New(errs.ReservedName, "role name \"none\" is reserved").WithPos(int(t.Start) + 1)
		}
	default:
		return r, w.Err()
	}
	w.P++
	return r, nil
}

func (w *parser) roles() ([]ast.Role, error) {
	var list []ast.Role
	for {
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		if !w.Punct(",") {
			return list, nil
		}
	}
}

// grantees takes [GROUP] role, ….
func (w *parser) grantees() ([]ast.Role, error) {
	var list []ast.Role
	for {
		if w.Cur().Is("group") {
			w.P++
		}
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		if !w.Punct(",") {
			return list, nil
		}
	}
}

// createRole takes ROLE|USER|GROUP name [WITH] options.
func (w *parser) createRole(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.CreateRole{At: dialect.At(t), Kind: w.Next().Text}
	k := w.Cur()
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
	w.Word("with")
	_, err = w.roleOptions(&n.Options, true)
	return n, err
}

// roleOptions takes role options and reports how many.
func (w *parser) roleOptions(o *ast.RoleOptions, create bool) (int, error) {
	for n := 0; ; n++ {
		if w.Cur().Kind != dialect.Word {
			return n, nil
		}
		done, err := w.roleOption(o, create)
		if err != nil || done {
			return n, err
		}
	}
}

// roleOption takes one role option; done if there is none.
func (w *parser) roleOption(o *ast.RoleOptions, create bool) (done bool, err error) {
	t := w.Cur()
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
		w.P++
		*target = &value
		return false, nil
	}
	switch {
	case t.Is("encrypted") && w.Peek(1).Is("password"):
		w.P++
		fallthrough
	case t.Is("password"):
		w.P++
		o.Password, err = w.secret()
	case w.Words("connection", "limit"):
		var n int
		n, err = w.signedInt()
		o.ConnLimit = &n
	case w.Words("valid", "until"):
		var s string
		s, err = w.StringLit()
		o.ValidUntil = &s
	case create && w.Words("in", "role"), create && w.Words("in", "group"):
		o.InRole, err = w.roles()
	case w.Word("role"), w.Word("user"):
		o.RoleMembers, err = w.roles()
	case create && w.Word("admin"):
		o.AdminMembers, err = w.roles()
	case w.Word("sysid"):
		_, err = w.IntLit()
	case t.Class == dialect.Unreserved:
		err = errs.New(errs.Syntax, "unrecognized role option \"%s\"", t.Text).WithPos(int(t.Start) + 1)
	default:
		return true, nil
	}
	return false, err
}

// secret takes a string that must not be logged, or NULL.
func (w *parser) secret() (*ast.Secret, error) {
	t := w.Cur()
	s := &ast.Secret{At: dialect.At(t), Start: int(t.Start), End: int(t.End), Text: t.Text}
	if w.Word("null") {
		return &ast.Secret{At: dialect.At(t), Start: int(t.Start), End: int(t.End), Null: true}, nil
	}
	if t.Kind != dialect.String {
		return nil, w.Err()
	}
	w.P++
	return s, nil
}

// alterRole takes ALTER ROLE|USER|GROUP behind the word.
func (w *parser) alterRole(t *dialect.Token, kind string) (ast.Stmt, error) {
	n := &ast.AlterRole{At: dialect.At(t)}
	var err error
	if w.Cur().Is("all") {
		n.All = true
		w.P++
	} else if n.Role, err = w.role(); err != nil {
		return nil, err
	}
	if kind == "group" {
		switch {
		case w.Words("add", "user"):
			n.AddUsers, err = w.roles()
			return n, err
		case w.Words("drop", "user"):
			n.DropUsers, err = w.roles()
			return n, err
		}
	}
	if w.Words("in", "database") {
		if n.InDatabase, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	switch {
	case w.Words("rename", "to"):
		n.Rename, err = w.ColID()
	case w.Cur().Is("set") && w.Peek(1).Is("max") && dialect.IsColID(w.Peek(2)) && !w.Peek(2).Is("to"):
		w.P += 2
		n.Max, err = w.setting()
	case w.Word("set"):
		n.Setting, err = w.setting()
	case w.Cur().Is("reset"):
		var s ast.Stmt
		k := w.Cur()
		if s, err = w.reset(); err != nil {
			return nil, err
		}
		r, ok := s.(*ast.Reset)
		if !ok {
			return nil, w.ErrAt(k)
		}
		n.Reset = r
	case n.All:
		return nil, w.Err()
	default:
		w.Word("with")
		n.Options = &ast.RoleOptions{}
		_, err = w.roleOptions(n.Options, false)
	}
	return n, err
}

func (w *parser) dropRole(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.DropRole{At: dialect.At(t), IfExists: w.ifExists()}
	var err error
	n.Roles, err = w.roles()
	return n, err
}

// dropOwned takes OWNED BY roles.
func (w *parser) dropOwned(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.ReassignOwned{At: dialect.At(t), Drop: true}
	if err := w.ExpectWords("owned", "by"); err != nil {
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
func (w *parser) reassign() (ast.Stmt, error) {
	n := &ast.ReassignOwned{At: dialect.At(w.Next())}
	if err := w.ExpectWords("owned", "by"); err != nil {
		return nil, err
	}
	var err error
	if n.Roles, err = w.roles(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("to"); err != nil {
		return nil, err
	}
	r, err := w.role()
	n.To = &r
	return n, err
}

// grant takes GRANT of privileges or roles.
func (w *parser) grant() (ast.Stmt, error) {
	t := w.Next()
	if k := w.Cur(); !w.grantsObjects() && k.Class != dialect.Reserved && !w.Peek(1).Punct("(") {
		n := &ast.GrantRole{At: dialect.At(t)}
		var err error
		if n.Granted, err = w.roles(); err != nil {
			return nil, err
		}
		if err := w.ExpectWord("to"); err != nil {
			return nil, err
		}
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
		n.WithAdmin = w.Words("with", "admin", "option")
		n.GrantedBy, err = w.grantedBy()
		return n, err
	}
	n := &ast.Grant{At: dialect.At(t)}
	if err := w.privileges(n); err != nil {
		return nil, err
	}
	if err := w.grantTarget(n); err != nil {
		return nil, err
	}
	return n, w.grantTo(n)
}

// grantTo takes TO roles [WITH GRANT OPTION] [GRANTED BY].
func (w *parser) grantTo(n *ast.Grant) error {
	if err := w.ExpectWord("to"); err != nil {
		return err
	}
	var err error
	if n.Roles, err = w.grantees(); err != nil {
		return err
	}
	switch {
	case w.Words("with", "grant", "option"):
		n.WithGrant = true
	case w.Cur().Is("with") && w.Peek(1).Punct("(") && w.Peek(2).Is("require") && w.Peek(3).Is("reason"):
		w.P += 4
		n.RequireReason = true
		if err := w.Expect(")"); err != nil {
			return err
		}
	}
	n.GrantedBy, err = w.grantedBy()
	return err
}

func (w *parser) grantedBy() (*ast.Role, error) {
	if !w.Words("granted", "by") {
		return nil, nil
	}
	r, err := w.role()
	return &r, err
}

// grantsObjects reports whether ON stands before TO or FROM: then it is about
// privileges, else about roles.
func (w *parser) grantsObjects() bool {
	for i := w.P; i < len(w.Toks)-1; i++ {
		t := &w.Toks[i]
		if t.Punct("(") {
			i = w.MatchOf(i)
			continue
		}
		if t.Is("on") {
			return true
		}
		if t.Is("to") || t.Is("from") {
			return false
		}
	}
	return false
}

// privileges takes ALL [PRIVILEGES] or privilege [(columns)], ….
func (w *parser) privileges(n *ast.Grant) error {
	if k := w.Cur(); k.Is("all") {
		w.P++
		w.Word("privileges")
		p := ast.Privilege{At: dialect.At(k), Name: "all"}
		var err error
		if p.Columns, err = w.optNames(); err != nil {
			return err
		}
		n.Privileges = []ast.Privilege{p}
		return nil
	}
	for {
		k := w.Cur()
		if !dialect.IsLabel(k) || k.Kind == dialect.Word && k.Class == dialect.Reserved && !k.Is("select") && !k.Is("references") && !k.Is("create") {
			return w.Err()
		}
		w.P++
		p := ast.Privilege{At: dialect.At(k), Name: k.Text}
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
		if !w.Punct(",") {
			return nil
		}
	}
}

// grantTarget takes ON objects.
func (w *parser) grantTarget(n *ast.Grant) error {
	if err := w.ExpectWord("on"); err != nil {
		return err
	}
	k := w.Cur()
	switch {
	case w.Words("all", "tables", "in", "schema"):
		n.AllInSchema = true
		return w.grantNames(n)
	case w.Words("all", "sequences", "in", "schema"):
		n.AllInSchema, n.Kind = true, ast.ObjSequence
		return w.grantNames(n)
	case k.Is("all") && w.Peek(2).Is("in"):
		return dialect.Refuse("GRANT ON ALL "+upper(w.Peek(1).Text), k)
	}
	next := w.Peek(1)
	named := next.Kind == dialect.Word && !next.Is("to") && !next.Is("from") || next.Kind == dialect.Quoted
	switch {
	case named && w.Word("table"), k.Is("table"):
		if k.Is("table") && !named {
			w.P++
		}
	case named && w.Word("schema"):
		n.Kind = ast.ObjSchema
	case named && w.Word("database"):
		n.Kind = ast.ObjDatabase
	case named && w.Word("sequence"):
		n.Kind = ast.ObjSequence
	case named && (k.Is("function") || k.Is("procedure") || k.Is("routine") || k.Is("type") || k.Is("domain") ||
		k.Is("language") || k.Is("tablespace") || k.Is("foreign") || k.Is("large") || k.Is("parameter")):
		return dialect.Refuse("GRANT ON "+upper(k.Text), k)
	}
	return w.grantNames(n)
}

func (w *parser) grantNames(n *ast.Grant) error {
	for {
		name, err := w.Qualified()
		if err != nil {
			return err
		}
		n.Objects = append(n.Objects, name)
		if !w.Punct(",") {
			return nil
		}
	}
}

// revoke takes REVOKE of privileges or roles.
func (w *parser) revoke() (ast.Stmt, error) {
	t := w.Next()
	if k := w.Cur(); !w.grantsObjects() && k.Class != dialect.Reserved && !w.Peek(1).Punct("(") {
		n := &ast.GrantRole{At: dialect.At(t), Revoke: true, AdminOptionFor: w.Words("admin", "option", "for")}
		var err error
		if n.Granted, err = w.roles(); err != nil {
			return nil, err
		}
		if err := w.ExpectWord("from"); err != nil {
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
	n := &ast.Grant{At: dialect.At(t), Revoke: true, GrantOptionFor: w.Words("grant", "option", "for")}
	if err := w.privileges(n); err != nil {
		return nil, err
	}
	if err := w.grantTarget(n); err != nil {
		return nil, err
	}
	return n, w.revokeFrom(n)
}

func (w *parser) revokeFrom(n *ast.Grant) error {
	if err := w.ExpectWord("from"); err != nil {
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
func (w *parser) alterDefaults(t *dialect.Token) (ast.Stmt, error) {
	if err := w.ExpectWord("privileges"); err != nil {
		return nil, err
	}
	n := &ast.AlterDefaultPrivileges{At: dialect.At(t)}
	var err error
	for {
		switch {
		case w.Words("for", "role"), w.Words("for", "user"):
			n.ForRoles, err = w.roles()
		case w.Words("in", "schema"):
			n.InSchemas, err = w.colIDs()
		default:
			g := &ast.Grant{At: dialect.At(w.Cur())}
			n.Grant = g
			return n, w.defaultGrant(g)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (w *parser) defaultGrant(g *ast.Grant) error {
	switch {
	case w.Word("grant"):
	case w.Word("revoke"):
		g.Revoke = true
		g.GrantOptionFor = w.Words("grant", "option", "for")
	default:
		return w.Err()
	}
	if err := w.privileges(g); err != nil {
		return err
	}
	if err := w.ExpectWord("on"); err != nil {
		return err
	}
	switch k := w.Cur(); {
	case w.Word("tables"):
	case w.Word("sequences"):
		g.Kind = ast.ObjSequence
	case w.Word("schemas"):
		g.Kind = ast.ObjSchema
	case k.Is("functions"), k.Is("routines"), k.Is("types"):
		return dialect.Refuse("default privileges on "+upper(k.Text), k)
	default:
		return w.Err()
	}
	if g.Revoke {
		return w.revokeFrom(g)
	}
	return w.grantTo(g)
}

// policyExpr takes (expr) and its text.
func (w *parser) policyExpr() (ast.Expr, string, error) {
	if err := w.Expect("("); err != nil {
		return nil, "", err
	}
	e, err := w.ParseExpr()
	if err != nil {
		return nil, "", err
	}
	return e, ast.Print(e), w.Expect(")")
}

// createPolicy takes POLICY name ON table ….
func (w *parser) createPolicy(t *dialect.Token) (ast.Stmt, error) {
	w.P++
	n := &ast.CreatePolicy{At: dialect.At(t), Permissive: true, Command: "all"}
	var err error
	if n.Name, n.Table, err = w.nameOn(); err != nil {
		return nil, err
	}
	if w.Word("as") {
		switch k := w.Cur(); {
		case w.Word("permissive"):
		case w.Word("restrictive"):
			n.Permissive = false
		default:
			return nil, errs.New(errs.Syntax, "unrecognized row security option \"%s\"", k.Text).WithPos(int(k.Start) + 1).
				WithHint("Only PERMISSIVE or RESTRICTIVE policies are supported currently.")
		}
	}
	if w.Word("for") {
		switch k := w.Cur(); {
		case k.Is("all"), k.Is("select"), k.Is("insert"), k.Is("update"), k.Is("delete"):
			n.Command = k.Text
			w.P++
		default:
			return nil, w.Err()
		}
	}
	if w.Word("to") {
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
	}
	if w.Word("using") {
		if n.Using, n.UsingText, err = w.policyExpr(); err != nil {
			return nil, err
		}
	}
	if w.Words("with", "check") {
		n.Check, n.CheckText, err = w.policyExpr()
	}
	return n, err
}

func (w *parser) alterPolicy(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.AlterPolicy{At: dialect.At(t)}
	var err error
	if n.Name, n.Table, err = w.nameOn(); err != nil {
		return nil, err
	}
	if w.Words("rename", "to") {
		n.Rename, err = w.ColID()
		return n, err
	}
	if w.Word("to") {
		if n.Roles, err = w.roles(); err != nil {
			return nil, err
		}
	}
	if w.Word("using") {
		if n.Using, n.UsingText, err = w.policyExpr(); err != nil {
			return nil, err
		}
	}
	if w.Words("with", "check") {
		n.Check, n.CheckText, err = w.policyExpr()
	}
	return n, err
}

func (w *parser) dropPolicy(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.DropPolicy{At: dialect.At(t), IfExists: w.ifExists()}
	var err error
	if n.Name, n.Table, err = w.nameOn(); err != nil {
		return nil, err
	}
	n.Cascade = w.cascade()
	return n, nil
}
