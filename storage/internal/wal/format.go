// Package wal is the write-ahead log: the only commit point of the store.
//
//	file   4,096-byte header, then groups; preallocated with real zeros
//	group  frames packed at 8 bytes; starts and ends at a 4,096 boundary,
//	       so that a later write never touches a sector with acknowledged bytes
//	frame  64-byte header, sections; the last frame's payload owns the padding
//
// A frame header names its commit_seq (dense over all files), the highest
// sequence known to be fsynced when it was written (durable_seq) and the header
// crc of its predecessor in the file, which chains it to its position. Header
// crcs are seeded with the file's random salt: bytes of another file are noise.
//
// # Torn tails
//
// One group is synced before the next is written and before another file is
// made. So at the first bad frame of the last file, with n the sequence that
// was expected there: if any valid frame after it says durable_seq ≥ n, the
// frame was acknowledged and is damaged, and the start is refused; otherwise it
// was never synced, whatever pieces of its group survived, and the log is cut.
// In an earlier file every frame below the next file's first sequence must be
// there. After a recovery the log goes on in a new file with a new salt whose
// header says where the old one was cut: its first sequence.
//
// NB: "a valid frame after a bad one means damage" would be wrong: a power cut
// may keep the second of two frames of one unsynced group. And damage inside
// the very last group looks like a torn one as long as no later frame covers
// it; an idle committer therefore writes an empty frame after 50 ms (Cover).
//
// What it deliberately does not do: it knows no tables and no catalog; section
// bodies are the business of package storage. Start reading at Log and Replay.
package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"

	"quern/storage/errs"
)

const (
	fileMagic  = "QNWAL001"
	frameMagic = "QWF1"
	// frameMagicWord is frameMagic as it reads in memory.
	frameMagicWord = 'Q' | 'W'<<8 | 'F'<<16 | '1'<<24

	versionMajor = 1
	versionMinor = 0

	// align is the piece that a page cache writes at once and a multiple of
	// every sector size in use. A smaller value would let the write of one
	// group tear the end of the group before it.
	align = 4096

	fileHeaderBytes    = align
	frameHeaderBytes   = 64
	sectionHeaderBytes = 16

	flagLast = 1 // last frame of its group
)

// Kind is the kind of a section.
type Kind uint8

// Section kinds. Bodies: STORAGE.md §5.
const (
	Schema    Kind = 1
	Rows      Kind = 2
	BatchKey  Kind = 3
	DedupKeys Kind = 4
	Channel   Kind = 5
	Rejects   Kind = 6
	Delete    Kind = 7
	Attach    Kind = 8
	Floor     Kind = 9
	Stats     Kind = 10
)

const (
	codecNone = 0
	codecS2   = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var le = binary.LittleEndian

// fileHeader is the decoded header of a file.
type fileHeader struct {
	number   uint64
	salt     uint64
	firstSeq uint64
	created  int64
	// length is the size of the preallocated file: a shorter one was truncated.
	length uint64
}

func (h *fileHeader) encode() []byte {
	b := make([]byte, fileHeaderBytes)
	copy(b, fileMagic)
	le.PutUint16(b[8:], versionMajor)
	le.PutUint16(b[10:], versionMinor)
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.salt)
	le.PutUint64(b[32:], h.firstSeq)
	le.PutUint64(b[40:], uint64(h.created))
	le.PutUint64(b[48:], h.length)
	le.PutUint32(b[align-4:], crc32.Checksum(b[:align-4], castagnoli))
	return b
}

// decodeFileHeader checks b, the start of file name of the given size.
func decodeFileHeader(name string, b []byte, size int64) (fileHeader, error) {
	bad := func(reason string) (fileHeader, error) {
		return fileHeader{}, &errs.Corrupt{File: name, Reason: reason}
	}
	if len(b) < fileHeaderBytes {
		return bad("WAL file is shorter than its header")
	}
	if string(b[:8]) != fileMagic {
		return bad("no WAL file header")
	}
	if crc32.Checksum(b[:align-4], castagnoli) != le.Uint32(b[align-4:]) {
		return bad("checksum mismatch in the WAL file header")
	}
	if major := le.Uint16(b[8:]); major != versionMajor {
		return fileHeader{}, errs.New(errs.FeatureNotSupported,
			"WAL file %s has format version %d, this program reads version %d", name, major, versionMajor)
	}
	h := fileHeader{
		number: le.Uint64(b[16:]), salt: le.Uint64(b[24:]), firstSeq: le.Uint64(b[32:]),
		created: int64(le.Uint64(b[40:])), length: le.Uint64(b[48:]),
	}
	if uint64(size) != h.length {
		return bad(fmt.Sprintf("WAL file has %d bytes, its header says %d", size, h.length))
	}
	return h, nil
}

// frameHeader is the decoded header of a frame.
type frameHeader struct {
	crc        uint32
	seq        uint64
	durableSeq uint64
	group      uint64
	payload    uint32
	payloadCRC uint32
	prevCRC    uint32
	sections   uint16
	flags      uint16
	receivedAt int64
	rawBytes   uint64
}

// headerCRC is seeded with the salt of the file.
func headerCRC(b []byte, salt uint64) uint32 {
	var s [8]byte
	le.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b[8:frameHeaderBytes])
}

// encode writes h to b and returns the header crc.
func (h *frameHeader) encode(b []byte, salt uint64) uint32 {
	copy(b, frameMagic)
	le.PutUint64(b[8:], h.seq)
	le.PutUint64(b[16:], h.durableSeq)
	le.PutUint64(b[24:], h.group)
	le.PutUint32(b[32:], h.payload)
	le.PutUint32(b[36:], h.payloadCRC)
	le.PutUint32(b[40:], h.prevCRC)
	le.PutUint16(b[44:], h.sections)
	le.PutUint16(b[46:], h.flags)
	le.PutUint64(b[48:], uint64(h.receivedAt))
	le.PutUint64(b[56:], h.rawBytes)
	crc := headerCRC(b, salt)
	le.PutUint32(b[4:], crc)
	return crc
}

// decodeFrameHeader returns ok only for a header that this file's writer wrote.
func decodeFrameHeader(b []byte, salt uint64) (h frameHeader, ok bool) {
	if len(b) < frameHeaderBytes || string(b[:4]) != frameMagic {
		return h, false
	}
	h.crc = le.Uint32(b[4:])
	if headerCRC(b, salt) != h.crc {
		return h, false
	}
	h.seq, h.durableSeq, h.group = le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	h.payload, h.payloadCRC, h.prevCRC = le.Uint32(b[32:]), le.Uint32(b[36:]), le.Uint32(b[40:])
	h.sections, h.flags = le.Uint16(b[44:]), le.Uint16(b[46:])
	h.receivedAt, h.rawBytes = int64(le.Uint64(b[48:])), le.Uint64(b[56:])
	return h, true
}

// fileName is the name of WAL file n in dir.
func fileName(dir string, n uint64) string {
	return path.Join(dir, fmt.Sprintf("%016x.wal", n))
}

// parseFileName returns the number of a WAL file's base name.
func parseFileName(base string) (uint64, bool) {
	digits, ok := strings.CutSuffix(base, ".wal")
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
