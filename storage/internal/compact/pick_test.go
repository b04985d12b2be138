package compact

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"quern/storage/internal/segment"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMicro()

const (
	hour = 60 * minute
)

// segs makes segments of one partition, ids from 1 on, made a day ago.
func segs(partition string, level int, rows ...int64) []Segment {
	var out []Segment
	for i, n := range rows {
		out = append(out, Segment{ID: uint64(i + 1), Table: 1, Partition: partition, Level: level, Rows: n, Received: start - day})
	}
	return out
}

func repeat(rows int64, n int) []int64 {
	return slices.Repeat([]int64{rows}, n)
}

func TestPick(t *testing.T) {
	expired := func(partition string, from, to, floor int64) []Segment {
		s := segs(partition, Final, 1000)
		s[0].TimeMin, s[0].TimeMax, s[0].Floor, s[0].HasFloor, s[0].Within = from, to, floor, true, day
		return s
	}
	late := func(partition string, rows ...int64) []Segment {
		s := segs(partition, L0, rows...)
		s[0].Received = start - 2*hour
		return s
	}
	chill := func(s []Segment) []Segment {
		s[0].Chill = true
		return s
	}
	for name, c := range map[string]struct {
		segs    []Segment
		idle    bool
		loading bool
		want    []Job
	}{
		"cold":                    {segs: chill(segs("d20260130", Final, 16_000_000, 15_000_000)), want: []Job{{Level: Final, Rows: 16_000_000, Reason: "cold"}}},
		"cold, but to be merged":  {segs: chill(segs("d20260130", L0, 1000, 1000, 2000)), want: []Job{{Level: Final, Rows: 4000, Reason: "final"}}},
		"cold, but not over":      {segs: chill(segs("d20260131", L2, 5000))},
		"nothing":                 {},
		"seven L0":                {segs: segs("all", L0, repeat(200_000, 7)...)},
		"eight small L0":          {segs: segs("all", L0, repeat(1000, 8)...)},
		"eight L0":                {segs: segs("all", L0, repeat(200_000, 8)...), want: []Job{{Level: L1, Rows: 1_600_000, Reason: "tier"}}},
		"L0 of 4 M rows together": {segs: segs("all", L0, repeat(1_000_000, 5)...), want: []Job{{Level: L1, Rows: 4_000_000, Reason: "tier"}}},
		"eight L0 while loading":  {segs: segs("all", L0, repeat(200_000, 8)...), loading: true},
		"crowd while loading": {segs: segs("all", L2, append(repeat(8_100_000, 40), 10, 20)...), loading: true,
			want: []Job{{Level: L2, Rows: 16_200_030, Reason: "crowd"}}},
		"a fifth deleted while loading": {segs: []Segment{{ID: 1, Partition: "all", Level: L2, Rows: 100, Deleted: 20}}, loading: true, want: []Job{{Level: L2, Rows: 100, Reason: "deletes"}}},
		"four L1":                       {segs: segs("all", L1, repeat(4_100_000, 4)...), want: []Job{{Level: L2, Rows: 16_400_000, Reason: "tier"}}},
		"L1 that do not fit":            {segs: segs("all", L1, repeat(5_000_000, 4)...)},
		"a large load is no L0":         {segs: segs("all", L0, repeat(9_000_000, 8)...)},
		"full segments stay":            {segs: segs("all", L2, repeat(16_000_000, 40)...)},
		"three mixed":                   {segs: segs(Mixed, L0, repeat(1000, 3)...)},
		"four mixed":                    {segs: segs(Mixed, L0, repeat(1000, 4)...), want: []Job{{Rows: 4000, Reason: "split", Split: true}}},
		"one old mixed when idle":       {segs: segs(Mixed, L0, 1000), idle: true, want: []Job{{Rows: 1000, Reason: "split", Split: true}}},
		"sealed":                        {segs: segs("d20260130", L0, 1000, 5000, 2000), want: []Job{{Level: Final, Rows: 3000, Reason: "final"}}},
		"sealed, of a like size":        {segs: segs("d20260130", L0, 1000, 1000, 2000), want: []Job{{Level: Final, Rows: 4000, Reason: "final"}}},
		"sealed, one segment":           {segs: segs("d20260130", L2, 5000)},
		"not over yet":                  {segs: segs("d20260131", L2, 5000, 1000)},
		"sealed, drops":                 {segs: late("d20260130", 1000, 1000, 2000)},
		"over for half an hour":         {segs: segs("h2026013110", L2, 5000, 1000), want: []Job{{Level: Final, Rows: 6000, Reason: "final"}}},
		"crowd":                         {segs: segs("all", L2, append(repeat(8_100_000, 22), 10, 20, 30, 40)...), want: []Job{{Level: L2, Rows: 100, Reason: "crowd"}}},
		"a fifth deleted":               {segs: []Segment{{ID: 1, Partition: "all", Level: L2, Rows: 100, Deleted: 20}}, want: []Job{{Level: L2, Rows: 100, Reason: "deletes"}}},
		"less deleted":                  {segs: []Segment{{ID: 1, Partition: "all", Level: L2, Rows: 100, Deleted: 19}}},
		"not expired":                   {segs: expired("d20260130", start, start+hour, start)},
		"wholly expired":                {segs: expired("d20260130", start-hour, start-1, start)},
		"unlinked in time":              {segs: expired("h2026013010", start-hour/2, start+hour/2, start)},
		"a day, half":                   {segs: expired("d20260130", start-13*hour, start+11*hour, start), want: []Job{{Level: Final, Rows: 1000, Reason: "retention"}}},
		"a day, less than half":         {segs: expired("d20260130", start-11*hour, start+12*hour, start)},
		"a month":                       {segs: expired("m202601", start-7*day, start+24*day, start), want: []Job{{Level: L2, Rows: 1000, Reason: "retention", Split: true, Fine: true}}},
		"all of time":                   {segs: expired("all", math.MinInt64, math.MaxInt64, start), want: []Job{{Level: L2, Rows: 1000, Reason: "retention", Split: true, Fine: true}}},
	} {
		now := start
		if name == "over for half an hour" {
			now = start + 30*minute
		}
		got := Pick(State{Segments: c.segs, Idle: c.idle, Loading: c.loading}, now)
		for i := range got {
			if len(got[i].Inputs) == 0 || got[i].Table != c.segs[0].Table || got[i].Partition != c.segs[0].Partition {
				t.Errorf("%s: %+v", name, got[i])
			}
			got[i].Inputs, got[i].Table, got[i].Partition = nil, 0, ""
		}
		if len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

// TestPickOrder: bytes that must go come first, and no segment is in two jobs.
func TestPickOrder(t *testing.T) {
	list := segs("all", L0, repeat(1000, 30)...)
	for i := range 10 {
		list = append(list, Segment{ID: uint64(100 + i), Table: 2, Partition: "d20260130", Rows: 10, Deleted: int64(i % 2 * 5)})
	}
	seen := map[uint64]bool{}
	got := Pick(State{Segments: list}, start)
	for i, j := range got {
		for _, id := range j.Inputs {
			if seen[id] {
				t.Fatalf("segment %d is in two jobs", id)
			}
			seen[id] = true
		}
		if first := j.Reason == "deletes"; first != (i < 5) {
			t.Fatalf("job %d is %+v", i, j)
		}
	}
}

// sim is a table whose segments are sums: rows by day.
type sim struct {
	rng              *rand.Rand
	now              int64
	next             uint64
	live             map[uint64]*simSegment
	flushed, written int64
	merges           int
}

type simSegment struct {
	Segment
	days map[string]int64
}

func dayOf(t int64) string { return time.UnixMicro(t).UTC().Format("d20060102") }

func (s *sim) put(partition string, level int, received int64, days map[string]int64) {
	s.next++
	x := &simSegment{Segment{ID: s.next, Table: 1, Partition: partition, Level: level, Received: received}, days}
	for _, n := range days {
		x.Rows += n
	}
	if x.Rows == 0 {
		return
	}
	s.written += x.Rows
	s.live[s.next] = x
}

// flush writes rows of today, and of late days, as flushes do.
func (s *sim) flush(today, late int64) {
	mixed := map[string]int64{}
	add := func(at, n int64) {
		s.flushed += n
		if n >= 8192 {
			s.put(dayOf(at), L0, s.now, map[string]int64{dayOf(at): n})
		} else if n > 0 {
			mixed[dayOf(at)] += n
		}
	}
	add(s.now, today)
	for late > 0 {
		n := 1 + s.rng.Int64N(late)
		add(s.now-s.rng.Int64N(20*day), n)
		late -= n
	}
	switch len(mixed) {
	case 0:
	case 1:
		for d := range mixed {
			s.put(d, L0, s.now, mixed)
		}
	default:
		s.put(Mixed, L0, s.now, mixed)
	}
}

// work runs jobs, at most n of them, and says whether there may be more.
func (s *sim) work(n int, idle bool) (left bool) {
	for n > 0 {
		var st State
		st.Idle = idle
		for _, x := range s.live {
			st.Segments = append(st.Segments, x.Segment)
		}
		jobs := Pick(st, s.now)
		if len(jobs) == 0 {
			return false
		}
		for i := range jobs[:min(n, len(jobs))] {
			s.run(&jobs[i])
			n--
		}
	}
	return true
}

func (s *sim) run(j *Job) {
	s.merges++
	days, received := map[string]int64{}, int64(0)
	for _, id := range j.Inputs {
		x := s.live[id]
		received = max(received, x.Received)
		for d, n := range x.days {
			days[d] += n - n*x.Deleted/x.Rows
		}
		delete(s.live, id)
	}
	if !j.Split {
		s.put(j.Partition, j.Level, received, days)
		return
	}
	for _, d := range slices.Sorted(maps.Keys(days)) {
		s.put(d, j.Level, received, map[string]int64{d: days[d]})
	}
}

// TestSimulation drives days of ingest with late rows and deletes. Segments stay
// few, no row is written often, and when ingest ends the work does, too.
func TestSimulation(t *testing.T) {
	for seed := range uint64(8) {
		s := &sim{rng: rand.New(rand.NewPCG(seed, 3)), now: start, live: map[uint64]*simSegment{}}
		rate := []int64{300, 20_000, 300_000, 1_000_000}[seed%4] // rows of a flush
		most := 0
		for tick := range 4 * 24 * 12 { // four days by five minutes
			s.now = start + int64(tick)*5*minute
			s.flush(1+s.rng.Int64N(2*rate), s.rng.Int64N(rate/10+1))
			if s.rng.IntN(10) == 0 {
				for _, id := range slices.Sorted(maps.Keys(s.live)) {
					x := s.live[id]
					x.Deleted = min(x.Rows, x.Deleted+s.rng.Int64N(x.Rows/100+2))
				}
			}
			s.work(60, tick%4 == 0)
			most = max(most, s.crowd(t, seed))
		}
		amp := float64(s.written) / float64(s.flushed)
		t.Logf("seed %d, %d rows a flush: %d merges, write amplification %.2f, at most %d segments in a partition", seed, rate, s.merges, amp, most)
		if amp > 4 {
			t.Errorf("seed %d: write amplification %.2f", seed, amp)
		}
		s.now += 3 * day
		if s.work(1000, true) {
			t.Fatalf("seed %d: the work never ends", seed)
		}
		for _, x := range s.live {
			if x.Partition == Mixed {
				t.Fatalf("seed %d: rows stay in %q", seed, Mixed)
			}
		}
		rows, count := map[string]int64{}, map[string]int64{}
		for _, x := range s.live {
			rows[x.Partition] += x.Rows
			count[x.Partition]++
		}
		for p, n := range count { // any two of them are too large for one
			if n > 1+rows[p]/(segment.RowsMax/2) {
				t.Errorf("seed %d: %d segments of %d rows stay in %s", seed, n, rows[p], p)
			}
		}
	}
}

// crowd is the most segments that a partition has beyond its full ones.
func (s *sim) crowd(t *testing.T, seed uint64) (most int) {
	t.Helper()
	count := map[string]int{}
	for _, x := range s.live {
		if x.Rows > segment.RowsMax {
			t.Fatalf("seed %d: a segment of %d rows", seed, x.Rows)
		}
		if x.Rows < fullRows {
			count[x.Partition]++
		}
	}
	for p, n := range count {
		if most = max(most, n); n > VisibleMax+8 {
			t.Fatalf("seed %d: %d segments in %s: %s", seed, n, p, fmt.Sprint(s.merges))
		}
	}
	return most
}
