package fn

import (
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
)

// castTable is pg_cast of PostgreSQL 15 for our types: per context, source and
// its targets by internal name.
var castTable = [...]string{
	CastImplicit: `
bpchar: name text varchar
char: text
cidr: inet
date: timestamp timestamptz
float4: float8
int2: float4 float8 int4 int8 numeric oid regclass regnamespace regproc regrole regtype
int4: float4 float8 int8 numeric oid regclass regnamespace regproc regrole regtype
int8: float4 float8 numeric oid regclass regnamespace regproc regrole regtype
name: text
numeric: float4 float8
oid: regclass regnamespace regproc regrole regtype
pg_node_tree: text
regclass: oid
regnamespace: oid
regproc: oid
regrole: oid
regtype: oid
text: bpchar name regclass varchar
time: interval timetz
timestamp: timestamptz
varchar: bpchar name regclass text`,
	CastAssignment: `
bool: bpchar text varchar
bpchar: char
char: bpchar varchar
cidr: bpchar text varchar
float4: int2 int4 int8 numeric
float8: float4 int2 int4 int8 numeric
inet: bpchar cidr text varchar
int4: int2
int8: int2 int4
interval: time
json: jsonb
jsonb: json
name: bpchar varchar
numeric: int2 int4 int8
oid: int4 int8
regclass: int4 int8
regnamespace: int4 int8
regproc: int4 int8
regrole: int4 int8
regtype: int4 int8
text: char
timestamp: date time
timestamptz: date time timestamp timetz
timetz: time
varchar: char`,
	CastExplicit: `
bool: int4
char: int4
int4: bool char
jsonb: bool float4 float8 int2 int4 int8 numeric`,
}

type castKey struct{ from, to types.OID }

var casts = func() map[castKey]CastContext {
	byName := map[string]types.OID{}
	for _, oid := range types.Infos() {
		byName[types.InternalName(oid)] = oid
	}
	m := map[castKey]CastContext{}
	for ctx, table := range castTable {
		for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
			from, tos, _ := strings.Cut(line, ":")
			for to := range strings.FieldsSeq(tos) {
				m[castKey{byName[from], byName[to]}] = CastContext(ctx)
			}
		}
	}
	return m
}()

// FindCast tells whether a value of type from converts to type to in ctx.
// unknown (a bare literal) converts to everything.
func FindCast(from, to types.Type, ctx CastContext) bool {
	f, t := from.OID, to.OID
	if f == t || f == types.UnknownOID || t == types.AnyOID {
		return true
	}
	if c, ok := casts[castKey{f, t}]; ok {
		return c <= ctx
	}
	fe, fa := types.ElemOf(f)
	te, ta := types.ElemOf(t)
	if fa && ta {
		return FindCast(types.Type{OID: fe, Mod: -1}, types.Type{OID: te, Mod: -1}, ctx)
	}
	if t == types.UnknownOID || f == types.VoidOID || types.Category(t) == types.CatPseudo {
		return false
	}
	// Through the input or output function.
	if types.Category(t) == types.CatString {
		return ctx >= CastAssignment
	}
	return types.Category(f) == types.CatString && ctx == CastExplicit
}

// FuncCast tells whether name(arg) is a cast: PostgreSQL takes a call with one
// argument whose name is a type's, and which no function answers, for one.
func FuncCast(name string, arg types.Type) (types.Type, bool) {
	to, ok := types.ByName(name)
	if !ok || to.Mod >= 0 || types.InternalName(to.OID) != name {
		return types.Type{}, false
	}
	if arg.OID == types.UnknownOID {
		return to, true
	}
	_, listed := casts[castKey{arg.OID, to.OID}]
	str := types.Category(to.OID) == types.CatString || types.Category(arg.OID) == types.CatString
	return to, arg.OID == to.OID || listed || str && FindCast(arg, to, CastExplicit)
}

// CommonType is the type that UNION, CASE, COALESCE, VALUES, ARRAY, GREATEST and
// IN give to expressions of types ts. what names the construct in the error
// (`CASE types integer and boolean cannot be matched`, 42804).
func CommonType(what string, ts []types.Type) (types.Type, error) {
	if len(ts) == 0 {
		return types.Text, nil
	}
	res := ts[0]
	same := true
	for _, t := range ts[1:] {
		same = same && t == res
	}
	if same && res.OID != types.UnknownOID {
		return res, nil
	}
	for _, t := range ts[1:] {
		switch {
		case t.OID == types.UnknownOID || t.OID == res.OID:
		case res.OID == types.UnknownOID:
			res = t
		case types.Category(t.OID) != types.Category(res.OID):
			return types.Type{}, errs.New(errs.DatatypeMismatch, "%s types %s and %s cannot be matched", what, bare(res), bare(t))
		case !types.Preferred(res.OID) && FindCast(res, t, CastImplicit) && !FindCast(t, res, CastImplicit):
			res = t
		}
	}
	if res.OID == types.UnknownOID {
		return types.Text, nil
	}
	res.Mod = commonMod(res.OID, ts)
	return res, nil
}

// commonMod is the modifier that all types share, or -1.
func commonMod(oid types.OID, ts []types.Type) int32 {
	for _, t := range ts {
		if t.OID != oid || t.Mod != ts[0].Mod {
			return -1
		}
	}
	return ts[0].Mod
}

func bare(t types.Type) types.Type { return types.Type{OID: t.OID, Mod: -1} }
