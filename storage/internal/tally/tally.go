// Package tally keeps what every commit adds up: counts of rows per table and
// source, and the counters of serial and identity columns. Both are durable in the
// frames (the bodies of STATS and COUNTERS sections), and in the manifest once a
// frame's file is retired (Save, Load).
//
//	STATS     u16 length, source; u32 n; n × {u32 table, 5 × i64 counts}
//	COUNTERS  n × {u32 column, i64 last value handed out}; table in the header
//
// Start reading at Set.
package tally

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
)

var le = binary.LittleEndian

// Counts are received, accepted, duplicates, quarantined, refused.
type Counts [5]int64

// Add adds d to c.
func (c *Counts) Add(d *Counts) {
	for i := range c {
		c[i] += d[i]
	}
}

// Table are the counts of one table in one commit.
type Table struct {
	Table uint32
	Counts
}

// EncodeStats makes the body of a STATS section.
func EncodeStats(source string, list []Table) []byte {
	b := le.AppendUint16(nil, uint16(min(len(source), 255)))
	b = append(b, source[:min(len(source), 255)]...)
	b = le.AppendUint32(b, uint32(len(list)))
	for _, t := range list {
		b = le.AppendUint32(b, t.Table)
		for _, c := range t.Counts {
			b = le.AppendUint64(b, uint64(c))
		}
	}
	return b
}

// DecodeStats reads the body of a STATS section.
func DecodeStats(b []byte) (source string, list []Table, err error) {
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
		t := Table{Table: le.Uint32(b)}
		for i := range t.Counts {
			t.Counts[i] = int64(le.Uint64(b[4+8*i:]))
		}
		list, b = append(list, t), b[entry:]
	}
	return source, list, nil
}

// Source are the ingest statistics of one table and source since the
// data folder was made.
type Source struct {
	Table  uint32
	Source string
	Received, Accepted, Duplicates,
	Quarantined, Refused int64
}

type statKey struct {
	table  uint32
	source string
}

// Set are the counts and counters that outlive log frames: durable in the
// frames, and in the manifest once a frame's file is retired.
type Set struct {
	mu       sync.Mutex
	stats    map[statKey]*Counts
	counters map[Column]int64
}

// Column names the column that a counter is of.
type Column struct {
	Table, Col uint32
}

func (k Column) String() string { return fmt.Sprintf("%d.%d", k.Table, k.Col) }

// New returns an empty set.
func New() *Set {
	return &Set{stats: map[statKey]*Counts{}, counters: map[Column]int64{}}
}

// Add counts a commit.
func (t *Set) Add(source string, list []Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range list {
		k := statKey{list[i].Table, source}
		if t.stats[k] == nil {
			t.stats[k] = new(Counts)
		}
		t.stats[k].Add(&list[i].Counts)
	}
}

// Next takes n values of a counter and returns the first.
func (t *Set) Next(k Column, n int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters[k] += n
	return t.counters[k] - n + 1
}

// Counter is the last value that a counter gave, 0 if none.
func (t *Set) Counter(k Column) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counters[k]
}

// Raise sets a counter that was found in the log.
func (t *Set) Raise(k Column, v int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters[k] = max(t.counters[k], v)
}

// List is the counts by table and source.
func (t *Set) List() []Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Source
	for k, c := range t.stats {
		out = append(out, Source{k.table, k.source, c[0], c[1], c[2], c[3], c[4]})
	}
	return out
}

// Save puts everything into a.
func (t *Set) Save(a *manifest.Aux) error {
	stats, err := json.Marshal(t.List())
	if err != nil {
		return fmt.Errorf("encode statistics: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.Stats, a.Counters = stats, map[string]int64{}
	for k, v := range t.counters {
		a.Counters[k.String()] = v
	}
	return nil
}

// Load takes what Save put into a manifest.
func (t *Set) Load(s *manifest.State) error {
	var list []Source
	if len(s.Stats) > 0 {
		if err := json.Unmarshal(s.Stats, &list); err != nil {
			return &errs.Corrupt{File: "manifest", Reason: "statistics: " + err.Error()}
		}
	}
	for _, c := range list {
		t.stats[statKey{c.Table, c.Source}] = &Counts{c.Received, c.Accepted, c.Duplicates, c.Quarantined, c.Refused}
	}
	for name, v := range s.Counters {
		var k Column
		if _, err := fmt.Sscanf(name, "%d.%d", &k.Table, &k.Col); err != nil {
			return &errs.Corrupt{File: "manifest", Reason: "counter " + name}
		}
		t.counters[k] = v
	}
	return nil
}

// EncodeCounters makes the body of a COUNTERS section.
func EncodeCounters(cols []uint32, values []int64) []byte {
	var b []byte
	for i, c := range cols {
		b = le.AppendUint32(b, c)
		b = le.AppendUint64(b, uint64(values[i]))
	}
	return b
}

// DecodeCounters calls fn for each counter of a COUNTERS section.
func DecodeCounters(b []byte, fn func(col uint32, value int64)) error {
	if len(b)%12 != 0 {
		return &errs.Corrupt{File: "COUNTERS section", Reason: "length does not fit"}
	}
	for ; len(b) > 0; b = b[12:] {
		fn(le.Uint32(b), int64(le.Uint64(b[4:])))
	}
	return nil
}
