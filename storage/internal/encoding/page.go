package encoding

import (
	"encoding/binary"
	"unsafe"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Kind is the number of an encoding on disk. Numbers left out are reserved by
// the format for later minor versions.
type Kind uint8

// Encodings that this version writes and reads.
const (
	Plain  Kind = 0
	Const  Kind = 1
	Bitmap Kind = 2
	For    Kind = 3
	Delta  Kind = 4
	RLE    Kind = 5
	Sparse Kind = 6
	Dict   Kind = 7
	FSST   Kind = 8
	ALP    Kind = 9
	ALPRD  Kind = 10
	// 11 and 12 are reserved for DECSCALE and LIST.
	Chars    Kind = 13
	Template Kind = 14
)

// depthMax is how deep pages lie within pages: a template's field, its dictionary's
// codes, their runs.
const depthMax = 4

// scopePage marks a page with a dictionary of its own; 0 is the segment's.
const scopePage = 1

// Flags of a page header.
const (
	flagValidity = 1
	flagSparse   = 2 // reserved
	flagAllNull  = 4
	flagASCII    = 8
)

// PageRows is the most rows of a page: a row group.
const PageRows = 131072

const (
	headerBytes = 16
	bodyAt      = 64
	align       = 64
)

func pad(n int) int { return (n + align - 1) &^ (align - 1) }

// Page reads one page. It is immutable and may be used by several goroutines.
type Page struct {
	Kind  Kind
	Rows  int
	Nulls int
	ASCII bool // bytes: every value is ASCII

	phys  types.Phys
	scale int16 // of 64-bit coefficients (PhysNum); power of ten of PhysI64
	data  []byte
	valid []uint64
	body  []byte   // PLAIN fixed, CONST value, BITMAP words, PLAIN bytes
	units []byte   // FOR and DELTA table; u32 starts or firsts by unit
	sub   *Page    // nested codes, lengths or values
	ends  *Page    // RLE: run ends
	count int      // RLE: runs; SPARSE: exceptions; DICT of integers: entries
	mode  int64    // SPARSE: the default
	table *decoder // FSST
	chars *pattern // CHARS
	tmpl  *templates
	alp   alp
	patch []byte   // ALP: exceptions
	cut   byte     // ALPRD: lower bits; ends are the upper
	own   *ownDict // DICT of texts with scope 1
}

func corrupt(reason string) error { return &errs.Corrupt{File: "page", Reason: reason} }

// Open reads a page of values of physical type phys. It aliases data.
func Open(data []byte, phys types.Phys) (*Page, error) { return open(data, phys, 0) }

func open(data []byte, phys types.Phys, depth int) (*Page, error) {
	if len(data) < headerBytes {
		return nil, corrupt("short page")
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))&7 != 0 {
		aligned := vec.AlignedBytes(len(data))
		copy(aligned, data)
		data = aligned
	}
	flags := data[1]
	p := &Page{Kind: Kind(data[0]), phys: phys, data: data, ASCII: flags&flagASCII != 0,
		Rows:  int(binary.LittleEndian.Uint32(data[4:])),
		Nulls: int(binary.LittleEndian.Uint32(data[8:])), scale: int16(data[3])}
	if p.Rows == 0 || p.Rows > PageRows || p.Nulls > p.Rows || data[2] != 0 || depth > depthMax {
		return nil, corrupt("bad page header")
	}
	if flags&^(flagValidity|flagAllNull|flagASCII) != 0 {
		return nil, errs.NotSupported("page with flags of a newer format")
	}
	if flags&flagAllNull != 0 {
		if p.Nulls != p.Rows || p.Kind != Const {
			return nil, corrupt("bad all-NULL page")
		}
		return p, nil
	}
	if p.Nulls == p.Rows {
		return nil, corrupt("bad null count")
	}
	if err := p.openValidity(flags); err != nil {
		return nil, err
	}
	return p, p.openBody(depth)
}

func (p *Page) openValidity(flags byte) error {
	if (flags&flagValidity != 0) != (p.Nulls > 0) {
		return corrupt("validity and null count differ")
	}
	if p.Nulls == 0 {
		return nil
	}
	b := p.part(int(binary.LittleEndian.Uint32(p.data[12:])), 8*((p.Rows+63)/64))
	if b == nil {
		return corrupt("short validity")
	}
	p.valid = vec.CastSlice[uint64](b)
	return nil
}

// part is data[at:at+n] if it starts at a 64-byte boundary and exists.
func (p *Page) part(at, n int) []byte {
	if at < bodyAt || at%align != 0 || n < 0 || at > len(p.data) || n > len(p.data)-at {
		return nil
	}
	return p.data[at : at+n : at+n]
}

func (p *Page) openBody(depth int) error {
	size := p.phys.Size()
	if p.phys == types.PhysNum && p.Kind != Plain {
		size = 8
	}
	if p.phys == types.PhysI64 && int(p.scale) >= len(powers) {
		return corrupt("bad scale")
	}
	switch {
	case p.Kind == Plain && size > 0 && p.phys != types.PhysBool:
		p.body = p.part(bodyAt, p.Rows*size)
	case p.Kind == Const && size > 0:
		p.body = p.part(bodyAt, size)
		if p.body != nil && p.phys == types.PhysBool && p.body[0] > 1 {
			return corrupt("bad bool")
		}
	case p.Kind == Bitmap && p.phys == types.PhysBool:
		p.body = p.part(bodyAt, 8*((p.Rows+63)/64))
	case (p.Kind == For || p.Kind == Delta) && forPhys(p.phys):
		return p.openFor()
	case p.Kind == RLE && forPhys(p.phys):
		return p.openRLE(depth)
	case p.Kind == Sparse && forPhys(p.phys):
		return p.openSparse(depth)
	case p.Kind == Dict && forPhys(p.phys):
		return p.openIntDict(depth)
	case p.Kind == ALP && (p.phys == types.PhysF32 || p.phys == types.PhysF64):
		return p.openALP(depth)
	case p.Kind == ALPRD && (p.phys == types.PhysF32 || p.phys == types.PhysF64):
		return p.openALPRD(depth)
	case p.Kind == Const && p.phys == types.PhysBytes:
		if head := p.part(bodyAt, 4); head != nil {
			if b := p.part(bodyAt, 4+int(binary.LittleEndian.Uint32(head))); b != nil {
				p.body = b[4:]
				return nil
			}
		}
	case p.Kind == Plain && p.phys == types.PhysBytes:
		return p.openBytes(depth)
	case p.Kind == FSST && p.phys == types.PhysBytes:
		return p.openFSST(depth)
	case p.Kind == Dict && p.phys == types.PhysBytes:
		return p.openDict(depth)
	case p.Kind == Chars && p.phys == types.PhysBytes:
		return p.openChars()
	case p.Kind == Template && p.phys == types.PhysBytes:
		return p.openTemplate(depth)
	default:
		return errs.NotSupported("page of an unknown encoding")
	}
	if p.body == nil {
		return corrupt("short body")
	}
	return nil
}

// nested opens the page of n bytes at offset at, which holds rows integers. A
// leaf has no page within itself.
func (p *Page) nested(at, n, rows int, phys types.Phys, depth int, leaf bool) (*Page, error) {
	b := p.part(at, n)
	if b == nil {
		return nil, corrupt("short nested page")
	}
	sub, err := open(b, phys, depth+1)
	if err != nil {
		return nil, err
	}
	ok := sub.Kind == For || sub.Kind == Const
	if !leaf {
		ok = ok || sub.Kind == Delta || sub.Kind == RLE || sub.Kind == Sparse
	}
	if !ok || sub.Rows != rows || sub.Nulls != 0 || sub.scale != 0 {
		return nil, corrupt("bad nested page")
	}
	return sub, nil
}

func (p *Page) openDict(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	switch binary.LittleEndian.Uint32(head) {
	case 0:
	case scopePage:
		return p.openTextDict(head, depth)
	default:
		return errs.NotSupported("dictionary of an unknown scope")
	}
	var err error
	p.sub, err = p.nested(bodyAt+align, int(binary.LittleEndian.Uint32(head[4:])), p.Rows, types.PhysI32, depth, false)
	return err
}

func (p *Page) openBytes(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	sub, total := int(binary.LittleEndian.Uint32(head)), binary.LittleEndian.Uint64(head[8:])
	if p.units = p.part(bodyAt+align, 4*units); p.units == nil || total > uint64(len(p.data)) {
		return corrupt("short body")
	}
	at := bodyAt + align + pad(4*units)
	var err error
	if p.sub, err = p.nested(at, sub, p.Rows, types.PhysI32, depth, true); err != nil {
		return err
	}
	if p.body = p.part(at+pad(sub), int(total)); p.body == nil {
		return corrupt("short bytes")
	}
	return nil
}

// AllNull tells whether no row has a value.
func (p *Page) AllNull() bool { return p.Nulls == p.Rows }

// Valid writes the validity of rows [from, from+n) to dst and returns it, or nil
// if none of them is NULL. Not for all-NULL pages.
func (p *Page) Valid(dst []uint64, from, n int) []uint64 {
	if p.Nulls == 0 || kernel.CopyBits(dst, p.valid, from, n) {
		return nil
	}
	return dst
}

// ConstBytes is the value of a CONST page of bytes.
func (p *Page) ConstBytes() []byte { return p.body }

// Codes writes the codes of rows [from, from+len(dst)) of a DICT page, which
// must be below count.
func (p *Page) Codes(dst []uint32, from, count int) error {
	if err := decodeInts(p.sub, dst, from); err != nil {
		return err
	}
	if int(greatest(dst)) >= count {
		return corrupt("code beyond the dictionary")
	}
	return nil
}

// greatest keeps four maxima, so that one comparison need not wait for the last.
func greatest(v []uint32) uint32 {
	var a, b, c, d uint32
	for len(v) >= 4 {
		a, b, c, d = max(a, v[0]), max(b, v[1]), max(c, v[2]), max(d, v[3])
		v = v[4:]
	}
	for _, x := range v {
		a = max(a, x)
	}
	return max(a, b, c, d)
}

// Views makes views of rows [from, from+len(dst)) of a page of bytes that is not of
// the segment's dictionary: those of sel only if it is not nil, others are unspecified
// or empty. from is the start of a unit. They refer to the buffer that is returned as
// buffer 0: the page's own, or one in s.
func (p *Page) Views(dst []vec.View, from int, sel []uint16, s *Space) ([]byte, error) {
	if p.AllNull() || p.phys != types.PhysBytes || from < 0 || from+len(dst) > p.Rows {
		return nil, corrupt("page without values")
	}
	switch {
	case p.Kind == Const:
		constant(dst, sel, p.body)
		return p.body, nil
	case p.Kind == Chars:
		return p.expand(dst, from, sel, s), nil
	case p.Kind == Template:
		return p.fill(dst, from, sel, s)
	case p.own != nil:
		return p.lookUp(dst, from, sel, s)
	case p.Kind == Dict:
		return nil, corrupt("page without values")
	}
	lens := s.lensFor(len(dst))
	if err := decodeInts(p.sub, lens, from); err != nil {
		return nil, err
	}
	if p.Kind == FSST {
		buf, err := p.decode(dst, from, sel, lens, s.buf)
		s.buf = buf
		return buf, err
	}
	return p.body, p.place(dst, from, sel, lens)
}

// place makes the views of a PLAIN page.
func (p *Page) place(dst []vec.View, from int, sel []uint16, lens []uint32) error {
	starts := vec.CastSlice[uint32](p.units)
	for i := 0; i < len(dst); {
		row := from + i
		unit := row / kernel.Unit
		at := uint64(starts[unit])
		if skip := row % kernel.Unit; skip > 0 {
			return corrupt("batch inside a unit")
		}
		end := min(len(dst), i+kernel.Unit)
		for ; i < end; i++ {
			n := uint64(lens[i])
			if at+n > uint64(len(p.body)) {
				return corrupt("value beyond the page")
			}
			if sel == nil {
				dst[i] = vec.ViewAt(p.body, uint32(at), uint32(n), 0)
			} else {
				// Remember where it lies; the views wanted are made below.
				dst[i] = vec.View{Len: uint32(n), C: uint32(at)}
			}
			at += n
		}
	}
	if sel == nil {
		return nil
	}
	p.pick(dst, sel)
	return nil
}

// pick turns the places of sel's rows into views and clears all others.
func (p *Page) pick(dst []vec.View, sel []uint16) {
	next := 0
	for _, s := range sel {
		clear(dst[next:s])
		w := dst[s]
		dst[s] = vec.ViewAt(p.body, w.C, w.Len, 0)
		next = int(s) + 1
	}
	clear(dst[next:])
}
