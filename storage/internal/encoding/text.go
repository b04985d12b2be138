package encoding

import (
	"encoding/binary"
	"math"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec/kernel"
)

// strs are texts: value i is data[offs[i]:offs[i+1]].
type strs struct {
	offs  []uint32
	data  []byte
	valid []byte // nil = no NULL
}

func (v *strs) rows() int          { return len(v.offs) - 1 }
func (v *strs) value(i int) []byte { return v.data[v.offs[i]:v.offs[i+1]:v.offs[i+1]] }
func (v *strs) null(i int) bool    { return v.valid != nil && v.valid[i] == 0 }
func (v *strs) total() int         { return int(v.offs[len(v.offs)-1] - v.offs[0]) }

// What a page of texts may be, beside CONST, PLAIN, FSST and CHARS.
const (
	mayDict     = 1 // with entries of its own
	mayTemplate = 2
)

func (e *Encoder) bytes(c *Column, from, to, nulls int) error {
	v := strs{offs: c.Offs[from : to+1], data: c.Bytes}
	if nulls > 0 {
		v.valid = c.Valid[from:to]
	}
	return e.text(&v, nulls, mayDict|mayTemplate)
}

// text writes v in the smallest form that may be used.
func (e *Encoder) text(v *strs, nulls, may int) error {
	if v.total() > math.MaxInt32 {
		return errs.New(errs.ProgramLimit, "row group holds more than 2 GiB in one column")
	}
	ascii := asciiFlag(IsASCII(v.data[v.offs[0]:v.offs[v.rows()]]))
	if b, ok := constText(v); ok {
		e.header(Const, ascii, 0, v.rows(), nulls)
		e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(len(b)))
		e.dst = append(e.dst, b...)
		return nil
	}
	t := pageTrial{e: e, start: e.at, best: math.Inf(1)}
	if may&mayDict != 0 {
		if entries, codes, ok := textDict(v); ok {
			t.try(dictNanos(v.rows()), func() (bool, error) { return true, e.textDictPage(entries, codes, ascii, nulls) })
		}
	}
	if e.charsPages(&t, v, ascii, nulls) {
		// Nothing is better than packed characters but what has been tried.
	} else if s := e.shaped(v, may); s != nil {
		t.try(templateNanos(v.rows(), v.total()), func() (bool, error) { return true, e.templatePage(s, ascii, nulls) })
	} else if s, ok := e.Shrink(v.offs, v.data); ok {
		t.try(fsstNanos(v.rows(), len(s.Bytes)), func() (bool, error) { e.fsstPage(&s, v.offs, ascii, nulls); return true, nil })
	}
	if float64(v.total()) < t.best {
		t.try(0, func() (bool, error) { e.plainText(v, ascii, nulls); return true, nil })
	}
	return t.err
}

func (e *Encoder) shaped(v *strs, may int) *shaper {
	if may&mayTemplate == 0 {
		return nil
	}
	return shape(v)
}

// What reading texts costs beside making their views, which all have in common,
// measured by BenchmarkTexts. NB: JSON costs far more when it is parsed than when it
// is put together; so templates count as if they were copied.
func dictNanos(rows int) float64            { return 0.5 * float64(rows) }
func charsNanos(rows, total int) float64    { return 2*float64(rows) + 0.6*float64(total) }
func fsstNanos(rows, stored int) float64    { return 4*float64(rows) + 1.1*float64(stored) }
func templateNanos(rows, total int) float64 { return 10*float64(rows) + 0.1*float64(total) }

// nestedText writes v as a page within the open one and returns its length.
func (e *Encoder) nestedText(v *strs, may int) (int, error) {
	outer := e.at
	e.at = len(e.dst)
	err := e.text(v, 0, may)
	e.close()
	n := len(e.dst) - e.at
	e.at = outer
	return n, err
}

func (e *Encoder) plainText(v *strs, ascii byte, nulls int) {
	e.header(Plain, ascii, 0, v.rows(), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	lens := e.intsFor(v.rows())
	for i := range lens {
		lens[i] = int64(v.offs[i+1] - v.offs[i])
		if i%kernel.Unit == 0 {
			e.dst = binary.LittleEndian.AppendUint32(e.dst, v.offs[i]-v.offs[0])
		}
	}
	e.close()
	n := e.nested(lens, types.PhysI32, true)
	binary.LittleEndian.PutUint32(e.dst[head:], uint32(n))
	binary.LittleEndian.PutUint64(e.dst[head+8:], uint64(v.total()))
	e.dst = append(e.dst, v.data[v.offs[0]:v.offs[v.rows()]]...)
}

// constText tells whether all values but NULLs are the same.
func constText(v *strs) (b []byte, ok bool) {
	seen := false
	for i := range v.rows() {
		if v.null(i) {
			continue
		}
		if x := v.value(i); !seen {
			b, seen = x, true
		} else if string(b) != string(x) {
			return nil, false
		}
	}
	return b, true
}
