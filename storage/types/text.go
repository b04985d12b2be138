package types

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types/jsonb"
	"quern/storage/types/jsonpath"
)

// ParseText reads one value of type t from its text form, as PostgreSQL's input
// function with t's modifier does: varchar(n) refuses longer text (22001)
// unless the excess is blanks. f nil means DefaultFormat.
func ParseText(t Type, s string, f *Format) (Datum, error) {
	if f == nil {
		f = DefaultFormat
	}
	switch t.OID {
	case BoolOID:
		v, ok := parseBool(s)
		if !ok {
			return Datum{}, badText(t, s)
		}
		return boolDatum(v), nil
	case Int2OID, Int4OID, Int8OID:
		return parseIntType(t, s)
	case OidOID, XidOID, RegprocOID, RegclassOID, RegtypeOID, RegnamespaceOID, RegroleOID:
		if f.Names != nil && isReg(t.OID) && isRegName(s) {
			oid, err := f.Names.RegOID(t.OID, s)
			return Datum{I: int64(oid)}, err
		}
		return parseOid(t, s)
	case Float4OID, Float8OID:
		return parseFloat(t, s)
	case NumericOID:
		n, err := ParseNum(s)
		if err == nil {
			n, err = n.ApplyMod(t)
		}
		return Datum{N: n}, err
	case VarcharOID, BpcharOID:
		d := Datum{S: s}
		if err := checkText(s); err != nil {
			return Datum{}, err
		}
		err := ApplyMod(t, &d, false)
		return d, err
	case NameOID:
		return Datum{S: TruncateName(s)}, checkText(s)
	case CharOID:
		return Datum{S: parseQChar(s)}, nil
	case ByteaOID:
		return parseBytea(s)
	case UUIDOID:
		u, ok := parseUUID(s)
		if !ok {
			return Datum{}, badText(t, s)
		}
		return Datum{U: u}, nil
	}
	return parseOther(t, s, f)
}

// parseOther is ParseText for the types whose codecs lie in other files.
func parseOther(t Type, s string, f *Format) (Datum, error) {
	switch t.OID {
	case DateOID, TimeOID, TimetzOID, TimestampOID, TimestamptzOID:
		return parseDateTime(t, s, f)
	case IntervalOID:
		iv, err := ParseInterval(s, f)
		if err == nil {
			iv, err = iv.ApplyMod(t)
		}
		return Datum{Iv: iv}, err
	case JSONOID:
		if err := ValidateJSON(s); err != nil {
			return Datum{}, err
		}
		return Datum{S: s}, nil
	case JSONBOID:
		b, err := NormalizeJSONB(nil, s)
		return Datum{S: string(b)}, err
	case JSONPathOID:
		p, err := jsonpath.Parse(s)
		if err != nil {
			return Datum{}, err
		}
		return Datum{S: p.String()}, nil
	case InetOID, CidrOID:
		a, err := parseInet(t, s)
		return Datum{S: a}, err
	case VoidOID:
		return Datum{}, nil
	}
	if t.IsArray() {
		return parseArray(t, s, f)
	}
	return Datum{S: s}, checkText(s)
}

// ParseBytes is ParseText for bytes; it does not keep b, and does not allocate
// for well-formed fixed-width values.
func ParseBytes(t Type, b []byte, f *Format, d *Datum) error {
	switch t.OID {
	case Int2OID, Int4OID, Int8OID:
		if v, st := parseInt(b); st == intOK && fitsInt(t.OID, v) {
			*d = Datum{I: v}
			return nil
		}
	case Float8OID:
		if v, err := strconv.ParseFloat(string(b), 64); err == nil && plainFloat(b) {
			*d = Datum{F: v}
			return nil
		}
	case TimestampOID, TimestamptzOID:
		if us, ok := fastTimestamp(b, t, f); ok {
			*d = Datum{I: us}
			return nil
		}
	case JSONBOID:
		if out, ok := jsonb.Append(nil, b); ok {
			*d = Datum{S: string(out)}
			return nil
		}
	}
	v, err := ParseText(t, string(b), f)
	*d = v
	return err
}

// AppendText appends the text form of d, which must not be NULL.
func AppendText(dst []byte, t Type, d *Datum, f *Format) []byte {
	if f == nil {
		f = DefaultFormat
	}
	if f.Names != nil && d.I != 0 && isReg(t.OID) {
		if name, ok := f.Names.RegName(t.OID, uint32(d.I)); ok {
			return append(dst, name...)
		}
	}
	switch t.OID {
	case BoolOID:
		if d.I != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case Int2OID, Int4OID, Int8OID, OidOID, XidOID, RegclassOID, RegnamespaceOID, RegroleOID, RegprocOID:
		if d.I == 0 && t.OID != OidOID && t.Unsigned() && t.OID != XidOID {
			return append(dst, '-')
		}
		return strconv.AppendInt(dst, d.I, 10)
	case RegtypeOID:
		if d.I == 0 {
			return append(dst, '-')
		}
		if Known(OID(d.I)) {
			return append(dst, Type{OID(d.I), -1}.String()...)
		}
		return strconv.AppendInt(dst, d.I, 10)
	case Float4OID:
		return appendFloat(dst, d.F, 32, f.ExtraFloatDigits)
	case Float8OID:
		return appendFloat(dst, d.F, 64, f.ExtraFloatDigits)
	case NumericOID:
		return d.N.AppendText(dst)
	case CharOID:
		if d.S != "" && d.S[0] >= 0x80 { // "char" is a byte, which need not be a character
			return append(dst, '\\', '0'+d.S[0]>>6, '0'+d.S[0]>>3&7, '0'+d.S[0]&7)
		}
		return append(dst, d.S...)
	case ByteaOID:
		return appendBytea(dst, d.S, f.ByteaEscape)
	case UUIDOID:
		return appendUUID(dst, d.U)
	case DateOID:
		return AppendDate(dst, int32(d.I), f)
	case TimeOID:
		return appendTimeOfDay(dst, d.I)
	case TimetzOID:
		return appendTimetz(dst, d.S)
	case TimestampOID:
		return AppendTimestamp(dst, d.I, f)
	case TimestamptzOID:
		return AppendTimestamptz(dst, d.I, f)
	case IntervalOID:
		return d.Iv.AppendText(dst, f.IntervalStyle)
	case RecordOID:
		return appendRecordText(dst, d, f)
	}
	if t.IsArray() {
		return appendArray(dst, t, d.S, f)
	}
	return append(dst, d.S...)
}

// badText is 22P02 in PostgreSQL's words.
func badText(t Type, s string) error {
	return errs.New(errs.InvalidText, "invalid input syntax for type %s: \"%s\"", baseName(t), s)
}

// baseName is t without its modifier.
func baseName(t Type) string { return Type{t.OID, -1}.String() }

func boolDatum(v bool) Datum {
	if v {
		return Datum{I: 1}
	}
	return Datum{}
}

// checkText refuses what cannot be stored in a text value.
func checkText(s string) error {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return nil
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == utf8.RuneError && n <= 1 {
			return badUTF8(s[i:])
		}
		i += n
	}
	return nil
}

// badUTF8 names the offending bytes: as many as the lead byte announces.
func badUTF8(s string) error {
	n := 1
	switch c := s[0]; {
	case c >= 0xF0 && c < 0xF8:
		n = 4
	case c >= 0xE0 && c < 0xF0:
		n = 3
	case c >= 0xC0 && c < 0xE0:
		n = 2
	}
	var b strings.Builder
	for i := 0; i < n && i < len(s); i++ {
		b.WriteString(" 0x")
		b.WriteString(hex.EncodeToString([]byte{s[i]}))
	}
	return errs.New(errs.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\":%s", b.String())
}

// nameMax is the longest identifier in bytes.
const nameMax = 63

// TruncateName cuts s to PostgreSQL's identifier length at a character border.
func TruncateName(s string) string {
	if len(s) <= nameMax {
		return s
	}
	n := nameMax
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// parseQChar is charin: the first byte, or an octal escape.
func parseQChar(s string) string {
	if len(s) == 4 && s[0] == '\\' {
		if v, err := strconv.ParseUint(s[1:], 8, 8); err == nil {
			return string([]byte{byte(v)})
		}
	}
	return s[:min(len(s), 1)]
}

// ApplyMod applies the length rules of varchar(n), char(n) and the precision of
// the other types to d. An explicit cast truncates text; otherwise 22001 unless
// the excess is blanks. char(n) is padded with blanks.
func ApplyMod(t Type, d *Datum, explicit bool) error {
	if t.Mod < 0 {
		return nil
	}
	switch t.OID {
	case VarcharOID, BpcharOID:
		s, err := ApplyLength(t, d.S, explicit)
		d.S = s
		return err
	case NumericOID:
		n, err := d.N.ApplyMod(t)
		d.N = n
		return err
	case TimeOID:
		d.I = RoundMicros(d.I, t.FracDigits())
	case TimestampOID, TimestamptzOID:
		d.I = RoundTimestamp(d.I, t.FracDigits())
	case IntervalOID:
		iv, err := d.Iv.ApplyMod(t)
		d.Iv = iv
		return err
	}
	return nil
}

// ApplyLength is ApplyMod for the bytes of a varchar(n) or char(n) value.
func ApplyLength(t Type, s string, explicit bool) (string, error) {
	n, ok := t.MaxChars()
	if !ok {
		return s, nil
	}
	chars := len(s)
	if chars > n || t.OID == BpcharOID {
		chars = utf8.RuneCountInString(s)
	}
	if chars > n {
		cut := 0
		for range n {
			_, w := utf8.DecodeRuneInString(s[cut:])
			cut += w
		}
		if !explicit && strings.Trim(s[cut:], " ") != "" {
			return "", errs.New(errs.StringTruncation, "value too long for type %s", t)
		}
		return s[:cut], nil
	}
	if t.OID == BpcharOID && chars < n {
		return s + strings.Repeat(" ", n-chars), nil
	}
	return s, nil
}
