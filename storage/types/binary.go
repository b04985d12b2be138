package types

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"

	"quern/storage/errs"
)

// PostgreSQL's binary formats count days and µs from 2000-01-01.
const (
	epochDays   = 10957
	epochMicros = epochDays * microsPerDay
)

// HasBinary tells whether t has a binary output function.
func HasBinary(t Type) bool { return t.OID != AclItemOID && t.OID != NodeTreeOID }

// AppendBinary appends d, which must not be NULL, as PostgreSQL's send function
// writes it. 42883 for the types that have none.
func AppendBinary(dst []byte, t Type, d *Datum) ([]byte, error) {
	be := binary.BigEndian
	switch t.OID {
	case BoolOID:
		return append(dst, byte(d.I)), nil
	case Int2OID:
		return be.AppendUint16(dst, uint16(d.I)), nil
	case Int4OID, OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		return be.AppendUint32(dst, uint32(d.I)), nil
	case Int8OID, TimeOID:
		return be.AppendUint64(dst, uint64(d.I)), nil
	case Float4OID:
		return be.AppendUint32(dst, math.Float32bits(float32(d.F))), nil
	case Float8OID:
		return be.AppendUint64(dst, math.Float64bits(d.F)), nil
	case DateOID:
		v := int32(d.I)
		if finiteDate(v) {
			v -= epochDays
		}
		return be.AppendUint32(dst, uint32(v)), nil
	case TimestampOID, TimestamptzOID:
		v := d.I
		if finiteTs(v) {
			v -= epochMicros
		}
		return be.AppendUint64(dst, uint64(v)), nil
	case TimetzOID:
		us, west := decodeTimetz(d.S)
		return be.AppendUint32(be.AppendUint64(dst, uint64(us)), uint32(west)), nil
	case IntervalOID:
		dst = be.AppendUint64(dst, uint64(d.Iv.Micros))
		return be.AppendUint32(be.AppendUint32(dst, uint32(d.Iv.Days)), uint32(d.Iv.Months)), nil
	case NumericOID:
		return d.N.appendBinary(dst), nil
	case UUIDOID:
		return append(dst, d.U[:]...), nil
	case JSONBOID:
		return append(append(dst, 1), d.S...), nil
	case InetOID, CidrOID:
		return appendInetBinary(dst, t, d.S), nil
	case VoidOID:
		return dst, nil
	case RecordOID:
		return appendRecordBinary(dst, d)
	case AclItemOID, NodeTreeOID:
		return dst, errs.New(errs.UndefinedFunction, "no binary output function available for type %s", t)
	case CharOID:
		if d.S == "" {
			return append(dst, 0), nil
		}
	case Xid8OID:
		v, _ := parseInt(d.S)
		return be.AppendUint64(dst, uint64(v)), nil
	}
	if t.IsArray() {
		return appendArrayBinary(dst, t, d.S)
	}
	return append(dst, d.S...), nil
}

func appendArrayBinary(dst []byte, t Type, s string) ([]byte, error) {
	be := binary.BigEndian
	a := OpenArray(t.Elem(), s)
	dst = be.AppendUint32(dst, uint32(len(a.Dims)))
	flag := len(dst)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, uint32(a.Elem.OID))
	for _, d := range a.Dims {
		dst = be.AppendUint32(dst, uint32(d.Len))
		dst = be.AppendUint32(dst, uint32(d.Lower))
	}
	for {
		e, ok := a.Next()
		if !ok {
			return dst, nil
		}
		if e.Null {
			be.PutUint32(dst[flag:], 1)
			dst = be.AppendUint32(dst, math.MaxUint32)
			continue
		}
		n := len(dst)
		dst = be.AppendUint32(dst, 0)
		var err error
		if dst, err = AppendBinary(dst, a.Elem, &e); err != nil {
			return dst, err
		}
		be.PutUint32(dst[n:], uint32(len(dst)-n-4))
	}
}

func appendInetBinary(dst []byte, t Type, s string) []byte {
	addr, bits, ok := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return dst
	}
	n, family := a.BitLen(), byte(2)
	if a.Is6() {
		family = 3
	}
	if ok {
		v, _ := parseInt(bits)
		n = int(v)
	}
	b := a.AsSlice()
	dst = append(dst, family, byte(n), b2byte(t.OID == CidrOID), byte(len(b)))
	return append(dst, b...)
}

func b2byte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// appendBinary writes base-10000 digits.
func (n Num) appendBinary(dst []byte) []byte {
	be := binary.BigEndian
	head := func(nd int, weight int, sign uint16, scale int) {
		dst = be.AppendUint16(dst, uint16(nd))
		dst = be.AppendUint16(dst, uint16(int16(weight)))
		dst = be.AppendUint16(dst, sign)
		dst = be.AppendUint16(dst, uint16(scale))
	}
	if n.Kind != NumFinite {
		head(0, 0, [...]uint16{0, 0xC000, 0xD000, 0xF000}[n.Kind], 0)
		return dst
	}
	var digits [16]uint16 // least significant first
	nd, a, s := 0, n.abs(), int(n.Scale)
	weight := -((s + 3) / 4)
	if pad := (4 - s%4) % 4; pad > 0 { // the last group is filled with zeros
		var r uint64
		a, r = a.div64(pow10[4-pad].lo)
		digits[0], nd = uint16(r*pow10[pad].lo), 1
	}
	for a != (u128{}) {
		var r uint64
		a, r = a.div64(10000)
		digits[nd] = uint16(r)
		nd++
	}
	for nd > 0 && digits[nd-1] == 0 {
		nd--
	}
	low := 0
	for low < nd && digits[low] == 0 {
		low++
	}
	if nd == low {
		head(0, 0, 0, s)
		return dst
	}
	sign := uint16(0)
	if n.Hi < 0 {
		sign = 0x4000
	}
	head(nd-low, weight+nd-1, sign, s)
	for i := nd - 1; i >= low; i-- {
		dst = be.AppendUint16(dst, digits[i])
	}
	return dst
}

// errBinary is what a malformed binary value gets.
func errBinary(msg string) error { return errs.New(errs.InvalidBinary, "%s", msg) }

func errBinaryLength() error { return errBinary("incorrect binary data format") }

// ParseBinary reads one value as PostgreSQL's receive function does. Malformed
// bytes are 22P03 (text: 22021).
func ParseBinary(t Type, b []byte) (Datum, error) {
	be := binary.BigEndian
	if n := binarySize(t.OID); n > 0 && n != len(b) {
		if len(b) < n {
			return Datum{}, errs.New(errs.ProtocolViolation, "insufficient data left in message")
		}
		return Datum{}, errBinaryLength()
	}
	switch t.OID {
	case BoolOID:
		return boolDatum(b[0] != 0), nil
	case Int2OID:
		return Datum{I: int64(int16(be.Uint16(b)))}, nil
	case Int4OID:
		return Datum{I: int64(int32(be.Uint32(b)))}, nil
	case OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		return Datum{I: int64(be.Uint32(b))}, nil
	case Int8OID:
		return Datum{I: int64(be.Uint64(b))}, nil
	case Float4OID:
		return Datum{F: float64(math.Float32frombits(be.Uint32(b)))}, nil
	case Float8OID:
		return Datum{F: math.Float64frombits(be.Uint64(b))}, nil
	case NumericOID:
		n, err := parseNumBinary(b)
		if err == nil {
			n, err = n.ApplyMod(t)
		}
		return Datum{N: n}, err
	case UUIDOID:
		return Datum{U: [16]byte(b)}, nil
	case DateOID, TimeOID, TimestampOID, TimestamptzOID, TimetzOID, IntervalOID:
		return parseTimeBinary(t, b)
	case JSONBOID:
		if len(b) == 0 || b[0] != 1 {
			return Datum{}, errs.New(errs.Internal, "unsupported jsonb version number %d", lead(b))
		}
		return ParseText(t, string(b[1:]), nil)
	case ByteaOID:
		return Datum{S: string(b)}, nil
	case InetOID, CidrOID:
		return parseInetBinary(t, b)
	case CharOID:
		if b[0] == 0 {
			return Datum{}, nil
		}
		return Datum{S: string(b)}, nil
	case VoidOID:
		return Datum{}, nil
	case RecordOID, AclItemOID, NodeTreeOID:
		return Datum{}, errs.New(errs.UndefinedFunction, "no binary input function available for type %s", t)
	}
	if t.IsArray() {
		return parseArrayBinary(t, b)
	}
	return ParseText(t, string(b), nil)
}

func lead(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(b[0])
}

// binarySize is the fixed size of a binary value, 0 if it varies.
func binarySize(oid OID) int {
	switch oid {
	case BoolOID, CharOID:
		return 1
	case Int2OID:
		return 2
	case Int4OID, OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID, Float4OID, DateOID:
		return 4
	case Int8OID, Float8OID, TimeOID, TimestampOID, TimestamptzOID:
		return 8
	case TimetzOID:
		return 12
	case IntervalOID, UUIDOID:
		return 16
	}
	return 0
}

func parseTimeBinary(t Type, b []byte) (Datum, error) {
	be := binary.BigEndian
	switch t.OID {
	case DateOID:
		v := int64(int32(be.Uint32(b)))
		if !finiteDate(int32(v)) {
			return Datum{I: v}, nil
		}
		if v += epochDays; !validDate(v) {
			return Datum{}, errDateRange("")
		}
		return Datum{I: v}, nil
	case TimestampOID, TimestamptzOID:
		v := int64(be.Uint64(b))
		if finiteTs(v) {
			if v < tsMin-epochMicros || v > tsMax-epochMicros {
				return Datum{}, errTimestampRange()
			}
			v = RoundTimestamp(v+epochMicros, t.FracDigits())
		}
		return Datum{I: v}, nil
	case IntervalOID:
		iv, err := IntervalVal{int64(be.Uint64(b)), int32(be.Uint32(b[8:])), int32(be.Uint32(b[12:]))}.ApplyMod(t)
		return Datum{Iv: iv}, err
	}
	us := int64(be.Uint64(b))
	if us < 0 || us > microsPerDay {
		return Datum{}, errs.New(errs.DatetimeOverflow, "time out of range")
	}
	us = RoundMicros(us, t.FracDigits())
	if t.OID == TimeOID {
		return Datum{I: us}, nil
	}
	west := int32(be.Uint32(b[8:]))
	if west <= -16*3600 || west >= 16*3600 {
		return Datum{}, errs.New("22009", "time zone displacement out of range")
	}
	return Datum{S: encodeTimetz(us, west)}, nil
}

func parseNumBinary(b []byte) (Num, error) {
	be := binary.BigEndian
	if len(b) < 8 {
		return Num{}, errs.New(errs.ProtocolViolation, "insufficient data left in message")
	}
	nd, weight, sign, scale := int(be.Uint16(b)), int(int16(be.Uint16(b[2:]))), be.Uint16(b[4:]), int(be.Uint16(b[6:]))
	switch sign {
	case 0xC000:
		return NumNaNValue, nil
	case 0xD000:
		return NumInfinity, nil
	case 0xF000:
		return NumNegInfin, nil
	case 0, 0x4000:
	default:
		return Num{}, errBinary("invalid sign in external \"numeric\" value")
	}
	if scale > 0x3FFF {
		return Num{}, errBinary("invalid scale in external \"numeric\" value")
	}
	if len(b) != 8+2*nd {
		return Num{}, errBinaryLength()
	}
	var a u128
	ok := true
	for i := range nd {
		d := be.Uint16(b[8+2*i:])
		if d > 9999 {
			return Num{}, errBinary("invalid digit in external \"numeric\" value")
		}
		if ok {
			if a, ok = a.mul64(10000); ok {
				lo := a.lo + uint64(d)
				if lo < a.lo {
					a.hi++
				}
				a.lo = lo
			}
		}
	}
	// The digits end 4·(nd-1-weight) places behind the point.
	have := 4 * (nd - 1 - weight)
	if ok && have > scale {
		a, _ = a.divPow10(have - scale)
	} else if ok {
		a, ok = a.scaleUp(scale - have)
	}
	if !ok {
		return Num{}, errNumRange()
	}
	return makeNum(sign == 0x4000, a, scale)
}

func parseInetBinary(t Type, b []byte) (Datum, error) {
	if len(b) < 4 || int(b[3]) != len(b)-4 || (b[0] != 2 || b[3] != 4) && (b[0] != 3 || b[3] != 16) || int(b[1]) > 8*int(b[3]) {
		return Datum{}, errBinary("invalid address in external \"inet\" value")
	}
	a, _ := netip.AddrFromSlice(b[4:])
	s := a.String() + "/" + NumFromInt(int64(b[1])).String()
	v, err := parseInet(t, s)
	return Datum{S: v}, err
}

func parseArrayBinary(t Type, b []byte) (Datum, error) {
	be := binary.BigEndian
	if len(b) < 12 {
		return Datum{}, errs.New(errs.ProtocolViolation, "insufficient data left in message")
	}
	nd, elem := int(be.Uint32(b)), OID(be.Uint32(b[8:]))
	if nd > arrayDimsMax || len(b) < 12+8*nd {
		return Datum{}, errBinary("invalid number of dimensions")
	}
	want := t.Elem()
	if elem != want.OID {
		return Datum{}, errs.New(errs.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			elem, bareName(elem), want.OID, bareName(want.OID))
	}
	rest := b[12:]
	dims, total := make([]Dim, nd), 1
	for i := range dims {
		n := int(int32(be.Uint32(rest)))
		dims[i] = Dim{n, int(int32(be.Uint32(rest[4:])))}
		rest = rest[8:]
		if n < 0 || n > len(b) || total*n > len(b) {
			return Datum{}, errBinary("invalid array size")
		}
		total *= n
	}
	if nd == 0 || total == 0 {
		return Datum{S: "\x00"}, nil
	}
	ab := ArrayBuilder{Elem: want}
	for range total {
		if len(rest) < 4 {
			return Datum{}, errs.New(errs.ProtocolViolation, "insufficient data left in message")
		}
		n := int(int32(be.Uint32(rest)))
		rest = rest[4:]
		if n == -1 {
			ab.Append(&NullDatum)
			continue
		}
		if n < 0 || n > len(rest) {
			return Datum{}, errs.New(errs.ProtocolViolation, "insufficient data left in message")
		}
		d, err := ParseBinary(want, rest[:n])
		if err != nil {
			return Datum{}, err
		}
		ab.Append(&d)
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return Datum{}, errBinaryLength()
	}
	return Datum{S: string(ab.appendDims(nil, dims))}, nil
}

func bareName(oid OID) string { return Type{oid, -1}.String() }

// SendFuncs are PostgreSQL's functions that give a value's binary form.
var SendFuncs = map[string]OID{
	"boolsend": BoolOID, "int2send": Int2OID, "int4send": Int4OID, "int8send": Int8OID, "float4send": Float4OID, "float8send": Float8OID,
	"numeric_send": NumericOID, "textsend": TextOID, "bpcharsend": BpcharOID, "byteasend": ByteaOID, "date_send": DateOID, "time_send": TimeOID,
	"timetz_send": TimetzOID, "timestamp_send": TimestampOID, "timestamptz_send": TimestamptzOID, "interval_send": IntervalOID, "uuid_send": UUIDOID, "inet_send": InetOID,
	"cidr_send": CidrOID, "json_send": JSONOID, "jsonb_send": JSONBOID, "oidsend": OidOID, "namesend": NameOID,
}

// BinaryDatum is d's binary form as a bytea.
func BinaryDatum(t Type, d *Datum) (Datum, error) {
	b, err := AppendBinary(nil, t, d)
	return Datum{S: string(b)}, err
}
