package wal

import (
	"hash/crc32"
	"slices"
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

// NewFrame returns an empty frame that is built in buf (its content is ignored;
// nil is fine). Buffer gives the grown one back.
func NewFrame(receivedAt int64, buf []byte) *Frame {
	return &Frame{ReceivedAt: receivedAt, buf: append(buf[:0], zeros[:frameHeaderBytes]...)}
}

// Buffer is the memory of the frame, for reuse once it was written.
func (f *Frame) Buffer() []byte { return f.buf }

// Add appends a section; body is copied. shrink may be nil.
func (f *Frame) Add(kind Kind, table uint32, body []byte, shrink *Shrink) {
	at := len(f.buf)
	f.buf = append(f.buf, zeros[:sectionHeaderBytes]...)
	f.buf[at] = uint8(kind)
	le.PutUint32(f.buf[at+4:], table)
	le.PutUint32(f.buf[at+12:], uint32(len(body)))
	if len(body) >= compressBytesMin && shrink.try() && f.addPacked(body, shrink) {
		f.buf[at+1] = codecS2
	} else {
		f.buf = append(f.buf, body...)
	}
	le.PutUint32(f.buf[at+8:], uint32(len(f.buf)-at-sectionHeaderBytes))
	for len(f.buf)%8 != 0 {
		f.buf = append(f.buf, 0)
	}
	f.sections++
	f.rawBytes += uint64(len(body))
}

// addPacked appends body compressed, if that is worth it.
func (f *Frame) addPacked(body []byte, shrink *Shrink) bool {
	at := len(f.buf)
	f.buf = slices.Grow(f.buf, s2.MaxEncodedLen(len(body)))
	packed := s2.Encode(f.buf[at:cap(f.buf)], body)
	worth := len(packed) < len(body)/5*4
	shrink.report(worth)
	worth = worth && plausible(int64(len(packed)), int64(len(body)))
	if worth {
		f.buf = f.buf[:at+len(packed)]
	}
	return worth
}

// plausible bounds what a few stored bytes may claim to be, so that damaged ones
// do not make a reader take a gigabyte.
func plausible(stored, raw int64) bool { return raw <= 4<<20 || raw/4096 <= stored }

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
	return eachSection(f.buf[frameHeaderBytes:], f.sections, 0, fn)
}

// errSections says what is wrong with a payload whose crc is right: a bug in a
// writer, or damage that the crc cannot see.
type errSections string

func (e errSections) Error() string { return "malformed section: " + string(e) }

// eachSection calls fn for the sections of p of kind only; 0 = all.
func eachSection(p []byte, count uint16, only Kind, fn func(Section) error) error {
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
		if only != 0 && s.Kind != only {
			continue
		}
		switch codec {
		case codecNone:
			if raw != stored {
				return errSections("two lengths")
			}
		case codecS2:
			if n, err := s2.DecodedLen(s.Body); err != nil || int64(n) != raw || !plausible(stored, raw) {
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
