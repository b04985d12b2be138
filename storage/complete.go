package storage

import (
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/segment"
	"quern/storage/internal/tally"
	"quern/storage/types"
	"quern/storage/vec"
)

// completed is what complete left out.
type completed struct {
	rejects  []Reject
	refused  int64    // below the retention floor
	counters []uint32 // columns whose counter goes into the frame
}

// complete returns tr with every live column of t: missing ones take their
// default. Rows that break NOT NULL fail (23502) or, on ingest routes, become
// rejects; rows below the retention floor are refused.
func (s *Store) complete(t *catalog.Table, tr *TableRows, now int64, c *Commit) (*TableRows, completed, error) {
	var done completed
	from, err := s.columnSources(t, tr)
	if err != nil {
		return nil, done, err
	}
	full := &TableRows{Table: tr.Table}
	for i := range t.Columns {
		full.Cols = append(full.Cols, t.Columns[i].ID)
		// NB: also when the commit brings the values: Complete or nextval took
		// them from the counter before.
		if t.Columns[i].Default.Kind == catalog.DefaultCounter {
			done.counters = append(done.counters, t.Columns[i].ID)
		}
	}
	firstRow := 0
	for _, b := range tr.Batches {
		nb := &vec.Batch{Len: b.Len, Sel: b.Sel, Cols: make([]vec.Vector, len(t.Columns))}
		for i := range t.Columns {
			if from[i] >= 0 {
				nb.Cols[i] = b.Cols[from[i]]
				continue
			}
			if nb.Cols[i], err = s.defaultVector(t, &t.Columns[i], b.Len, now, c); err != nil {
				return nil, done, err
			}
		}
		if err := checkNotNull(t, tr, nb, firstRow, c, &done); err != nil {
			return nil, done, err
		}
		applyFloor(t, nb, now, &done)
		firstRow += b.Len
		full.Batches = append(full.Batches, nb)
	}
	return full, done, nil
}

// columnSources gives, for each column of t, its place in tr's batches, or -1.
func (s *Store) columnSources(t *catalog.Table, tr *TableRows) ([]int, error) {
	from := make([]int, len(t.Columns))
	for i := range from {
		from[i] = -1
	}
	for k, id := range tr.Cols {
		found := false
		for i := range t.Columns {
			if t.Columns[i].ID == id {
				from[i], found = k, true
			}
		}
		if !found {
			return nil, errs.New(errs.UndefinedColumn, "column with number %d of relation %q does not exist", id, t.Name)
		}
	}
	for _, b := range tr.Batches {
		if len(b.Cols) != len(tr.Cols) {
			return nil, errs.New(errs.Internal, "batch has %d columns, %d are named", len(b.Cols), len(tr.Cols))
		}
		for i := range t.Columns {
			if from[i] < 0 {
				continue
			}
			if v := &b.Cols[from[i]]; v.Type.Phys() != t.Columns[i].Type.Phys() || v.Len != b.Len {
				return nil, errs.New(errs.DatatypeMismatch, "column %q is of type %s but the batch has type %s with %d of %d rows",
					t.Columns[i].Name, t.Columns[i].Type, v.Type, v.Len, b.Len)
			}
		}
	}
	return from, nil
}

// defaultVector is n rows of a column that the commit does not give.
func (s *Store) defaultVector(t *catalog.Table, col *catalog.Column, n int, now int64, c *Commit) (vec.Vector, error) {
	d := types.NullDatum
	switch col.Default.Kind {
	case catalog.DefaultNone:
	case catalog.DefaultConst:
		var err error
		if d, err = types.ParseText(col.Type, col.Default.Text, types.DefaultFormat); err != nil {
			return vec.Vector{}, err
		}
	case catalog.DefaultNow:
		d = nowAs(col.Type, now)
	case catalog.DefaultUser:
		d = types.Datum{S: c.User}
	case catalog.DefaultUUID, catalog.DefaultCounter:
		return s.generated(t, col, n)
	default:
		return vec.Vector{}, errs.NotSupported("default " + string(col.Default.Kind))
	}
	return vec.ConstVector(col.Type, &d, n), nil
}

// nowAs is the clock as a value of type t.
func nowAs(t types.Type, now int64) types.Datum {
	if t.OID == types.DateOID {
		day := now / 86_400_000_000
		if now%86_400_000_000 < 0 {
			day--
		}
		return types.Datum{I: day}
	}
	return types.Datum{I: now}
}

// generated is n rows of a default that differs from row to row.
func (s *Store) generated(t *catalog.Table, col *catalog.Column, n int) (vec.Vector, error) {
	b := vec.NewBuilder(col.Type, n)
	next := int64(0)
	if col.Default.Kind == catalog.DefaultCounter {
		next = s.tallies.Next(tally.Column{Table: t.ID, Col: col.ID}, int64(n))
	}
	for i := range n {
		d := types.Datum{I: col.Default.Value(next + int64(i))}
		if col.Default.Kind == catalog.DefaultUUID {
			d.U = s.randomUUID()
			if col.Type.Phys() == types.PhysBytes {
				return vec.Vector{}, errs.NotSupported("default gen_random_uuid() on a column of type " + col.Type.String())
			}
		}
		b.Append(&d)
	}
	return b.Finish(), nil
}

// randomUUID is a version 4 UUID, as gen_random_uuid() gives.
func (s *Store) randomUUID() (u [16]byte) {
	le.PutUint64(u[:], s.opts.Rand())
	le.PutUint64(u[8:], s.opts.Rand())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// checkNotNull takes rows with a forbidden NULL out of b.
func checkNotNull(t *catalog.Table, tr *TableRows, b *vec.Batch, firstRow int, c *Commit, done *completed) error {
	for i := range t.Columns {
		col := &t.Columns[i]
		v := &b.Cols[i]
		if !col.NotNull || v.Valid == nil {
			continue
		}
		keep := make(vec.Selection, 0, b.Rows())
		for k := range b.Rows() {
			row := k
			if b.Sel != nil {
				row = int(b.Sel[k])
			}
			if !v.Null(row) {
				keep = append(keep, uint16(row))
				continue
			}
			e := errs.New(errs.NotNullViolation,
				"null value in column %q of relation %q violates not-null constraint", col.Name, t.Name)
			if !c.Ingest {
				e.Table, e.Column = t.Name, col.Name
				return e
			}
			r := Reject{Table: t.ID, Name: t.Name, Row: int64(firstRow + row), Kind: "row",
				Code: string(e.Code), Column: col.Name, Message: e.Msg}
			if tr.Raw != nil {
				r.Raw = tr.Raw(firstRow + row)
			}
			done.rejects = append(done.rejects, r)
		}
		if len(keep) < b.Rows() {
			b.Sel = keep
		}
	}
	return nil
}

// applyFloor takes rows out of b whose event time lies below the retention
// floor: they would be invisible at once.
func applyFloor(t *catalog.Table, b *vec.Batch, now int64, done *completed) {
	floor, ok := floorOf(t, now)
	col := t.TimeColumn()
	if !ok || col == nil {
		return
	}
	var v *vec.Vector
	for i := range t.Columns {
		if t.Columns[i].ID == col.ID {
			v = &b.Cols[i]
		}
	}
	keep := make(vec.Selection, 0, b.Rows())
	for k := range b.Rows() {
		row := k
		if b.Sel != nil {
			row = int(b.Sel[k])
		}
		if v.Null(row) || timeOf(v, row) >= floor {
			keep = append(keep, uint16(row))
		}
	}
	if n := b.Rows() - len(keep); n > 0 {
		done.refused += int64(n)
		b.Sel = keep
	}
}

// timeOf is a value of a time column in µs since 1970.
func timeOf(v *vec.Vector, row int) int64 {
	d := v.Datum(row)
	if v.Type.OID == types.DateOID {
		return segment.DateMicros(int32(d.I))
	}
	return d.I
}

// floorOf is the retention floor of a table: it never falls.
func floorOf(t *catalog.Table, now int64) (int64, bool) {
	if t.Options.Retention <= 0 {
		return t.Floor, t.Floor != 0
	}
	return max(t.Floor, now-t.Options.Retention), true
}
