package wal

import (
	"hash/crc32"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
)

const (
	// compressBytesMin keeps small sections uncompressed: they are latency
	// bound, and a reader could not tell the difference.
	compressBytesMin = 16 << 10
	// probeEvery is how often a table whose rows do not shrink is tried again.
	probeEvery = 16
	// sectionBytesMax keeps lengths in 32 bits with room for padding.
	sectionBytesMax = 1 << 30
)

// Shrink remembers whether the sections of one table are worth compressing.
// The zero value says yes. Safe for concurrent use.
type Shrink struct{ skipped atomic.Int32 }

// try says whether the next section should be compressed.
func (s *Shrink) try() bool {
	if s == nil {
		return true
	}
	n := s.skipped.Load()
	return n == 0 || s.skipped.Add(1) > probeEvery
}

func (s *Shrink) report(worth bool) {
	if s == nil {
		return
	}
	if worth {
		s.skipped.Store(0)
	} else {
		s.skipped.Store(1)
	}
}

// Frame is one commit being encoded. Producers build it before they enqueue it,
// so that the committer only writes.
type Frame struct {
	// ReceivedAt is the clock of the commit, µs since 1970.
	ReceivedAt int64
	// Seq is set by Log.Append.
	Seq uint64

	buf      []byte // header, then sections
	sections uint16
	rawBytes uint64
	crc      uint32
}

// NewFrame returns an empty frame with room for sizeHint payload bytes.
func NewFrame(receivedAt int64, sizeHint int) *Frame {
	return &Frame{ReceivedAt: receivedAt, buf: make([]byte, frameHeaderBytes, frameHeaderBytes+sizeHint)}
}

// Add appends a section; body is copied. shrink may be nil.
func (f *Frame) Add(kind Kind, table uint32, body []byte, shrink *Shrink) {
	codec, stored := uint8(codecNone), body
	if len(body) >= compressBytesMin && shrink.try() {
		packed := s2.Encode(nil, body)
		worth := len(packed) < len(body)/5*4
		shrink.report(worth)
		if worth {
			codec, stored = codecS2, packed
		}
	}
	var head [sectionHeaderBytes]byte
	head[0], head[1] = uint8(kind), codec
	le.PutUint32(head[4:], table)
	le.PutUint32(head[8:], uint32(len(stored)))
	le.PutUint32(head[12:], uint32(len(body)))
	f.buf = append(f.buf, head[:]...)
	f.buf = append(f.buf, stored...)
	for len(f.buf)%8 != 0 {
		f.buf = append(f.buf, 0)
	}
	f.sections++
	f.rawBytes += uint64(len(body))
}

// Seal computes the payload crc; nothing may be added afterwards.
func (f *Frame) Seal() { f.crc = crc32.Checksum(f.buf[frameHeaderBytes:], castagnoli) }

// Bytes is the size of the frame in the log, padding of the group aside.
func (f *Frame) Bytes() int { return len(f.buf) }

// Section is one decoded section. Body aliases the frame or, if it was
// compressed, is fresh; it is valid until the replay callback returns.
type Section struct {
	Kind  Kind
	Table uint32
	Body  []byte
}

// Sections calls fn for each section of a sealed frame, as Replay would.
func (f *Frame) Sections(fn func(Section) error) error {
	return eachSection(f.buf[frameHeaderBytes:], f.sections, fn)
}

// errSections says what is wrong with a payload whose crc is right: a bug in a
// writer, or damage that the crc cannot see.
type errSections string

func (e errSections) Error() string { return "malformed section: " + string(e) }

func eachSection(p []byte, count uint16, fn func(Section) error) error {
	for range count {
		if len(p) < sectionHeaderBytes {
			return errSections("no room for its header")
		}
		s := Section{Kind: Kind(p[0]), Table: le.Uint32(p[4:])}
		codec, stored, raw := p[1], int64(le.Uint32(p[8:])), int64(le.Uint32(p[12:]))
		p = p[sectionHeaderBytes:]
		if roundUp(stored, 8) > int64(len(p)) || raw > sectionBytesMax {
			return errSections("length beyond the frame")
		}
		s.Body = p[:stored:stored]
		p = p[roundUp(stored, 8):]
		switch codec {
		case codecNone:
			if raw != stored {
				return errSections("two lengths")
			}
		case codecS2:
			if n, err := s2.DecodedLen(s.Body); err != nil || int64(n) != raw {
				return errSections("compressed length")
			}
			body, err := s2.Decode(make([]byte, raw), s.Body)
			if err != nil {
				return errSections(err.Error())
			}
			s.Body = body
		default:
			return errSections("unknown codec")
		}
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}
