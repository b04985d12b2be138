package policy

import (
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// View is what one principal sees of one table. Only Resolve makes one.
type View struct {
	table     uint32
	principal Principal
	epoch     uint64
	floor     int64 // µs since 1970
	hasFloor  bool
	timeCol   uint32
	priv      Privilege
	colPriv   map[uint32]Privilege // column grants, nil if none
	masks     map[uint32]Mask
	filter    Filter
	bound     bool
}

// Table is the table's id.
func (v *View) Table() uint32 { return v.table }

// Epoch is the policy epoch that the view was resolved at.
func (v *View) Epoch() uint64 { return v.epoch }

// Floor is the retention floor: rows whose effective time lies below it do not
// exist. ok is false if the table has no retention.
func (v *View) Floor() (us int64, timeCol uint32, ok bool) { return v.floor, v.timeCol, v.hasFloor }

// Filter is the row policy, nil if none applies.
func (v *View) Filter() Filter { return v.filter }

// Mask is the mask of a column, nil if the principal sees it raw.
func (v *View) Mask(col uint32) Mask { return v.masks[col] }

// Bound tells whether a mask, a row policy or a missing column privilege
// applies: statistics, EXPLAIN counters and metadata must then be withheld.
func (v *View) Bound() bool { return v.bound }

// Masked tells whether any column is masked or rows are filtered.
func (v *View) Masked() bool { return len(v.masks) > 0 || v.filter != nil }

// Equal tells whether two views show the same, the floor aside.
func (v *View) Equal(o *View) bool {
	if v.table != o.table || v.priv != o.priv || v.hasFloor != o.hasFloor || v.filter != o.filter ||
		len(v.masks) != len(o.masks) || len(v.colPriv) != len(o.colPriv) {
		return false
	}
	for c, m := range v.masks {
		if o.masks[c] != m {
			return false
		}
	}
	for c, p := range v.colPriv {
		if o.colPriv[c] != p {
			return false
		}
	}
	return true
}

// Has tells whether the principal holds p on the whole table.
func (v *View) Has(p Privilege) bool { return v.priv&p == p }

// HasColumn tells whether the principal holds p on a column.
func (v *View) HasColumn(p Privilege, col uint32) bool {
	return v.priv&p == p || v.colPriv[col]&p == p
}

// HasAny tells whether the principal holds any privilege at all: without one
// the table does not appear in catalogs.
func (v *View) HasAny() bool { return v.priv != 0 || len(v.colPriv) > 0 }

// CheckSelect returns 42501 unless every listed column may be read. With no
// columns, one readable column is enough (count(*)).
func (v *View) CheckSelect(table string, cols []uint32) error {
	if v.Has(Select) {
		return nil
	}
	deny := errs.New(errs.InsufficientPrivilege, "permission denied for table %s", table)
	for _, c := range cols {
		if c == rowAddress && v.mayChange() {
			continue
		}
		if c < 0xFFFFFFF0 && v.colPriv[c]&Select == 0 || c >= 0xFFFFFFF0 {
			return deny
		}
	}
	if len(cols) > 0 {
		return nil
	}
	for _, p := range v.colPriv {
		if p&Select != 0 {
			return nil
		}
	}
	return deny
}

// rowAddress is catalog.ColRowAddress, which UPDATE and DELETE read.
const rowAddress = 0xFFFFFFF2

func (v *View) mayChange() bool {
	if v.priv&(Update|Delete) != 0 {
		return true
	}
	for _, p := range v.colPriv {
		if p&Update != 0 {
			return true
		}
	}
	return false
}

// Resolve makes the view of a table for a principal at a statement's time
// (µs since 1970). An unknown table is 42P01.
func Resolve(src Source, table uint32, p Principal, now int64) (*View, error) {
	return ResolveThrough(src, table, p, p, now)
}

// ResolveThrough is Resolve for a table inside a view (CREATE VIEW): the
// privileges are those of the view's owner, what rows and values show is still
// decided by the policies of p, who asks. Where p itself may not read the whole
// table, the view counts as bound.
func ResolveThrough(src Source, table uint32, owner, p Principal, now int64) (*View, error) {
	t, ok := src.PolicyTable(table)
	if !ok {
		return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", table)
	}
	v := &View{table: table, principal: p, epoch: src.PolicyEpoch(), timeCol: t.TimeCol}
	if t.Retention > 0 || t.Floor > 0 {
		v.hasFloor, v.floor = true, t.Floor
		if t.Retention > 0 {
			v.floor = max(t.Floor, now-t.Retention)
		}
	}
	v.privileges(&t, p, Active(src, p.RoleID))
	own := v.priv&Select != 0
	for i := range t.Columns {
		if err := v.mask(src, &t.Columns[i], p); err != nil {
			return nil, err
		}
	}
	v.bound = len(v.masks) > 0 || v.filter != nil || !own
	if owner != p {
		v.priv, v.colPriv = 0, nil
		v.privileges(&t, owner, Active(src, owner.RoleID))
		v.priv &^= Unmask
	}
	return v, nil
}

func (v *View) privileges(t *TableInfo, p Principal, active map[uint32]bool) {
	if p.Superuser || active[t.Owner] {
		v.priv = AllTable
	}
	if p.Superuser && !p.NoUnmask {
		v.priv |= Unmask
	}
	for _, g := range t.Grants {
		if g.Role != 0 && !active[g.Role] {
			continue
		}
		if g.Cols == nil {
			v.priv |= g.Priv
			continue
		}
		if v.colPriv == nil {
			v.colPriv = map[uint32]Privilege{}
		}
		for _, c := range g.Cols {
			v.colPriv[c] |= g.Priv
		}
	}
}

func (v *View) mask(src Source, c *ColumnInfo, p Principal) error {
	if c.Masking == 0 || v.HasColumn(Unmask, c.ID) {
		return nil
	}
	m := src.MaskingPolicy(c.Masking)
	mask, err := compileMask(m, c.Type)
	if err != nil {
		return err
	}
	if v.masks == nil {
		v.masks = map[uint32]Mask{}
	}
	v.masks[c.ID] = mask
	return nil
}

// Active is the set of roles whose grants act for role: itself and what it
// inherits, transitively.
func Active(src Source, role uint32) map[uint32]bool {
	set := map[uint32]bool{}
	var add func(id uint32)
	add = func(id uint32) {
		r := src.Role(id)
		if r == nil || set[id] {
			return
		}
		set[id] = true
		if r.Inherit {
			for _, m := range r.MemberOf {
				add(m)
			}
		}
	}
	add(role)
	return set
}

// constMask replaces every value by one: NULL or a constant. It never looks at
// the raw value, so it hides nullness too when the constant is not NULL.
// It is a comparable value: equal masks make equal views.
type constMask struct {
	typ types.Type
	val types.Datum
}

func compileMask(m *Masking, t types.Type) (Mask, error) {
	switch {
	case m == nil || m.Kind == MaskNull:
		// A policy that vanished hides: never raw by omission.
		return constMask{t, types.NullDatum}, nil
	case m.Kind == MaskConstant:
		d, err := types.ParseText(t, m.Const, types.DefaultFormat)
		if err != nil {
			return nil, err
		}
		return constMask{t, d}, nil
	}
	return constMask{t, types.NullDatum}, nil
}

func (m constMask) Constant() (types.Datum, bool) { return m.val, true }

func (m constMask) Apply(src *vec.Vector, _ vec.Selection, dst *vec.Vector) error {
	*dst = vec.ConstVector(m.typ, &m.val, src.Len)
	return nil
}

// ValidateMask checks that m can mask a column of type t (42804 otherwise).
func ValidateMask(m *Masking, t types.Type) error {
	if m.Family != "any" && m.Family != Family(t) {
		return errs.New(errs.DatatypeMismatch, "masking policy %q is for %s, column is of type %s", m.Name, m.Family, t)
	}
	_, err := compileMask(m, t)
	return err
}

// Family is the mask family of a type.
func Family(t types.Type) string {
	switch t.OID {
	case types.Int2OID, types.Int4OID, types.Int8OID, types.Float4OID, types.Float8OID, types.NumericOID:
		return "numeric"
	case types.DateOID:
		return "date"
	case types.TimestampOID, types.TimestamptzOID:
		return "timestamp"
	case types.BoolOID:
		return "bool"
	case types.UUIDOID:
		return "uuid"
	case types.InetOID, types.CidrOID:
		return "inet"
	case types.ByteaOID:
		return "bytea"
	case types.JSONOID, types.JSONBOID:
		return "json"
	}
	return "text"
}
