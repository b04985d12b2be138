package encoding

import (
	"encoding/binary"
	"math"
	"slices"

	"quern/storage/types"
)

// A TEMPLATE page holds texts that are alike but for some values, above all JSON:
// each row names its template, the text without its values, and the values are
// columns of their own, one per path (a field). Its parts, each at a 64-byte
// boundary:
//
//	u32 length of templates, u32 templates, u32 length of codes, u32 field pages
//	templates: each u32 bytes of text, u32 slots; per slot u32 bytes of text before
//	           it, u16 field, u8 kind (0 text, 1 number, 2 bool), u8 0; text
//	field pages, 16 B each: u8 kind, u8 1 if it continues the field before, u16 0,
//	           u32 values, u32 length of the page, u32 length of a page of scales
//	nested page of codes; nested pages of the fields and their scales
//
// A field's values follow each other by row, and in a row by slot. Numbers are
// coefficients, divided by ten to the power of their scale when they are written;
// without a page of scales that is 0. Row 0's template is 0 and so on by appearance.
const (
	templatesMax  = 1024
	fieldsMax     = 512
	templateEntry = 16
	slotBytes     = 8
	// rawShare is how many rows may be kept whole because they fit no template.
	rawShare = 0.2
)

// template is a text with slots.
type template struct {
	text  []byte
	slots []slot
}

// field collects the values of one path.
type field struct {
	kind   uint8
	scaled bool
	nums   []int64
	scales []int64
	offs   []uint32
	bytes  []byte
}

type fieldKey struct {
	path uint64
	kind uint8
}

// shaper cuts texts into templates and fields.
type shaper struct {
	tokens
	key       []byte
	byKey     map[string]int
	templates []template
	byPath    map[fieldKey]int
	fields    []*field
	codes     []int64
	raw       int // rows without a template
	whole     int // template of those + 1
}

func newShaper(rows int) *shaper {
	return &shaper{byKey: map[string]int{}, byPath: map[fieldKey]int{}, codes: make([]int64, 0, rows)}
}

// wholePath is the field of texts without a template.
const wholePath = math.MaxUint64

// add takes a row.
func (s *shaper) add(v []byte) {
	code, ok := -1, s.json(v)
	if ok {
		code, ok = s.template()
	}
	if !ok {
		s.raw++
		s.lits = s.lits[:0]
		s.list = append(s.list[:0], token{kind: slotText, path: wholePath, text: v})
		if s.whole == 0 {
			s.whole = s.register() + 1
		}
		code = s.whole - 1
	}
	s.codes = append(s.codes, int64(code))
	t := &s.templates[code]
	for i := range s.list {
		s.fields[t.slots[i].field].add(&s.list[i])
	}
}

// template finds or makes the template of the tokens; ok is false if there are too
// many already.
func (s *shaper) template() (code int, ok bool) {
	k := append(s.key[:0], s.lits...)
	for i := range s.list {
		x := &s.list[i]
		k = binary.LittleEndian.AppendUint64(k, x.path)
		k = binary.LittleEndian.AppendUint32(k, x.at)
		k = append(k, x.kind)
	}
	s.key = binary.LittleEndian.AppendUint32(k, uint32(len(s.lits)))
	if code, ok = s.byKey[string(s.key)]; ok {
		return code, true
	}
	// One of each is kept for texts without a template.
	if len(s.templates) >= templatesMax-1 || len(s.fields)+len(s.list) >= fieldsMax {
		return 0, false
	}
	code = s.register()
	s.byKey[string(s.key)] = code
	return code, true
}

func (s *shaper) register() int {
	t := template{text: append([]byte(nil), s.lits...)}
	for i := range s.list {
		x := &s.list[i]
		k := fieldKey{x.path, x.kind}
		f, ok := s.byPath[k]
		if !ok {
			f = len(s.fields)
			s.byPath[k] = f
			s.fields = append(s.fields, &field{kind: x.kind, offs: []uint32{0}})
		}
		t.slots = append(t.slots, slot{at: x.at, field: uint16(f), kind: x.kind})
	}
	s.templates = append(s.templates, t)
	return len(s.templates) - 1
}

func (f *field) add(x *token) {
	if x.kind == slotText {
		f.bytes = append(f.bytes, x.text...)
		f.offs = append(f.offs, uint32(len(f.bytes)))
		return
	}
	f.nums = append(f.nums, x.num)
	f.scales = append(f.scales, int64(x.scale))
	f.scaled = f.scaled || x.scale > 0
}

func (f *field) values() int {
	if f.kind == slotText {
		return len(f.offs) - 1
	}
	return len(f.nums)
}

// shape cuts all values; nil if too few fit templates or there is nothing to cut.
func shape(v *strs) *shaper {
	if !looksLikeJSON(v) {
		return nil
	}
	s := newShaper(v.rows())
	for i := range v.rows() {
		s.add(v.value(i))
		if i == shapeEarly-1 {
			if s.raw > shapeEarly/2 || len(s.templates) > 256 {
				return nil
			}
			s.grow(v.rows())
		}
	}
	if len(s.fields) == 0 || float64(s.raw) > rawShare*float64(v.rows()) {
		return nil
	}
	return s
}

// shapeEarly rows tell whether templates may pay, and how much room fields need.
const shapeEarly = 1024

// grow makes room for rows like the first ones.
func (s *shaper) grow(rows int) {
	more := func(n int) int { return n * (rows - shapeEarly) / shapeEarly * 9 / 8 }
	for _, f := range s.fields {
		f.bytes, f.offs = slices.Grow(f.bytes, more(len(f.bytes))), slices.Grow(f.offs, more(len(f.offs)-1))
		f.nums, f.scales = slices.Grow(f.nums, more(len(f.nums))), slices.Grow(f.scales, more(len(f.scales)))
	}
}

// looksLikeJSON tells whether most of the first values start as containers do.
func looksLikeJSON(v *strs) bool {
	n := min(v.rows(), 1024)
	hits, values := 0, 0
	for i := range n {
		b := v.value(i)
		if len(b) == 0 {
			continue
		}
		values++
		if b[0] == '{' || b[0] == '[' {
			hits++
		}
	}
	return 4*hits > 3*values
}

// templatePage writes what s cut.
func (e *Encoder) templatePage(s *shaper, ascii byte, nulls int) error {
	e.header(Template, ascii, 0, len(s.codes), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	put := func(at, x int) { binary.LittleEndian.PutUint32(e.dst[head+at:], uint32(x)) }
	from := len(e.dst)
	for i := range s.templates {
		e.dst = s.templates[i].append(e.dst)
	}
	put(0, len(e.dst)-from)
	put(4, len(s.templates))
	e.close()
	pages := 0
	for _, f := range s.fields {
		pages += (f.values() + PageRows - 1) / PageRows
	}
	put(12, pages)
	entry := len(e.dst)
	e.dst = append(e.dst, make([]byte, pages*templateEntry)...)
	e.close()
	put(8, e.nested(s.codes, types.PhysI32, false))
	for _, f := range s.fields {
		for from := 0; from < f.values(); from += PageRows {
			to := min(f.values(), from+PageRows)
			n, scales, err := e.fieldPage(f, from, to)
			if err != nil {
				return err
			}
			b := e.dst[entry:]
			b[0] = f.kind
			if from > 0 {
				b[1] = 1
			}
			binary.LittleEndian.PutUint32(b[4:], uint32(to-from))
			binary.LittleEndian.PutUint32(b[8:], uint32(n))
			binary.LittleEndian.PutUint32(b[12:], uint32(scales))
			entry += templateEntry
		}
	}
	return nil
}

func (e *Encoder) fieldPage(f *field, from, to int) (n, scales int, err error) {
	if f.kind == slotText {
		n, err = e.nestedText(&strs{offs: f.offs[from : to+1], data: f.bytes}, mayDict)
		return n, 0, err
	}
	n = e.nested(f.nums[from:to], types.PhysI64, false)
	if f.scaled {
		scales = e.nested(f.scales[from:to], types.PhysI32, false)
	}
	return n, scales, nil
}

func (t *template) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(t.text)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(t.slots)))
	for _, x := range t.slots {
		dst = binary.LittleEndian.AppendUint32(dst, x.at)
		dst = binary.LittleEndian.AppendUint16(dst, x.field)
		dst = append(dst, x.kind, 0)
	}
	return append(dst, t.text...)
}
