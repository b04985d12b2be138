// Package types holds Quern's logical types: their PostgreSQL OIDs, their
// modifiers, the physical form of their values in memory, and scalar values.
//
//	Type   = PostgreSQL OID + typmod        what a column or expression is
//	Phys   = how values lie in a vec.Vector what a kernel loops over
//	Datum  = one value outside a vector     literals, parameters, bounds
//
// One text↔value codec for all of casts, COPY, CSV, NDJSON and the wire lives
// here too (text*.go, binary*.go): the same strings are accepted everywhere
// with the same SQLSTATE.
//
// It imports storage/errs only. It does not know tables, policies or vectors.
package types

// OID is a PostgreSQL type OID; only built-in ones leave the server.
type OID uint32

// Type OIDs of PostgreSQL 15 (../wire/oids.tsv).
const (
	BoolOID         OID = 16
	ByteaOID        OID = 17
	CharOID         OID = 18 // "char", one byte
	NameOID         OID = 19
	Int8OID         OID = 20
	Int2OID         OID = 21
	Int2VectorOID   OID = 22
	Int4OID         OID = 23
	RegprocOID      OID = 24
	TextOID         OID = 25
	OidOID          OID = 26
	TidOID          OID = 27
	XidOID          OID = 28
	OidVectorOID    OID = 30
	JSONOID         OID = 114
	XMLOID          OID = 142
	NodeTreeOID     OID = 194
	CidrOID         OID = 650
	Float4OID       OID = 700
	Float8OID       OID = 701
	UnknownOID      OID = 705
	InetOID         OID = 869
	AclItemOID      OID = 1033
	BpcharOID       OID = 1042
	VarcharOID      OID = 1043
	DateOID         OID = 1082
	TimeOID         OID = 1083
	TimestampOID    OID = 1114
	TimestamptzOID  OID = 1184
	IntervalOID     OID = 1186
	TimetzOID       OID = 1266
	NumericOID      OID = 1700
	RegclassOID     OID = 2205
	RegtypeOID      OID = 2206
	RecordOID       OID = 2249
	AnyArrayOID     OID = 2277
	VoidOID         OID = 2278
	AnyElementOID   OID = 2283
	AnyOID          OID = 2276
	UUIDOID         OID = 2950
	JSONBOID        OID = 3802
	JSONPathOID     OID = 4072
	RegnamespaceOID OID = 4089
	RegroleOID      OID = 4096
)

// Type is a logical type: OID and PostgreSQL's typmod (-1 = none).
// numeric(p,s) has Mod ((p<<16)|s)+4, varchar(n) and char(n) n+4.
type Type struct {
	OID OID
	Mod int32
}

// Common types without modifier.
var (
	Bool        = Type{BoolOID, -1}
	Bytea       = Type{ByteaOID, -1}
	Name        = Type{NameOID, -1}
	Int2        = Type{Int2OID, -1}
	Int4        = Type{Int4OID, -1}
	Int8        = Type{Int8OID, -1}
	Float4      = Type{Float4OID, -1}
	Float8      = Type{Float8OID, -1}
	Numeric     = Type{NumericOID, -1}
	Text        = Type{TextOID, -1}
	Varchar     = Type{VarcharOID, -1}
	Bpchar      = Type{BpcharOID, -1}
	Date        = Type{DateOID, -1}
	Time        = Type{TimeOID, -1}
	Timestamp   = Type{TimestampOID, -1}
	Timestamptz = Type{TimestamptzOID, -1}
	Interval    = Type{IntervalOID, -1}
	UUID        = Type{UUIDOID, -1}
	JSON        = Type{JSONOID, -1}
	JSONB       = Type{JSONBOID, -1}
	Oid         = Type{OidOID, -1}
	Unknown     = Type{UnknownOID, -1}
	Void        = Type{VoidOID, -1}
)

// Phys is the physical form of values in a vector, a slab and a page.
type Phys uint8

// Physical forms. Sizes are bytes per value in a Flat vector.
const (
	PhysBool     Phys = iota + 1 // 1 byte, 0 or 1 (bits on disk and in Arrow)
	PhysI16                      // 2
	PhysI32                      // 4: int4, date (days since 1970), oid
	PhysI64                      // 8: int8, timestamps (µs since 1970 UTC), time (µs)
	PhysF32                      // 4
	PhysF64                      // 8
	PhysNum                      // 24: Num
	PhysInterval                 // 16: IntervalVal
	PhysUUID                     // 16
	PhysBytes                    // views; text, bytea, json, arrays, records
)

// Size is the bytes per value, 0 for PhysBytes.
func (p Phys) Size() int {
	return [...]int{0, 1, 2, 4, 8, 4, 8, 24, 16, 16, 0}[p]
}

// Phys is the physical form that vectors of type t have.
func (t Type) Phys() Phys {
	switch t.OID {
	case BoolOID:
		return PhysBool
	case Int2OID:
		return PhysI16
	case Int4OID, DateOID, OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		return PhysI32
	case Int8OID, TimeOID, TimestampOID, TimestamptzOID:
		return PhysI64
	case Float4OID:
		return PhysF32
	case Float8OID:
		return PhysF64
	case NumericOID:
		return PhysNum
	case IntervalOID:
		return PhysInterval
	case UUIDOID:
		return PhysUUID
	}
	return PhysBytes
}

// Num is an exact decimal: Coef·10^-Scale with |Coef| < 2^127, or a special
// value. Scale is PostgreSQL's display scale. 24 bytes, pointer-free; values
// need no more than 38 digits, wider results raise 22003.
type Num struct {
	Lo    uint64 // low half of the two's complement coefficient
	Hi    int64  // high half
	Scale int16
	Kind  NumKind
	_     [5]byte // zero
}

// NumKind tells finite values from the special ones.
type NumKind uint8

// Kinds of Num. NaN equals NaN and is greatest, as in PostgreSQL.
const (
	NumFinite NumKind = iota
	NumNaN
	NumPosInf
	NumNegInf
)

// IntervalVal is PostgreSQL's interval. It compares by its total with
// 1 month = 30 days and 1 day = 24 hours.
type IntervalVal struct {
	Micros int64
	Days   int32
	Months int32
}

// Infinite dates and timestamps.
const (
	DatePosInf int32 = 1<<31 - 1
	DateNegInf int32 = -1 << 31
	TimePosInf int64 = 1<<63 - 1
	TimeNegInf int64 = -1 << 63
)

// Datum is one value outside a vector. Which field holds it follows from the
// type's Phys: I (bool as 0/1, integers, dates, times), F, N, Iv, U, S (bytes).
type Datum struct {
	Null bool
	I    int64
	F    float64
	N    Num
	Iv   IntervalVal
	U    [16]byte
	S    string
}

// NullDatum is SQL NULL.
var NullDatum = Datum{Null: true}

// Unsigned tells whether t's 32-bit values are unsigned (oid and its kin).
func (t Type) Unsigned() bool {
	switch t.OID {
	case OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		return true
	}
	return false
}

// HasOrderKey tells whether values of t order by package orderkey and not by their bytes.
func (t Type) HasOrderKey() bool {
	switch t.OID {
	case JSONBOID, InetOID, CidrOID:
		return true
	}
	return false
}
