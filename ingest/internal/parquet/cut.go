package parquet

import (
	"encoding/binary"
	"io"

	"quern/storage/errs"
)

// Cutter takes row groups out of a file, each as a Parquet file of its own: the
// pages are copied as they are, only the footer is written anew. A loader sends
// such pieces so that a request stays small and can be repeated.
type Cutter struct {
	r      io.ReaderAt
	meta   tStructValue
	groups []tValue
}

// NewCutter reads the footer of a file of size bytes.
func NewCutter(r io.ReaderAt, size int64) (*Cutter, error) {
	var tail [8]byte
	if size < 12 {
		return nil, malformed("no PAR1 magic at both ends")
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	footer := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != "PAR1" || footer > size-12 || footer > footerBytesMax {
		return nil, malformed("footer")
	}
	b := make([]byte, footer)
	if _, err := r.ReadAt(b, size-8-footer); err != nil {
		return nil, err
	}
	t := &thrift{b: b, ok: true}
	c := &Cutter{r: r, meta: t.tree(0)}
	if !t.ok {
		return nil, malformed("%v", errThrift)
	}
	if g := c.meta.field(4); g != nil {
		c.groups = g.list
	}
	return c, nil
}

// Groups is the number of row groups.
func (c *Cutter) Groups() int { return len(c.groups) }

// Rows is the number of rows of a group.
func (c *Cutter) Rows(group int) int64 {
	if v := c.groups[group].fields.field(3); v != nil {
		return v.i
	}
	return 0
}

// Piece is a Parquet file with just one row group.
func (c *Cutter) Piece(group int) ([]byte, error) {
	g := c.groups[group].clone()
	lo, hi, err := extent(&g)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4+hi-lo)
	copy(out, "PAR1")
	if _, err := c.r.ReadAt(out[4:], lo); err != nil {
		return nil, err
	}
	shift(&g, 4-lo)
	meta := tStructValue(append([]tField(nil), c.meta...))
	meta.set(3, tValue{typ: tI64, i: c.Rows(group)})
	meta.set(4, tValue{typ: tList, elem: tStruct, list: []tValue{g}})
	start := len(out)
	out = meta.append(out)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(out)-start))
	return append(out, "PAR1"...), nil
}

// chunksOf are the ColumnMetaData structs of a row group.
func chunksOf(g *tValue) []*tStructValue {
	var out []*tStructValue
	if l := g.fields.field(1); l != nil {
		for i := range l.list {
			if m := l.list[i].fields.field(3); m != nil {
				out = append(out, &m.fields)
			}
		}
	}
	return out
}

// extent is where the group's pages lie in the file.
func extent(g *tValue) (lo, hi int64, err error) {
	for _, m := range chunksOf(g) {
		data, size := m.field(9), m.field(7)
		if data == nil || size == nil {
			return 0, 0, malformed("column chunk without offsets")
		}
		start := data.i
		if d := m.field(11); d != nil && d.i > 0 && d.i < start {
			start = d.i
		}
		if lo == 0 || start < lo {
			lo = start
		}
		hi = max(hi, start+size.i)
	}
	if lo < 4 || hi < lo || hi-lo > 1<<31 {
		return 0, 0, errs.New(errs.BadCopyFormat, "malformed Parquet file: row group of %d bytes", hi-lo)
	}
	return lo, hi, nil
}

// shift moves offsets and drops references to parts that are not copied:
// column and offset indexes, bloom filters, index pages.
func shift(g *tValue, by int64) {
	for _, m := range chunksOf(g) {
		for _, id := range []int16{9, 11} {
			if v := m.field(id); v != nil {
				v.i += by
			}
		}
		m.drop(10, 14, 15)
	}
	l := g.fields.field(1)
	for i := range l.list {
		l.list[i].fields.drop(4, 5, 6, 7)
		l.list[i].fields.set(2, tValue{typ: tI64, i: 0})
	}
	if v := g.fields.field(5); v != nil {
		v.i += by
	}
}

// tValue is a value of the compact protocol, kept so that it can be written
// again.
type tValue struct {
	typ    byte
	i      int64  // integers, bool
	b      []byte // binary, double
	elem   byte
	list   []tValue
	fields tStructValue
	raw    []byte // maps, as they were
}

type tField struct {
	id int16
	v  tValue
}

type tStructValue []tField

func (s tStructValue) field(id int16) *tValue {
	for i := range s {
		if s[i].id == id {
			return &s[i].v
		}
	}
	return nil
}

func (s tStructValue) set(id int16, v tValue) {
	if f := s.field(id); f != nil {
		*f = v
	}
}

func (s *tStructValue) drop(ids ...int16) {
	kept := (*s)[:0]
	for _, f := range *s {
		keep := true
		for _, id := range ids {
			keep = keep && f.id != id
		}
		if keep {
			kept = append(kept, f)
		}
	}
	*s = kept
}

func (v *tValue) clone() tValue {
	n := *v
	n.list = nil
	for i := range v.list {
		n.list = append(n.list, v.list[i].clone())
	}
	n.fields = nil
	for _, f := range v.fields {
		n.fields = append(n.fields, tField{f.id, f.v.clone()})
	}
	return n
}

// tree reads a struct with everything in it.
func (t *thrift) tree(depth int) (s tStructValue) {
	if depth > thriftDepthMax {
		t.fail()
		return nil
	}
	t.fields(func(id int16, typ byte) { s = append(s, tField{id, t.value(typ, depth)}) })
	return s
}

func (t *thrift) value(typ byte, depth int) (v tValue) {
	v.typ = typ
	before := t.b
	switch typ {
	case tTrue, tFalse:
	case tByte:
		v.i = int64(t.byte())
	case tI16, tI32, tI64:
		v.i = t.int()
	case tDouble:
		if len(t.b) < 8 {
			t.fail()
			return v
		}
		v.b, t.b = t.b[:8], t.b[8:]
	case tBinary:
		v.b = t.binary()
	case tStruct:
		v.fields = t.tree(depth + 1)
	case tList, tSet:
		t.list(func(elem byte) {
			v.elem = elem
			if elem == tTrue || elem == tFalse {
				v.list = append(v.list, tValue{typ: elem, i: int64(t.byte())})
				return
			}
			if depth > thriftDepthMax {
				t.fail()
				return
			}
			v.list = append(v.list, t.value(elem, depth+1))
		})
		if len(v.list) == 0 && len(before) > 0 {
			v.elem = before[0] & 0x0f
		}
	default:
		t.skip(typ, depth)
		v.raw = before[:len(before)-len(t.b)]
	}
	return v
}

func (s tStructValue) append(dst []byte) []byte {
	last := int16(0)
	for i := range s {
		f := &s[i]
		if d := f.id - last; d > 0 && d < 16 {
			dst = append(dst, byte(d)<<4|f.v.typ)
		} else {
			dst = binary.AppendVarint(append(dst, f.v.typ), int64(f.id))
		}
		last = f.id
		if f.v.typ != tTrue && f.v.typ != tFalse {
			dst = f.v.append(dst)
		}
	}
	return append(dst, tStop)
}

func (v *tValue) append(dst []byte) []byte {
	switch v.typ {
	case tTrue, tFalse, tByte:
		return append(dst, byte(v.i))
	case tI16, tI32, tI64:
		return binary.AppendVarint(dst, v.i)
	case tDouble:
		return append(dst, v.b...)
	case tBinary:
		return append(binary.AppendUvarint(dst, uint64(len(v.b))), v.b...)
	case tStruct:
		return v.fields.append(dst)
	case tList, tSet:
		if n := len(v.list); n < 15 {
			dst = append(dst, byte(n)<<4|v.elem)
		} else {
			dst = binary.AppendUvarint(append(dst, 0xf0|v.elem), uint64(n))
		}
		for i := range v.list {
			dst = v.list[i].append(dst)
		}
		return dst
	}
	return append(dst, v.raw...)
}
