package fn

import (
	_ "embed" // the catalog is a text file
	"strconv"
	"strings"
	"sync"

	"quern/storage/types"
)

// pgcatText lists PostgreSQL's functions, operators and casts over our types. It
// gives numbers to what we have, names and defaults to arguments, and names to
// the functions behind operators.
//
//go:embed pgcat.txt
var pgcatText string

// Proc is a row of pg_proc.
type Proc struct {
	OID      uint32
	Name     string
	Kind     byte // f, a, w
	RetSet   bool
	Ret      types.OID
	Args     []types.OID
	Variadic types.OID // the element type, 0 = not variadic
	Strict   bool
	Vol      byte // i, s, v
	AggKind  string
	Direct   int
	Names    []string // of arguments; empty if they have none
	Defaults []string // SQL, of the last arguments
	// Arguments and Result are what pg_get_function_arguments and
	// pg_get_function_result give.
	Arguments, Result string
}

// Operator is a row of pg_operator.
type Operator struct {
	OID                       uint32
	Name                      string
	Kind                      byte      // b, l
	Left, Right, Ret          types.OID // Left 0: a prefix operator
	Code, Commutator, Negator uint32
	CanMerge, CanHash         bool
	implementation            *Func
}

// Cast is a row of pg_cast.
type Cast struct {
	OID      uint32
	From, To types.OID
	Func     uint32
	Context  byte // i, a, e
	Method   byte // f, b, i
}

type pgCatalog struct {
	procs   []*Proc
	byName  map[string][]*Proc
	ops     []*Operator
	casts   []*Cast
	aliases map[string][]*Func // functions behind operators
}

var pgcat = sync.OnceValue(readPgcat)

func num32(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

func oidList(s string) []types.OID {
	if s == "" {
		return nil
	}
	var out []types.OID
	for f := range strings.SplitSeq(s, ",") {
		out = append(out, types.OID(num32(f)))
	}
	return out
}

func readPgcat() *pgCatalog {
	c := &pgCatalog{byName: map[string][]*Proc{}, aliases: map[string][]*Func{}}
	codes := map[uint32]*Proc{}
	for line := range strings.Lines(pgcatText) {
		f := strings.Split(strings.TrimRight(line, "\n"), "|")
		// A name or a default may hold the separator: || is an operator.
		switch {
		case f[0] == "p" && len(f) == 16:
			p := &Proc{OID: num32(f[1]), Name: f[2], Kind: f[3][0], RetSet: f[4] == "t", Ret: types.OID(num32(f[5])), Args: oidList(f[6]),
				Variadic: types.OID(num32(f[7])), Strict: f[8] == "t", Vol: f[9][0], AggKind: f[10], Direct: int(num32(f[11])),
				Arguments: f[14], Result: f[15]}
			if f[12] != "" {
				p.Names = strings.Split(f[12], ",")
			}
			if f[13] != "" {
				p.Defaults = strings.Split(f[13], ", ")
			}
			c.procs = append(c.procs, p)
			c.byName[p.Name] = append(c.byName[p.Name], p)
			codes[p.OID] = p
		case f[0] == "o":
			n := len(f)
			name := strings.Join(f[2:n-9], "|")
			c.ops = append(c.ops, &Operator{OID: num32(f[1]), Name: name, Kind: f[n-9][0], Left: types.OID(num32(f[n-8])),
				Right: types.OID(num32(f[n-7])), Ret: types.OID(num32(f[n-6])), Code: num32(f[n-5]), Commutator: num32(f[n-4]),
				Negator: num32(f[n-3]), CanMerge: f[n-2] == "t", CanHash: f[n-1] == "t"})
		case f[0] == "c" && len(f) == 7:
			c.casts = append(c.casts, &Cast{num32(f[1]), types.OID(num32(f[2])), types.OID(num32(f[3])), num32(f[4]), f[5][0], f[6][0]})
		}
	}
	for _, o := range c.ops {
		list, want := reg.ops[o.Name], []types.OID{o.Left, o.Right}
		if o.Left == 0 {
			list, want = reg.prefix[o.Name], want[1:]
		}
		for _, f := range list {
			if equalOIDs(f.Args, want) {
				o.implementation = f
			}
		}
		p := codes[o.Code]
		if o.implementation == nil || p == nil || len(reg.funcs[p.Name]) > 0 {
			continue
		}
		alias := *o.implementation
		alias.Name, alias.OID = p.Name, p.OID
		c.aliases[p.Name] = append(c.aliases[p.Name], &alias)
	}
	return c
}

func equalOIDs(a, b []types.OID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// funcsOf are the overloads of a name; names of functions behind operators
// (int4pl, texteq) are found too.
func funcsOf(name string) []*Func {
	if list := reg.funcs[name]; len(list) > 0 {
		return list
	}
	return pgcat().aliases[name]
}

// callable tells whether a call with p's argument types resolves.
func (p *Proc) callable() bool {
	args := make([]types.Type, len(p.Args))
	for i, a := range p.Args {
		args[i] = types.Type{OID: a, Mod: -1}
	}
	if p.Variadic != 0 {
		args[len(args)-1].OID = p.Variadic
	}
	switch {
	case p.Kind == 'w':
		return true // all of them
	case p.Kind == 'a':
		return IsAgg(p.Name)
	case p.RetSet:
		_, kind := RecordFunc(p.Name)
		return p.Name == "generate_series" || p.Name == "unnest" || kind != NoRecord || reg.sets[p.Name] != nil
	}
	if _, kind := RecordFunc(p.Name); kind != NoRecord {
		return true
	}
	for n := len(args); n >= len(args)-len(p.Defaults); n-- {
		if len(funcsOf(p.Name)) > 0 {
			if _, _, err := LookupFunc(p.Name, args[:n]); err == nil {
				return true
			}
		}
	}
	if len(args) == 1 {
		_, ok := FuncCast(p.Name, args[0])
		return ok
	}
	return false
}

// Procs are the rows of pg_proc that can be called here.
var Procs = sync.OnceValue(func() []*Proc {
	var out []*Proc
	for _, p := range pgcat().procs {
		if p.callable() {
			out = append(out, p)
		}
	}
	return out
})

// Operators are the rows of pg_operator that work here.
var Operators = sync.OnceValue(func() []*Operator {
	var out []*Operator
	for _, o := range pgcat().ops {
		left := types.Type{OID: o.Left, Mod: -1}
		if _, _, err := LookupOp(o.Name, left, types.Type{OID: o.Right, Mod: -1}); err == nil {
			out = append(out, o)
		}
	}
	return out
})

// Casts are the rows of pg_cast between our types.
func Casts() []*Cast { return pgcat().casts }

// ArgNames gives the parameters of the functions called name that have names:
// named notation and defaults are resolved with them.
func ArgNames(name string) []*Proc { return pgcat().byName[name] }
