package spill

import (
	"encoding/binary"
	"hash/crc32"

	"quern/storage/types"
	"quern/storage/vec"
)

// blockBytes is the size in memory at which rows become a block. A stream being
// written or merged holds about this much; smaller blocks cost more system calls.
const blockBytes = 64 << 10

// headerBytes is what stands before a block's columns.
const headerBytes = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Run is a stream of rows in a File, immutable.
type Run struct {
	f      *File
	typs   []types.Type
	blocks []block
	Rows   int
	// Bytes is the size in memory of the rows, about.
	Bytes int64
}

type block struct {
	off  int64
	size uint32
	rows uint32
}

// Blocks is the number of batches that a Reader gives.
func (r *Run) Blocks() int { return len(r.blocks) }

// BlockRows is the number of rows of one of them.
func (r *Run) BlockRows(i int) int { return int(r.blocks[i].rows) }

// Encoder is scratch of Writers; those of one worker share it.
type Encoder struct{ buf []byte }

// Writer writes one stream. Not for concurrent use.
type Writer struct {
	run  Run
	enc  *Encoder
	cols []*vec.Builder
	rows int
	// Most rows of a block: blocks of wide rows are short.
	max int
	// onBlock, if set, is told the rows of each block before it is written.
	onBlock func(b *vec.Batch)
}

// NewWriter starts a stream of rows of these types.
func (f *File) NewWriter(typs []types.Type, enc *Encoder) *Writer {
	w := &Writer{run: Run{f: f, typs: typs}, enc: enc, max: vec.BatchRows}
	for _, t := range typs {
		w.cols = append(w.cols, vec.NewBuilder(t, 0))
	}
	return w
}

// OnBlock sets a function that sees each block's rows.
func (w *Writer) OnBlock(f func(b *vec.Batch)) { w.onBlock = f }

// Append adds the rows sel (nil = all) of b's first columns.
func (w *Writer) Append(b *vec.Batch, sel vec.Selection) error {
	n := b.Len
	if sel != nil {
		n = len(sel)
	}
	for lo := 0; lo < n; {
		k := min(n-lo, w.max-w.rows)
		part := sel
		switch {
		case sel != nil:
			part = sel[lo : lo+k]
		case k < n:
			part = positions[lo : lo+k]
		}
		size := 0
		for i, c := range w.cols {
			c.AppendVector(&b.Cols[i], part)
			size += c.Size()
		}
		w.rows += k
		lo += k
		if size >= blockBytes || w.rows >= w.max {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// positions lists the rows of a batch.
var positions = func() vec.Selection {
	s := make(vec.Selection, vec.MaxBatchRows)
	for i := range s {
		s[i] = uint16(i)
	}
	return s
}()

// Size is the memory held, in bytes.
func (w *Writer) Size() int {
	n := 0
	for _, c := range w.cols {
		n += c.Size()
	}
	return n
}

// Rows is the number of rows so far.
func (w *Writer) Rows() int { return w.run.Rows + w.rows }

func (w *Writer) flush() error {
	if w.rows == 0 {
		return nil
	}
	buf := append(w.enc.buf[:0], make([]byte, headerBytes)...)
	b := vec.Batch{Len: w.rows, Cols: make([]vec.Vector, len(w.cols))}
	size := 0
	for i, c := range w.cols {
		size += c.Size()
		b.Cols[i] = c.Peek()
		buf = appendColumn(buf, &b.Cols[i], w.rows)
	}
	if w.onBlock != nil {
		w.onBlock(&b)
	}
	for len(buf)%16 != 0 {
		buf = append(buf, 0)
	}
	binary.LittleEndian.PutUint32(buf[8:], uint32(w.rows))
	binary.LittleEndian.PutUint32(buf[4:], crc32.Checksum(buf[8:], castagnoli))
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-8))
	w.enc.buf = buf
	n := len(buf)
	off, err := w.run.f.append(buf)
	if err != nil {
		return err
	}
	w.run.blocks = append(w.run.blocks, block{off, uint32(n), uint32(w.rows)})
	w.run.Rows += w.rows
	w.run.Bytes += int64(size)
	if w.rows < w.max && size > 2*blockBytes {
		// Rows are wider than thought.
		w.max = max(64, w.rows*blockBytes/size)
	}
	w.rows = 0
	for _, c := range w.cols {
		c.Reset()
	}
	return nil
}

// Finish writes what is left and returns the run.
func (w *Writer) Finish() (*Run, error) {
	if err := w.flush(); err != nil {
		return nil, err
	}
	w.cols = nil
	return &w.run, nil
}

// Cut is Finish for a writer that goes on with another run.
func (w *Writer) Cut() (*Run, error) {
	if err := w.flush(); err != nil {
		return nil, err
	}
	r := w.run
	w.run = Run{f: r.f, typs: r.typs}
	return &r, nil
}

// Reader reads a run. Not for concurrent use; a run may have several.
type Reader struct {
	run  *Run
	next int
	buf  []byte
	cols vec.BatchScratch
}

// NewReader starts at block number from.
func (r *Run) NewReader(from int) *Reader { return &Reader{run: r, next: from} }

// Block is the number of the block that Next reads.
func (r *Reader) Block() int { return r.next }

// Next makes dst the next block's rows, Flat, and returns their number, 0 at the
// end. They are valid until the next call; see Keep.
func (r *Reader) Next(dst *vec.Batch) (int, error) {
	if r.next >= len(r.run.blocks) {
		return 0, nil
	}
	bl := r.run.blocks[r.next]
	r.next++
	f := r.run.f
	if cap(r.buf) < int(bl.size) {
		r.buf = make([]byte, bl.size+bl.size/4)
	}
	buf := r.buf[:bl.size]
	if err := f.read(buf, bl.off); err != nil {
		return 0, err
	}
	if n := binary.LittleEndian.Uint32(buf); n != bl.size-8 {
		return 0, f.corrupt(bl.off, "wrong length")
	}
	if binary.LittleEndian.Uint32(buf[4:]) != crc32.Checksum(buf[8:], castagnoli) {
		return 0, f.corrupt(bl.off, "checksum mismatch")
	}
	if binary.LittleEndian.Uint32(buf[8:]) != bl.rows {
		return 0, f.corrupt(bl.off, "wrong number of rows")
	}
	n := int(bl.rows)
	if cap(dst.Cols) < len(r.run.typs) {
		dst.Cols = make([]vec.Vector, len(r.run.typs))
	}
	dst.Cols = dst.Cols[:len(r.run.typs)]
	dst.Len, dst.Sel, dst.Base = n, nil, 0
	d := decoder{b: buf[headerBytes:]}
	r.cols.Col(len(dst.Cols))
	for i, t := range r.run.typs {
		if err := d.column(&dst.Cols[i], r.cols.Col(i), t, n); err != nil {
			return 0, f.corrupt(bl.off, err.Error())
		}
	}
	return n, nil
}

// Keep makes the rows that Next gave last stay valid for ever: the reader goes
// on in fresh memory.
func (r *Reader) Keep() { r.cols = vec.BatchScratch{} }

// Size is about the memory that a reader of the run holds, in bytes.
func (r *Run) ReaderSize() int64 {
	if len(r.blocks) == 0 {
		return 0
	}
	return 2 * (r.Bytes/int64(len(r.blocks)) + 1024)
}
