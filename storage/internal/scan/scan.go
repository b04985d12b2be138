package scan

import (
	"sync/atomic"

	"math"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/internal/segment"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Scan is a Spec resolved against its table. It is immutable.
type Scan struct {
	cols  []column // requested ones, then helpers with raw values
	nreq  int
	preds []pred

	hasFloor bool
	floor    int64
	timeCol  int // helper with the event time, -1 if none
	received int // helper with _received_at, -1 if not needed

	filter     policy.Filter
	filterCols []int

	files    []*segment.File // what it reads, as far as Reads was told
	slabRows int

	bytes                  atomic.Int64 // of the pages that readers asked for
	granules, granulesLeft atomic.Int64 // in readers that were closed: all, skipped
}

// Counters are what readers that are closed did: bytes of pages, granules, and
// those of them that zone maps skipped.
func (s *Scan) Counters() (bytes, granules, skipped int64) {
	return s.bytes.Load(), s.granules.Load(), s.granulesLeft.Load()
}

// column is one column that readers load.
type column struct {
	id      uint32
	typ     types.Type
	mask    policy.Mask
	cmask   bool // the mask has one value, cval
	cval    types.Datum
	missing types.Datum // of rows older than the column
}

// New resolves spec. A column that the principal may not read is 42501.
func New(spec *Spec) (*Scan, error) {
	if err := spec.View.CheckSelect(spec.Table.Name, spec.Cols); err != nil {
		return nil, err
	}
	s := &Scan{filter: spec.View.Filter(), timeCol: -1, received: -1, nreq: len(spec.Cols)}
	for _, id := range spec.Cols {
		c, err := resolve(spec.Table, id)
		if err != nil {
			return nil, err
		}
		s.addMask(&c, spec.View.Mask(id))
		s.cols = append(s.cols, c)
	}
	for i := range spec.Preds {
		p := &spec.Preds[i]
		if p.Col < 0 || p.Col >= s.nreq {
			return nil, errs.New(errs.Internal, "predicate on column %d of %d", p.Col, s.nreq)
		}
		s.preds = append(s.preds, compile(p, s.cols[p.Col].typ))
	}
	return s, s.addHelpers(spec)
}

func (s *Scan) addMask(c *column, m policy.Mask) {
	if c.id == catalog.ColCommitSeq && s.filter != nil {
		// The sequence counts rows that the principal may not know of.
		c.cmask, c.cval = true, types.NullDatum
		return
	}
	if m == nil {
		return
	}
	c.mask = m
	c.cval, c.cmask = m.Constant()
}

func (s *Scan) addHelpers(spec *Spec) error {
	floor, timeCol, ok := spec.View.Floor()
	if ok {
		s.hasFloor, s.floor = true, floor
		var err error
		if s.received, err = s.helper(spec.Table, catalog.ColReceivedAt); err != nil {
			return err
		}
		if timeCol != 0 {
			if s.timeCol, err = s.helper(spec.Table, timeCol); err != nil {
				return err
			}
		}
	}
	if s.filter == nil {
		return nil
	}
	for _, id := range s.filter.Columns() {
		k, err := s.helper(spec.Table, id)
		if err != nil {
			return err
		}
		s.filterCols = append(s.filterCols, k)
	}
	return nil
}

// helper is the position of a column with raw values, added if need be.
func (s *Scan) helper(t *catalog.Table, id uint32) (int, error) {
	for k := range s.cols {
		if c := &s.cols[k]; c.id == id && c.mask == nil && !c.cmask {
			return k, nil
		}
	}
	c, err := resolve(t, id)
	s.cols = append(s.cols, c)
	return len(s.cols) - 1, err
}

func resolve(t *catalog.Table, id uint32) (column, error) {
	c := column{id: id, missing: types.NullDatum}
	switch id {
	case catalog.ColReceivedAt:
		c.typ = types.Timestamptz
		return c, nil
	case catalog.ColCommitSeq, catalog.ColRowAddress:
		c.typ = types.Int8
		return c, nil
	}
	def := t.ColumnByID(id)
	if def == nil {
		return c, errs.New(errs.UndefinedColumn, "column %d of relation %q does not exist", id, t.Name)
	}
	c.typ = def.Type
	if def.Missing != nil {
		var err error
		if c.missing, err = types.ParseText(def.Type, *def.Missing, types.DefaultFormat); err != nil {
			return c, err
		}
	}
	return c, nil
}

// masked tells whether the column's raw values are hidden.
func (c *column) masked() bool { return c.mask != nil || c.cmask }

// survives tells whether rows that z bounds may satisfy p. codes is p's meaning
// on the dictionary if z bounds codes, else nil.
func (c *pred) survives(z *encoding.Zone, codes *codeSet) bool {
	values := z.Rows - z.Nulls
	switch {
	case c.kind == onNull:
		return z.Nulls > 0
	case values == 0 || c.kind == never:
		return false
	case c.kind == always || z.Flags&encoding.ZoneUnknown != 0 || z.Flags&encoding.ZoneValues == 0 && z.Flags&encoding.ZoneNaN == 0:
		return true
	case codes != nil:
		return codes.any(uint32(z.MinI), uint32(z.MaxI))
	case c.kind == ranged:
		return c.survivesRange(z)
	case c.kind == listed:
		for _, k := range c.keys {
			if z.Flags&encoding.ZoneValues != 0 && k >= z.MinI && k <= z.MaxI || z.Flags&encoding.ZoneNaN != 0 && k == math.MaxInt64 {
				return true
			}
		}
		return false
	}
	return c.survivesOrdered(z)
}

func (c *pred) survivesRange(z *encoding.Zone) bool {
	if z.Flags&encoding.ZoneNaN != 0 && c.holdsKey(math.MaxInt64) {
		return true
	}
	if z.Flags&encoding.ZoneValues == 0 {
		return false
	}
	if c.not {
		return z.MinI < c.lo || z.MaxI > c.hi
	}
	return c.lo <= z.MaxI && c.hi >= z.MinI
}

// survivesOrdered decides on bounds that are prefixes (bytes, uuid) or floats
// around the true ones (Num).
func (c *pred) survivesOrdered(z *encoding.Zone) bool {
	if c.op == Ne || z.Flags&encoding.ZoneNaN != 0 || c.typ.OID == types.BpcharOID {
		return true
	}
	for i := range c.consts {
		below, above := c.outside(z, &c.consts[i])
		switch c.op {
		case Eq, In:
			if !below && !above {
				return true
			}
		case Lt, Le:
			return !below
		default:
			return !above
		}
	}
	return false
}

// outside tells whether v lies surely below or above all bounded values.
func (c *pred) outside(z *encoding.Zone, v *vec.Vector) (below, above bool) {
	switch c.typ.Phys() {
	case types.PhysNum:
		n := &vec.Values[types.Num](v)[0]
		if n.Kind == types.NumNaN {
			return false, true
		}
		lo, hi := encoding.NumKey(n)
		return hi < z.MinI, lo > z.MaxI
	case types.PhysUUID:
		u := vec.Values[[16]byte](v)[0]
		return less(u[:], z.MinP[:]), less(z.MaxP[:], u[:])
	case types.PhysBytes:
		b := v.BytesAt(0)
		// MinP is at most the least value; MaxP bounds first 16 bytes only.
		return lessPadded(b, z.MinP[:]), less(z.MaxP[:], b[:min(len(b), 16)])
	}
	return false, false
}
