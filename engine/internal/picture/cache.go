package picture

import (
	"quern/storage/errs"
	"quern/storage/types"
)

// Stamps compiles templates, keeping the last one: most batches have one.
type Stamps struct {
	text string
	last *Stamp
}

// Of is the template f.
func (c *Stamps) Of(f []byte) *Stamp {
	if c.last == nil || c.text != string(f) {
		c.text = string(f)
		c.last = ParseStamp(c.text)
	}
	return c.last
}

// Numbers is Stamps for numbers.
type Numbers struct {
	text string
	last *Number
	err  error
}

// Of is the template f.
func (c *Numbers) Of(f []byte) (*Number, error) {
	if c.last == nil || c.text != string(f) {
		c.text = string(f)
		c.last, c.err = ParseNumber(c.text)
	}
	return c.last, c.err
}

// ReadDate is to_date.
func (p *Stamp) ReadDate(s string) (int32, error) {
	f, err := p.Read(s)
	if err != nil {
		return 0, err
	}
	days := types.DaysFromCivil(f.Year, f.Month, f.Day)
	if !types.DateInRange(days) {
		return 0, errs.New(errs.DatetimeOverflow, "date out of range: \"%s\"", s)
	}
	return int32(days), nil
}

// ReadTimestamp is to_timestamp; z is the zone of texts without offset.
func (p *Stamp) ReadTimestamp(s string, z *types.Zone) (int64, error) {
	f, err := p.Read(s)
	if err != nil {
		return 0, err
	}
	days := types.DaysFromCivil(f.Year, f.Month, f.Day)
	if !types.DateInRange(days) {
		return 0, errs.New(errs.DatetimeOverflow, "timestamp out of range")
	}
	us, err := types.MakeTimestamp(int32(days), f.Micros)
	if err != nil {
		return 0, err
	}
	if f.HasOffset {
		us -= f.Offset * 1_000_000
	} else if us, err = z.Instant(us); err != nil {
		return 0, err
	}
	if f.Precision > 0 {
		us = types.RoundMicros(us, f.Precision)
	}
	return us, nil
}
