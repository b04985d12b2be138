package ingest

import (
	"context"
	"io"

	"quern/ingest/internal/ndjson"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vec"
)

// Bodies that do not fit in memory. What was decoded goes into a storage.Load as
// soon as it is as large as Options.LoadBytes; the batch is still one commit. A
// table or columns that the body asks for are made by a commit of their own
// then, since the load needs them.

func (g *Ingester) newBatch(r *Request, format string, mode onError) *batch {
	return &batch{req: r, cat: g.store.Catalog(), format: format, mode: mode, g: g}
}

// close gives up what was not committed.
func (b *batch) close() {
	if b.load != nil {
		b.load.Close()
		b.load = nil
	}
}

// keep takes a decoded batch.
func (b *batch) keep(ctx context.Context, out *vec.Batch) error {
	size := batchBytes(out)
	if rows := out.Rows(); size > b.g.o.LoadBytes && rows > 1 && !b.inMemory {
		// Codes may stand for much more than they take.
		for _, half := range halves(out) {
			if err := b.keep(ctx, half); err != nil {
				return err
			}
		}
		return nil
	}
	b.batches = append(b.batches, out)
	b.held += size
	if b.inMemory || b.load == nil && b.held < b.g.o.LoadBytes {
		return nil
	}
	return b.push(ctx) // to a load at once, while the rows are in the processor's caches
}

// halves are two batches with the rows of b.
func halves(b *vec.Batch) [2]*vec.Batch {
	sel := b.Sel
	if sel == nil {
		sel = make(vec.Selection, b.Len)
		for i := range sel {
			sel[i] = uint16(i)
		}
	}
	first, second := *b, *b
	first.Sel, second.Sel = sel[:len(sel)/2], sel[len(sel)/2:]
	return [2]*vec.Batch{&first, &second}
}

// batchBytes is the memory that the rows of a batch take once they are decoded.
func batchBytes(b *vec.Batch) (n int64) {
	rows := b.Rows()
	for i := range b.Cols {
		v := &b.Cols[i]
		if size := v.Type.Phys().Size(); size > 0 {
			n += int64(rows * size)
			continue
		}
		n += int64(4 * rows)
		for k := range rows {
			if b.Sel != nil {
				k = int(b.Sel[k])
			}
			n += int64(textLen(v, k))
		}
	}
	return n
}

// textLen is the length of row k's bytes.
func textLen(v *vec.Vector, k int) uint32 {
	switch {
	case v.Form == vec.Const:
		k = 0
	case v.Form == vec.Dict:
		return v.Dict.Values.Views[v.Codes()[k]].Len
	}
	return v.Views[k].Len
}

// push moves what is in memory into the load.
func (b *batch) push(ctx context.Context) error {
	if b.load == nil {
		if err := b.applySchema(ctx); err != nil {
			return err
		}
		var err error
		if b.load, err = b.g.store.StartLoad(&storage.Commit{Source: b.req.Source, Ingest: true}, nil); err != nil {
			return err
		}
	} else if err := b.applySchema(ctx); err != nil {
		return err
	}
	for _, tr := range b.rows() {
		if err := b.load.Add(ctx, &tr, nil); err != nil {
			return err
		}
	}
	if err := b.load.Add(ctx, nil, b.rejects); err != nil {
		return err
	}
	b.batches, b.raws, b.rejects, b.held = nil, nil, nil, 0
	return nil
}

// applySchema makes the table or columns that the body needs.
func (b *batch) applySchema(ctx context.Context) error {
	if len(b.schema) == 0 {
		return nil
	}
	_, err := b.g.store.Commit(ctx, &storage.Commit{Schema: b.schema, BaseVersion: b.cat.Version(), Source: b.req.Source})
	if err != nil {
		return err
	}
	b.schema, b.cat = nil, b.g.store.Catalog()
	if t := b.cat.Table(b.table.ID); t != nil {
		b.table = t
	}
	if b.load != nil {
		b.load.Renew()
	}
	return nil
}

// commit makes the batch durable.
func (b *batch) commit(ctx context.Context, body *body) (*Answer, error) {
	c := &storage.Commit{Source: b.req.Source, Ingest: true, Buffered: b.req.Buffered}
	if b.load != nil {
		if err := b.push(ctx); err != nil {
			return nil, err
		}
		c.Loads = []*storage.Load{b.load}
	} else {
		c.Schema, c.BaseVersion, c.Tables, c.Rejects = b.schema, b.cat.Version(), b.rows(), b.rejects
	}
	if err := setKey(c, b.req, b.table.ID, body.digest()); err != nil {
		return nil, err
	}
	return b.g.commit(ctx, c, b.shown)
}

// appendStream decodes a body of which only the beginning is in memory.
func (g *Ingester) appendStream(ctx context.Context, r *Request, in *body, format string, mode onError) (*Answer, error) {
	b := g.newBatch(r, format, mode)
	defer b.close()
	b.partial = true
	for try := 0; ; try++ { // the table, from the beginning; it may be read again
		err := b.target(in.head)
		if err == nil {
			err = b.applySchema(ctx)
		}
		if err == nil {
			break
		}
		if try == schemaTries || !raced(err) {
			return nil, err
		}
		b.schema, b.cat = nil, g.store.Catalog()
	}
	var err error
	switch format {
	case formatCSV, formatTSV:
		sink := b.sink()
		d, derr := b.csvDecoder(in.head, in, sink)
		if derr != nil {
			return nil, derr
		}
		err = b.drain(ctx, d, sink)
	case formatNDJSON, formatJSON:
		err = b.windows(ctx, in)
	default:
		err = errs.NotSupported("ingest format " + format)
	}
	if err != nil {
		return nil, err
	}
	return b.commit(ctx, in)
}

// windows decodes JSON rows window by window, in the memory of the beginning.
func (b *batch) windows(ctx context.Context, in *body) error {
	buf := in.head
	d := ndjson.New(nil, b.format == formatJSON, b.sink())
	for last := false; ; {
		used, err := b.window(ctx, d, buf, !last)
		if err != nil || last {
			return err
		}
		b.baseOffset += int64(used)
		rest := copy(buf[:cap(buf)], buf[used:])
		if rest >= rowBytesMax || rest == cap(buf) { // no row is that long
			if _, err := io.Copy(io.Discard, in); err != nil {
				return err
			}
			buf, last = buf[:rest], true
			continue
		}
		n, err := io.ReadFull(in, buf[rest:cap(buf)])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		buf, last = buf[:rest+n], err != nil
	}
}

// window decodes one window and gives its rows to the load, since rejects and
// raw rows alias it. Fields that no column has are met as the table says.
func (b *batch) window(ctx context.Context, d *ndjson.Decoder, buf []byte, more bool) (used int, err error) {
	b.inMemory = true // until it is clear that the window has no new fields
	b.unknown, b.evolved = false, false
	before := *b
	state := *d
	for {
		d.Reset(buf, more)
		if err := b.drain(ctx, d, d.Sink()); err != nil {
			return 0, err
		}
		if !b.unknown {
			break
		}
		// New fields: the window is decoded again, with columns for them.
		*b = before
		if err := b.evolve(buf[:d.Pos()]); err != nil {
			return 0, err
		}
		if err := b.applySchema(ctx); err != nil {
			return 0, err
		}
		before = *b
		*d = state
		d.SetSink(b.sink())
		state = *d
	}
	return d.Pos(), b.push(ctx)
}

// rowBytesMax bounds one raw row (INGEST.md §3.3).
const rowBytesMax = 16 << 20
