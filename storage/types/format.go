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
	// Names knows the objects that regclass and its kin stand for; nil: these
	// types read and print as numbers.
	Names Names
}

// Names is the catalog as the reg types see it: of what the role may see.
type Names interface {
	// RegName is the name of an object, ok false if it is not known.
	RegName(t OID, oid uint32) (name string, ok bool)
	// RegOID finds an object by name; its errors are PostgreSQL's (42P01 of a
	// relation, 42704 of a type or role, 42883 of a function, 3F000 of a schema).
	RegOID(t OID, name string) (uint32, error)
}

func isReg(oid OID) bool {
	switch oid {
	case RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		return true
	}
	return false
}

// isRegName tells whether s is a name, not a number or "-".
func isRegName(s string) bool {
	return s != "" && s != "-" && (s[0] < '0' || s[0] > '9')
}

// DefaultFormat is a fresh session's: ISO, MDY, UTC, shortest floats.
var DefaultFormat = &Format{ExtraFloatDigits: 1}
