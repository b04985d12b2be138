package sql

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/ddl"
	"quern/sql/internal/dialect"
	"quern/sql/internal/settings"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

const startupLevel = settings.Startup

// millis is an integer setting in its unit.
func (s *Session) millis(name string) int {
	v, _ := s.set.Raw(name)
	return atoi(v)
}

func (db *DB) random(b []byte) error {
	_, err := io.ReadFull(db.o.Rand, b)
	return err
}

// executeUtility runs session statements; done is false for statements of
// other families.
func (s *Session) executeUtility(ctx context.Context, c *commandPortal) (done bool, err error) {
	switch st := c.p.st.stmt.(type) {
	case *ast.Set:
		c.tag = "SET"
		return true, s.runSet(st)
	case *ast.Reset:
		c.tag = "RESET"
		return true, s.runReset(st.Name)
	case *ast.Show:
		c.tag = "SHOW"
		c.out, err = s.show(st.Name)
		return true, err
	case *ast.SetRole:
		c.tag = setOrReset(c.p.st.text)
		s.warnLocal(st.Scope, "SET LOCAL")
		return true, s.setRole(st.Name, st.None, st.NoReset)
	case *ast.SetSessionAuth:
		c.tag = setOrReset(c.p.st.text)
		return true, s.setSessionAuth(st.Name, st.Default)
	case *ast.SetTransaction:
		c.tag = "SET"
		return true, s.setTransaction(st)
	case *ast.Discard:
		c.tag = "DISCARD " + strings.ToUpper(st.What)
		return true, s.discard(st.What)
	case *ast.Vacuum:
		return true, s.vacuum(ctx, c, st)
	case *ast.Checkpoint:
		c.tag = "CHECKPOINT"
		return true, s.checkpoint(ctx)
	case *ast.Unlisten:
		c.tag = "UNLISTEN"
		return true, nil
	case *ast.ShowMaskingPolicies:
		c.tag = "SHOW"
		c.out, err = s.showMaskings(st)
		return true, err
	case *ast.CallStmt:
		return true, errs.NotSupported("CALL")
	}
	return false, nil
}

// setOrReset: RESET ROLE and SET ROLE NONE are one node of the tree.
func setOrReset(text string) string {
	if toks, err := dialect.Lex(text); err == nil && len(toks) > 0 && toks[0].Text == "reset" {
		return "RESET"
	}
	return "SET"
}

func (s *Session) warnLocal(scope ast.SetScope, what string) {
	if scope == ast.ScopeLocal && !s.tx.block {
		s.notice(warning(errs.NoActiveTransaction, what+" can only be used in transaction blocks"))
	}
}

func (s *Session) runSet(st *ast.Set) error {
	s.warnLocal(st.Scope, "SET LOCAL")
	if st.Default {
		return s.runReset(st.Name)
	}
	level := settings.Session
	if st.Scope == ast.ScopeLocal {
		level = settings.Local
	}
	return s.applySetting(st.Name, ddl.SettingText(st), level)
}

// applySetting sets one setting; some are states of the session.
func (s *Session) applySetting(name, value string, level settings.Level) error {
	switch strings.ToLower(name) {
	case "role":
		return s.setRole(value, strings.EqualFold(value, "none"), false)
	case "session_authorization":
		return s.setSessionAuth(value, strings.EqualFold(value, "default"))
	case "transaction_isolation", "transaction_read_only":
		return s.setTransactionMode(name, value)
	case "replication":
		return errs.NotSupported("replication")
	}
	return s.set.Set(name, value, level, s.Principal().Superuser)
}

func (s *Session) setTransactionMode(name, value string) error {
	_, v, err := settings.Check(name, value, settings.Session, false)
	if err != nil {
		return err
	}
	if strings.EqualFold(name, "transaction_isolation") {
		return s.setModes(ast.TxModes{Isolation: v})
	}
	on := v == "on"
	return s.setModes(ast.TxModes{ReadOnly: &on})
}

func (s *Session) setModes(m ast.TxModes) error {
	if m.Isolation != "" && m.Isolation != s.tx.isolation && s.tx.snap != nil {
		return errs.New(errs.ActiveTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
	}
	if m.ReadOnly != nil && !*m.ReadOnly && s.tx.readOnly && s.tx.snap != nil {
		return errs.New(errs.ActiveTransaction, "transaction read-write mode must be set before any query")
	}
	s.modes(m)
	return nil
}

func (s *Session) setTransaction(st *ast.SetTransaction) error {
	if st.Snapshot != "" {
		return errs.NotSupported("SET TRANSACTION SNAPSHOT")
	}
	if st.Session {
		if st.Modes.Isolation != "" {
			if err := s.set.Set("default_transaction_isolation", st.Modes.Isolation, settings.Session, false); err != nil {
				return err
			}
		}
		if ro := st.Modes.ReadOnly; ro != nil {
			return s.set.Set("default_transaction_read_only", onOff(*ro), settings.Session, false)
		}
		return nil
	}
	if !s.tx.block {
		s.notice(warning(errs.NoActiveTransaction, "SET TRANSACTION can only be used in transaction blocks"))
		return nil
	}
	return s.setModes(st.Modes)
}

func (s *Session) runReset(name string) error {
	switch strings.ToLower(name) {
	case "":
		s.set.ResetAll()
		return nil
	case "role":
		return s.setRole("", true, false)
	case "session_authorization":
		return s.setSessionAuth("", true)
	case "transaction_isolation", "transaction_read_only":
		return nil
	}
	return s.set.Reset(name)
}

// member tells whether role belongs to group, NOINHERIT or not: what SET ROLE
// may reach.
func member(cat *catalog.Snapshot, role, group uint32) bool {
	seen := map[uint32]bool{}
	var find func(id uint32) bool
	find = func(id uint32) bool {
		if id == group {
			return true
		}
		r := cat.Role(id)
		if r == nil || seen[id] {
			return false
		}
		seen[id] = true
		for _, m := range r.MemberOf {
			if find(m) {
				return true
			}
		}
		return false
	}
	return find(role)
}

func (s *Session) setRole(name string, none, noReset bool) error {
	cat := s.catalog()
	if s.pinned {
		if none {
			return nil // RESET ROLE and SET ROLE NONE do not undo NO RESET
		}
		return errs.New(errs.InsufficientPrivilege, "permission denied to set role %q", name).
			WithDetail("The role was set with NO RESET.")
	}
	id := s.userID
	if !none {
		r := cat.RoleByName(name)
		if r == nil {
			return errs.New(errs.UndefinedObject, "role %q does not exist", name)
		}
		user := cat.Role(s.userID)
		if (user == nil || !user.Superuser) && !member(cat, s.userID, r.ID) {
			return errs.New(errs.InsufficientPrivilege, "permission denied to set role %q", name)
		}
		id = r.ID
	}
	s.roleID = id
	s.pinned = noReset
	s.fixRole()
	return nil
}

func (s *Session) setSessionAuth(name string, def bool) error {
	if s.pinned {
		if def {
			return nil
		}
		return errs.New(errs.InsufficientPrivilege, "permission denied to set session authorization")
	}
	cat := s.catalog()
	id := s.authID
	if !def {
		r := cat.RoleByName(name)
		if r == nil {
			return errs.New(errs.UndefinedObject, "role %q does not exist", name)
		}
		if auth := cat.Role(s.authID); r.ID != s.authID && (auth == nil || !auth.Superuser) {
			return errs.New(errs.InsufficientPrivilege, "permission denied to set session authorization")
		}
		id = r.ID
	}
	s.userID, s.roleID = id, id
	s.fixRole()
	return nil
}

func (s *Session) discard(what string) error {
	switch strings.ToLower(what) {
	case "all":
		if s.tx.block {
			return errs.New(errs.ActiveTransaction, "DISCARD ALL cannot run inside a transaction block")
		}
		for name, pt := range s.portals {
			if _, ok := pt.(*cursor); ok {
				s.ClosePortal(name)
			}
		}
		for name := range s.prepared {
			s.ClosePrepared(name)
		}
		if err := s.setSessionAuth("", true); err != nil {
			return err
		}
		s.set.ResetAll()
		s.discardTemp()
		s.db.advisory.Release(s.pid, false)
	case "temp", "temporary":
		s.discardTemp()
	case "plans", "sequences":
	}
	return nil
}

// vacuum is VACUUM and ANALYZE. FULL merges the segments of the tables named, or
// of all that the role owns.
func (s *Session) vacuum(ctx context.Context, c *commandPortal, st *ast.Vacuum) error {
	c.tag = "VACUUM"
	if st.Analyze {
		c.tag = "ANALYZE"
	} else if s.tx.block {
		return errs.New(errs.ActiveTransaction, "VACUUM cannot run inside a transaction block")
	}
	full := !st.Analyze && slices.ContainsFunc(st.Options, func(o ast.Option) bool {
		return o.Name == "full" && o.Value != "false" && o.Value != "off" && o.Value != "0"
	})
	p := s.Principal()
	owns := func(t *catalog.Table) bool { return p.Superuser || policy.Active(s.catalog(), p.RoleID)[t.Owner] }
	var tables []uint32
	if full && len(st.Tables) == 0 {
		for _, t := range s.catalog().Tables() {
			if owns(t) {
				tables = append(tables, t.ID)
			}
		}
	}
	for _, t := range st.Tables {
		d := s.bindEnv(ctx, nil, false)
		tab, err := findTable(d, t.Table)
		if err != nil {
			return err
		}
		for _, n := range t.Columns {
			if tab.Column(n) == nil {
				return errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", n, tab.Name)
			}
		}
		if owns(tab) {
			tables = append(tables, tab.ID)
		} else {
			s.notice(warning(errs.Warning, "permission denied to "+strings.ToLower(c.tag)+" \""+tab.Name+"\", skipping it"))
		}
	}
	if !full && !st.Analyze {
		s.notice(Notice{Severity: "NOTICE", Code: string(errs.Success),
			Msg: "VACUUM is accepted and changes nothing: segments are merged in the background"})
	}
	for _, id := range tables {
		if full && !isTemp(id) {
			if err := s.db.store.CompactTable(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkpoint is CHECKPOINT: MemTables become segments. What was acknowledged is
// durable without it.
func (s *Session) checkpoint(ctx context.Context) error {
	if !s.Principal().Superuser {
		return errs.New(errs.InsufficientPrivilege, "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT")
	}
	if err := s.db.store.Flush(ctx, 0); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// setPassword changes a role's password in one transaction.
func (s *Session) setPassword(ctx context.Context, role, password string) error {
	_, err := s.planDDL(ctx, &ast.AlterRole{Role: ast.Role{Name: role}, Options: &ast.RoleOptions{Password: &ast.Secret{Text: password}}})
	if err == nil {
		s.tx.open = true
		err = s.commit(ctx)
	}
	return err
}

// showFields are SHOW's columns.
func showFields(name string) []Field {
	if name == "all" {
		return []Field{{Name: "name", Type: types.Text}, {Name: "setting", Type: types.Text}, {Name: "description", Type: types.Text}}
	}
	if d := settings.Lookup(name); d != nil {
		name = d.Name
	}
	return []Field{{Name: name, Type: types.Text}}
}

func (s *Session) show(name string) ([]*vec.Batch, error) {
	fields := showFields(name)
	if name == "all" {
		var rows [][]*string
		empty := ""
		for _, d := range settings.All() {
			v, _ := s.set.Show(d.Name)
			rows = append(rows, []*string{&d.Name, &v, &empty})
		}
		return textRows(fields, rows), nil
	}
	v, ok := s.set.Show(name)
	if !ok {
		return nil, errs.New(errs.UndefinedObject, "unrecognized configuration parameter %q", name)
	}
	return textRows(fields, [][]*string{{&v}}), nil
}

var maskingFields = []Field{{Name: "column_name", Type: types.Text}, {Name: "policy_name", Type: types.Text},
	{Name: "family", Type: types.Text}, {Name: "mask", Type: types.Text}}

// showMaskings lists the masks of one table, or of all tables that the role may
// see; bodies are hidden from roles that the mask binds.
func (s *Session) showMaskings(st *ast.ShowMaskingPolicies) ([]*vec.Batch, error) {
	cat := s.catalog()
	tables := cat.Tables()
	if len(st.Table) > 0 {
		t, err := findTable(s.bindEnv(context.Background(), nil, false), &ast.TableRef{Name: st.Table})
		if err != nil {
			return nil, err
		}
		tables = []*catalog.Table{t}
	}
	var rows [][]*string
	for _, t := range tables {
		v, err := policy.Resolve(cat, t.ID, s.Principal(), s.stmtAt)
		if err != nil || !v.HasAny() {
			continue
		}
		for i := range t.Columns {
			col := &t.Columns[i]
			m := cat.MaskingPolicy(col.Masking)
			if m == nil {
				continue
			}
			row := []*string{&col.Name, &m.Name, &m.Family, nil}
			if v.Mask(col.ID) == nil {
				body := strings.ToUpper(string(m.Kind))
				if m.Kind == policy.MaskConstant {
					body += " '" + strings.ReplaceAll(m.Const, "'", "''") + "'"
				}
				row[3] = &body
			}
			rows = append(rows, row)
		}
	}
	return textRows(maskingFields, rows), nil
}
