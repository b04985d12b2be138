package fn

// registry holds all overloads by name. It is built once and never changes.
type registry struct {
	funcs   map[string][]*Func
	ops     map[string][]*Func // binary operators
	prefix  map[string][]*Func // prefix operators
	aggs    map[string][]*Agg
	all     []*Func
	allAgg  []*Agg
	sets    map[string][]*Set
	allSets []*Set
}

var reg = buildRegistry()

func buildRegistry() *registry {
	r := &registry{funcs: map[string][]*Func{}, ops: map[string][]*Func{}, prefix: map[string][]*Func{},
		aggs: map[string][]*Agg{}, sets: map[string][]*Set{}}
	for _, family := range [][]*Func{arithOps(), compareOps(), mathFuncs(), textFuncs(), regexFuncs(), timeOps(), timeFuncs(), formatFuncs(), jsonFuncs(), jsonEditFuncs(), jsonPathFuncs(), inetFuncs(), moreTextFuncs(), moreTimeFuncs(), moreFuncs(), arrayFuncs(), systemFuncs(), sendFuncs()} {
		for _, f := range family {
			r.all = append(r.all, f)
			switch {
			case !isSign(f.Name):
				r.funcs[f.Name] = append(r.funcs[f.Name], f)
			case len(f.Args) == 1:
				r.prefix[f.Name] = append(r.prefix[f.Name], f)
			default:
				r.ops[f.Name] = append(r.ops[f.Name], f)
			}
		}
	}
	for _, f := range catalogFuncs(r.funcs) {
		r.all = append(r.all, f)
		r.funcs[f.Name] = append(r.funcs[f.Name], f)
	}
	for _, a := range aggregates() {
		r.allAgg = append(r.allAgg, a)
		r.aggs[a.Name] = append(r.aggs[a.Name], a)
	}
	r.allSets = setFuncs()
	for _, s := range r.allSets {
		r.sets[s.Name] = append(r.sets[s.Name], s)
	}
	return r
}

// isSign tells whether a name is an operator's.
func isSign(s string) bool {
	switch s[0] {
	case '|', '+', '-', '*', '/', '<', '>', '=', '~', '!', '@', '#', '%', '^', '&', '?':
		return true
	}
	return false
}
