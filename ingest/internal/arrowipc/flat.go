package arrowipc

import "encoding/binary"

// flat reads FlatBuffers. Every access is checked against the buffer: what lies
// outside reads as absent and sets bad, so that no number in a message can make a
// reader look elsewhere or allocate.
type flat struct {
	b   []byte
	bad bool
	// visits bounds the tables and vectors that are looked at: references may
	// form a graph that is larger than the buffer.
	visits int
}

// visitsMax is enough for 2,000 columns with all that describes them.
const visitsMax = 100_000

// table is a position in a flat, 0 = absent.
type table struct {
	f   *flat
	pos int // of the table
	vt  int // of its vtable
	vtn int // bytes of it
}

func (f *flat) u32(at int) uint32 {
	if at < 0 || at > len(f.b)-4 {
		f.bad = true
		return 0
	}
	return binary.LittleEndian.Uint32(f.b[at:])
}

func (f *flat) u16(at int) uint16 {
	if at < 0 || at > len(f.b)-2 {
		f.bad = true
		return 0
	}
	return binary.LittleEndian.Uint16(f.b[at:])
}

func (f *flat) u64(at int) uint64 {
	if at < 0 || at > len(f.b)-8 {
		f.bad = true
		return 0
	}
	return binary.LittleEndian.Uint64(f.b[at:])
}

// root is the table that the buffer begins with.
func (f *flat) root() table { return f.at(int(f.u32(0))) }

// at opens the table at pos.
func (f *flat) at(pos int) table {
	t := table{f: f, pos: pos}
	t.vt = pos - int(int32(f.u32(pos)))
	t.vtn = int(f.u16(t.vt))
	if f.visits++; f.visits > visitsMax || t.vtn < 4 || t.vt > len(f.b)-t.vtn {
		f.bad = true
		return table{f: f}
	}
	return t
}

// field is where field n lies, 0 if it is absent.
func (t table) field(n int) int {
	if t.pos == 0 || 4+2*n+2 > t.vtn {
		return 0
	}
	off := int(t.f.u16(t.vt + 4 + 2*n))
	if off == 0 {
		return 0
	}
	return t.pos + off
}

func (t table) byte(n int, def byte) byte {
	at := t.field(n)
	if at == 0 {
		return def
	}
	if at >= len(t.f.b) {
		t.f.bad = true
		return 0
	}
	return t.f.b[at]
}

func (t table) short(n int, def int16) int16 {
	if at := t.field(n); at != 0 {
		return int16(t.f.u16(at))
	}
	return def
}

func (t table) int(n int, def int32) int32 {
	if at := t.field(n); at != 0 {
		return int32(t.f.u32(at))
	}
	return def
}

func (t table) long(n int) int64 {
	if at := t.field(n); at != 0 {
		return int64(t.f.u64(at))
	}
	return 0
}

// table follows a reference.
func (t table) table(n int) (table, bool) {
	at := t.field(n)
	if at == 0 {
		return table{f: t.f}, false
	}
	sub := t.f.at(at + int(t.f.u32(at)))
	return sub, sub.pos != 0
}

// vector gives where the elements of a vector lie and how many there are, size
// bytes each.
func (t table) vector(n, size int) (at, count int) {
	ref := t.field(n)
	if ref == 0 {
		return 0, 0
	}
	head := ref + int(t.f.u32(ref))
	count = int(t.f.u32(head))
	if t.f.bad || count > (len(t.f.b)-head-4)/size {
		t.f.bad = true
		return 0, 0
	}
	return head + 4, count
}

func (t table) string(n int) string {
	at, count := t.vector(n, 1)
	return string(t.f.b[at : at+count])
}

// tables are the elements of a vector of tables.
func (t table) tables(n int) []table {
	at, count := t.vector(n, 4)
	if t.f.visits+count > visitsMax {
		t.f.bad = true
		return nil
	}
	out := make([]table, 0, count)
	for i := range count {
		ref := at + 4*i
		out = append(out, t.f.at(ref+int(t.f.u32(ref))))
	}
	return out
}
