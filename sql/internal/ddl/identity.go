package ddl

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// sequenceOptions sets a counter's start and step; count is what it has counted.
// restart tells whether RESTART was among the options.
func sequenceOptions(col *catalog.Column, opts []ast.Option, count int64) (restart bool, err error) {
	d := &col.Default
	var start, again *int64
	for i := range opts {
		o := &opts[i]
		n, perr := strconv.ParseInt(o.Value, 10, 64)
		switch o.Name {
		case "start":
			start = &n
		case "increment":
			if n == 0 && perr == nil {
				return false, errs.New(errs.InvalidParameterValue, "INCREMENT must not be zero")
			}
			d.Step = n
		case "restart":
			again = &n
			if o.Value == "" {
				perr, again = nil, new(int64)
				*again = d.First + 1
				if start != nil {
					*again = *start
				}
			}
		case "cache", "no cycle", "no minvalue", "no maxvalue":
			continue // CACHE is how many values a session takes at a time
		case "cycle", "minvalue", "maxvalue":
			return false, pos(errs.NotSupported("a bound or cycle of an identity column"), o.Pos)
		default:
			return false, pos(errs.NotSupported("sequence option "+o.Name+" of an identity column"), o.Pos)
		}
		if perr != nil {
			return false, pos(errs.New(errs.Syntax, "invalid sequence option %s", o.Name), o.Pos)
		}
	}
	first := d.First + 1
	if start != nil {
		first = *start
	} else if d.Step < 0 && count == 0 {
		first = -1
	}
	d.First = first - 1
	switch {
	case again != nil:
		*d = d.Restarted(*again, count)
	case count == 0:
		*d = d.Restarted(first, count)
	}
	return again != nil, nil
}

// alterIdentity is ALTER COLUMN … ADD GENERATED, SET GENERATED, RESTART and DROP
// IDENTITY.
func (c *Ctx) alterIdentity(t *catalog.Table, a *ast.ColumnIdentity) error {
	col, err := columnOf(t, a.Name)
	if err != nil {
		return err
	}
	not := errs.New(errs.ObjectNotInState, "column %q of relation %q is not an identity column", a.Name, t.Name)
	switch {
	case a.Drop && col.Identity == "" && a.IfExists:
		c.notice("%s, skipping", not.Msg)
		return nil
	case a.Drop && col.Identity == "":
		return not
	case a.Drop:
		col.Identity, col.Default = "", catalog.Default{}
		return nil
	}
	count := int64(0)
	if c.Count != nil {
		count = c.Count(t.ID, col.ID)
	}
	switch id := a.Identity; {
	case a.Add && col.Identity != "":
		return errs.New(errs.ObjectNotInState, "column %q of relation %q is already an identity column", a.Name, t.Name)
	case a.Add && !col.NotNull:
		return errs.New(errs.ObjectNotInState, "column %q of relation %q must be declared NOT NULL before identity can be added", a.Name, t.Name)
	case a.Add && col.Type.OID != types.Int2OID && col.Type.OID != types.Int4OID && col.Type.OID != types.Int8OID:
		return errs.New(errs.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
	case a.Add && col.Default.Kind != catalog.DefaultNone:
		return errs.New(errs.ObjectNotInState, "column %q of relation %q already has a default value", a.Name, t.Name)
	case a.Add:
		col.Default = catalog.Default{Kind: catalog.DefaultCounter}
		col.Default = col.Default.Restarted(1, count)
		col.Identity = "d"
		if id.Always {
			col.Identity = "a"
		}
	case col.Identity == "":
		return not
	case id.Always:
		col.Identity = "a"
	case a.ByDefault:
		col.Identity = "d"
	}
	_, err = sequenceOptions(col, a.Identity.Options, count)
	return err
}
