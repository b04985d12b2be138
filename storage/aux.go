package storage

import (
	"encoding/json"
	"fmt"
	"sync"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
)

// SourceCounts are the ingest statistics of one table and source since the
// data folder was made.
type SourceCounts struct {
	Table  uint32
	Source string
	Received, Accepted, Duplicates,
	Quarantined, Refused int64
}

type statKey struct {
	table  uint32
	source string
}

// tallies are the counts and counters that outlive log frames: durable in the
// frames, and in the manifest once a frame's file is retired.
type tallies struct {
	mu       sync.Mutex
	stats    map[statKey]*counts
	counters map[counterKey]int64
}

type counterKey struct {
	table, col uint32
}

func (k counterKey) String() string { return fmt.Sprintf("%d.%d", k.table, k.col) }

func newTallies() *tallies {
	return &tallies{stats: map[statKey]*counts{}, counters: map[counterKey]int64{}}
}

func (t *tallies) add(source string, list []tableCounts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range list {
		k := statKey{list[i].table, source}
		if t.stats[k] == nil {
			t.stats[k] = new(counts)
		}
		t.stats[k].add(&list[i].counts)
	}
}

// next takes n values of a counter and returns the first.
func (t *tallies) next(k counterKey, n int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters[k] += n
	return t.counters[k] - n + 1
}

func (t *tallies) counter(k counterKey) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counters[k]
}

// raise sets a counter that was found in the log.
func (t *tallies) raise(k counterKey, v int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters[k] = max(t.counters[k], v)
}

func (t *tallies) list() []SourceCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []SourceCounts
	for k, c := range t.stats {
		out = append(out, SourceCounts{k.table, k.source, c[0], c[1], c[2], c[3], c[4]})
	}
	return out
}

// save puts everything into a.
func (t *tallies) save(a *manifest.Aux) error {
	stats, err := json.Marshal(t.list())
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

func (t *tallies) load(s *manifest.State) error {
	var list []SourceCounts
	if len(s.Stats) > 0 {
		if err := json.Unmarshal(s.Stats, &list); err != nil {
			return &errs.Corrupt{File: "manifest", Reason: "statistics: " + err.Error()}
		}
	}
	for _, c := range list {
		t.stats[statKey{c.Table, c.Source}] = &counts{c.Received, c.Accepted, c.Duplicates, c.Quarantined, c.Refused}
	}
	for name, v := range s.Counters {
		var k counterKey
		if _, err := fmt.Sscanf(name, "%d.%d", &k.table, &k.col); err != nil {
			return &errs.Corrupt{File: "manifest", Reason: "counter " + name}
		}
		t.counters[k] = v
	}
	return nil
}
