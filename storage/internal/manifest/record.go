package manifest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path"
	"slices"
	"strconv"
	"strings"

	"quern/storage/errs"
	"quern/storage/vfs"
)

const (
	recordHeaderBytes = 17
	// bodyBytesMax bounds what a damaged length makes a reader believe.
	bodyBytesMax = 1 << 30

	currentName      = "CURRENT"
	generationPrefix = "MANIFEST-"
)

var (
	castagnoli      = crc32.MakeTable(crc32.Castagnoli)
	le              = binary.LittleEndian
	errNoCheckpoint = errors.New("no valid checkpoint")
)

func encodeRecord(number uint64, kind Kind, body []byte, prev uint32) (rec []byte, crc uint32) {
	rec = make([]byte, recordHeaderBytes, recordHeaderBytes+len(body))
	le.PutUint32(rec, uint32(len(body)))
	le.PutUint64(rec[8:], number)
	rec[16] = uint8(kind)
	rec = append(rec, body...)
	crc = recordCRC(rec, prev)
	le.PutUint32(rec[4:], crc)
	return rec, crc
}

// recordCRC covers everything but itself, the length included.
func recordCRC(rec []byte, prev uint32) uint32 {
	return crc32.Update(crc32.Update(prev, castagnoli, rec[:4]), castagnoli, rec[8:])
}

type record struct {
	number uint64
	kind   Kind
	body   []byte
	crc    uint32 // as stored
	bytes  int
}

// decodeRecord returns the record at the start of b. whole says that its length
// fits; ok that the crc is right too.
func decodeRecord(b []byte, prev uint32) (r record, whole, ok bool) {
	if len(b) < recordHeaderBytes {
		return r, false, false
	}
	n := int64(le.Uint32(b))
	r.crc, r.number, r.kind = le.Uint32(b[4:]), le.Uint64(b[8:]), Kind(b[16])
	if n > bodyBytesMax || n > int64(len(b)-recordHeaderBytes) {
		return r, false, false
	}
	r.bytes = recordHeaderBytes + int(n)
	r.body = b[recordHeaderBytes:r.bytes]
	return r, true, recordCRC(b[:r.bytes], prev) == r.crc
}

// replay reads all records of a manifest file.
func replay(name string, data []byte) (*State, uint64, error) {
	first, _, ok := decodeRecord(data, 0)
	if !ok || first.kind != Checkpoint {
		return nil, 0, fmt.Errorf("%w: %w", errNoCheckpoint,
			&errs.Corrupt{File: name, Reason: "checksum mismatch in the checkpoint"})
	}
	var e Edit
	if err := json.Unmarshal(first.body, &e); err != nil || e.State == nil {
		return nil, 0, &errs.Corrupt{File: name, Reason: fmt.Sprintf("checkpoint: %v", err)}
	}
	state := e.State
	state.init()
	off, prev, next := first.bytes, first.crc, first.number+1
	for off < len(data) {
		r, whole, ok := decodeRecord(data[off:], prev)
		if !ok || r.number != next {
			if at, found := laterRecord(data[off:], r, whole, prev, next+1); found {
				return nil, 0, &errs.Corrupt{File: name, Offset: int64(off),
					Reason: fmt.Sprintf("manifest record %d is damaged (a valid one follows at offset %d)", next, off+at)}
			}
			break // torn
		}
		var e Edit
		if err := json.Unmarshal(r.body, &e); err != nil {
			return nil, 0, &errs.Corrupt{File: name, Offset: int64(off), Reason: err.Error()}
		}
		e.Kind = r.kind
		if err := state.apply(&e); err != nil {
			return nil, 0, &errs.Corrupt{File: name, Offset: int64(off), Reason: err.Error()}
		}
		off, prev, next = off+r.bytes, r.crc, next+1
	}
	return state, next, nil
}

// laterRecord looks for record number next behind the bad record bad at the
// start of b. Its crc is seeded with the bad record's, of which either the
// stored or the computed value is right when a single place is damaged.
func laterRecord(b []byte, bad record, whole bool, prev uint32, next uint64) (int, bool) {
	seeds := []uint32{bad.crc}
	if whole {
		seeds = append(seeds, recordCRC(b[:bad.bytes], prev))
	}
	for at := 1; at+recordHeaderBytes <= len(b); at++ {
		if le.Uint64(b[at+8:]) != next {
			continue
		}
		for _, seed := range seeds {
			if _, _, ok := decodeRecord(b[at:], seed); ok {
				return at, true
			}
		}
	}
	return 0, false
}

func generationName(gen uint64) string { return fmt.Sprintf("%s%016x", generationPrefix, gen) }

func parseGeneration(base string) (uint64, bool) {
	digits, ok := strings.CutPrefix(base, generationPrefix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	gen, err := strconv.ParseUint(digits, 16, 64)
	return gen, err == nil
}

func listGenerations(fsys vfs.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var gens []uint64
	for _, n := range names {
		if gen, ok := parseGeneration(path.Base(n)); ok {
			gens = append(gens, gen)
		}
	}
	slices.Sort(gens)
	return gens, nil
}

func encodeCurrent(name string) []byte {
	return fmt.Appendf(nil, "%s %08x\n", name, crc32.Checksum([]byte(name), castagnoli))
}

func decodeCurrent(data []byte) (name string, ok bool) {
	name, _, found := strings.Cut(string(data), " ")
	return name, found && string(encodeCurrent(name)) == string(data)
}
