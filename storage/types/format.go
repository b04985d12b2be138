package types

import "time"

// DateStyle's output forms and field orders, IntervalStyle, bytea_output.
type (
	DateStyle     uint8
	DateOrder     uint8
	IntervalStyle uint8
)

// Values of the formatting settings.
const (
	DateISO DateStyle = iota
	DateSQL
	DatePostgres
	DateGerman
)
const (
	OrderMDY DateOrder = iota
	OrderDMY
	OrderYMD
)
const (
	IntervalPostgres IntervalStyle = iota
	IntervalISO8601
	IntervalSQLStandard
	IntervalVerbose
)

// Format is what text conversion depends on: the session's settings.
type Format struct {
	Location         *time.Location // TimeZone; nil = UTC
	DateStyle        DateStyle
	DateOrder        DateOrder
	IntervalStyle    IntervalStyle
	ByteaEscape      bool  // bytea_output = escape
	ExtraFloatDigits int   // ≥ 1 = shortest
	Now              int64 // statement time in µs, for 'now', 'today', …
}

// DefaultFormat is a fresh session's: ISO, MDY, UTC, shortest floats.
var DefaultFormat = &Format{ExtraFloatDigits: 1}
