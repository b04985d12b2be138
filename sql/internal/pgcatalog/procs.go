package pgcatalog

import (
	"strconv"
	"strings"
	"sync"

	"quern/engine/fn"
	"quern/storage/catalog"
	"quern/storage/types"
)

// proc is a function of pg_proc: the types' own (input and output), or one that
// statements can call.
type proc struct {
	oid, ret          uint32
	name              string
	args              []string
	volatility        string
	strict, set       bool
	kind              string
	variadic          uint32
	names             []string
	defaults          int
	arguments, result string
	agg               *fn.Proc
}

// ownProcs numbers functions that PostgreSQL does not have, in a range that it
// leaves to developers.
const ownProcs = 9001

// procs are the types' own functions, those of the registry that PostgreSQL has
// too, with its numbers, and our own.
var procs = sync.OnceValue(func() []proc {
	var out []proc
	seen := map[uint32]bool{}
	for line := range strings.Lines(procsText) {
		f := strings.Fields(line)
		if len(f) != 7 || f[0] == "#" {
			continue
		}
		p := proc{oid: num(f[0]), name: f[1], ret: num(f[3]), volatility: f[5], strict: f[6] == "t", kind: "f"}
		if f[4] != "-" {
			p.args = strings.Split(f[4], ",")
		}
		seen[p.oid] = true
		out = append(out, p)
	}
	names := map[string]bool{}
	for _, f := range fn.Procs() {
		names[f.Name] = true
		if seen[f.OID] {
			continue
		}
		seen[f.OID] = true
		p := proc{oid: f.OID, name: f.Name, ret: uint32(f.Ret), args: oidStrings(f.Args), volatility: string(f.Vol), strict: f.Strict,
			set: f.RetSet, kind: string(f.Kind), variadic: uint32(f.Variadic), names: f.Names, defaults: len(f.Defaults),
			arguments: f.Arguments, result: f.Result}
		if f.Kind == 'a' {
			p.agg = f
		}
		out = append(out, p)
	}
	next := uint32(ownProcs)
	for _, a := range fn.Aggs() {
		if names[a.Name] {
			continue
		}
		p := proc{oid: next, name: a.Name, ret: uint32(a.Ret), args: oidStrings(a.Args), volatility: "i", kind: "a", agg: &fn.Proc{OID: next, AggKind: "n"}}
		p.arguments, p.result = typeNames(a.Args), typeNames([]types.OID{a.Ret})
		out = append(out, p)
		next++
	}
	return out
})

func typeNames(oids []types.OID) string {
	var out []string
	for _, o := range oids {
		out = append(out, types.Type{OID: o, Mod: -1}.String())
	}
	return strings.Join(out, ", ")
}

func oidStrings(oids []types.OID) []string {
	out := make([]string, len(oids))
	for i, o := range oids {
		out[i] = strconv.Itoa(int(o))
	}
	return out
}

var procByOID = sync.OnceValue(func() map[uint32]*proc {
	out := map[uint32]*proc{}
	ps := procs()
	for i := range ps {
		out[ps[i].oid] = &ps[i]
	}
	return out
})

func functionArguments(_ *Context, a []types.Datum) (types.Datum, error) {
	if p := procByOID()[uint32(arg(a, 0).I)]; p != nil {
		return types.Datum{S: p.arguments}, nil
	}
	return types.NullDatum, nil
}

func functionResult(_ *Context, a []types.Datum) (types.Datum, error) {
	if p := procByOID()[uint32(arg(a, 0).I)]; p != nil && p.result != "" {
		return types.Datum{S: p.result}, nil
	}
	return types.NullDatum, nil
}

func builtinProcs(w *rows) {
	for _, p := range procs() {
		row := []any{"oid", p.oid, "proname", p.name, "pronamespace", catalog.SchemaCatalog, "proowner", catalog.RoleAdmin,
			"prolang", 12, "procost", 1, "prokind", p.kind, "proisstrict", p.strict, "proretset", p.set, "provolatile", p.volatility,
			"proparallel", "s", "pronargs", len(p.args), "pronargdefaults", p.defaults, "provariadic", p.variadic, "prorettype", p.ret,
			"proargtypes", strings.Join(p.args, " "), "prosrc", p.name}
		if p.set {
			row = append(row, "prorows", 100)
		}
		if len(p.names) > 0 {
			row = append(row, "proargnames", array(p.names))
		}
		w.add(row...)
	}
}

func builtinAggregates(w *rows) {
	for _, p := range procs() {
		if p.agg != nil {
			w.add("aggfnoid", p.oid, "aggkind", p.agg.AggKind, "aggnumdirectargs", p.agg.Direct, "aggfinalmodify", "r", "aggmfinalmodify", "r")
		}
	}
}

func builtinOperators(w *rows) {
	for _, o := range fn.Operators() {
		w.add("oid", o.OID, "oprname", o.Name, "oprnamespace", catalog.SchemaCatalog, "oprowner", catalog.RoleAdmin, "oprkind", string(o.Kind),
			"oprcanmerge", o.CanMerge, "oprcanhash", o.CanHash, "oprleft", uint32(o.Left), "oprright", uint32(o.Right),
			"oprresult", uint32(o.Ret), "oprcom", o.Commutator, "oprnegate", o.Negator, "oprcode", o.Code)
	}
}

func builtinCasts(w *rows) {
	for _, c := range fn.Casts() {
		w.add("oid", c.OID, "castsource", uint32(c.From), "casttarget", uint32(c.To), "castfunc", c.Func,
			"castcontext", string(c.Context), "castmethod", string(c.Method))
	}
}
