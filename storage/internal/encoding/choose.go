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

// sampled looks at 16 runs of 128 values.
func (e *Encoder) sampled(v []int64) sampling {
	s := e.sample[:0]
	changes := 1
	if len(v) <= sampleRuns*sampleRun {
		s = append(s, v...)
		changes += changesIn(v)
	} else {
		for k := range sampleRuns {
			at := k * (len(v) - sampleRun) / (sampleRuns - 1)
			part := v[at : at+sampleRun]
			s = append(s, part...)
			changes += changesIn(part)
		}
	}
	e.sample = s
	slices.Sort(s)
	out := sampling{run: float64(len(s)) / float64(changes)}
	best, distinct := 0, 0
	for from := 0; from < len(s); distinct++ {
		to := from + 1
		for to < len(s) && s[to] == s[from] {
			to++
		}
		if to-from > best {
			best, out.mode = to-from, s[from]
		}
		from = to
	}
	out.share = float64(best) / float64(len(s))
	out.distinct = float64(distinct) / float64(len(s))
	return out
}

func changesIn(v []int64) int {
	n := 0
	for i := 1; i < len(v); i++ {
		if v[i] != v[i-1] {
			n++
		}
	}
	return n
}

// intPage writes v, of a type whose page may hold scaled or plain integers, and
// tells whether it did: not if that is no better than limit bytes. A leaf is a
// page within a page, which is CONST or FOR.
func (e *Encoder) intPage(v []int64, phys types.Phys, scale byte, nulls int, limit float64, leaf bool) bool {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	if lo == hi {
		e.constPage(lo, scale, len(v), nulls)
		return true
	}
	t := trial{e: e, start: len(e.dst), best: math.Inf(1), rows: len(v)}
	t.try(For, func() bool { e.forPage(v, phys, scale, nulls); return true })
	if !leaf && len(v) > 64 {
		t.others(v, phys, scale, nulls)
	}
	if float64(len(e.dst)-t.start) > limit+bodyAt && len(v) >= kernel.Unit {
		e.dst = e.dst[:t.start]
		return false
	}
	return true
}

// trial keeps the cheapest page among those that are tried.
type trial struct {
	e     *Encoder
	start int
	best  float64
	rows  int
}

// try lets write append a page; it stays if it is the cheapest so far.
func (t *trial) try(k Kind, write func() bool) {
	e := t.e
	at := len(e.dst)
	e.at = at
	ok := write()
	e.at = t.start
	cost := float64(len(e.dst)-at) + bytesPerNano*decodeNanos[k]*float64(t.rows)
	if !ok || cost >= t.best {
		e.dst = e.dst[:at]
		return
	}
	t.best = cost
	n := copy(e.dst[t.start:], e.dst[at:])
	e.dst = e.dst[:t.start+n]
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
	if s.distinct <= 0.75 && !e.codes && t.best > float64(len(v))/2 {
		t.try(Dict, func() bool { return e.intDictPage(v, phys, scale, nulls) })
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
