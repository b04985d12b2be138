package encoding

import (
	"bytes"
	"encoding/binary"
	"sync"

	"quern/storage/types"
	"quern/storage/vec"
)

// textDictMax is the most entries of a page's own dictionary of texts, textDictShare
// how many of its rows they may be.
const (
	textDictMax   = 65536
	textDictShare = 0.6
	// Of textDictEarly rows that come first, textDictFew must repeat others: values that
	// are drawn from as many as may be repeat 290 times.
	textDictEarly = 8192
	textDictFew   = 100
)

// textDict gives the distinct values of v in order of appearance, and each row's
// code; a NULL row has that of the row before. ok is false if there are too many.
func textDict(v *strs) (entries *strs, codes []int64, ok bool) {
	limit := min(textDictMax, int(textDictShare*float64(v.rows())))
	slots := make([]uint32, 2*textDictMax)
	for len(slots) > 64 && len(slots) >= 4*v.rows() {
		slots = slots[:len(slots)/2]
	}
	mask := uint64(len(slots) - 1)
	var hashes []uint64
	entries = &strs{offs: []uint32{0}}
	codes = make([]int64, v.rows())
	last := int64(0)
	for i := range codes {
		if i == textDictEarly && len(hashes) > textDictEarly-textDictFew {
			return nil, nil, false
		}
		if v.null(i) {
			codes[i] = last
			continue
		}
		b := v.value(i)
		h := vec.HashBytes(b)
		at := h & mask
		for ; slots[at] != 0; at = (at + 1) & mask {
			if k := slots[at] - 1; hashes[k] == h && bytes.Equal(entries.value(int(k)), b) {
				break
			}
		}
		if slots[at] == 0 {
			if len(hashes) == limit {
				return nil, nil, false
			}
			hashes = append(hashes, h)
			entries.data = append(entries.data, b...)
			entries.offs = append(entries.offs, uint32(len(entries.data)))
			slots[at] = uint32(len(hashes))
		}
		last = int64(slots[at] - 1)
		codes[i] = last
	}
	return entries, codes, len(hashes) > 0
}

func (e *Encoder) textDictPage(entries *strs, codes []int64, ascii byte, nulls int) error {
	e.header(Dict, ascii, 0, len(codes), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	e.dst[head] = scopePage
	e.codes = true
	n := e.nested(codes, types.PhysI32, false)
	e.codes = false
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(entries.rows()))
	n, err := e.nestedText(entries, 0)
	binary.LittleEndian.PutUint32(e.dst[head+12:], uint32(n))
	return err
}

// ownDict is the dictionary of a page of texts; its entries are decoded once.
type ownDict struct {
	page    *Page
	once    sync.Once
	entries []vec.View
	buf     []byte
	err     error
}

func (p *Page) openTextDict(head []byte, depth int) error {
	p.count = int(binary.LittleEndian.Uint32(head[8:]))
	codes, size := int(binary.LittleEndian.Uint32(head[4:])), int(binary.LittleEndian.Uint32(head[12:]))
	if p.count == 0 || p.count > textDictMax {
		return corrupt("bad dictionary of texts")
	}
	at := bodyAt + align
	var err error
	if p.sub, err = p.nested(at, codes, p.Rows, types.PhysI32, depth, false); err != nil {
		return err
	}
	page, err := p.child(at+pad(codes), size, p.count, types.PhysBytes, depth)
	if err != nil {
		return err
	}
	if page.Kind == Dict {
		return corrupt("bad nested page")
	}
	p.own = &ownDict{page: page}
	return nil
}

// Own tells how many entries the page's own dictionary of texts has, 0 if it has none.
func (p *Page) Own() int {
	if p.own == nil {
		return 0
	}
	return p.count
}

// Entries are the entries of the page's own dictionary, by code; they refer to buf.
func (p *Page) Entries() (entries []vec.View, buf []byte, err error) {
	d := p.own
	d.once.Do(func() {
		d.entries = make([]vec.View, p.count)
		const step = 32 * 1024 // positions are 16 bits, and units whole
		var s Space
		if p.count <= step {
			d.buf, d.err = d.page.Views(d.entries, 0, nil, &s)
			return
		}
		for from := 0; from < p.count && d.err == nil; from += step {
			part := d.entries[from:min(p.count, from+step)]
			var b []byte
			if b, d.err = d.page.Views(part, from, nil, &s); d.err != nil {
				return
			}
			bufs := [][]byte{b}
			for i := range part {
				off := len(d.buf)
				d.buf = append(d.buf, part[i].Bytes(bufs)...)
				part[i] = vec.MakeView(d.buf[off:], 0, uint32(off))
			}
		}
	})
	return d.entries, d.buf, d.err
}

// lookUp makes views as Views does.
func (p *Page) lookUp(dst []vec.View, from int, sel []uint16, s *Space) ([]byte, error) {
	entries, buf, err := p.Entries()
	if err != nil {
		return nil, err
	}
	codes := s.codesFor(len(dst))
	if err := p.Codes(codes, from, p.count); err != nil {
		return nil, err
	}
	if sel == nil {
		for i, c := range codes {
			dst[i] = entries[c]
		}
		return buf, nil
	}
	clear(dst)
	for _, i := range sel {
		dst[i] = entries[codes[i]]
	}
	return buf, nil
}
