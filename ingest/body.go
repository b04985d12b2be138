package ingest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"quern/storage/errs"
)

// Limits of one body (INGEST.md §3.3). The encoded size is bounded by whoever
// reads the socket.
const (
	bodyBytesMax = 1 << 30 // decoded
	// wholeBytesMax bounds a decoded body that must be in memory at once: Parquet
	// and Arrow files are read from their end.
	wholeBytesMax = 256 << 20
	// A body may grow ratioMax times when it is decoded, judged once
	// ratioBytesMin came out: repetitive logs do exceed that in the small.
	ratioMax      = 200
	ratioBytesMin = 64 << 20
)

// memoryFactor is what a byte of a body costs until it is committed: the body,
// its columns, the encoded rows and the frame. Bytes beyond LoadBytes cost
// themselves: they are decoded piece by piece.
const memoryFactor = 4

// patience is how long a request waits for memory before it is turned away.
const patience = 3 * time.Second

// ErrTooLarge answers bodies over the limit; HTTP says 413.
var ErrTooLarge = errs.New(errs.ProgramLimit, "the decoded body is larger than 1 GiB").
	WithHint("Cut it at row borders, or use quern load, which does.")

// memory is the budget of bodies in flight: taken before a buffer is made.
type memory struct {
	max  int64
	free *semaphore.Weighted
}

func newMemory(n int64) *memory { return &memory{n, semaphore.NewWeighted(n)} }

// take waits for n bytes, at most for patience. Who holds the whole budget
// already gets what it wants.
func (m *memory) take(ctx context.Context, n, held int64) (int64, error) {
	n = min(n, m.max-held)
	if m.free.TryAcquire(n) {
		return n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if m.free.Acquire(ctx, n) != nil {
		return 0, errs.New(errs.OutOfMemory, "the server has no memory left for request bodies").
			WithHint("Send the request again later.")
	}
	return n, nil
}

// body is a request's decoded body: its beginning, or all of it, in memory.
type body struct {
	head  []byte // up to the ingester's LoadBytes, or everything
	whole bool   // head is everything
	r     io.Reader
	hash  hash.Hash // nil without a key
	m     *memory
	held  int64
	raw   *counter
	in    *bufio.Reader // of raw, from the pool
	// inMemory is LoadBytes: that much may be held in several forms.
	inMemory int64
	length   int64 // of the whole, 0 if it is not known
	pool     *headPool
	pressure func() float64
	slowed   time.Duration
	out      int64
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// openBody undoes the content encoding and reads the beginning. The caller
// releases the body.
func (g *Ingester) openBody(ctx context.Context, r *Request) (*body, error) {
	b := &body{m: g.mem, inMemory: g.o.LoadBytes, pressure: g.store.Pressure, pool: &g.heads, raw: &counter{r: r.Body}}
	b.in = b.pool.reader(b.raw)
	plain, err := contentDecoder(b.in, r.ContentEncoding)
	if err != nil {
		b.release()
		return nil, err
	}
	b.r = plain
	if r.ContentEncoding == "" {
		b.length = r.Length
	}
	if r.Key != "" {
		b.hash = sha256.New()
	}
	if err := b.readTo(ctx, g.o.LoadBytes); err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

// readTo fills head up to limit bytes, growing by what arrives.
func (b *body) readTo(ctx context.Context, limit int64) error {
	for !b.whole && int64(len(b.head)) < limit {
		if len(b.head) == cap(b.head) {
			size := max(8<<10, 2*int64(cap(b.head)))
			if len(b.head) >= 32<<10 { // it is really coming
				size = max(size, b.length+1)
			}
			size = min(size, limit)
			n, err := b.m.take(ctx, b.cost(size)-b.cost(int64(cap(b.head))), b.held)
			if err != nil {
				return err
			}
			b.held += n
			b.head = append(b.pool.get(size), b.head...)
		}
		b.slow(ctx)
		n, err := b.Read(b.head[len(b.head):cap(b.head)])
		b.head = b.head[:len(b.head)+n]
		if err == io.EOF {
			b.whole = true
		} else if err != nil {
			return err
		}
	}
	if !b.whole { // is there more?
		var one [1]byte
		n, err := io.ReadFull(b.r, one[:])
		if err != nil && err != io.EOF {
			return bodyError(err)
		}
		b.whole = n == 0
		b.r = io.MultiReader(bytes.NewReader(one[:n]), b.r)
	}
	return nil
}

// Reading slows down when the store is nearly full: each piece that is read costs
// slowPause per percent above slowFrom, at most patience for the whole request.
const (
	slowFrom  = 0.9
	slowPause = 2 * time.Millisecond
)

func (b *body) slow(ctx context.Context) {
	over := b.pressure() - slowFrom
	if over <= 0 || b.slowed >= patience {
		return
	}
	pause := time.Duration(min(over*100, 25) * float64(slowPause))
	b.slowed += pause
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

// cost is what n bytes of the beginning take of the budget.
func (b *body) cost(n int64) int64 { return n + (memoryFactor-1)*min(n, b.inMemory) }

// Read gives the rest of the body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.out += int64(n)
	if b.hash != nil {
		b.hash.Write(p[:n])
	}
	switch {
	case b.out > bodyBytesMax, b.out > ratioBytesMin && b.out/ratioMax > b.raw.n:
		return n, ErrTooLarge
	case err == nil || err == io.EOF:
		return n, err
	}
	return n, bodyError(err)
}

func bodyError(err error) error {
	if e := errs.As(err); e.Code != errs.Internal {
		return e
	}
	return &errs.Error{Code: errs.InvalidText, Msg: "the request body could not be read or decoded", Err: err}
}

// digest is that of the content read so far.
func (b *body) digest() (d [16]byte) {
	if b.hash != nil {
		copy(d[:], b.hash.Sum(nil))
	}
	return d
}

func (b *body) release() {
	b.m.free.Release(b.held)
	b.pool.put(b.head)
	if b.in != nil {
		b.pool.keep(b.in)
		b.in = nil
	}
	b.held, b.head = 0, nil
}

// headPool keeps the memory of bodies for other requests: fresh memory would be
// cleared by the runtime and mapped by the kernel each time.
type headPool struct{ pool, readers sync.Pool }

// reader reads r through memory of the pool.
func (p *headPool) reader(r io.Reader) *bufio.Reader {
	if br, ok := p.readers.Get().(*bufio.Reader); ok {
		br.Reset(r)
		return br
	}
	return bufio.NewReaderSize(r, readerBytes)
}

// keep takes a reader back that nobody reads from any more.
func (p *headPool) keep(br *bufio.Reader) {
	br.Reset(nil)
	p.readers.Put(br)
}

// headBytesMax is the largest body whose memory is kept.
const headBytesMax = 16 << 20

// get returns an empty buffer with room for n bytes.
func (p *headPool) get(n int64) []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		if c := int64(cap(*b)); c >= n && c <= 2*n+(64<<10) {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, n)
}

// put takes a buffer back that nobody reads any more.
func (p *headPool) put(b []byte) {
	if cap(b) > 0 && cap(b) <= headBytesMax {
		p.pool.Put(&b)
	}
}
