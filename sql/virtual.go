package sql

import (
	"context"
	"slices"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/pgcatalog"
	"quern/sql/internal/settings"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// virtual finds relations computed from the catalog, for the binder.
func (s *Session) virtual() func(schema, name string) (*bind.Virtual, bool) {
	return func(schema, name string) (*bind.Virtual, bool) {
		r := pgcatalog.Lookup(schema, name)
		if r == nil {
			return nil, false
		}
		v := &bind.Virtual{Schema: schema, Name: name, OID: r.OID}
		for _, c := range r.Cols {
			v.Cols = append(v.Cols, bind.VirtualColumn{Name: c.Name, Type: c.Type})
		}
		hidden := len(v.Cols)
		if schema == "pg_catalog" {
			v.Cols = append(v.Cols, systemColumns...)
		}
		handle := s.catalogContext()
		v.Gen = func(ctx context.Context) ([]*vec.Batch, error) {
			batches, err := handle.Rows(ctx, r)
			if err != nil || len(v.Cols) == hidden {
				return batches, err
			}
			return withSystemColumns(batches, r.OID), nil
		}
		return v, true
	}
}

// systemColumns are found by name on catalog relations, not by *.
var systemColumns = []bind.VirtualColumn{
	{Name: "tableoid", Type: types.Oid, Hidden: true},
	{Name: "xmin", Type: types.Type{OID: types.XidOID, Mod: -1}, Hidden: true},
	{Name: "ctid", Type: types.Type{OID: types.TidOID, Mod: -1}, Hidden: true},
}

func withSystemColumns(batches []*vec.Batch, oid uint32) []*vec.Batch {
	vals := []types.Datum{{I: int64(oid)}, {I: 1}, {S: "(0,1)"}}
	out := make([]*vec.Batch, len(batches))
	for i, b := range batches {
		n := &vec.Batch{Len: b.Len, Sel: b.Sel, Cols: b.Cols[:len(b.Cols):len(b.Cols)]}
		for k, c := range systemColumns {
			n.Cols = append(n.Cols, vec.ConstVector(c.Type, &vals[k], b.Len))
		}
		out[i] = n
	}
	return out
}

// catalogContext is what catalog relations and functions see.
func (s *Session) catalogContext() *pgcatalog.Context {
	s.calls.Lock()
	defer s.calls.Unlock()
	return &pgcatalog.Context{Catalog: s.catalog(), Principal: s.Principal(), Session: (*sessionView)(s),
		Version: s.db.versionText(), Now: s.db.nowMicros(), Start: s.db.start.UnixMicro(), Path: s.searchPath()}
}

// sessionView is the session as catalog relations see it.
type sessionView Session

func (v *sessionView) Settings() []pgcatalog.SettingRow {
	out := make([]pgcatalog.SettingRow, 0, len(settings.All()))
	for _, d := range settings.All() {
		raw, _ := v.set.Raw(d.Name)
		out = append(out, pgcatalog.SettingRow{Name: d.Name, Value: raw, Unit: d.Unit, Context: d.Context,
			VarType: d.VarType, Source: v.set.Source(d.Name), Default: d.Default})
	}
	return out
}

// Activity lists the role's own sessions, all of them for monitor. Query texts
// of other roles have no literals.
func (v *sessionView) Activity() []pgcatalog.ActivityRow {
	s := (*Session)(v)
	me := s.Principal()
	active := policy.Active(s.catalog(), me.RoleID)
	all := me.Superuser || active[catalog.RoleMonitor]
	var out []pgcatalog.ActivityRow
	for _, o := range s.db.list() {
		a := o.activity.Load()
		if a == nil || !all && o.authID != s.authID {
			continue
		}
		row := pgcatalog.ActivityRow{PID: o.pid, Role: a.role, RoleName: a.roleName, Application: a.app, State: a.state,
			Query: a.query, BackendStart: o.born, QueryStart: a.since}
		if o.authID != s.authID {
			row.Query = withoutLiterals(a.query)
		}
		out = append(out, row)
	}
	return out
}

func (v *sessionView) TableSize(table uint32) (rows, bytes int64, segments int) {
	snap := v.db.store.Snapshot()
	defer snap.Close()
	z := snap.Size(table)
	if t := v.db.store.Catalog().Table(table); t != nil {
		z.Bytes += z.MemRows * rowWidth(t)
	}
	return z.Rows, z.Bytes, z.Segments
}

// rowWidth guesses the bytes of a row that no segment has yet.
func rowWidth(t *catalog.Table) int64 {
	n := int64(16)
	for i := range t.Columns {
		if l := int64(t.Columns[i].Type.Len()); l > 0 {
			n += l
		} else {
			n += 24
		}
	}
	return n
}

func (v *sessionView) Segments(table uint32) []storage.SegmentInfo {
	snap := v.db.store.Snapshot()
	defer snap.Close()
	return snap.Segments(table)
}

func (v *sessionView) StoreInfo() (storage.Info, []storage.SourceCounts) {
	return v.db.store.Info(), v.db.store.Stats()
}

func (v *sessionView) Cursors() []pgcatalog.CursorRow {
	var out []pgcatalog.CursorRow
	for name, pt := range v.portals {
		if c, ok := pt.(*cursor); ok {
			out = append(out, pgcatalog.CursorRow{Name: name, Statement: c.text, Hold: c.hold, Binary: c.binary,
				Scroll: c.scroll, Created: c.created})
		}
	}
	return out
}

func (v *sessionView) PreparedRows() []pgcatalog.PreparedRow {
	var out []pgcatalog.PreparedRow
	for name, p := range v.prepared {
		if name != "" {
			out = append(out, pgcatalog.PreparedRow{Name: name, Statement: p.st.text, Params: p.params, FromSQL: p.fromSQL, Prepared: p.at})
		}
	}
	return out
}

func (v *sessionView) NextVal(table, col uint32) (int64, error) {
	s := (*Session)(v)
	s.calls.Lock()
	defer s.calls.Unlock()
	if err := s.mayWrite("nextval()"); err != nil {
		return 0, err
	}
	if isTemp(table) {
		return s.nextTemp(table, col), nil
	}
	n := s.db.store.NextVal(table, col, 1)
	if t := s.catalog().Table(table); t != nil && t.ColumnByID(col) != nil {
		n = t.ColumnByID(col).Default.Value(n)
	}
	s.took(table, col, n)
	return n, nil
}

// SetVal changes the counter's definition, with the transaction. It runs while a
// query of this session waits for the row: what that reads from stays open.
func (v *sessionView) SetVal(table, col uint32, value int64, called bool) error {
	s := (*Session)(v)
	s.calls.Lock()
	defer s.calls.Unlock()
	if err := s.mayWrite("setval()"); err != nil {
		return err
	}
	if s.tx.merged != nil {
		s.tx.retired, s.tx.merged = append(s.tx.retired, s.tx.merged), nil
	}
	if called {
		s.took(table, col, value)
	}
	return s.restart(table, col, func(d catalog.Default, count int64) catalog.Default {
		if called {
			return d.After(value, count)
		}
		return d.Restarted(value, count)
	})
}

// restart changes the counter of a column.
func (s *Session) restart(table, col uint32, f func(d catalog.Default, count int64) catalog.Default) error {
	t := *s.catalog().Table(table)
	t.Columns = slices.Clone(t.Columns)
	c := t.ColumnByID(col)
	if isTemp(table) {
		c.Default = f(c.Default, s.tempCounters[counter{table, col}])
		return s.changeTemp([]catalog.Change{{Table: &t}}, ast.OnCommit(0))
	}
	c.Default = f(c.Default, s.db.store.CurrVal(table, col))
	s.tx.ddl = nil
	return s.change(s.permanent(), []catalog.Change{{Table: &t}})
}

func (v *sessionView) CurrVal(table, col uint32) (int64, bool) {
	v.calls.Lock()
	defer v.calls.Unlock()
	n, ok := v.counters[counter{table, col}]
	return n, ok
}

func (v *sessionView) LastVal() (int64, bool) {
	v.calls.Lock()
	defer v.calls.Unlock()
	n, ok := v.counters[v.lastCounter]
	return n, ok
}

// took remembers a value that the session took of a counter.
func (s *Session) took(table, col uint32, n int64) {
	s.lastCounter = counter{table, col}
	s.counters[s.lastCounter] = n
}

// SetConfig runs while the session's goroutine waits for the row.
func (v *sessionView) SetConfig(name, value string, local bool) (string, error) {
	s := (*Session)(v)
	s.calls.Lock()
	defer s.calls.Unlock()
	level := settings.Session
	if local {
		level = settings.Local
	}
	if err := s.applySetting(name, value, level); err != nil {
		return "", err
	}
	out, _ := s.set.Show(name)
	return out, nil
}

// Signal is pg_cancel_backend: for own sessions, for those of roles that one is
// a member of, and for superusers.
func (v *sessionView) Signal(pid uint32, terminate bool) (bool, error) {
	s := (*Session)(v)
	o := s.db.SessionByPID(pid)
	me := s.Principal()
	if o == nil {
		s.notice(warning(errs.Warning, "PID is not a PostgreSQL server process"))
		return false, nil
	}
	cat := s.catalog()
	target := cat.Role(o.authID)
	if !me.Superuser && (target == nil || target.Superuser || !policy.Active(cat, me.RoleID)[o.authID]) {
		word := "cancel"
		if terminate {
			word = "terminate"
		}
		return false, errs.New(errs.InsufficientPrivilege, "must be a member of the role whose query is being canceled to %s it", word)
	}
	if terminate {
		o.Terminate()
	} else {
		o.Cancel()
	}
	return true, nil
}
