package types

import (
	"cmp"
	"math/bits"
)

// Microseconds in larger units.
const (
	microsPerSecond = int64(1_000_000)
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour
)

// Cmp orders intervals by their totals with months of 30 days and days of 24
// hours.
func (v IntervalVal) Cmp(o IntervalVal) int {
	vh, vl := v.Total()
	oh, ol := o.Total()
	return cmp.Or(cmp.Compare(vh, oh), cmp.Compare(vl, ol))
}

// Total is the interval in µs as a 128-bit number: equal intervals have equal
// totals, so it is what hashing uses.
func (v IntervalVal) Total() (hi int64, lo uint64) {
	days := int64(v.Months)*30 + int64(v.Days)
	h, l := bits.Mul64(uint64(days), uint64(microsPerDay))
	if days < 0 {
		h -= uint64(microsPerDay)
	}
	var c uint64
	l, c = bits.Add64(l, uint64(v.Micros), 0)
	h, _ = bits.Add64(h, uint64(v.Micros>>63), c)
	return int64(h), l
}
