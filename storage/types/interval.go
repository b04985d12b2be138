package types

import (
	"cmp"
	"math"
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

// Neg is -v.
func (v IntervalVal) Neg() (IntervalVal, error) {
	if v.Micros == -v.Micros && v.Micros != 0 || v.Days == -v.Days && v.Days != 0 || v.Months == -v.Months && v.Months != 0 {
		return v, errIntervalRange()
	}
	return IntervalVal{-v.Micros, -v.Days, -v.Months}, nil
}

// Add is v+o, field by field.
func (v IntervalVal) Add(o IntervalVal) (IntervalVal, error) {
	r := IntervalVal{v.Micros + o.Micros, v.Days + o.Days, v.Months + o.Months}
	if (r.Micros^v.Micros)&(r.Micros^o.Micros) < 0 || (r.Days^v.Days)&(r.Days^o.Days) < 0 ||
		(r.Months^v.Months)&(r.Months^o.Months) < 0 {
		return r, errIntervalRange()
	}
	return r, nil
}

// Sub is v-o.
func (v IntervalVal) Sub(o IntervalVal) (IntervalVal, error) {
	r := IntervalVal{v.Micros - o.Micros, v.Days - o.Days, v.Months - o.Months}
	if (v.Micros^o.Micros)&(v.Micros^r.Micros) < 0 || (v.Days^o.Days)&(v.Days^r.Days) < 0 ||
		(v.Months^o.Months)&(v.Months^r.Months) < 0 {
		return r, errIntervalRange()
	}
	return r, nil
}

// Mul is v·f; fractions of months and days spill into smaller units.
func (v IntervalVal) Mul(f float64) (IntervalVal, error) {
	return v.scale(func(x float64) float64 { return x * f })
}

// Div is v/f; 22012 for zero.
func (v IntervalVal) Div(f float64) (IntervalVal, error) {
	if f == 0 {
		return v, errDivZero()
	}
	return v.scale(func(x float64) float64 { return x / f })
}

func (v IntervalVal) scale(f func(float64) float64) (IntervalVal, error) {
	round6 := func(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }
	months, days := f(float64(v.Months)), f(float64(v.Days))
	if !(math.Abs(months) <= math.MaxInt32) || !(math.Abs(days) <= math.MaxInt32) {
		return v, errIntervalRange()
	}
	r := IntervalVal{Months: int32(months), Days: int32(days)}
	monthDays := round6((months - float64(r.Months)) * 30)
	sec := round6((days - float64(r.Days) + monthDays - math.Trunc(monthDays)) * 86400)
	more := math.Trunc(monthDays)
	if math.Abs(sec) >= 86400 {
		more += math.Trunc(sec / 86400)
		sec -= math.Trunc(sec/86400) * 86400
	}
	total := float64(r.Days) + more
	us := math.RoundToEven(f(float64(v.Micros)) + sec*1e6)
	if math.Abs(total) > math.MaxInt32 || !(math.Abs(us) < 1<<63) {
		return v, errIntervalRange()
	}
	r.Days, r.Micros = int32(total), int64(us)
	return r, nil
}

// JustifyHours turns whole days of 24 hours into days.
func (v IntervalVal) JustifyHours() (IntervalVal, error) {
	w := v.Micros / microsPerDay
	r := IntervalVal{v.Micros % microsPerDay, 0, v.Months}
	d := int64(v.Days) + w
	if d > 0 && r.Micros < 0 {
		r.Micros += microsPerDay
		d--
	} else if d < 0 && r.Micros > 0 {
		r.Micros -= microsPerDay
		d++
	}
	if d != int64(int32(d)) {
		return r, errIntervalRange()
	}
	r.Days = int32(d)
	return r, nil
}

// JustifyDays turns whole months of 30 days into months.
func (v IntervalVal) JustifyDays() (IntervalVal, error) {
	m, d := int64(v.Months)+int64(v.Days/30), v.Days%30
	if m > 0 && d < 0 {
		d += 30
		m--
	} else if m < 0 && d > 0 {
		d -= 30
		m++
	}
	if m != int64(int32(m)) {
		return v, errIntervalRange()
	}
	return IntervalVal{v.Micros, d, int32(m)}, nil
}

// Justify does both and makes all fields of one sign.
func (v IntervalVal) Justify() (IntervalVal, error) {
	days := int64(v.Days) + v.Micros/microsPerDay
	micros := v.Micros % microsPerDay
	months := int64(v.Months) + days/30
	days %= 30
	if months > 0 && (days < 0 || days == 0 && micros < 0) {
		days += 30
		months--
	} else if months < 0 && (days > 0 || days == 0 && micros > 0) {
		days -= 30
		months++
	}
	if days > 0 && micros < 0 {
		micros += microsPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= microsPerDay
		days++
	}
	if months != int64(int32(months)) {
		return v, errIntervalRange()
	}
	return IntervalVal{micros, int32(days), int32(months)}, nil
}
