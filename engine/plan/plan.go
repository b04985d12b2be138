// Package plan is the treaty between sql and engine: what the engine can run.
// Pure data, printable for EXPLAIN. Columns are positional: an Expr's Col is an
// index into the columns of the node's input (of Left++Right for a join).
//
// A Scan can only be built from a policy view, so a plan that reads a table
// without its policies cannot exist.
package plan

import (
	"context"

	"quern/engine/fn"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Node is an operator. Types are its output columns.
type Node interface {
	Types() []types.Type
	Inputs() []Node
}

// Scan reads Cols (column ids) of the view's table and keeps the rows that
// satisfy Filter (over Cols), nil = all. The executor turns conjuncts that
// storage can decide into ScanSpec.Preds itself.
type Scan struct {
	View   *policy.View
	Table  string // for EXPLAIN: schema.name
	Alias  string // for EXPLAIN: as the statement calls it
	Cols   []uint32
	Names  []string
	Typs   []types.Type
	Filter Expr
	// Inner marks columns that only Filter reads (nil = none): what they hold
	// above is not specified.
	Inner []bool
}

// Virtual is a relation computed from the catalog (pg_catalog,
// information_schema, system).
type Virtual struct {
	Name  string
	Names []string // for EXPLAIN
	Typs  []types.Type
	Gen   func(ctx context.Context) ([]*vec.Batch, error)
}

// Values are literal rows; each row is evaluated once, without input.
type Values struct {
	Rows [][]Expr
	Typs []types.Type
}

// Series is generate_series and other set-returning functions of one call
// without table input.
type Series struct {
	Name string
	Args []Expr
	Typs []types.Type
	Gen  SeriesFunc
}

// SeriesFunc is a set-returning function.
type SeriesFunc func(env *fn.Env, args []types.Datum) (SeriesRows, error)

// SeriesRows are the rows of one call. Batches are made when they are wanted, by
// any worker; all but the last have vec.BatchRows rows. Rows that can only be
// made one after the other come from Each instead, which is called once and ends
// with emit's error.
type SeriesRows struct {
	Batches int
	Batch   func(i int) *vec.Batch
	Each    func(emit func(b *vec.Batch) error) error
}

// Expand calls a set-returning function for every row of In: its output are In's
// columns and the function's. A row for which it gives nothing vanishes, or with
// Outer comes out once with NULLs.
type Expand struct {
	In    Node
	Name  string
	Args  []Expr // over In
	Typs  []types.Type
	Gen   SeriesFunc
	Outer bool
	// Sub, if not nil, is what is run for the values of Args in place of Gen: its
	// Outer expressions with IDs stand for them.
	Sub Node
	IDs []int
}

// DistinctOn passes the first row of each run of equal Keys; NULLs are equal. In
// is a Sort whose first keys are Keys, in any order.
type DistinctOn struct {
	In   Node
	Keys []Expr
}

// Filter keeps the rows for which Pred is true.
type Filter struct {
	In   Node
	Pred Expr
}

// Project computes Exprs.
type Project struct {
	In    Node
	Exprs []Expr
	Names []string
}

// AggCall is one aggregate of an Aggregate.
type AggCall struct {
	Agg      *fn.Agg
	Args     []Expr
	Distinct bool
	Filter   Expr // nil = all rows
	Order    []SortKey
	Typ      types.Type
}

// Aggregate groups by Keys. Output: keys, then aggregates. Without Keys it
// gives exactly one row. SELECT DISTINCT is an Aggregate without Aggs.
type Aggregate struct {
	In   Node
	Keys []Expr
	Aggs []AggCall
}

// JoinKind is the kind of a Join.
type JoinKind uint8

// Kinds of joins. Semi, Anti and AntiNull (NOT IN) output only Left's columns.
// Mark outputs Left's columns and a nullable bool. Single is a left join whose
// second match raises 21000.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
	Semi
	Anti
	AntiNull
	Mark
	Single
	Cross
)

// Join is a hash join on LeftKeys[i] = RightKeys[i] (over their own side's
// columns) with Residual over Left++Right, or a nested loop if there are no
// keys. The executor builds on Right unless it swaps inner sides by size.
type Join struct {
	Kind                JoinKind
	Left, Right         Node
	LeftKeys, RightKeys []Expr
	Residual            Expr
	// PlainKeys matters for AntiNull and Mark only: the last PlainKeys keys are
	// ordinary equalities (correlation), where NULL does not match. The keys
	// before them are IN's: a NULL among them makes the result unknown. 0 makes
	// all keys IN's; a Mark for EXISTS has PlainKeys = len(LeftKeys).
	PlainKeys int
	// LeftRows and RightRows estimate the inputs, 0 = unknown: the smaller side
	// is built.
	LeftRows, RightRows float64
}

// SortKey orders by Expr.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

// Sort orders its input totally enough to be repeatable.
type Sort struct {
	In   Node
	Keys []SortKey
}

// TopN is Sort with Limit: the first Count rows after Offset.
type TopN struct {
	In            Node
	Keys          []SortKey
	Count, Offset Expr // int8, nil = none
	Ties          bool // WITH TIES
}

// Limit passes Count rows after Offset; nil = no limit. NULL = no limit.
type Limit struct {
	In            Node
	Count, Offset Expr
}

// Union concatenates inputs of equal types (UNION ALL).
type Union struct{ Ins []Node }

// SetOp is INTERSECT/EXCEPT [ALL]; NULLs are equal.
type SetOp struct {
	Except, All bool
	L, R        Node
}

func exprTypes(es []Expr) []types.Type {
	out := make([]types.Type, len(es))
	for i, e := range es {
		out[i] = e.Type()
	}
	return out
}

func (n *Scan) Types() []types.Type       { return n.Typs }
func (n *Virtual) Types() []types.Type    { return n.Typs }
func (n *Values) Types() []types.Type     { return n.Typs }
func (n *Series) Types() []types.Type     { return n.Typs }
func (n *Filter) Types() []types.Type     { return n.In.Types() }
func (n *DistinctOn) Types() []types.Type { return n.In.Types() }
func (n *Expand) Types() []types.Type {
	in := n.In.Types()
	return append(in[:len(in):len(in)], n.Typs...)
}
func (n *Project) Types() []types.Type { return exprTypes(n.Exprs) }
func (n *Aggregate) Types() []types.Type {
	out := exprTypes(n.Keys)
	for i := range n.Aggs {
		out = append(out, n.Aggs[i].Typ)
	}
	return out
}
func (n *Join) Types() []types.Type {
	l := n.Left.Types()
	switch n.Kind {
	case Semi, Anti, AntiNull:
		return l
	case Mark:
		return append(l[:len(l):len(l)], types.Bool)
	}
	return append(l[:len(l):len(l)], n.Right.Types()...)
}
func (n *Sort) Types() []types.Type  { return n.In.Types() }
func (n *TopN) Types() []types.Type  { return n.In.Types() }
func (n *Limit) Types() []types.Type { return n.In.Types() }
func (n *Union) Types() []types.Type { return n.Ins[0].Types() }
func (n *SetOp) Types() []types.Type { return n.L.Types() }

func (n *Scan) Inputs() []Node    { return nil }
func (n *Virtual) Inputs() []Node { return nil }
func (n *Values) Inputs() []Node  { return nil }
func (n *Series) Inputs() []Node  { return nil }
func (n *Filter) Inputs() []Node  { return []Node{n.In} }
func (n *Expand) Inputs() []Node {
	if n.Sub != nil {
		return []Node{n.In, n.Sub}
	}
	return []Node{n.In}
}
func (n *DistinctOn) Inputs() []Node { return []Node{n.In} }
func (n *Project) Inputs() []Node    { return []Node{n.In} }
func (n *Aggregate) Inputs() []Node  { return []Node{n.In} }
func (n *Join) Inputs() []Node       { return []Node{n.Left, n.Right} }
func (n *Sort) Inputs() []Node       { return []Node{n.In} }
func (n *TopN) Inputs() []Node       { return []Node{n.In} }
func (n *Limit) Inputs() []Node      { return []Node{n.In} }
func (n *Union) Inputs() []Node      { return n.Ins }
func (n *SetOp) Inputs() []Node      { return []Node{n.L, n.R} }
