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
// is a dedup.Entry, STATS and COUNTERS are tally's.
//
//	SCHEMA    JSON list of catalog.Change

// sectionCounters holds the counters of serial and identity columns.
const sectionCounters wal.Kind = 11

var le = binary.LittleEndian

func outcomeOf(e *dedup.Entry) Outcome {
	return Outcome{Seq: e.Seq, Received: e.Counts[0], Accepted: e.Counts[1], Duplicates: e.Counts[2],
		Quarantined: e.Counts[3], Refused: e.Counts[4]}
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
