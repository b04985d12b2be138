package encoding

import (
	"math"
	"slices"

	"quern/storage/types"
	"quern/storage/vec/kernel"
)

// What an encoding costs: its bytes, and half a byte for every nanosecond that
// decoding takes. A sample decides which encodings are tried; those are written
// in full and the cheapest stays, the earlier one at equal cost.
const (
	bytesPerNano = 0.5
	sparseShare  = 0.9 // of one value, for SPARSE
	runsAverage  = 8   // of rows, for RLE
	runsSorted   = 4   // the same on columns of the sort key
	deltaGain    = 0.75
	floatGain    = 0.85 // of plain: floats are read in place otherwise
)

// decodeNanos is what decoding a value takes, measured by BenchmarkDecode.
var decodeNanos = [...]float64{For: 0.1, Delta: 0.5, RLE: 0.2, Sparse: 0.1, Dict: 0.5}

// intDictMax is the most entries of a page's own dictionary of integers. NB: 4,096
// were planned; columns that repeat within a row group (users, addresses, hashes)
// have more, and the cost decides whether their codes pay.
const intDictMax = 65536

// sampling is what a sample says of integers.
type sampling struct {
	mode     int64   // the most frequent value
	share    float64 // of mode
	run      float64 // average length of runs
	distinct float64 // share of values that are distinct
}

const (
	sampleRuns = 16
	sampleRun  = 128
)

// tally counts the values of a sample.
type tally struct {
	slots  [2 * sampleRuns * sampleRun]uint16 // index + 1 in vals, 0 = free
	vals   [sampleRuns * sampleRun]int64
	counts [sampleRuns * sampleRun]int32
	n      int
}

// add counts the values of v and tells how often they change.
func (t *tally) add(v []int64) (changes int) {
	last := -1
	for i, x := range v {
		if last >= 0 && x == v[i-1] {
			t.counts[last]++
			continue
		}
		changes++
		const mask = len(t.slots) - 1
		at := int(uint64(x) * 0x9E3779B97F4A7C15 >> 52 & uint64(mask))
		for t.slots[at] != 0 && t.vals[t.slots[at]-1] != x {
			at = (at + 1) & mask
		}
		if t.slots[at] == 0 {
			t.vals[t.n], t.counts[t.n] = x, 0
			t.n++
			t.slots[at] = uint16(t.n)
		}
		last = int(t.slots[at] - 1)
		t.counts[last]++
	}
	return changes
}

// sampled looks at 16 runs of 128 values.
func (e *Encoder) sampled(v []int64) sampling {
	t := &e.tally
	clear(t.slots[:])
	t.n = 0
	changes, n := 0, min(len(v), sampleRuns*sampleRun)
	if len(v) <= sampleRuns*sampleRun {
		changes = t.add(v)
	} else {
		changes = 1
		for k := range sampleRuns {
			at := k * (len(v) - sampleRun) / (sampleRuns - 1)
			changes += t.add(v[at:at+sampleRun]) - 1
		}
	}
	out := sampling{run: float64(n) / float64(changes), distinct: float64(t.n) / float64(n)}
	best := int32(0)
	for i, c := range t.counts[:t.n] {
		if c > best || c == best && t.vals[i] < out.mode {
			best, out.mode = c, t.vals[i]
		}
	}
	out.share = float64(best) / float64(n)
	return out
}

// Choices is what an Encoder remembers of a column from page to page: what did not
// pay is not tried again at once. It may be kept for the column's next segment.
type Choices struct {
	lost     uint8   // pages for which no dictionary of integers is tried
	distinct float64 // as sampled when it last lost
}

// dictRest is for how many pages a dictionary of integers that did not pay is not
// tried, while the sample looks the same.
const dictRest = 7

// rests tells whether the dictionary is left out of this page's trial.
func (c *Choices) rests(s *sampling) bool {
	if c == nil || c.lost == 0 || math.Abs(c.distinct-s.distinct) > 0.1 {
		return false
	}
	c.lost--
	return true
}

func (c *Choices) note(s *sampling, won bool) {
	if c == nil {
		return
	}
	c.lost, c.distinct = dictRest, s.distinct
	if won {
		c.lost = 0
	}
}

// intPage writes v, of a type whose page may hold scaled or plain integers, and
// tells whether it did: not if that is no better than limit bytes. A leaf is a
// page within a page, which is CONST or FOR.
func (e *Encoder) intPage(v []int64, phys types.Phys, scale byte, nulls int, limit float64, leaf bool) bool {
	first := len(e.plans)
	lo, hi, size := e.planAll(v)
	plans := e.plans[first:]
	defer func() { e.plans = e.plans[:first] }()
	if lo == hi {
		e.constPage(lo, scale, len(v), nulls)
		return true
	}
	// What FOR takes is known before it is written.
	t := trial{e: e, start: len(e.dst), best: costOf(size, For, len(v)), rows: len(v)}
	if e.at == 0 { // NB: pages within pages are of other values.
		t.choices = e.Choices
	}
	if !leaf && len(v) > 64 {
		t.others(v, phys, scale, nulls)
	}
	if t.found {
		size = len(e.dst) - t.start
	}
	if float64(size) > limit+bodyAt && len(v) >= kernel.Unit {
		e.dst = e.dst[:t.start]
		return false
	}
	if !t.found {
		e.forPage(v, plans, phys, scale, nulls)
	}
	return true
}

func costOf(size int, k Kind, rows int) float64 {
	return float64(size) + bytesPerNano*decodeNanos[k]*float64(rows)
}

// trial keeps the cheapest page among those that are tried.
type trial struct {
	e     *Encoder
	start int
	best  float64
	rows  int
	found bool // a page that is cheaper than what best began with

	choices *Choices
}

// try lets write append a page; it stays if it is the cheapest so far.
func (t *trial) try(k Kind, write func() bool) bool {
	e := t.e
	at := len(e.dst)
	e.at = at
	ok := write()
	e.at = t.start
	cost := costOf(len(e.dst)-at, k, t.rows)
	if !ok || cost >= t.best {
		e.dst = e.dst[:at]
		return false
	}
	t.best, t.found = cost, true
	if at > t.start {
		n := copy(e.dst[t.start:], e.dst[at:])
		e.dst = e.dst[:t.start+n]
	}
	return true
}

// pageTrial keeps the cheapest page among those of a column that are tried.
type pageTrial struct {
	e     *Encoder
	start int
	best  float64
	err   error
}

// try lets write append a page, which takes nanos to decode, or not.
func (t *pageTrial) try(nanos float64, write func() (bool, error)) {
	if t.err != nil {
		return
	}
	e := t.e
	end := len(e.dst)
	at := t.start + pad(end-t.start) // words are written in place
	e.dst = append(e.dst, make([]byte, at-end)...)
	e.at = at
	var ok bool
	ok, t.err = write()
	e.at = t.start
	cost := float64(len(e.dst)-at) + bytesPerNano*nanos
	if !ok || cost >= t.best {
		e.dst = e.dst[:end]
		return
	}
	t.best = cost
	n := copy(e.dst[t.start:], e.dst[at:])
	e.dst = e.dst[:t.start+n]
}

func (t *trial) others(v []int64, phys types.Phys, scale byte, nulls int) {
	e := t.e
	s := e.sampled(v)
	if s.share >= sparseShare-0.05 {
		t.try(Sparse, func() bool { return e.sparsePage(v, s.mode, phys, scale, nulls) })
	}
	if s.run >= runsAverage || e.SortKey && s.run >= runsSorted {
		t.try(RLE, func() bool { e.rlePage(v, phys, scale, nulls); return true })
	}
	if s.run < runsAverage && e.deltaPays(v, phys) {
		t.try(Delta, func() bool { e.deltaPage(v, phys, scale, nulls); return true })
	}
	// Four bits a value leave nothing to gain.
	if s.distinct <= 0.75 && !e.codes && t.best > float64(len(v))/2 && !t.choices.rests(&s) {
		budget := t.best - bytesPerNano*decodeNanos[Dict]*float64(t.rows)
		t.choices.note(&s, t.try(Dict, func() bool { return e.intDictPage(v, phys, scale, nulls, budget) }))
	}
}

// scaleOf is the power of ten by which all of v can be divided: timestamps are
// microseconds and often whole seconds or milliseconds.
func scaleOf(v []int64) (scale byte) {
	for _, s := range [...]byte{6, 3} {
		d := powers[s]
		if !slices.ContainsFunc(v, func(x int64) bool { return x%d != 0 }) {
			return s
		}
	}
	return 0
}

// powers are those of ten that integers may be divided by.
var powers = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6}
