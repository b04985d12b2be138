package pgwire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"quern/storage/errs"
)

// Limits of message bodies. The larger one also bounds the memory that one
// message of a logged-in client can take.
const (
	maxBodyLogin   = 64 << 10
	maxBodySession = 64 << 20
	// keepBody is the largest body buffer that an idle connection keeps.
	keepBody = 16 << 10
	// growBody bounds the memory taken ahead of the bytes that fill it: a
	// length word alone takes no more than this.
	growBody = 64 << 10
)

// frames cuts the client's bytes into messages. A read timeout inside a
// message is resumable: the next call goes on where it stopped. Not for
// concurrent use.
type frames struct {
	br  *bufio.Reader
	max int // limit of a body; raised after login

	hdr  [5]byte
	hdrN int // bytes of hdr read so far
	body []byte
	need int // body length, once hdrN = 5
}

func newFrames(r io.Reader) *frames {
	return &frames{br: bufio.NewReaderSize(r, 8<<10), max: maxBodyLogin}
}

// next returns the type and the body of the next message. The body is valid
// until the next call. io.EOF means that the client hung up between messages.
func (f *frames) next() (typ byte, body []byte, err error) {
	for f.hdrN < len(f.hdr) {
		n, err := f.br.Read(f.hdr[f.hdrN:])
		f.hdrN += n
		if err != nil {
			if err == io.EOF && f.hdrN > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
		if f.hdrN == len(f.hdr) {
			if err := f.start(); err != nil {
				return 0, nil, err
			}
		}
	}
	for len(f.body) < f.need {
		f.grow()
		n, err := f.br.Read(f.body[len(f.body):min(cap(f.body), f.need)])
		f.body = f.body[:len(f.body)+n]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
	f.hdrN = 0
	return f.hdr[0], f.body, nil
}

// start checks the header and makes the body buffer ready.
func (f *frames) start() error {
	if !knownType(f.hdr[0]) {
		return &frameError{errs.New(errs.ProtocolViolation, "invalid frontend message type %d", f.hdr[0])}
	}
	length := int64(int32(binary.BigEndian.Uint32(f.hdr[1:])))
	if length < 4 || length-4 > int64(f.max) {
		return &frameError{errs.New(errs.ProtocolViolation, "invalid message length")}
	}
	f.need = int(length) - 4
	if cap(f.body) > keepBody && f.need <= keepBody {
		f.body = nil
	}
	f.body = f.body[:0]
	return nil
}

// grow makes room in the body, no more than growBody ahead of what came, and
// doubling from there.
func (f *frames) grow() {
	if len(f.body) < cap(f.body) {
		return
	}
	size := min(f.need, max(growBody, 2*cap(f.body)))
	bigger := make([]byte, len(f.body), size)
	copy(bigger, f.body)
	f.body = bigger
}

// frameError is a message whose bytes cannot be skipped: the connection ends.
type frameError struct{ err *errs.Error }

func (e *frameError) Error() string { return e.err.Msg }

func (e *frameError) Unwrap() error { return e.err }

func knownType(t byte) bool {
	switch t {
	case 'B', 'C', 'D', 'E', 'F', 'f', 'd', 'c', 'H', 'P', 'p', 'Q', 'S', 'X':
		return true
	}
	return false
}

// cstring cuts a zero-terminated string off b.
func cstring(b []byte) (s string, rest []byte, err error) {
	for i, c := range b {
		if c == 0 {
			return string(b[:i]), b[i+1:], nil
		}
	}
	return "", nil, fmt.Errorf("string without its end")
}
