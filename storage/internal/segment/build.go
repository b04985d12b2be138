package segment

import (
	"context"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
)

// buildWorkers encode columns at once: half of what ingest leaves of two cores
// would starve the queries, more would hold more columns in memory.
const buildWorkers = 2

// Build sorts the given rows of l (positions as in Part; nil = all) by
// spec.Order and writes them as one durable segment at path, by way of tmpPath.
// On an error nothing is left.
func Build(ctx context.Context, fs vfs.FS, tmpPath, path string, spec *Spec, l memtable.List, rows []uint32) (Info, error) {
	info, _, err := BuildOrder(ctx, fs, tmpPath, path, spec, l, rows)
	return info, err
}

// BuildOrder is Build and also tells which row of which slab each row of the
// segment was, for FlushForward.
func BuildOrder(ctx context.Context, fs vfs.FS, tmpPath, path string, spec *Spec, l memtable.List, rows []uint32) (Info, []uint32, error) {
	b, err := newBuilder(spec, l, rows)
	if err != nil {
		return Info{}, nil, err
	}
	b.sort()
	var info Info
	err = vfs.WriteFile(fs, tmpPath, path, func(f vfs.File) error {
		w, err := newWriter(f, spec, writeBytes)
		if err != nil {
			return err
		}
		if err := b.encode(ctx, w); err != nil {
			return err
		}
		info, err = w.finish(b.groups())
		return err
	})
	return info, b.refs, err
}

// builder holds the rows of one segment to be.
type builder struct {
	spec *Spec
	list memtable.List
	refs []uint32 // slab<<16 | row, in the segment's order
	runs [][]memtable.Run
	recv []int64 // by row of the segment
	seqs []int64

	mu     sync.Mutex          // guards what follows
	spare  [][]byte            // memory of gathered columns that are encoded
	tables []*distinct         // of columns whose dictionary is made
	encs   []*encoding.Encoder // of columns that are encoded
}

// encoder lends an encoder for a column.
func (b *builder) encoder(id uint32) *encoding.Encoder {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := new(encoding.Encoder)
	if n := len(b.encs); n > 0 {
		e, b.encs = b.encs[n-1], b.encs[:n-1]
	}
	b.spec.prepare(e, id)
	return e
}

// keepEncoder takes it back; nothing that was made with it aliases it.
func (b *builder) keepEncoder(e *encoding.Encoder, id uint32) {
	b.spec.Memory.keep(id, e.Choices)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.encs = append(b.encs, e)
}

// buffer is n bytes aligned to 8, of any content.
func (b *builder) buffer(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, s := range b.spare {
		if cap(s) >= n && cap(s) <= 4*n+4096 {
			b.spare = slices.Delete(b.spare, i, i+1)
			return s[:n]
		}
	}
	return vec.AlignedBytes(n)
}

// done takes the memory of a gathered column back.
func (b *builder) done(col *encoding.Column) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range [][]byte{col.Fixed, col.Valid, col.Bytes} {
		if cap(s) > 0 && len(b.spare) < sparesMax {
			b.spare = append(b.spare, s)
		}
	}
	*col = encoding.Column{}
}

// sparesMax bounds the buffers that wait for another column.
const sparesMax = 12

func newBuilder(spec *Spec, l memtable.List, rows []uint32) (*builder, error) {
	n := len(rows)
	if rows == nil {
		n = l.Rows()
	}
	if n == 0 || n > RowsMax || len(l) > math.MaxUint16 {
		return nil, errs.New(errs.Internal, "segment of %d rows from %d slabs", n, len(l))
	}
	b := &builder{spec: spec, list: l, refs: make([]uint32, 0, n)}
	for s, v := range l {
		b.runs = append(b.runs, v.Runs())
		if rows == nil {
			for r := range v.Rows {
				b.refs = append(b.refs, uint32(s<<16|r))
			}
		}
	}
	s, base := 0, 0
	for _, pos := range rows {
		// Positions mostly rise; step back when they do not.
		for int(pos) < base {
			s--
			base -= l[s].Rows
		}
		for s < len(l) && int(pos) >= base+l[s].Rows {
			base += l[s].Rows
			s++
		}
		if s == len(l) {
			return nil, errs.New(errs.Internal, "row %d is beyond the slabs", pos)
		}
		b.refs = append(b.refs, uint32(s<<16|(int(pos)-base)))
	}
	return b, nil
}

// hidden fills recv and seqs.
func (b *builder) hidden() {
	b.recv, b.seqs = make([]int64, len(b.refs)), make([]int64, len(b.refs))
	// Runs by slab and row, expanded once: refs are in any order.
	at := make([][]uint32, len(b.list))
	for s, v := range b.list {
		at[s] = make([]uint32, v.Rows)
		for k, run := range b.runs[s] {
			end := v.Rows
			if k+1 < len(b.runs[s]) {
				end = int(b.runs[s][k+1].Start)
			}
			for r := int(run.Start); r < end; r++ {
				at[s][r] = uint32(k)
			}
		}
	}
	for i, ref := range b.refs {
		run := &b.runs[ref>>16][at[ref>>16][ref&0xFFFF]]
		b.recv[i], b.seqs[i] = run.ReceivedAt, int64(run.Seq)
	}
}

// groups gives GROUPS.
func (b *builder) groups() []Group {
	event := b.eventTimes()
	var out []Group
	for from := 0; from < len(b.refs); from += GroupRows {
		to := min(len(b.refs), from+GroupRows)
		out = append(out, groupOf(event, from, b.recv[from:to], b.seqs[from:to]))
	}
	return out
}

// groupOf describes rows for GROUPS: event time from row at of event on (nil: there
// is none), receive times and sequences.
func groupOf(event *encoding.Column, at int, recv, seqs []int64) Group {
	g := Group{Rows: len(recv), SeqMin: math.MaxUint64, TimeMin: math.MaxInt64, TimeMax: math.MinInt64,
		ReceivedMin: math.MaxInt64, ReceivedMax: math.MinInt64, EffectiveMin: math.MaxInt64, EffectiveMax: math.MinInt64}
	for i, r := range recv {
		null, t := true, int64(0)
		if event != nil && !event.Null(at+i) {
			null, t = false, TimeAt(event, at+i)
			g.TimeMin, g.TimeMax = min(g.TimeMin, t), max(g.TimeMax, t)
		}
		e := Effective(t, null, r)
		g.EffectiveMin, g.EffectiveMax = min(g.EffectiveMin, e), max(g.EffectiveMax, e)
		g.ReceivedMin, g.ReceivedMax = min(g.ReceivedMin, r), max(g.ReceivedMax, r)
		g.SeqMin, g.SeqMax = min(g.SeqMin, uint64(seqs[i])), max(g.SeqMax, uint64(seqs[i]))
	}
	if g.TimeMin > g.TimeMax {
		g.TimeMin, g.TimeMax = 0, 0
	}
	return g
}

func (b *builder) eventTimes() *encoding.Column {
	for i := range b.spec.Cols {
		if c := &b.spec.Cols[i]; c.ID == b.spec.TimeCol && c.ID != 0 {
			col, err := b.gather(c)
			if err != nil || col.Phys != types.PhysI64 && col.Phys != types.PhysI32 {
				return nil
			}
			return col
		}
	}
	return nil
}

// maxFutureMicros bounds how far ahead of its receipt an event may claim to
// be: retention works on min(event time, _received_at + this), so that a wrong
// clock of a sender cannot keep rows for ever.
const maxFutureMicros = 24 * 3600 * 1_000_000

// Effective is the time that retention compares with the floor.
func Effective(event int64, null bool, receivedAt int64) int64 {
	if null {
		return receivedAt
	}
	limit := receivedAt + maxFutureMicros
	if limit < receivedAt {
		limit = math.MaxInt64
	}
	return min(event, limit)
}

// TimeAt is the time at row i (not NULL) of a column of timestamps or dates.
func TimeAt(c *encoding.Column, i int) int64 {
	if c.Phys == types.PhysI64 {
		return vec.CastSlice[int64](c.Fixed)[i]
	}
	return DateMicros(vec.CastSlice[int32](c.Fixed)[i])
}

// DateMicros is the start of a date; infinities stay infinite.
func DateMicros(d int32) int64 {
	switch d {
	case types.DatePosInf:
		return types.TimePosInf
	case types.DateNegInf:
		return types.TimeNegInf
	}
	return int64(d) * 86400 * 1_000_000
}

// encode encodes all columns in parallel and writes them in order.
func (b *builder) encode(ctx context.Context, w *writer) error {
	b.hidden()
	n := len(b.spec.Cols)
	out := make([]chan *encodedColumn, n+2)
	for i := range out {
		out[i] = make(chan *encodedColumn, 1)
	}
	group, ctx := errgroup.WithContext(ctx)
	// The semaphore bounds the encoded columns that wait to be written.
	slots := make(chan struct{}, buildWorkers)
	group.Go(func() error {
		for i := range out {
			select {
			case c := <-out[i]:
				if err := w.column(c); err != nil {
					return err
				}
				<-slots
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for i := range out {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return group.Wait()
		}
		group.Go(func() error {
			c, err := b.column(i)
			if err != nil {
				return err
			}
			out[i] <- c
			return nil
		})
	}
	return group.Wait()
}

// column encodes column i of the spec, or a hidden one behind them.
func (b *builder) column(i int) (*encodedColumn, error) {
	n := len(b.spec.Cols)
	if i >= n {
		id, v := catalog.ColReceivedAt, b.recv
		if i > n {
			id, v = catalog.ColCommitSeq, b.seqs
		}
		e := b.encoder(id)
		defer b.keepEncoder(e, id)
		return encodeColumn(b.spec, id, &encoding.Column{Phys: types.PhysI64, N: len(v), Fixed: vec.BytesOf(v)}, e)
	}
	c := &b.spec.Cols[i]
	e := b.encoder(c.ID)
	defer b.keepEncoder(e, c.ID)
	if c.Type.Phys() == types.PhysBytes {
		if d := b.dictionary(c); d != nil {
			return encodeDict(b.spec, c.ID, d, e)
		}
	}
	col, err := b.gather(c)
	if err != nil {
		return nil, err
	}
	defer b.done(col)
	return encodeColumn(b.spec, c.ID, col, e)
}
