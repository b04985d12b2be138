package pgcatalog

import (
	"slices"
	"strconv"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

func pgSettings(c *Context, w *rows) error {
	for _, s := range c.Session.Settings() {
		w.add("name", s.Name, "setting", s.Value, "unit", opt(s.Unit), "category", "Quern", "short_desc", "",
			"context", s.Context, "vartype", s.VarType, "source", s.Source, "boot_val", s.Default, "reset_val", s.Default,
			"pending_restart", false)
	}
	return nil
}

func systemSettings(c *Context, w *rows) error {
	for _, s := range c.Session.Settings() {
		w.add("name", s.Name, "setting", s.Value, "unit", opt(s.Unit), "category", "session", "context", s.Context,
			"vartype", s.VarType, "source", s.Source, "default", s.Default)
	}
	return nil
}

func limit(r *policy.Role) int {
	if r.ConnLimit <= 0 {
		return -1
	}
	return r.ConnLimit
}

func pgRoles(c *Context, w *rows) error {
	for _, r := range c.Catalog.Roles() {
		var until, config any
		if r.ValidUntil != 0 {
			until = r.ValidUntil
		}
		if len(r.Settings) > 0 && c.active(r.ID) {
			var list []string
			for k, v := range r.Settings {
				list = append(list, k+"="+v)
			}
			slices.Sort(list)
			config = array(list)
		}
		w.add("oid", r.ID, "rolname", r.Name, "rolsuper", r.Superuser, "rolinherit", r.Inherit, "rolcreaterole", r.CreateRole,
			"rolcreatedb", r.CreateDB, "rolcanlogin", r.Login, "rolreplication", false, "rolconnlimit", limit(r),
			"rolpassword", "********", "rolvaliduntil", until, "rolbypassrls", r.BypassRLS, "rolconfig", config)
	}
	return nil
}

func pgUser(c *Context, w *rows) error {
	for _, r := range c.Catalog.Roles() {
		if r.Login {
			w.add("usename", r.Name, "usesysid", r.ID, "usecreatedb", r.CreateDB, "usesuper", r.Superuser,
				"userepl", false, "usebypassrls", r.BypassRLS, "passwd", "********")
		}
	}
	return nil
}

func pgAuthMembers(c *Context, w *rows) error {
	for _, r := range c.Catalog.Roles() {
		for _, g := range r.MemberOf {
			w.add("roleid", g, "member", r.ID, "grantor", catalog.RoleAdmin, "admin_option", slices.Contains(r.AdminOf, g))
		}
	}
	return nil
}

func pgStatActivity(c *Context, w *rows) error {
	for _, a := range c.Session.Activity() {
		w.add("datid", databaseOID, "datname", "quern", "pid", a.PID, "usesysid", a.Role, "usename", a.RoleName,
			"application_name", a.Application, "backend_start", a.BackendStart, "query_start", a.QueryStart,
			"state_change", a.QueryStart, "state", a.State, "query", a.Query, "backend_type", "client backend")
	}
	return nil
}

func systemQueries(c *Context, w *rows) error {
	for _, a := range c.Session.Activity() {
		w.add("pid", a.PID, "usename", a.RoleName, "application_name", a.Application, "state", a.State,
			"backend_start", a.BackendStart, "query_start", a.QueryStart, "query", a.Query)
	}
	return nil
}

func pgCursors(c *Context, w *rows) error {
	for _, x := range c.Session.Cursors() {
		w.add("name", x.Name, "statement", x.Statement, "is_holdable", x.Hold, "is_binary", x.Binary,
			"is_scrollable", x.Scroll, "creation_time", x.Created)
	}
	return nil
}

func pgPrepared(c *Context, w *rows) error {
	for _, x := range c.Session.PreparedRows() {
		var types []string
		for _, t := range x.Params {
			types = append(types, strconv.Itoa(int(t.OID)))
		}
		w.add("name", x.Name, "statement", x.Statement, "prepare_time", x.Prepared, "parameter_types", array(types), "from_sql", x.FromSQL)
	}
	return nil
}

func systemTables(c *Context, w *rows) error {
	for t, v := range c.tables {
		row := []any{"schema_name", c.schemaName(t.Schema), "table_name", t.Name, "table_oid", t.ID, "owner", c.roleName(t.Owner),
			"order_by", opt(joined(t.Options.OrderBy)), "partition_by", opt(t.Options.PartitionBy), "retention", opt(t.Options.RetentionText),
			"on_new_column", opt(string(t.Options.OnNewColumn)), "comment", opt(t.Comment)}
		if tc := t.TimeColumn(); tc != nil {
			row = append(row, "time_column", tc.Name)
		}
		if !hidesSize(v) {
			n, bytes, segs := c.Session.TableSize(t.ID)
			row = append(row, "rows", n, "bytes", bytes, "segments", segs)
		}
		w.add(row...)
	}
	return nil
}

func joined(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

func systemColumns(c *Context, w *rows) error {
	for t, v := range c.tables {
		for i := range t.Columns {
			col := &t.Columns[i]
			var mask any
			if m := c.Catalog.MaskingPolicy(col.Masking); m != nil {
				mask = m.Name
			}
			w.add("schema_name", c.schemaName(t.Schema), "table_name", t.Name, "column_name", col.Name, "ordinal_position", i+1,
				"data_type", col.Type.String(), "is_nullable", !col.NotNull || v.Mask(col.ID) != nil, "column_default", opt(col.Default.Expr),
				"masking_policy", mask, "is_masked", v.Mask(col.ID) != nil, "comment", opt(col.Comment))
		}
	}
	return nil
}

func (c *Context) mustMonitor(view string) error {
	if c.active(catalog.RoleMonitor) {
		return nil
	}
	return errs.New(errs.InsufficientPrivilege, "permission denied for view %s", view)
}

// open lists the tables by which the principal is not bound: numbers of the
// others would tell of hidden rows. Monitor sees numbers without the right to
// read rows.
func (c *Context) open(yield func(*catalog.Table) bool) {
	for _, t := range c.Catalog.Tables() {
		v, err := policy.Resolve(c.Catalog, t.ID, c.Principal, c.Now)
		if err != nil {
			continue
		}
		_, _, cut := v.Floor()
		if cut && !c.Principal.Superuser || v.Masked() {
			continue
		}
		if !yield(t) {
			return
		}
	}
}

func systemSegments(c *Context, w *rows) error {
	if err := c.mustMonitor("segments"); err != nil {
		return err
	}
	for t := range c.open {
		for _, g := range c.Session.Segments(t.ID) {
			var damaged any
			if g.Damaged != nil {
				damaged = g.Damaged.Error()
			}
			w.add("schema_name", c.schemaName(t.Schema), "table_name", t.Name, "segment_id", int64(g.ID), "partition", g.Partition,
				"path", g.Path, "level", g.Level, "rows", g.Rows, "bytes", g.Bytes, "time_min", g.TimeMin, "time_max", g.TimeMax,
				"seq_min", int64(g.SeqMin), "seq_max", int64(g.SeqMax), "damaged", damaged)
		}
	}
	return nil
}

func systemWAL(c *Context, w *rows) error {
	if err := c.mustMonitor("wal"); err != nil {
		return err
	}
	i, _ := c.Session.StoreInfo()
	w.add("files", i.WALFiles, "bytes", i.WALBytes, "memtable_bytes", i.MemBytes, "last_seq", int64(i.Seq),
		"batch_keys", i.Keys, "read_only", i.ReadOnly)
	return nil
}

func systemIngest(c *Context, w *rows) error {
	if err := c.mustMonitor("ingest_stats"); err != nil {
		return err
	}
	_, counts := c.Session.StoreInfo()
	for t := range c.open {
		for _, n := range counts {
			if n.Table == t.ID {
				w.add("schema_name", c.schemaName(t.Schema), "table_name", t.Name, "source", n.Source, "received", n.Received,
					"accepted", n.Accepted, "duplicates", n.Duplicates, "quarantined", n.Quarantined, "refused", n.Refused)
			}
		}
	}
	return nil
}

func systemMaskings(c *Context, w *rows) error {
	used := map[uint32]bool{}
	row := func(m *policy.Masking, bound bool, more ...any) {
		var body any
		if !bound {
			body = "NULL"
			if m.Kind == policy.MaskConstant {
				body = "CONSTANT " + quoteLiteral(m.Const)
			}
		}
		w.add(append([]any{"policy_name", m.Name, "family", m.Family, "mask", body, "owner", c.roleName(m.Owner)}, more...)...)
	}
	for t, v := range c.tables {
		for i := range t.Columns {
			col := &t.Columns[i]
			if m := c.Catalog.MaskingPolicy(col.Masking); m != nil {
				used[m.ID] = true
				row(m, v.Mask(col.ID) != nil, "schema_name", c.schemaName(t.Schema), "table_name", t.Name, "column_name", col.Name)
			}
		}
	}
	if !c.active(catalog.RolePolicyAdmin) {
		return nil
	}
	for _, m := range c.Catalog.Maskings() {
		if !used[m.ID] {
			row(m, false)
		}
	}
	return nil
}

func systemRetention(c *Context, w *rows) error {
	for t, v := range c.tables {
		floor, _, ok := v.Floor()
		if !ok {
			continue
		}
		row := []any{"policy_name", "default", "schema_name", c.schemaName(t.Schema), "table_name", t.Name,
			"retention", t.Options.RetentionText, "floor", floor}
		if tc := t.TimeColumn(); tc != nil {
			row = append(row, "time_column", tc.Name)
		}
		w.add(row...)
	}
	return nil
}
