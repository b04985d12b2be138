package fn

import (
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
)

// LookupFunc resolves a call by PostgreSQL's overload rules and returns the
// function and the type that each argument must be cast to. Errors: 42883 and
// 42725 with PostgreSQL's texts and hints.
func LookupFunc(name string, args []types.Type) (*Func, []types.Type, error) {
	if s := specials[name]; s != nil {
		return s(args)
	}
	list := funcsOf(name)
	i, st := choose(candidates(list), args, false)
	if st != resOK {
		return nil, nil, resolveError(st, "function", name+"("+typeList(args)+")")
	}
	f := list[i]
	return f, targets(f.Args, f.Variadic, args), nil
}

// LookupOp resolves an operator. left is the zero Type for a prefix operator.
func LookupOp(name string, left, right types.Type) (*Func, []types.Type, error) {
	args, list := []types.Type{left, right}, reg.ops[name]
	if left.OID == 0 {
		args, list = args[1:], reg.prefix[name]
	}
	i, st := choose(candidates(list), args, true)
	if st != resOK {
		return nil, nil, opError(st, name, left, right)
	}
	return list[i], targets(list[i].Args, false, args), nil
}

// LookupAgg resolves an aggregate. count(*) is Lookup of "count" without
// arguments. IsAgg tells whether the name is one.
func LookupAgg(name string, args []types.Type) (*Agg, []types.Type, error) {
	list := plainAggs(name)
	cands := make([]candidate, len(list))
	for i, a := range list {
		cands[i] = candidate{args: a.Args}
	}
	i, st := choose(cands, args, false)
	if st != resOK {
		return nil, nil, resolveError(st, "function", name+"("+typeList(args)+")")
	}
	return list[i], targets(list[i].Args, false, args), nil
}

// plainAggs are the aggregates of a name that have no WITHIN GROUP.
func plainAggs(name string) []*Agg {
	var out []*Agg
	for _, a := range reg.aggs[name] {
		if !a.Within {
			out = append(out, a)
		}
	}
	return out
}

// LookupOrderedSet resolves f(direct) WITHIN GROUP (ORDER BY order). The types
// are for the arguments in Agg's order: ordered ones, then direct ones.
func LookupOrderedSet(name string, direct, order []types.Type) (*Agg, []types.Type, error) {
	text := name + "(" + typeList(append(direct[:len(direct):len(direct)], order...)) + ")"
	all := append(order[:len(order):len(order)], direct...)
	var list []*Agg
	var cands []candidate
	for _, a := range reg.aggs[name] {
		switch {
		case !a.Within:
		case a.Hypothetical:
			return hypothetical(a, direct, order, text)
		case a.Direct == len(direct):
			list, cands = append(list, a), append(cands, candidate{args: a.Args})
		}
	}
	if i, st := choose(cands, all, false); st == resOK {
		return list[i], targets(list[i].Args, false, all), nil
	} else if len(list) > 0 || len(reg.aggs[name]) > 0 && reg.aggs[name][0].Within {
		return nil, nil, resolveError(st, "function", text)
	}
	if _, _, err := LookupAgg(name, append(direct[:len(direct):len(direct)], order...)); err != nil {
		return nil, nil, resolveError(resNone, "function", text)
	}
	return nil, nil, errs.New(errs.WrongObjectType, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name)
}

// WithoutWithin is the error of a call without WITHIN GROUP whose arguments no
// overload takes, nil if WITHIN GROUP is all that is missing.
func WithoutWithin(name string, args []types.Type) error {
	for _, a := range reg.aggs[name] {
		if a.Hypothetical && len(args) > 0 || a.Within && len(a.Args) == len(args) {
			return nil
		}
	}
	return resolveError(resNone, "function", name+"("+typeList(args)+")")
}

// hypothetical makes the direct arguments and what they are ranked among meet.
func hypothetical(a *Agg, direct, order []types.Type, text string) (*Agg, []types.Type, error) {
	if len(direct) != len(order) {
		return nil, nil, errs.New(errs.UndefinedFunction, "function %s does not exist", text).
			WithHint("To use the hypothetical-set aggregate %s, the number of hypothetical direct arguments (here %d) must match the number of ordering columns (here %d).",
				a.Name, len(direct), len(order))
	}
	out := make([]types.Type, 2*len(direct))
	for i := range direct {
		t, err := CommonType("WITHIN GROUP", []types.Type{order[i], direct[i]})
		if err != nil {
			return nil, nil, err
		}
		out[i], out[len(direct)+i] = t, t
	}
	return a, out, nil
}

// IsAgg tells whether name is an aggregate's.
func IsAgg(name string) bool { return len(reg.aggs[name]) > 0 }

// IsOrderedSet tells whether name is an ordered-set or a hypothetical-set
// aggregate's.
func IsOrderedSet(name string) bool { return len(reg.aggs[name]) > 0 && reg.aggs[name][0].Within }

// IsFunc tells whether name is a scalar function's.
func IsFunc(name string) bool { return len(funcsOf(name)) > 0 || specials[name] != nil }

// Funcs lists all functions and operators, for pg_proc and pg_operator.
func Funcs() []*Func { return reg.all }

// Aggs lists all aggregates.
func Aggs() []*Agg { return reg.allAgg }

type candidate struct {
	args     []types.OID
	variadic bool
}

func candidates(fs []*Func) []candidate {
	out := make([]candidate, len(fs))
	for i, f := range fs {
		out[i] = candidate{f.Args, f.Variadic}
	}
	return out
}

// expand gives the candidate n arguments, nil if it does not take that many.
func (c candidate) expand(n int) []types.OID {
	if !c.variadic {
		if len(c.args) != n {
			return nil
		}
		return c.args
	}
	if n < len(c.args) {
		return nil
	}
	out := append(make([]types.OID, 0, n), c.args...)
	for len(out) < n {
		out = append(out, c.args[len(c.args)-1])
	}
	return out
}

type resolution uint8

const (
	resOK resolution = iota
	resNone
	resAmbiguous
)

// live is a candidate still in the race.
type live struct {
	index int
	args  []types.OID
}

// choose is chapter 10 of PostgreSQL's manual (func_select_candidate).
func choose(cands []candidate, args []types.Type, op bool) (int, resolution) {
	var ls []live
	for i, c := range cands {
		if a := c.expand(len(args)); a != nil || len(args) == 0 && len(c.args) == 0 {
			ls = append(ls, live{i, a})
		}
	}
	if l := exactMatch(ls, args, op); l >= 0 {
		return l, resOK
	}
	ls = keep(ls, func(l live) bool { return reachable(l.args, args) })
	switch len(ls) {
	case 0:
		return 0, resNone
	case 1:
		return ls[0].index, resOK
	}
	ls = keepMost(ls, func(l live) int { return countExact(l.args, args) })
	if len(ls) > 1 {
		ls = keepMost(ls, func(l live) int { return countPreferred(l.args, args) })
	}
	if len(ls) > 1 {
		ls = resolveUnknowns(ls, args)
	}
	if len(ls) != 1 {
		return 0, resAmbiguous
	}
	return ls[0].index, resOK
}

func exactMatch(ls []live, args []types.Type, op bool) int {
	want := args
	if op && len(args) == 2 {
		l, r := args[0], args[1]
		switch {
		case l.OID == types.UnknownOID && r.OID != types.UnknownOID:
			l = r
		case r.OID == types.UnknownOID:
			r = l
		}
		want = []types.Type{l, r}
	}
	for _, l := range ls {
		if countExact(l.args, want) == len(want) {
			return l.index
		}
	}
	return -1
}

func countExact(cand []types.OID, args []types.Type) int {
	n := 0
	for i, a := range args {
		if a.OID == cand[i] && a.OID != types.UnknownOID {
			n++
		}
	}
	return n
}

func countPreferred(cand []types.OID, args []types.Type) int {
	n := 0
	for i, a := range args {
		if a.OID == types.UnknownOID {
			continue
		}
		if a.OID == cand[i] || types.Preferred(cand[i]) && types.Category(cand[i]) == types.Category(a.OID) {
			n++
		}
	}
	return n
}

// reachable tells whether every argument converts implicitly, and polymorphic
// parameters agree.
func reachable(cand []types.OID, args []types.Type) bool {
	if _, ok := compatible(cand, args); !ok {
		return false
	}
	elem := types.OID(0)
	for i, a := range args {
		var e types.OID
		switch cand[i] {
		case tCompat, tComArr:
			continue
		case tNonArr:
			if a.IsArray() {
				return false
			}
			continue
		case types.AnyElementOID:
			e = a.OID
		case types.AnyArrayOID:
			var ok bool
			if e, ok = types.ElemOf(a.OID); !ok && a.OID != types.UnknownOID {
				return false
			}
		default:
			if !FindCast(a, types.Type{OID: cand[i], Mod: -1}, CastImplicit) {
				return false
			}
			continue
		}
		if a.OID == types.UnknownOID {
			continue
		}
		if elem != 0 && e != elem {
			return false
		}
		elem = e
	}
	return true
}

// compatible finds the common type of the arguments of anycompatible and
// anycompatiblearray parameters, zero if there are none.
func compatible(cand []types.OID, args []types.Type) (types.Type, bool) {
	var ts []types.Type
	for i, a := range args {
		switch cand[i] {
		case tCompat:
			if a.IsArray() {
				return types.Type{}, false
			}
			ts = append(ts, bare(a))
		case tComArr:
			if a.OID == types.UnknownOID {
				continue
			}
			if !a.IsArray() {
				return types.Type{}, false
			}
			ts = append(ts, bare(a.Elem()))
		}
	}
	if len(ts) == 0 {
		return types.Type{}, true
	}
	t, err := CommonType("", ts)
	if err != nil {
		return t, false
	}
	for _, from := range ts {
		if !FindCast(from, t, CastImplicit) {
			return t, false
		}
	}
	return bare(t), true
}

func keep(ls []live, f func(live) bool) []live {
	var out []live
	for _, l := range ls {
		if f(l) {
			out = append(out, l)
		}
	}
	return out
}

// keepMost keeps the candidates with the highest score.
func keepMost(ls []live, score func(live) int) []live {
	best := 0
	for _, l := range ls {
		best = max(best, score(l))
	}
	return keep(ls, func(l live) bool { return score(l) == best })
}

// resolveUnknowns guesses the types of bare literals: category string if any
// candidate takes it, else the category that all share; then the known type.
func resolveUnknowns(ls []live, args []types.Type) []live {
	unknown, known, oneKnown := 0, types.Type{}, true
	for _, a := range args {
		switch {
		case a.OID == types.UnknownOID:
			unknown++
		case known.OID == 0:
			known = a
		case known.OID != a.OID:
			oneKnown = false
		}
	}
	if unknown == 0 {
		return ls
	}
	cats := make([]types.Cat, len(args))
	prefs := make([]bool, len(args))
	resolved := true
	for i, a := range args {
		if a.OID != types.UnknownOID {
			continue
		}
		var ok bool
		if cats[i], prefs[i], ok = slotCategory(ls, i); !ok {
			resolved = false
			break
		}
	}
	if resolved {
		kept := keep(ls, func(l live) bool {
			for i, a := range args {
				if a.OID != types.UnknownOID {
					continue
				}
				if types.Category(l.args[i]) != cats[i] || prefs[i] && !types.Preferred(l.args[i]) {
					return false
				}
			}
			return true
		})
		if len(kept) == 1 {
			return kept
		}
		if len(kept) > 0 {
			ls = kept
		}
	}
	if !oneKnown || known.OID == 0 {
		return ls
	}
	same := make([]types.Type, len(args))
	for i := range same {
		same[i] = known
	}
	if kept := keep(ls, func(l live) bool { return reachable(l.args, same) }); len(kept) == 1 {
		return kept
	}
	return ls
}

// slotCategory is the category of argument i among the candidates, and whether
// a preferred type is among them.
func slotCategory(ls []live, i int) (cat types.Cat, pref, ok bool) {
	conflict := false
	for _, l := range ls {
		c, p := types.Category(l.args[i]), types.Preferred(l.args[i])
		switch {
		case cat == 0:
			cat, pref = c, p
		case c == cat:
			pref = pref || p
		case c == types.CatString:
			cat, pref = c, p
		case cat == types.CatString:
		default:
			conflict = true
		}
	}
	return cat, pref, !conflict || cat == types.CatString
}

// targets are the types that arguments must be cast to. An argument that has
// the right type keeps its modifier; polymorphic ones stay as they are.
func targets(params []types.OID, variadic bool, args []types.Type) []types.Type {
	full := candidate{params, variadic}.expand(len(args))
	compat, _ := compatible(full, args)
	if compat.OID == 0 {
		compat = types.Text
	}
	elem := types.OID(0)
	for i, a := range args {
		if a.OID == types.UnknownOID {
			continue
		}
		switch full[i] {
		case types.AnyElementOID:
			elem = a.OID
		case types.AnyArrayOID:
			elem, _ = types.ElemOf(a.OID)
		}
	}
	if elem == 0 {
		elem = types.TextOID
	}
	out := make([]types.Type, len(args))
	for i, a := range args {
		want := full[i]
		switch want {
		case tCompat:
			want = compat.OID
		case tComArr:
			want = compat.Array().OID
		case types.AnyOID, tNonArr:
			want = a.OID
		case types.AnyElementOID:
			want = elem
		case types.AnyArrayOID:
			want, _ = types.ArrayOf(elem)
		}
		if out[i] = a; a.OID != want {
			out[i] = types.Type{OID: want, Mod: -1}
		}
	}
	return out
}

// Result is the type of a call of f on arguments of the given (target) types.
func (f *Func) Result(args []types.Type) types.Type {
	if f.RetType != nil {
		return f.RetType(args)
	}
	return types.Type{OID: f.Ret, Mod: -1}
}

// Result is the type of the aggregate on arguments of the given types.
func (a *Agg) Result(args []types.Type) types.Type {
	switch a.Ret {
	case types.AnyElementOID:
		return bare(args[0])
	case types.AnyArrayOID:
		if args[0].IsArray() {
			return bare(args[0])
		}
		return bare(args[0]).Array()
	}
	return types.Type{OID: a.Ret, Mod: -1}
}

func typeList(args []types.Type) string {
	s := make([]string, len(args))
	for i, a := range args {
		s[i] = bare(a).String()
	}
	return strings.Join(s, ", ")
}

func resolveError(st resolution, kind, text string) error {
	if st == resAmbiguous {
		return errs.New(errs.AmbiguousFunction, "%s %s is not unique", kind, text).
			WithHint("Could not choose a best candidate %s. You might need to add explicit type casts.", kind)
	}
	return errs.New(errs.UndefinedFunction, "%s %s does not exist", kind, text).
		WithHint("No %s matches the given name and argument types. You might need to add explicit type casts.", kind)
}

func opError(st resolution, name string, left, right types.Type) error {
	text := name + " " + bare(right).String()
	hint := "No operator matches the given name and argument type. You might need to add an explicit type cast."
	if left.OID != 0 {
		text = bare(left).String() + " " + text
		hint = "No operator matches the given name and argument types. You might need to add explicit type casts."
	}
	if st == resAmbiguous {
		return errs.New(errs.AmbiguousFunction, "operator is not unique: %s", text).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.")
	}
	return errs.New(errs.UndefinedFunction, "operator does not exist: %s", text).WithHint("%s", hint)
}

// ComparedAsIs tells whether PostgreSQL has an operator = of these two types:
// then NULLIF keeps the first one, though we widen it for the comparison.
func ComparedAsIs(x, y types.OID) bool {
	family := map[types.OID]int{types.Int2OID: 1, types.Int4OID: 1, types.Int8OID: 1, types.Float4OID: 2, types.Float8OID: 2,
		types.DateOID: 3, types.TimestampOID: 3, types.TimestamptzOID: 3}
	return family[x] != 0 && family[x] == family[y]
}
