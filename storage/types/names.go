package types

import (
	"strconv"
	"strings"
)

// Cat is pg_type.typcategory.
type Cat byte

// Categories that overload resolution and CommonType know.
const (
	CatArray    Cat = 'A'
	CatBool     Cat = 'B'
	CatDate     Cat = 'D'
	CatInet     Cat = 'I'
	CatNumber   Cat = 'N'
	CatPseudo   Cat = 'P'
	CatString   Cat = 'S'
	CatInterval Cat = 'T'
	CatUser     Cat = 'U'
	CatUnknown  Cat = 'X'
	CatInternal Cat = 'Z'
)

// info is what pg_type says of one type.
type info struct {
	oid       OID
	array     OID
	len       int16 // typlen: -1 variable, -2 C string
	cat       Cat
	preferred bool
	name      string // pg_type.typname
	sql       string // format_type's spelling
}

// infos lists the types, as in PostgreSQL 15's pg_type.
var infos = []info{
	{BoolOID, 1000, 1, CatBool, true, "bool", "boolean"},
	{ByteaOID, 1001, -1, CatUser, false, "bytea", "bytea"},
	{CharOID, 1002, 1, CatInternal, false, "char", `"char"`},
	{NameOID, 1003, 64, CatString, false, "name", "name"},
	{Int8OID, 1016, 8, CatNumber, false, "int8", "bigint"},
	{Int2OID, 1005, 2, CatNumber, false, "int2", "smallint"},
	{Int2VectorOID, 1006, -1, CatArray, false, "int2vector", "int2vector"},
	{Int4OID, 1007, 4, CatNumber, false, "int4", "integer"},
	{RegprocOID, 1008, 4, CatNumber, false, "regproc", "regproc"},
	{TextOID, 1009, -1, CatString, true, "text", "text"},
	{OidOID, 1028, 4, CatNumber, true, "oid", "oid"},
	{TidOID, 1010, 6, CatUser, false, "tid", "tid"},
	{XidOID, 1011, 4, CatUser, false, "xid", "xid"},
	{CidOID, 1012, 4, CatUser, false, "cid", "cid"},
	{OidVectorOID, 1013, -1, CatArray, false, "oidvector", "oidvector"},
	{JSONOID, 199, -1, CatUser, false, "json", "json"},
	{XMLOID, 143, -1, CatUser, false, "xml", "xml"},
	{NodeTreeOID, 0, -1, CatInternal, false, "pg_node_tree", "pg_node_tree"},
	{CidrOID, 651, -1, CatInet, false, "cidr", "cidr"},
	{Float4OID, 1021, 4, CatNumber, false, "float4", "real"},
	{Float8OID, 1022, 8, CatNumber, true, "float8", "double precision"},
	{UnknownOID, 0, -2, CatUnknown, false, "unknown", "unknown"},
	{InetOID, 1041, -1, CatInet, true, "inet", "inet"},
	{AclItemOID, 1034, 12, CatUser, false, "aclitem", "aclitem"},
	{BpcharOID, 1014, -1, CatString, false, "bpchar", "character"},
	{VarcharOID, 1015, -1, CatString, false, "varchar", "character varying"},
	{DateOID, 1182, 4, CatDate, false, "date", "date"},
	{TimeOID, 1183, 8, CatDate, false, "time", "time without time zone"},
	{TimestampOID, 1115, 8, CatDate, false, "timestamp", "timestamp without time zone"},
	{TimestamptzOID, 1185, 8, CatDate, true, "timestamptz", "timestamp with time zone"},
	{IntervalOID, 1187, 16, CatInterval, true, "interval", "interval"},
	{TimetzOID, 1270, 12, CatDate, false, "timetz", "time with time zone"},
	{NumericOID, 1231, -1, CatNumber, false, "numeric", "numeric"},
	{RegclassOID, 2210, 4, CatNumber, false, "regclass", "regclass"},
	{RegtypeOID, 2211, 4, CatNumber, false, "regtype", "regtype"},
	{RecordOID, 2287, -1, CatPseudo, false, "record", "record"},
	{AnyArrayOID, 0, -1, CatPseudo, false, "anyarray", "anyarray"},
	{VoidOID, 0, 4, CatPseudo, false, "void", "void"},
	{AnyElementOID, 0, 4, CatPseudo, false, "anyelement", "anyelement"},
	{AnyOID, 0, 4, CatPseudo, false, "any", `"any"`},
	{UUIDOID, 2951, 16, CatUser, false, "uuid", "uuid"},
	{JSONBOID, 3807, -1, CatUser, false, "jsonb", "jsonb"},
	{JSONPathOID, 4073, -1, CatUser, false, "jsonpath", "jsonpath"},
	{RegnamespaceOID, 4090, 4, CatNumber, false, "regnamespace", "regnamespace"},
	{RegroleOID, 4097, 4, CatNumber, false, "regrole", "regrole"},
	{PgLsnOID, 3221, 8, CatUser, false, "pg_lsn", "pg_lsn"},
	{Xid8OID, 271, 8, CatUser, false, "xid8", "xid8"},
}

// Types that only catalogs have, kept as text.
const (
	CidOID   OID = 29
	PgLsnOID OID = 3220
	Xid8OID  OID = 5069
)

var (
	byOID   = map[OID]*info{}
	byArray = map[OID]*info{}
	byName  = map[string]OID{
		"int": Int4OID, "integer": Int4OID, "smallint": Int2OID, "bigint": Int8OID,
		"real": Float4OID, "float": Float8OID, "double precision": Float8OID, "decimal": NumericOID, "dec": NumericOID,
		"boolean": BoolOID, "character varying": VarcharOID, "char varying": VarcharOID,
		"character": BpcharOID, "char": BpcharOID, "nchar": BpcharOID, "national character": BpcharOID,
		"time without time zone": TimeOID, "time with time zone": TimetzOID,
		"timestamp without time zone": TimestampOID, "timestamp with time zone": TimestamptzOID,
		`"char"`: CharOID, `"any"`: AnyOID,
	}
)

func init() {
	for i := range infos {
		in := &infos[i]
		byOID[in.oid] = in
		if in.array != 0 {
			byArray[in.array] = in
		}
		if in.oid != CharOID { // unquoted char is bpchar
			byName[in.name] = in.oid
		}
	}
}

// Infos lists the OIDs of all known types (arrays of them: ArrayOf).
func Infos() []OID {
	out := make([]OID, len(infos))
	for i := range infos {
		out[i] = infos[i].oid
	}
	return out
}

// Known tells whether oid is a type of ours (or an array of one).
func Known(oid OID) bool { return byOID[oid] != nil || byArray[oid] != nil }

// ElemOf is the element type of an array type. int2vector and oidvector are
// arrays too.
func ElemOf(oid OID) (OID, bool) {
	if in := byArray[oid]; in != nil {
		return in.oid, true
	}
	switch oid {
	case Int2VectorOID:
		return Int2OID, true
	case OidVectorOID:
		return OidOID, true
	}
	return 0, false
}

// ArrayOf is the array type with the given element type.
func ArrayOf(oid OID) (OID, bool) {
	if in := byOID[oid]; in != nil && in.array != 0 {
		return in.array, true
	}
	return 0, false
}

// IsArray tells whether values of type t are arrays.
func (t Type) IsArray() bool {
	_, ok := ElemOf(t.OID)
	return ok
}

// Elem is the type of an array's elements (the modifier belongs to them), or t
// itself if it is no array.
func (t Type) Elem() Type {
	if e, ok := ElemOf(t.OID); ok {
		return Type{e, t.Mod}
	}
	return t
}

// Array is the type of arrays of t, zero if there is none.
func (t Type) Array() Type {
	a, _ := ArrayOf(t.OID)
	return Type{a, t.Mod}
}

// Category is typcategory.
func Category(oid OID) Cat {
	if in := byOID[oid]; in != nil {
		return in.cat
	}
	if byArray[oid] != nil {
		return CatArray
	}
	return CatUser
}

// Preferred is typispreferred.
func Preferred(oid OID) bool {
	in := byOID[oid]
	return in != nil && in.preferred
}

// InternalName is pg_type.typname: int4, timestamptz, _text.
func InternalName(oid OID) string {
	if in := byOID[oid]; in != nil {
		return in.name
	}
	if in := byArray[oid]; in != nil {
		return "_" + in.name
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// Len is typlen as RowDescription carries it.
func (t Type) Len() int16 {
	if in := byOID[t.OID]; in != nil {
		return in.len
	}
	return -1
}

// String is format_type's spelling: numeric(10,2), timestamp with time zone,
// integer[].
func (t Type) String() string {
	if in := byArray[t.OID]; in != nil {
		return Type{in.oid, t.Mod}.String() + "[]"
	}
	in := byOID[t.OID]
	if in == nil {
		return "???"
	}
	if t.Mod < 0 {
		return in.sql
	}
	switch t.OID {
	case NumericOID:
		if p, s, ok := t.Precision(); ok {
			return "numeric(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"
		}
	case VarcharOID, BpcharOID:
		if n, ok := t.MaxChars(); ok {
			return in.sql + "(" + strconv.Itoa(n) + ")"
		}
	case TimeOID, TimetzOID, TimestampOID, TimestamptzOID:
		head, tail, _ := strings.Cut(in.sql, " ")
		return head + "(" + strconv.Itoa(int(t.Mod)) + ") " + tail
	case IntervalOID:
		if p := t.Mod & 0xFFFF; p != 0xFFFF {
			return "interval(" + strconv.Itoa(int(p)) + ")"
		}
	}
	return in.sql
}

// Precision is numeric(p,s)'s p and s.
func (t Type) Precision() (p, s int, ok bool) {
	if t.OID != NumericOID || t.Mod < 4 {
		return 0, 0, false
	}
	m := t.Mod - 4
	return int(m >> 16), int(((m & 0x7FF) ^ 1024) - 1024), true
}

// NumericType is numeric(p,s).
func NumericType(p, s int) Type {
	return Type{NumericOID, int32(p)<<16 | int32(s)&0x7FF + 4}
}

// MaxChars is n of varchar(n) and char(n).
func (t Type) MaxChars() (int, bool) {
	if t.OID != VarcharOID && t.OID != BpcharOID || t.Mod < 4 {
		return 0, false
	}
	return int(t.Mod - 4), true
}

// FracDigits is p of timestamp(p), time(p) and interval(p); 6 without one.
func (t Type) FracDigits() int {
	switch t.OID {
	case TimeOID, TimetzOID, TimestampOID, TimestamptzOID:
		if t.Mod >= 0 && t.Mod < 6 {
			return int(t.Mod)
		}
	case IntervalOID:
		if p := t.Mod & 0xFFFF; t.Mod >= 0 && p < 6 {
			return int(p)
		}
	}
	return 6
}

// ByName finds a type by any of PostgreSQL's spellings, lower case, with an
// optional modifier and brackets: "int", "character varying(20)",
// "timestamp(3) with time zone", "numeric(10,2)[]", "_text", "pg_catalog.int4".
func ByName(name string) (Type, bool) {
	name = strings.TrimPrefix(strings.Join(strings.Fields(name), " "), "pg_catalog.")
	array := false
	for strings.HasSuffix(name, "]") {
		i := strings.LastIndexByte(name, '[')
		if i < 0 {
			return Type{}, false
		}
		name, array = strings.TrimSpace(name[:i]), true
	}
	if base, ok := strings.CutSuffix(name, " array"); ok {
		name, array = base, true
	}
	if _, ok := byName[name]; !ok && strings.HasPrefix(name, "_") {
		name, array = name[1:], true
	}
	var mods []int
	if i := strings.IndexByte(name, '('); i >= 0 {
		j := strings.IndexByte(name, ')')
		if j < i {
			return Type{}, false
		}
		for s := range strings.SplitSeq(name[i+1:j], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil {
				return Type{}, false
			}
			mods = append(mods, n)
		}
		name = strings.TrimSpace(strings.TrimSpace(name[:i]) + " " + strings.TrimSpace(name[j+1:]))
	}
	oid, ok := byName[name]
	if !ok {
		return Type{}, false
	}
	// char without a length is char(1), except by its internal name.
	if oid == BpcharOID && name != "bpchar" && mods == nil {
		mods = []int{1}
	}
	t, err := WithMods(oid, name, mods)
	if err != nil {
		return Type{}, false
	}
	if array {
		t = t.Array()
	}
	return t, t.OID != 0
}
