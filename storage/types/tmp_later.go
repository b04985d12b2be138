package types

import "quern/storage/errs"

func later(t Type) error { return errs.NotSupported("type " + t.String()) }

func ParseInterval(s string, f *Format) (IntervalVal, error)        { return IntervalVal{}, later(Interval) }
func (v IntervalVal) ApplyMod(t Type) (IntervalVal, error)          { return v, nil }
func (v IntervalVal) AppendText(dst []byte, _ IntervalStyle) []byte { return append(dst, '?') }
func ValidateJSON(s string) error                                   { return nil }
func NormalizeJSONB(dst []byte, s string) ([]byte, error)           { return nil, later(JSONB) }
func parseInet(t Type, s string) (string, error)                    { return s, nil }
func parseArray(t Type, s string, f *Format) (Datum, error)         { return Datum{}, later(t) }
func appendArray(dst []byte, t Type, s string, f *Format) []byte    { return append(dst, '?') }
