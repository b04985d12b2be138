package types

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"quern/storage/errs"
)

// An array lies in a PhysBytes vector as
//
//	elements | 0x01 | ndim × (length u32, lower bound u32, biased) | ndim u8
//
// in row-major order, each element as 0x03 for NULL or 0x02 and its key
// (arraykey.go). Keys are self-delimiting and order as their values do, so that
// the bytes of arrays order as arrays do: sorting, grouping, min and max need
// not know them. (Equal numbers of different scale are the exception: they are
// neighbours, not equal.) The empty array is the single byte 0; an empty value
// reads as it too. The element type follows from the vector's type.
const (
	arrayEnd   = 1
	arrayValue = 2
	arrayNull  = 3
)

// arrayDimsMax is PostgreSQL's MAXDIM.
const arrayDimsMax = 6

// Dim is one dimension of an array.
type Dim struct{ Len, Lower int }

// ArrayBuilder encodes one array of elements of type Elem.
type ArrayBuilder struct {
	Elem Type
	buf  []byte
	n    int
}

// Append adds an element.
func (b *ArrayBuilder) Append(d *Datum) {
	b.n++
	if d.Null {
		b.buf = append(b.buf, arrayNull)
		return
	}
	b.buf = appendKey(append(b.buf, arrayValue), b.Elem, d)
}

// Len is the number of elements so far.
func (b *ArrayBuilder) Len() int { return b.n }

// Reset empties the builder.
func (b *ArrayBuilder) Reset() { b.buf, b.n = b.buf[:0], 0 }

// AppendTo appends the one-dimensional array to dst.
func (b *ArrayBuilder) AppendTo(dst []byte) []byte {
	if b.n == 0 {
		return append(dst, 0)
	}
	return b.appendDims(dst, []Dim{{b.n, 1}})
}

// AppendShape appends the array with the given dimensions, whose product is
// Len.
func (b *ArrayBuilder) AppendShape(dst []byte, dims []Dim) []byte {
	if b.n == 0 {
		return append(dst, 0)
	}
	return b.appendDims(dst, dims)
}

func (b *ArrayBuilder) appendDims(dst []byte, dims []Dim) []byte {
	dst = append(append(dst, b.buf...), arrayEnd)
	for _, d := range dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Len))
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Lower)^1<<31)
	}
	return append(dst, byte(len(dims)))
}

// Array reads an encoded array.
type Array struct {
	Elem Type
	Dims []Dim
	rest []byte
}

// OpenArray reads the head of an array with elements of type elem. Malformed
// bytes read as the empty array.
func OpenArray[S chars](elem Type, s S) Array {
	a := Array{Elem: elem}
	if len(s) < 2 {
		return a
	}
	b := []byte(s)
	nd := int(b[len(b)-1])
	at := len(b) - 1 - 8*nd
	if nd == 0 || nd > arrayDimsMax || at < 1 {
		return a
	}
	for i := range nd {
		n := binary.BigEndian.Uint32(b[at+8*i:])
		if n > math.MaxInt32 {
			return Array{Elem: elem}
		}
		a.Dims = append(a.Dims, Dim{int(n), int(int32(binary.BigEndian.Uint32(b[at+8*i+4:]) ^ 1<<31))})
	}
	a.rest = b[:at]
	return a
}

// Len is the number of elements.
func (a *Array) Len() int {
	if len(a.Dims) == 0 {
		return 0
	}
	n := 1
	for _, d := range a.Dims {
		n *= d.Len
	}
	return n
}

// Next reads the next element; ok is false at the end.
func (a *Array) Next() (d Datum, ok bool) {
	if len(a.rest) == 0 {
		return d, false
	}
	kind := a.rest[0]
	a.rest = a.rest[1:]
	switch kind {
	case arrayNull:
		return NullDatum, true
	case arrayValue:
		d, n := readKey(a.Elem, a.rest)
		if n < 0 {
			a.rest = nil
			return d, false
		}
		a.rest = a.rest[n:]
		return d, true
	}
	a.rest = nil
	return d, false
}

// CompareDatum orders two values of type t, which are not NULL, as btree does.
func CompareDatum(t Type, a, b *Datum) int {
	switch t.Phys() {
	case PhysF32, PhysF64:
		switch {
		case a.F < b.F:
			return -1
		case a.F > b.F:
			return 1
		case a.F == b.F:
			return 0
		}
		return cmp.Compare(b2byte(a.F != a.F), b2byte(b.F != b.F)) // NaN is greatest
	case PhysNum:
		return a.N.Cmp(b.N)
	case PhysInterval:
		return a.Iv.Cmp(b.Iv)
	case PhysUUID:
		return bytes.Compare(a.U[:], b.U[:])
	case PhysBytes:
		switch {
		case t.OID == BpcharOID:
			return cmp.Compare(strings.TrimRight(a.S, " "), strings.TrimRight(b.S, " "))
		case t.IsArray():
			return CompareArrays(t.Elem(), []byte(a.S), []byte(b.S))
		}
		return cmp.Compare(a.S, b.S)
	}
	return cmp.Compare(a.I, b.I)
}

// CompareArrays orders two encoded arrays by their elements, then by length.
func CompareArrays(elem Type, x, y []byte) int {
	a, b := OpenArray(elem, x), OpenArray(elem, y)
	la, lb := a.Len(), b.Len()
	for range min(la, lb) {
		p, _ := a.Next()
		q, _ := b.Next()
		if p.Null || q.Null {
			if p.Null != q.Null {
				return cmp.Compare(b2byte(p.Null), b2byte(q.Null))
			}
			continue
		}
		if c := CompareDatum(elem, &p, &q); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(la, lb), cmp.Compare(len(a.Dims), len(b.Dims)))
}

// appendArray is array_out.
func appendArray(dst []byte, t Type, s string, f *Format) []byte {
	a := OpenArray(t.Elem(), s)
	if t.OID == Int2VectorOID || t.OID == OidVectorOID {
		for i := 0; ; i++ {
			d, ok := a.Next()
			if !ok {
				return dst
			}
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = AppendText(dst, a.Elem, &d, f)
		}
	}
	if a.Len() == 0 {
		return append(dst, "{}"...)
	}
	for _, d := range a.Dims {
		if d.Lower != 1 {
			for _, d := range a.Dims {
				dst = strconv.AppendInt(append(dst, '['), int64(d.Lower), 10)
				dst = strconv.AppendInt(append(dst, ':'), int64(d.Lower+d.Len-1), 10)
				dst = append(dst, ']')
			}
			dst = append(dst, '=')
			break
		}
	}
	return a.appendLevel(dst, 0, f)
}

func (a *Array) appendLevel(dst []byte, dim int, f *Format) []byte {
	dst = append(dst, '{')
	for i := range a.Dims[dim].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dim+1 < len(a.Dims) {
			dst = a.appendLevel(dst, dim+1, f)
			continue
		}
		d, ok := a.Next()
		if !ok || d.Null {
			dst = append(dst, "NULL"...)
			continue
		}
		n := len(dst)
		dst = AppendText(dst, a.Elem, &d, f)
		dst = quoteElement(dst, n)
	}
	return append(dst, '}')
}

// quoteElement quotes dst[n:] if it would not read back.
func quoteElement(dst []byte, n int) []byte {
	s := string(dst[n:])
	if s != "" && !strings.ContainsAny(s, "{},\"\\"+blanks) && !strings.EqualFold(s, "null") {
		return dst
	}
	dst = append(dst[:n], '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// arrayParser is array_in.
type arrayParser struct {
	s, whole string
	f        *Format
	b        ArrayBuilder
	dims     []Dim // known lengths, -1 until the first sub-array of a level ends
	leaf     int   // depth at which elements stand, 0 until known
}

func errArray(s, detail string) error {
	return errs.New(errs.InvalidText, "malformed array literal: \"%s\"", s).WithDetail("%s", detail)
}

func parseArray(t Type, s string, f *Format) (Datum, error) {
	if t.OID == Int2VectorOID || t.OID == OidVectorOID {
		return parseVector(t, s, f)
	}
	p := arrayParser{s: strings.Trim(s, blanks), whole: s, f: f, b: ArrayBuilder{Elem: t.Elem()}}
	var lower []Dim
	for strings.HasPrefix(p.s, "[") {
		end := strings.IndexByte(p.s, ']')
		if end < 0 {
			return Datum{}, errArray(s, "Missing \"]\" after array dimensions.")
		}
		lo, hi, two := strings.Cut(p.s[1:end], ":")
		l, st1 := parseInt(lo)
		h, st2 := parseInt(hi)
		if !two {
			l, h, st2 = 1, l, st1
		}
		if st1 != intOK || st2 != intOK || h-l >= math.MaxInt32 || l < math.MinInt32 || l > math.MaxInt32 {
			return Datum{}, errArray(s, "\"[\" must introduce explicitly-specified array dimensions.")
		}
		if h < l {
			return Datum{}, errs.New("2202E", "upper bound cannot be less than lower bound")
		}
		lower = append(lower, Dim{int(h-l) + 1, int(l)})
		p.s = strings.TrimLeft(p.s[end+1:], blanks)
	}
	if lower != nil {
		if !strings.HasPrefix(p.s, "=") {
			return Datum{}, errArray(s, "Missing \"=\" after array dimensions.")
		}
		p.s = strings.TrimLeft(p.s[1:], blanks)
	}
	if !strings.HasPrefix(p.s, "{") {
		if lower != nil {
			return Datum{}, errArray(s, "Array contents must start with \"{\".")
		}
		return Datum{}, errArray(s, "Array value must start with \"{\" or dimension information.")
	}
	if err := p.level(1); err != nil {
		return Datum{}, err
	}
	if strings.Trim(p.s, blanks) != "" {
		return Datum{}, errArray(s, "Junk after closing right brace.")
	}
	if p.b.n == 0 {
		return Datum{S: "\x00"}, nil
	}
	if lower != nil {
		if len(lower) != len(p.dims) {
			return Datum{}, errArray(s, "Specified array dimensions do not match array contents.")
		}
		for i := range lower {
			if lower[i].Len != p.dims[i].Len {
				return Datum{}, errArray(s, "Specified array dimensions do not match array contents.")
			}
		}
		p.dims = lower
	}
	return Datum{S: string(p.b.appendDims(nil, p.dims))}, nil
}

// level reads {…} at the given depth, which p.s starts with.
func (p *arrayParser) level(depth int) error {
	if depth > arrayDimsMax {
		return errs.New(errs.ProgramLimit, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth, arrayDimsMax)
	}
	for len(p.dims) < depth {
		p.dims = append(p.dims, Dim{-1, 1})
	}
	p.s = strings.TrimLeft(p.s[1:], blanks)
	n := 0
	if strings.HasPrefix(p.s, "}") {
		if depth > 1 && (p.leaf != 0 && p.leaf != depth || n == 0 && p.b.n > 0) {
			return errArray(p.whole, "Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		if depth > 1 {
			return errArray(p.whole, "Unexpected \"}\" character.")
		}
		p.s = p.s[1:]
		p.dims[depth-1].Len = 0
		return nil
	}
	for {
		p.s = strings.TrimLeft(p.s, blanks)
		if strings.HasPrefix(p.s, "{") {
			if p.leaf != 0 && depth >= p.leaf {
				return errArray(p.whole, "Unexpected \"{\" character.")
			}
			if err := p.level(depth + 1); err != nil {
				return err
			}
		} else {
			if p.leaf != 0 && p.leaf != depth {
				return errArray(p.whole, "Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			p.leaf = depth
			if err := p.element(); err != nil {
				return err
			}
		}
		n++
		p.s = strings.TrimLeft(p.s, blanks)
		switch {
		case strings.HasPrefix(p.s, ","):
			p.s = p.s[1:]
		case strings.HasPrefix(p.s, "}"):
			p.s = p.s[1:]
			if d := &p.dims[depth-1]; d.Len < 0 {
				d.Len = n
			} else if d.Len != n {
				return errArray(p.whole, "Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			return nil
		case p.s == "":
			return errArray(p.whole, "Unexpected end of input.")
		default:
			return errArray(p.whole, "Unexpected array element.")
		}
	}
}

// element reads one element, quoted or not.
func (p *arrayParser) element() error {
	if p.s == "" {
		return errArray(p.whole, "Unexpected end of input.")
	}
	quoted := p.s[0] == '"'
	var b []byte
	keep := 0 // blanks before this are part of the value
	i := 0
	if quoted {
		i = 1
	}
	for ; ; i++ {
		if i >= len(p.s) {
			return errArray(p.whole, "Unexpected end of input.")
		}
		c := p.s[i]
		if c == '\\' {
			if i++; i >= len(p.s) {
				return errArray(p.whole, "Unexpected end of input.")
			}
			b = append(b, p.s[i])
			keep = len(b)
			continue
		}
		if quoted && c == '"' {
			i++
			break
		}
		if !quoted && (c == ',' || c == '}') {
			break
		}
		if !quoted && (c == '{' || c == '"') {
			if c == '"' {
				return errArray(p.whole, "Unexpected array element.")
			}
			return errArray(p.whole, "Unexpected \"{\" character.")
		}
		b = append(b, c)
		if !isSpace(c) {
			keep = len(b)
		}
	}
	p.s = p.s[i:]
	if !quoted {
		if b = b[:keep]; len(b) == 0 {
			return errArray(p.whole, "Unexpected \""+p.s[:1]+"\" character.")
		}
		if strings.EqualFold(string(b), "null") && keep == len("null") {
			p.b.Append(&NullDatum)
			return nil
		}
	}
	d, err := ParseText(p.b.Elem, string(b), p.f)
	if err != nil {
		return err
	}
	p.b.Append(&d)
	return nil
}

// parseVector is int2vectorin and oidvectorin: numbers between blanks.
func parseVector(t Type, s string, f *Format) (Datum, error) {
	b := ArrayBuilder{Elem: t.Elem()}
	for w := range strings.FieldsSeq(s) {
		d, err := ParseText(b.Elem, w, f)
		if err != nil {
			return Datum{}, err
		}
		b.Append(&d)
	}
	if b.n == 0 {
		return Datum{S: "\x00"}, nil
	}
	return Datum{S: string(b.appendDims(nil, []Dim{{b.n, 0}}))}, nil
}
