// Package pgcatalog holds pg_catalog, information_schema and system as virtual
// relations, and the catalog functions.
//
//	relations.txt ─► Lookup(schema, name) ─► *Relation     what the binder sees
//	Context (catalog snapshot, principal) ── Rows(relation) ─► batches
//	Context.Call(function, arguments)                      fn.CatalogHandle
//
// All relations of PostgreSQL 15 exist with all columns and types, because
// tools select c.*; those with an entry in generators have rows, the rest are
// empty. A relation is a set of rows computed from one pinned catalog snapshot
// for one principal, and is then filtered, joined and sorted by the ordinary
// executor. Objects on which the principal has no privilege do not appear, in
// rows and in functions alike: see Context.visible.
//
// Adding rows to a relation: write a func(*Context, *rows) that calls
// rows.add("column", value, …) (columns not named get neutral values) and
// enter it in generators. It imports no sql package.
package pgcatalog

import (
	_ "embed" // the tables are text files
	"fmt"
	"strconv"
	"strings"
	"sync"

	"quern/storage/types"
)

// Column is a column of a virtual relation; its number is its place + 1.
type Column struct {
	Name    string
	Type    types.Type
	NotNull bool
}

// Relation is one virtual relation. Kind is pg_class.relkind.
type Relation struct {
	Schema string
	Name   string
	Kind   byte
	OID    uint32
	Cols   []Column
}

// Types are the column types.
func (r *Relation) Types() []types.Type {
	out := make([]types.Type, len(r.Cols))
	for i := range r.Cols {
		out[i] = r.Cols[i].Type
	}
	return out
}

//go:embed relations.txt
var relationsText string

var index = sync.OnceValue(func() map[string]*Relation {
	out := map[string]*Relation{}
	for line := range strings.Lines(relationsText) {
		r, err := parseRelation(strings.Fields(line))
		if err != nil {
			panic(err) // a broken embedded table is a bug of the build
		}
		if r != nil {
			out[r.Schema+"."+r.Name] = r
		}
	}
	return out
})

func parseRelation(f []string) (*Relation, error) {
	if len(f) < 5 || f[0] == "#" {
		return nil, nil
	}
	oid, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("relations.txt: %s: %w", f[1], err)
	}
	r := &Relation{Schema: f[0], Name: f[1], Kind: f[2][0], OID: uint32(oid)}
	for _, c := range f[4:] {
		name, typ, _ := strings.Cut(c, ":")
		typ, notNull := strings.CutSuffix(typ, "!")
		typ, mod, hasMod := strings.Cut(typ, "/")
		t, err := strconv.Atoi(typ)
		if err != nil {
			return nil, fmt.Errorf("relations.txt: %s: %w", c, err)
		}
		col := Column{Name: name, Type: types.Type{OID: types.OID(t), Mod: -1}, NotNull: notNull}
		if hasMod {
			m, err := strconv.Atoi(mod)
			if err != nil {
				return nil, fmt.Errorf("relations.txt: %s: %w", c, err)
			}
			col.Type.Mod = int32(m)
		}
		r.Cols = append(r.Cols, col)
	}
	return r, nil
}

// Lookup finds a virtual relation, nil if none.
func Lookup(schema, name string) *Relation { return index()[schema+"."+name] }

// ByOID finds a virtual relation by OID, nil if none.
func ByOID(oid uint32) *Relation { return byOID()[oid] }

var byOID = sync.OnceValue(func() map[uint32]*Relation {
	out := map[uint32]*Relation{}
	for _, r := range index() {
		out[r.OID] = r
	}
	return out
})
