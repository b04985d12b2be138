package types

import "quern/storage/errs"

func later(t Type) error { return errs.NotSupported("type " + t.String()) }

func parseDateTime(t Type, s string, f *Format) (Datum, error)      { return Datum{}, later(t) }
func ParseInterval(s string, f *Format) (IntervalVal, error)        { return IntervalVal{}, later(Interval) }
func (v IntervalVal) ApplyMod(t Type) (IntervalVal, error)          { return v, nil }
func (v IntervalVal) AppendText(dst []byte, _ IntervalStyle) []byte { return append(dst, '?') }
func ValidateJSON(s string) error                                   { return nil }
func NormalizeJSONB(dst []byte, s string) ([]byte, error)           { return nil, later(JSONB) }
func parseInet(t Type, s string) (string, error)                    { return s, nil }
func parseArray(t Type, s string, f *Format) (Datum, error)         { return Datum{}, later(t) }
func fastTimestamp[S chars](s S, t Type, f *Format) (int64, bool)   { return 0, false }
func AppendDate(dst []byte, d int32, f *Format) []byte              { return append(dst, '?') }
func appendTimeOfDay(dst []byte, us int64) []byte                   { return append(dst, '?') }
func appendTimetz(dst []byte, s string) []byte                      { return append(dst, '?') }
func AppendTimestamp(dst []byte, us int64, f *Format) []byte        { return append(dst, '?') }
func AppendTimestamptz(dst []byte, us int64, f *Format) []byte      { return append(dst, '?') }
func appendArray(dst []byte, t Type, s string, f *Format) []byte    { return append(dst, '?') }
func RoundMicros(us int64, digits int) int64                        { return us }
