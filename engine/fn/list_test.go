package fn

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"quern/storage/types"
)

var update = flag.Bool("update", false, "write testdata/functions.md")

const listFile = "../../testdata/functions.md"

// The list of functions in the docs is what the registry has.
func TestFunctionList(t *testing.T) {
	got := functionList()
	if *update {
		if err := os.WriteFile(listFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Error("testdata/functions.md is not what the registry has: go test ./engine/fn -run TestFunctionList -update")
	}
}

func functionList() string {
	kinds := map[byte]map[string][]string{'f': {}, 's': {}, 'a': {}, 'w': {}}
	add := func(kind byte, name, args, ret string) {
		line := "(" + args + ") → " + ret
		if !slices.Contains(kinds[kind][name], line) {
			kinds[kind][name] = append(kinds[kind][name], line)
		}
	}
	numbered := map[string]bool{}
	for _, p := range Procs() {
		kind := p.Kind
		if p.RetSet {
			kind = 's'
		}
		if kind == 'f' && reg.funcs[p.Name] == nil && specials[p.Name] == nil {
			continue // the function behind an operator or a cast
		}
		numbered[p.Name] = true
		add(kind, p.Name, p.Arguments, p.Result)
	}
	text := func(oids []types.OID) string {
		var out []string
		for _, o := range oids {
			out = append(out, types.Type{OID: o, Mod: -1}.String())
		}
		return strings.Join(out, ", ")
	}
	for _, f := range reg.all {
		if !isSign(f.Name) && !numbered[f.Name] {
			add('f', f.Name, text(f.Args), text([]types.OID{f.Ret}))
		}
	}
	for _, a := range reg.allAgg {
		if !numbered[a.Name] {
			add('a', a.Name, text(a.Args), text([]types.OID{a.Ret}))
		}
	}
	var sb strings.Builder
	sb.WriteString("# Functions\n\nMade of the registry by `go test ./engine/fn -run TestFunctionList -update`. Names, arguments and results are PostgreSQL 15's " +
		"unless marked with *; where an answer differs, `differences.md` says so. Operators, casts and the functions behind them are in `pg_operator`, `pg_cast` and `pg_proc`.\n")
	for _, k := range []struct {
		kind  byte
		title string
	}{{'f', "Functions of single values"}, {'s', "Set-returning functions"}, {'a', "Aggregates"}, {'w', "Window functions"}} {
		fmt.Fprintf(&sb, "\n## %s\n\n", k.title)
		names := make([]string, 0, len(kinds[k.kind]))
		for n := range kinds[k.kind] {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			mark := ""
			if !numbered[n] {
				mark = "*"
			}
			fmt.Fprintf(&sb, "- `%s`%s %s\n", n, mark, strings.Join(kinds[k.kind][n], "; "))
		}
	}
	return sb.String()
}
