package ddl

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

const dayMicros = 24 * 3600 * 1_000_000

// setOptions applies WITH (…) or SET (…) to a table definition. created says
// that the table is new: its creator may then give it a retention.
func (c *Ctx) setOptions(t *catalog.Table, opts []ast.Option, created bool) error {
	for i := range opts {
		if err := c.setOption(t, &opts[i], created); err != nil {
			return err
		}
	}
	return c.checkOptions(t)
}

func (c *Ctx) setOption(t *catalog.Table, o *ast.Option, created bool) error {
	bad := func(allowed string) error {
		return pos(errs.New(errs.InvalidParameterValue, "invalid value for option %q: %q", o.Name, o.Value).
			WithHint("Valid values are %s.", allowed), o.Pos)
	}
	switch o.Name {
	case "time_column":
		if err := c.timeColumnMayChange(t, created); err != nil {
			return err
		}
		col := namedColumn(t, o.Value)
		if col == nil {
			return pos(errs.New(errs.UndefinedColumn, "column %q named in option %q does not exist", o.Value, o.Name), o.Pos)
		}
		switch col.Type.OID {
		case types.TimestampOID, types.TimestamptzOID, types.DateOID:
		default:
			return pos(errs.New(errs.InvalidParameterValue, "option %q needs a column of type date, timestamp or timestamp with time zone", o.Name).
				WithDetail("Column %q is of type %s.", o.Value, col.Type), o.Pos)
		}
		t.Options.TimeColumn = col.Name
	case "order_by":
		order, err := parseOrder(t, o)
		if err != nil {
			return err
		}
		t.Options.OrderBy = order
	case "partition_by":
		switch v := strings.ToLower(o.Value); v {
		case "hour", "day", "month", "none":
			t.Options.PartitionBy = v
		default:
			return bad("hour, day, month and none")
		}
	case "retention":
		return c.setRetention(t, o, created)
	case "on_new_column":
		switch v := catalog.OnNewColumn(strings.ToLower(o.Value)); v {
		case catalog.Strict, catalog.Evolve, catalog.Capture:
			t.Options.OnNewColumn = v
		default:
			return bad("strict, evolve and capture")
		}
	case "cold_after":
		us, err := intervalOption(o)
		if err != nil {
			return err
		}
		t.Options.ColdAfter, t.Options.ColdAfterText = us, o.Value
	case "dedup_key":
		return setDedupKey(t, o)
	case "dedup_window":
		us, err := intervalOption(o)
		if err != nil {
			return err
		}
		t.Options.DedupWindow, t.Options.DedupWindowText = us, o.Value
	default:
		return pos(errs.New(errs.InvalidParameterValue, "unrecognized parameter %q", o.Name), o.Pos)
	}
	return nil
}

// namedColumn finds the column that an option's value names: as it is written,
// or folded as an identifier outside quotes is.
func namedColumn(t *catalog.Table, name string) *catalog.Column {
	bare := strings.Trim(name, `"`)
	if c := t.Column(bare); c != nil || bare != name {
		return c
	}
	return t.Column(strings.ToLower(name))
}

func parseOrder(t *catalog.Table, o *ast.Option) ([]string, error) {
	items := o.List
	if o.Kind != ast.ValueList {
		items = strings.Split(o.Value, ",")
	}
	var out []string
	seen := map[string]bool{}
	for _, item := range items {
		f := strings.Fields(item)
		if len(f) == 0 || len(f) > 2 || len(f) == 2 && !strings.EqualFold(f[1], "desc") && !strings.EqualFold(f[1], "asc") {
			return nil, pos(errs.New(errs.InvalidParameterValue, "invalid value for option %q: %q", o.Name, o.Value), o.Pos)
		}
		col := namedColumn(t, f[0])
		if col == nil {
			return nil, pos(errs.New(errs.UndefinedColumn, "column %q named in option %q does not exist", f[0], o.Name), o.Pos)
		}
		name := col.Name
		if seen[name] {
			return nil, pos(errs.New(errs.DuplicateColumn, "column %q appears twice in option %q", name, o.Name), o.Pos)
		}
		seen[name] = true
		if len(f) == 2 && strings.EqualFold(f[1], "desc") {
			name += " desc"
		}
		out = append(out, name)
	}
	return out, nil
}

// setRetention sets the rule of a table. What an older, shorter rule has hidden
// stays hidden: the floor is kept (GOVERNANCE.md §9.2).
func (c *Ctx) setRetention(t *catalog.Table, o *ast.Option, created bool) error {
	if !created {
		if err := c.mustRetain(t); err != nil {
			return err
		}
	}
	us, err := intervalOption(o)
	if err != nil {
		return err
	}
	col := t.TimeColumn()
	if col == nil {
		return pos(errs.New(errs.InvalidParameterValue, "option %q needs a time column", o.Name).
			WithHint("Add a column of type timestamptz, or name one with time_column."), o.Pos)
	}
	c.keepFloor(t)
	t.Options.TimeColumn = col.Name // a later column must not take its place
	t.Options.Retention, t.Options.RetentionText = us, o.Value
	return nil
}

// intervalOption is the value of an option that is a time span, in µs.
func intervalOption(o *ast.Option) (us int64, err error) {
	d, err := types.ParseText(types.Interval, o.Value, types.DefaultFormat)
	if err != nil {
		return 0, pos(errs.New(errs.InvalidParameterValue, "invalid value for option %q: %q", o.Name, o.Value).
			WithHint("Give an interval such as '90 days'."), o.Pos)
	}
	if us = (int64(d.Iv.Months)*30+int64(d.Iv.Days))*dayMicros + d.Iv.Micros; us <= 0 {
		return 0, pos(errs.New(errs.InvalidParameterValue, "option %q must be a positive interval", o.Name), o.Pos)
	}
	return us, nil
}

// keepFloor persists the floor of the rule that ends now.
func (c *Ctx) keepFloor(t *catalog.Table) {
	if t.Options.Retention > 0 {
		t.Floor = max(t.Floor, c.Now-t.Options.Retention)
	}
}

// mustRetain: retention belongs to retention_admin; an owner may add a first
// rule to an own table, and neither change nor drop one.
func (c *Ctx) mustRetain(t *catalog.Table) error {
	if c.has(catalog.RoleRetentionAdmin) || t.Options.Retention == 0 && t.Floor == 0 && c.active(t.Owner) {
		return nil
	}
	return errs.New(errs.InsufficientPrivilege, "permission denied to change the retention of table %s", t.Name).
		WithDetail("Only members of role retention_admin may change a retention rule.")
}

func (c *Ctx) timeColumnMayChange(t *catalog.Table, created bool) error {
	if !created && (t.Options.Retention > 0 || t.Floor > 0) {
		return errs.NotSupported("changing the time column of a table with retention")
	}
	return nil
}

func (c *Ctx) resetOption(t *catalog.Table, o *ast.Option) error {
	switch o.Name {
	case "time_column":
		if err := c.timeColumnMayChange(t, false); err != nil {
			return err
		}
		t.Options.TimeColumn = ""
	case "order_by":
		t.Options.OrderBy = nil
	case "partition_by":
		t.Options.PartitionBy = ""
	case "on_new_column":
		t.Options.OnNewColumn = ""
	case "retention":
		if err := c.mustRetain(t); err != nil {
			return err
		}
		c.keepFloor(t)
		t.Options.Retention, t.Options.RetentionText = 0, ""
	case "cold_after":
		t.Options.ColdAfter, t.Options.ColdAfterText = 0, ""
	case "dedup_key":
		t.Options.DedupKey = nil
	case "dedup_window":
		t.Options.DedupWindow, t.Options.DedupWindowText = 0, ""
	default:
		return pos(errs.New(errs.InvalidParameterValue, "unrecognized parameter %q", o.Name), o.Pos)
	}
	return c.checkOptions(t)
}

// checkOptions refuses order that would leak masked values: rows of a segment
// lie in the order of the key, and LIMIT shows it.
func (c *Ctx) checkOptions(t *catalog.Table) error {
	for i := range t.Columns {
		if col := &t.Columns[i]; col.Masking != 0 && isKeyColumn(t, col.Name) {
			return errs.NotSupported("a masked column as sort key or time column").
				WithDetail("Column %q has a masking policy.", col.Name)
		}
	}
	return nil
}

// isKeyColumn tells whether the physical order of rows depends on a column.
func isKeyColumn(t *catalog.Table, name string) bool {
	if tc := t.TimeColumn(); tc != nil && tc.Name == name {
		return true
	}
	for _, o := range t.Options.OrderBy {
		if strings.TrimSuffix(o, " desc") == name {
			return true
		}
	}
	return false
}

// setDedupKey names the columns by which copies of a row are known.
func setDedupKey(t *catalog.Table, o *ast.Option) error {
	names, err := parseOrder(t, o)
	if err != nil {
		return err
	}
	t.Options.DedupKey = nil
	for _, n := range names {
		col := t.Column(n)
		if col == nil { // "a desc"
			return pos(errs.New(errs.InvalidParameterValue, "invalid value for option %q: %q", o.Name, o.Value), o.Pos)
		}
		if col.Masking != 0 {
			// What is a duplicate would tell of raw values.
			return pos(errs.NotSupported("a masked column as dedup key"), o.Pos)
		}
		t.Options.DedupKey = append(t.Options.DedupKey, col.ID)
	}
	return nil
}
