package encoding

import (
	"encoding/binary"
	"math"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// templates is a TEMPLATE page as it is read.
type templates struct {
	list   []template
	fields []fieldPages
	starts []uint32 // per unit and field: values before; one unit more at the end
}

// fieldPages are the pages of one field, of PageRows values each but the last.
type fieldPages struct {
	kind   uint8
	values int
	pages  []*Page
	scales []*Page // nil: all 0
}

func (p *Page) openTemplate(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	at := func(i int) int { return int(binary.LittleEndian.Uint32(head[4*i:])) }
	size, count, codes, pages := at(0), at(1), at(2), at(3)
	from := bodyAt + align
	b := p.part(from, size)
	if b == nil || count > templatesMax || pages > 16*fieldsMax {
		return corrupt("short templates")
	}
	t := &templates{}
	for range count {
		var x template
		if b = x.open(b); b == nil {
			return corrupt("bad template")
		}
		t.list = append(t.list, x)
	}
	from += pad(size)
	table := p.part(from, pages*templateEntry)
	if table == nil {
		return corrupt("short table of fields")
	}
	from += pad(pages * templateEntry)
	var err error
	if p.sub, err = p.nested(from, codes, p.Rows, types.PhysI32, depth, false); err != nil {
		return err
	}
	from += pad(codes)
	for ; len(table) > 0; table = table[templateEntry:] {
		if from, err = p.openField(t, table, from, depth); err != nil {
			return err
		}
	}
	p.tmpl = t
	return p.countValues()
}

// open reads a template and returns what is behind it, nil if it is not valid.
func (t *template) open(b []byte) []byte {
	if len(b) < 8 {
		return nil
	}
	text, slots := int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:]))
	if text > litsMax || slots > tokensMax+1 || len(b) < 8+text+slots*slotBytes {
		return nil
	}
	b = b[8:]
	last := uint32(0)
	for range slots {
		x := slot{at: binary.LittleEndian.Uint32(b), field: binary.LittleEndian.Uint16(b[4:]), kind: b[6]}
		if x.at < last || int(x.at) > text {
			return nil
		}
		last = x.at
		t.slots = append(t.slots, x)
		b = b[slotBytes:]
	}
	t.text = b[:text:text]
	return b[text:]
}

// openField opens the page of an entry at from and returns where the next one is.
func (p *Page) openField(t *templates, entry []byte, from, depth int) (int, error) {
	kind, more := entry[0], entry[1] == 1
	values, size, scales := int(binary.LittleEndian.Uint32(entry[4:])), int(binary.LittleEndian.Uint32(entry[8:])), int(binary.LittleEndian.Uint32(entry[12:]))
	if !more {
		t.fields = append(t.fields, fieldPages{kind: kind})
	}
	if len(t.fields) == 0 || kind > slotBool {
		return 0, corrupt("bad field")
	}
	f := &t.fields[len(t.fields)-1]
	if f.kind != kind || f.values%PageRows != 0 || values == 0 || values > PageRows || len(f.pages) > 0 && (len(f.scales) > 0) != (scales > 0) {
		return 0, corrupt("bad field")
	}
	phys := types.PhysI64
	if kind == slotText {
		phys = types.PhysBytes
	}
	page, err := p.child(from, size, values, phys, depth)
	if err != nil {
		return 0, err
	}
	from += pad(size)
	f.pages, f.values = append(f.pages, page), f.values+values
	if scales > 0 {
		if page, err = p.child(from, scales, values, types.PhysI32, depth); err != nil {
			return 0, err
		}
		from += pad(scales)
		f.scales = append(f.scales, page)
	}
	return from, nil
}

// child opens a nested page of any kind but templates, without NULLs.
func (p *Page) child(at, n, rows int, phys types.Phys, depth int) (*Page, error) {
	b := p.part(at, n)
	if b == nil {
		return nil, corrupt("short nested page")
	}
	sub, err := open(b, phys, depth+1)
	if err != nil {
		return nil, err
	}
	// Codes of the segment's dictionary make no sense within a page.
	bad := sub.Rows != rows || sub.Nulls != 0
	if phys == types.PhysBytes {
		bad = bad || sub.Kind == Template || sub.Kind == Dict && sub.own == nil
	} else {
		bad = bad || sub.Kind == Plain || sub.scale != 0
	}
	if bad {
		return nil, corrupt("bad nested page")
	}
	return sub, nil
}

// countValues makes starts and checks that the rows need just the values that the
// fields have.
func (p *Page) countValues() error {
	t := p.tmpl
	for i := range t.list {
		for _, x := range t.list[i].slots {
			if int(x.field) >= len(t.fields) || t.fields[x.field].kind != x.kind {
				return corrupt("bad slot")
			}
		}
	}
	n := len(t.fields)
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	t.starts = make([]uint32, (units+1)*n)
	var codes [kernel.Unit]uint32
	rows := make([]uint32, len(t.list)) // of the unit, by template
	for u := range units {
		part := codes[:min(kernel.Unit, p.Rows-u*kernel.Unit)]
		if err := p.Codes(part, u*kernel.Unit, len(t.list)); err != nil {
			return err
		}
		clear(rows)
		for _, c := range part {
			rows[c]++
		}
		next := t.starts[(u+1)*n : (u+2)*n]
		copy(next, t.starts[u*n:])
		for c, k := range rows {
			if k == 0 {
				continue
			}
			for _, x := range t.list[c].slots {
				next[x.field] += k
			}
		}
	}
	for f := range t.fields {
		if int(t.starts[units*n+f]) != t.fields[f].values {
			return corrupt("fields do not fit the rows")
		}
	}
	return nil
}

// fieldSpace holds the values of one field that a batch needs.
type fieldSpace struct {
	first  int // value that nums[0], scales[0] and views[0] are
	at     int // of the next row's value
	nums   []int64
	scales []uint32
	views  []vec.View
	bufs   [][]byte
	wanted []uint16 // of views; only if not all are
	space  *Space
	flat   []byte
}

// fill makes views as Views does, of texts put together in the space.
func (p *Page) fill(dst []vec.View, from int, sel []uint16, s *Space) ([]byte, error) {
	t := p.tmpl
	if from%kernel.Unit != 0 || from+len(dst) > p.Rows {
		return nil, corrupt("batch inside a unit")
	}
	codes := s.codesFor(len(dst))
	if err := p.Codes(codes, from, len(t.list)); err != nil {
		return nil, err
	}
	if s.fields == nil || len(s.fields) < len(t.fields) {
		s.fields = make([]fieldSpace, len(t.fields))
	}
	n := len(t.fields)
	lo, hi := from/kernel.Unit, (from+len(dst)+kernel.Unit-1)/kernel.Unit
	all := sel == nil
	if !all {
		t.wanted(s, codes, sel, lo)
	}
	for f := range t.fields {
		if err := t.fields[f].load(&s.fields[f], int(t.starts[lo*n+f]), int(t.starts[hi*n+f]), all); err != nil {
			return nil, err
		}
	}
	buf := s.buf[:0]
	for i, c := range codes {
		x := &t.list[c]
		if !all && (len(sel) == 0 || int(sel[0]) != i) {
			dst[i] = vec.View{}
			for _, k := range x.slots {
				s.fields[k.field].at++
			}
			continue
		}
		if !all {
			sel = sel[1:]
		}
		off := len(buf)
		var err error
		if buf, err = x.write(buf, s.fields); err != nil {
			return nil, err
		}
		if len(buf) > math.MaxInt32 {
			return nil, corrupt("decoded values are too long")
		}
		dst[i] = vec.ViewAt(buf, uint32(off), uint32(len(buf)-off), 0)
	}
	s.buf = buf
	return buf, nil
}

// write puts a text together and moves on in the fields.
func (t *template) write(buf []byte, fields []fieldSpace) ([]byte, error) {
	done := uint32(0)
	for i := range t.slots {
		x := &t.slots[i]
		buf = append(buf, t.text[done:x.at]...)
		done = x.at
		f := &fields[x.field]
		at := f.at - f.first
		f.at++
		switch x.kind {
		case slotText:
			buf = append(buf, f.views[at].Bytes(f.bufs)...)
		case slotNumber:
			scale := 0
			if f.scales != nil {
				if scale = int(f.scales[at]); scale > scaleMax {
					return nil, corrupt("bad scale")
				}
			}
			buf = appendNumber(buf, f.nums[at], scale)
		default:
			if f.nums[at] != 0 {
				buf = append(buf, "true"...)
			} else {
				buf = append(buf, "false"...)
			}
		}
	}
	return append(buf, t.text[done:]...), nil
}

// wanted lists which texts of the fields the selected rows need.
func (t *templates) wanted(s *Space, codes []uint32, sel []uint16, unit int) {
	n := len(t.fields)
	for f := range t.fields {
		x := &s.fields[f]
		x.at = int(t.starts[unit*n+f])
		x.first = x.at &^ (kernel.Unit - 1)
		x.wanted = x.wanted[:0]
	}
	for i, c := range codes {
		hit := len(sel) > 0 && int(sel[0]) == i
		if hit {
			sel = sel[1:]
		}
		for _, k := range t.list[c].slots {
			x := &s.fields[k.field]
			if hit && k.kind == slotText {
				x.wanted = append(x.wanted, uint16(x.at-x.first))
			}
			x.at++
		}
		if len(sel) == 0 {
			break
		}
	}
}

// load decodes values [from, to).
func (f *fieldPages) load(x *fieldSpace, from, to int, all bool) error {
	x.at, x.first = from, from&^(kernel.Unit-1)
	n := to - x.first
	if from == to {
		return nil
	}
	if f.kind != slotText {
		x.nums = sized(x.nums, n)
		if f.scales != nil {
			x.scales = sized(x.scales, n)
		}
		for at := x.first; at < to; {
			k := at / PageRows
			row := at % PageRows
			m := min(to-at, PageRows-row)
			if err := decodeInts(f.pages[k], x.nums[at-x.first:][:m], row); err != nil {
				return err
			}
			if f.scales != nil {
				if err := decodeInts(f.scales[k], x.scales[at-x.first:][:m], row); err != nil {
					return err
				}
			} else {
				x.scales = nil
			}
			at += m
		}
		return nil
	}
	return f.loadText(x, to, all || n > math.MaxUint16)
}

func (f *fieldPages) loadText(x *fieldSpace, to int, all bool) error {
	if x.space == nil {
		x.space = &Space{}
	}
	n := to - x.first
	x.views = sized(x.views, n)
	first, last := x.first/PageRows, (to-1)/PageRows
	if first == last {
		sel := x.wanted
		if all {
			sel = nil
		} else if sel == nil {
			sel = []uint16{}
		}
		buf, err := f.pages[first].Views(x.views, x.first%PageRows, sel, x.space)
		x.bufs = append(x.bufs[:0], buf)
		return err
	}
	// The values lie in several pages: rare enough to copy them.
	x.flat = x.flat[:0]
	for at := x.first; at < to; {
		m := min(to-at, PageRows-at%PageRows)
		part := x.views[at-x.first:][:m]
		buf, err := f.pages[at/PageRows].Views(part, at%PageRows, nil, x.space)
		if err != nil {
			return err
		}
		bufs := [][]byte{buf}
		for i := range part {
			off := len(x.flat)
			x.flat = append(x.flat, part[i].Bytes(bufs)...)
			part[i] = vec.MakeView(x.flat[off:], 0, uint32(off))
		}
		at += m
	}
	x.bufs = append(x.bufs[:0], x.flat)
	return nil
}

func sized[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n, n+n/4)
	}
	return v[:n]
}
