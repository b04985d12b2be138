// Package compact chooses which segments are to be merged. It reads and writes
// nothing: Pick is a pure function of what exists and of the time.
//
// Merging is size-tiered and stays inside one partition:
//
//	flush ─► mixed ─ 4, or one 10 min old when idle ─► L0 of each partition
//	flush ─► L0 (≤ 1 M rows) ─ 8, or 4 M rows ─► L1 (~4 M) ─ 4, or 16 M rows ─► L2 (≤ 16 M)
//	a partition is over and quiet for an hour ─► final: as few segments as rows allow
//
// A row is written at most once per level, so write amplification is about 4.
// What comes late, or in drops, makes small segments: those are merged in order
// of size, a larger one only if the smaller ones together reach it, so that a row
// is rewritten once per doubling and not once per drop. Whatever the levels say, a
// partition with more than 24 segments has its smallest ones merged: every
// segment costs each query a merge of dictionaries.
//
// While large writes are under way, partitions wait for their end with merges, up to
// 40 segments.
//
// A segment is also rewritten to let go of rows: when a fifth of them is deleted,
// or expired, or expired for half of the bound within which their bytes must be
// gone. One that will be unlinked whole in time is left alone. One whose rows have
// become cold is rewritten alone, when nothing else in its partition is due.
package compact

import (
	"cmp"
	"slices"

	"quern/storage/internal/segment"
)

// Bounds of the levels, in rows and segments. L1Rows × 4 must fit a segment.
const (
	L1Rows   = 4_000_000
	L2Rows   = 16_000_000
	fullRows = segment.RowsMax * 3 / 4 // merging more into it gains nothing
	l0Count  = 8
	l1Count  = 4
	l2Count  = 8
	// smallShare is the part of a level's rows below which twice as many segments
	// are awaited: of small ones the number of rewrites counts, not the queries'
	// cost.
	smallShare = 4
	mixedCount = 4
	// mixedRows bounds one splitting, whose inputs may not be sorted by
	// partition.
	mixedRows = 8_000_000
	// InputsMax bounds the runs of a merge.
	InputsMax = 32
	// VisibleMax is the number of segments of a partition beyond which the
	// smallest are merged whatever their level. Ingest slows down at twice that.
	VisibleMax = 24
	// LoadingMax is how many segments a partition may have before it is merged while
	// large writes are under way: merges would take the processors that these need, and
	// are the better, the more there is. It is less than what slows commits down.
	LoadingMax = 2*VisibleMax - l0Count
)

const (
	minute = 60 * 1_000_000
	// lateness is how long after its end a partition still gets rows, quiet how
	// long it must have got none.
	lateness = 60 * minute
	quiet    = 60 * minute
	mixedAge = 10 * minute
	day      = 24 * 60 * minute
)

// Levels of segments, as in the manifest.
const (
	L0    = 0
	L1    = 1
	L2    = 2
	Final = 3
)

// Mixed is the partition of small segments over several partitions.
const Mixed = "mixed"

// Segment is what Pick looks at. Times are µs since 1970.
type Segment struct {
	ID        uint64
	Table     uint32
	Partition string
	Level     int
	Rows      int64
	Received  int64 // when the newest row came
	Deleted   int64 // rows
	// Of a table with retention: the floor's place in the effective times, 0
	// below all of them and 1 above, and the bounds.
	TimeMin, TimeMax int64
	Floor            int64
	HasFloor         bool
	// Within is the bound in which bytes of expired rows must be gone.
	Within int64
	// Chill: all its rows are older than the table's cold_after, and it is not
	// compressed.
	Chill bool
}

// State is everything Pick knows.
type State struct {
	Segments []Segment // those that may be merged: neither damaged nor in a job
	Idle     bool      // no work but this
	Loading  bool      // large writes are under way
	All      bool      // what could wait is due, too
}

// Job is one merge.
type Job struct {
	Table     uint32
	Partition string
	Inputs    []uint64
	Rows      int64
	Level     int    // of the outputs
	Reason    string // for logs and metrics
	// Split: the outputs go to the partitions of their rows; Fine: of a finer
	// grain than the table's, so that the next purge is an unlink.
	Split, Fine bool
}

// Pick lists the merges that are due, most urgent first. No segment is in two of
// them.
func Pick(st State, now int64) []Job {
	type key struct {
		table     uint32
		partition string
	}
	parts := map[key][]Segment{}
	for _, s := range st.Segments {
		k := key{s.Table, s.Partition}
		parts[k] = append(parts[k], s)
	}
	var jobs []urgent
	for k, list := range parts {
		slices.SortFunc(list, func(a, b Segment) int { return cmp.Compare(a.ID, b.ID) })
		p := &part{table: k.table, name: k.partition, list: list, now: now, idle: st.Idle, all: st.All}
		if st.Loading && !st.All && len(list) <= LoadingMax {
			p.purge()
			jobs = append(jobs, p.jobs...)
			continue
		}
		p.purge()
		if k.partition == Mixed {
			p.mixed()
		} else {
			p.tiers()
		}
		jobs = append(jobs, p.jobs...)
	}
	slices.SortFunc(jobs, func(a, b urgent) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Inputs[0], b.Inputs[0]))
	})
	out := make([]Job, len(jobs))
	for i := range jobs {
		out[i] = jobs[i].Job
	}
	return out
}

// urgent is a job with its rank: what is promised, then what queries wait for,
// then the rest.
type urgent struct {
	Job
	rank int
}

const (
	rankPurge = iota
	rankCrowd
	rankTier
	rankFinal
	rankCold
)

// part is one partition.
type part struct {
	table uint32
	name  string
	list  []Segment // by id
	now   int64
	idle  bool
	all   bool
	jobs  []urgent
}

// add makes a job of some segments and takes them out of the list.
func (p *part) add(rank, level int, reason string, in []Segment) *Job {
	j := urgent{Job: Job{Table: p.table, Partition: p.name, Level: level, Reason: reason, Split: p.name == Mixed}, rank: rank}
	for _, s := range in {
		j.Inputs = append(j.Inputs, s.ID)
		j.Rows += s.Rows
	}
	slices.Sort(j.Inputs)
	p.list = slices.DeleteFunc(p.list, func(s Segment) bool { return slices.Contains(j.Inputs, s.ID) })
	p.jobs = append(p.jobs, j)
	return &p.jobs[len(p.jobs)-1].Job
}

// purge rewrites segments with many rows that are gone.
func (p *part) purge() {
	for _, s := range slices.Clone(p.list) {
		if s.Deleted > 0 && (p.all || s.Deleted*5 >= s.Rows) {
			p.add(rankPurge, s.Level, "deletes", []Segment{s})
		} else if s.expires() || p.all && s.HasFloor && s.TimeMin < s.Floor {
			j := p.add(rankPurge, s.Level, "retention", []Segment{s})
			if _, bounded := segment.PartitionEnd(s.Partition); span(s.TimeMin, s.TimeMax) > s.Within/2 && (!bounded || s.Partition[0] == 'm') {
				j.Split, j.Fine, j.Level = true, true, L2
			}
		}
	}
}

// expires tells whether a segment is partly below the floor and cannot wait for
// being so as a whole.
func (s *Segment) expires() bool {
	if !s.HasFloor || s.TimeMin >= s.Floor || s.TimeMax < s.Floor {
		return false
	}
	since, left := span(s.TimeMin, s.Floor), span(s.Floor, s.TimeMax)
	switch {
	case since+left <= s.Within/4*3: // it will be unlinked in time
		return false
	case since > s.Within/2:
		return true
	}
	return since+left > s.Within && since > left/4
}

// span is to-from, as long as sums of two stay within range: times may be
// infinite.
func span(from, to int64) int64 {
	const long = 1 << 61
	if from < -long || to > long {
		return long
	}
	return to - from
}

func (p *part) mixed() {
	take, rows := 0, int64(0)
	for take < len(p.list) && take < InputsMax && (take == 0 || rows+p.list[take].Rows <= mixedRows) {
		rows += p.list[take].Rows
		take++
	}
	if take == 0 {
		return
	}
	if p.all || len(p.list) >= mixedCount || p.idle && p.now-p.list[0].Received >= mixedAge {
		p.add(rankTier, L0, "split", p.list[:take])
	}
}

func (p *part) tiers() {
	if since, over := p.sealed(); over || p.all {
		p.final(since)
		return
	}
	if n := len(p.list); n > VisibleMax {
		if in, _ := p.smallest(max(l1Count, n-VisibleMax+1)); len(in) > 1 {
			p.add(rankCrowd, L2, "crowd", in)
		}
	}
	p.level(L0, l0Count, L1Rows, L1)
	p.level(L1, l1Count, L2Rows, L2)
	small := 0
	for i := range p.list {
		if s := &p.list[i]; s.level() == L2 && s.Rows < fullRows/2 {
			small++
		}
	}
	if in, _ := p.smallest(l2Count); small >= l2Count && len(in) >= l2Count {
		p.add(rankTier, L2, "small", in)
	}
}

// level is where a segment belongs by its size, or by what made it.
func (s *Segment) level() int {
	switch {
	case s.Rows >= L2Rows/2:
		return max(s.Level, L2)
	case s.Rows >= L1Rows/2:
		return max(s.Level, L1)
	}
	return s.Level
}

// level merges segments of one level, the oldest first, if there are enough or
// their sum is.
func (p *part) level(level, count int, rows int64, to int) {
	var in []Segment
	sum := int64(0)
	for _, s := range p.list {
		if s.level() != level {
			continue
		}
		if sum+s.Rows > segment.RowsMax || len(in) == InputsMax || sum >= rows {
			break
		}
		in = append(in, s)
		sum += s.Rows
	}
	if sum < rows/smallShare {
		count *= 2
	}
	if len(in) >= count || sum >= rows && len(in) > 1 {
		p.add(rankTier, to, "tier", in)
	}
}

// sealed tells whether a partition gets no rows any more, and for how long it got
// none.
func (p *part) sealed() (since int64, over bool) {
	end, ok := segment.PartitionEnd(p.name)
	if !ok || len(p.list) == 0 || p.now < end+lateness {
		return 0, false
	}
	newest := p.list[0].Received
	for i := range p.list {
		newest = max(newest, p.list[i].Received)
	}
	return p.now - newest, p.now-newest >= quiet
}

// final merges what is left of a partition that is over. Drops of late rows wait
// until there are enough of them, or no more come for a day.
func (p *part) final(since int64) {
	in, sum := p.smallest(2)
	if i := slices.IndexFunc(p.list, func(s Segment) bool { return s.Chill }); len(in) < 2 && i >= 0 {
		p.add(rankCold, p.list[i].Level, "cold", p.list[i:i+1])
		return
	}
	if len(in) < 2 || len(in) < l0Count && sum < L1Rows/smallShare && since < day && !p.all {
		return
	}
	p.add(rankFinal, Final, "final", in)
}

// smallest lists the smallest segments, up to least of them: larger ones join
// while the smaller ones together reach them.
func (p *part) smallest(least int) (in []Segment, sum int64) {
	list := slices.DeleteFunc(slices.Clone(p.list), func(s Segment) bool { return s.Rows >= fullRows })
	slices.SortFunc(list, func(a, b Segment) int { return cmp.Or(cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.ID, b.ID)) })
	for _, s := range list {
		if len(in) == InputsMax || sum+s.Rows > segment.RowsMax || len(in) >= least && s.Rows > sum {
			break
		}
		in = append(in, s)
		sum += s.Rows
	}
	return in, sum
}
