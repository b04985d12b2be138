package pgwire

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// outBytes is the buffer of a connection while it sends rows; idle ones
	// give it back.
	outBytes = 256 << 10
	// flushBytes is when the buffer goes to the socket without being asked.
	flushBytes = 128 << 10
	// flushAfter is how long rows wait for more while the next batch is made.
	flushAfter = 10 * time.Millisecond
	// stallMax is how long a client may take none of what is due to it.
	stallMax = 60 * time.Second
	// idleBytes is the largest buffer that an idle connection keeps.
	idleBytes = 4 << 10
)

var outPool = sync.Pool{New: func() any { b := make([]byte, 0, outBytes); return &b }}

// out is what is to be sent. The connection's goroutine owns buf, but between
// arm and disarm, when the timer may send it.
type out struct {
	conn net.Conn
	buf  []byte
	// pooled is the big buffer that buf was taken from, nil for a small one.
	pooled *[]byte
	err    error // first failure of a write; everything later is dropped

	mu    sync.Mutex // guards buf and err while armed
	armed bool
	timer *time.Timer
}

// send appends a control message.
func (o *out) send(m pgproto3.BackendMessage) {
	b, err := m.Encode(o.buf)
	if err != nil {
		// Only messages over the protocol's own limits fail to encode.
		if o.err == nil {
			o.err = err
		}
		return
	}
	o.buf = b
}

// raw appends a message without a body.
func (o *out) raw(typ byte) { o.buf = append(o.buf, typ, 0, 0, 0, 4) }

// reserve changes to the big buffer, for rows.
func (o *out) reserve() {
	if o.pooled != nil {
		return
	}
	o.pooled = outPool.Get().(*[]byte)
	o.buf = append((*o.pooled)[:0], o.buf...)
}

// release gives the big buffer back; buf must be empty.
func (o *out) release() {
	if o.pooled == nil {
		if cap(o.buf) > idleBytes {
			o.buf = nil
		}
		return
	}
	if cap(o.buf) <= 2*outBytes { // else one huge row grew it
		*o.pooled = o.buf[:0]
		outPool.Put(o.pooled)
	}
	o.pooled, o.buf = nil, nil
}

// flush sends everything that is buffered.
func (o *out) flush() error {
	if o.err != nil {
		o.buf = o.buf[:0]
		return o.err
	}
	rest := o.buf
	for len(rest) > 0 {
		if err := o.conn.SetWriteDeadline(time.Now().Add(stallMax)); err != nil {
			o.err = err
			break
		}
		n, err := o.conn.Write(rest)
		rest = rest[n:]
		if err == nil || n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue // slow, but not stalled
		}
		o.err = err
		break
	}
	o.buf = o.buf[:0]
	return o.err
}

// flushFull sends if enough is waiting.
func (o *out) flushFull() error {
	if len(o.buf) < flushBytes {
		return o.err
	}
	return o.flush()
}

// arm lets the timer send what is buffered if nothing more comes soon. The
// caller must not touch buf before disarm.
func (o *out) arm() {
	if len(o.buf) == 0 {
		return
	}
	o.mu.Lock()
	o.armed = true
	o.mu.Unlock()
	if o.timer == nil {
		o.timer = time.AfterFunc(flushAfter, o.late)
		return
	}
	o.timer.Reset(flushAfter)
}

func (o *out) late() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.armed {
		o.armed = false
		_ = o.flush() // kept in o.err
	}
}

// disarm takes buf back.
func (o *out) disarm() {
	o.mu.Lock()
	o.armed = false
	o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
	}
}
