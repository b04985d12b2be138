package storage

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/dedup"
	"quern/storage/internal/wal"
)

// Bodies of the sections that this package owns. ROWS is memtable's, BATCH_KEY
// is a dedup.Entry.
//
//	SCHEMA    JSON list of catalog.Change
//	STATS     u16 length, source; u32 n; n × {u32 table, 5 × i64 counts}
//	COUNTERS  n × {u32 column, i64 last value handed out}; table in the header

// sectionCounters holds the counters of serial and identity columns.
const sectionCounters wal.Kind = 11

var le = binary.LittleEndian

// counts are received, accepted, duplicates, quarantined, refused.
type counts [5]int64

func (c *counts) add(d *counts) {
	for i := range c {
		c[i] += d[i]
	}
}

func outcomeOf(e *dedup.Entry) Outcome {
	return Outcome{Seq: e.Seq, Received: e.Counts[0], Accepted: e.Counts[1], Duplicates: e.Counts[2],
		Quarantined: e.Counts[3], Refused: e.Counts[4]}
}

// tableCounts are the counts of one table in one commit.
type tableCounts struct {
	table  uint32
	counts counts
}

func encodeStats(source string, list []tableCounts) []byte {
	b := le.AppendUint16(nil, uint16(min(len(source), 255)))
	b = append(b, source[:min(len(source), 255)]...)
	b = le.AppendUint32(b, uint32(len(list)))
	for _, t := range list {
		b = le.AppendUint32(b, t.table)
		for _, c := range t.counts {
			b = le.AppendUint64(b, uint64(c))
		}
	}
	return b
}

func decodeStats(b []byte) (source string, list []tableCounts, err error) {
	bad := &errs.Corrupt{File: "STATS section", Reason: "length does not fit"}
	if len(b) < 2 || len(b) < 6+int(le.Uint16(b)) {
		return "", nil, bad
	}
	n := int(le.Uint16(b))
	source, b = string(b[2:2+n]), b[2+n:]
	count := int(le.Uint32(b))
	b = b[4:]
	const entry = 4 + 5*8
	if len(b) != count*entry {
		return "", nil, bad
	}
	for range count {
		t := tableCounts{table: le.Uint32(b)}
		for i := range t.counts {
			t.counts[i] = int64(le.Uint64(b[4+8*i:]))
		}
		list, b = append(list, t), b[entry:]
	}
	return source, list, nil
}

func encodeSchema(changes []catalog.Change) ([]byte, error) {
	b, err := json.Marshal(changes)
	if err != nil {
		return nil, fmt.Errorf("encode catalog change: %w", err)
	}
	return b, nil
}

func decodeSchema(b []byte) ([]catalog.Change, error) {
	var changes []catalog.Change
	if err := json.Unmarshal(b, &changes); err != nil {
		return nil, &errs.Corrupt{File: "SCHEMA section", Reason: err.Error()}
	}
	return changes, nil
}

func encodeCounters(cols []uint32, values []int64) []byte {
	var b []byte
	for i, c := range cols {
		b = le.AppendUint32(b, c)
		b = le.AppendUint64(b, uint64(values[i]))
	}
	return b
}

func decodeCounters(b []byte, fn func(col uint32, value int64)) error {
	if len(b)%12 != 0 {
		return &errs.Corrupt{File: "COUNTERS section", Reason: "length does not fit"}
	}
	for ; len(b) > 0; b = b[12:] {
		fn(le.Uint32(b), int64(le.Uint64(b[4:])))
	}
	return nil
}
