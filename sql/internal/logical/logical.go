// Package logical is the typed plan between binder and engine: what a
// statement means, before it is decided how it runs. Pure data.
//
//	bind ─► logical.Node ─ optimize (rule by rule) ─► logical.Node ─ physical ─► engine/plan
//
// Every column of a statement has a number of its own: plan.Col.Index is such a
// number here (a position only in engine/plan). A node that passes a column on
// keeps its number, so rules move expressions without renumbering, and a
// reference to a column that no input produces is a correlation: an outer
// query's column. Only outer joins change a column's values under its number
// (NULL padding): rules that move expressions across them must mind that.
//
// Expressions are those of engine/plan plus Sub, a subquery with its own plan.
// They are immutable: rules build new ones (Map) and may share old ones.
//
// A Scan can only be made from a policy view (NewScan).
//
// Start reading at Node.
package logical

import (
	"context"

	"quern/engine/plan"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Column is one output column.
type Column struct {
	ID   int
	Name string
	Type types.Type
	// NotNull says that the column is known to hold no NULL.
	NotNull bool
}

// Col is a reference to c.
func (c Column) Col() *plan.Col { return &plan.Col{Index: c.ID, Typ: c.Type} }

// Node is an operator.
type Node interface {
	// Out are the output columns in order.
	Out() []Column
	Inputs() []Node
	// WithInputs is a copy of the node over other inputs.
	WithInputs(ins []Node) Node
	// Exprs are the node's own expressions, in a fixed order; WithExprs is a
	// copy with others.
	Exprs() []plan.Expr
	WithExprs(es []plan.Expr) Node
}

// Scan reads Cols of a table through a view. Filter are conjuncts.
type Scan struct {
	view *policy.View
	// Table is schema.name for messages and EXPLAIN; Alias as written.
	Table, Alias string
	// Cols are the columns read, ColIDs their ids in the table.
	Cols   []Column
	ColIDs []uint32
	Filter []plan.Expr
	// Rows estimates the table's rows, 0 = unknown.
	Rows int64
	// Inner are the columns that nobody but Filter reads, by number; pruning
	// finds them.
	Inner Set
}

// ColumnStats is what is known of a stored column; see storage.ColumnStats.
type ColumnStats struct {
	Rows, Nulls, Distinct int64
	Min, Max              int64
	Bounded               bool
}

// NewScan makes the scan of a view's table.
func NewScan(view *policy.View, table, alias string, cols []Column, ids []uint32, rows int64) *Scan {
	return &Scan{view: view, Table: table, Alias: alias, Cols: cols, ColIDs: ids, Rows: rows}
}

// View is what the scan may see.
func (n *Scan) View() *policy.View { return n.view }

// Virtual reads columns At of a relation computed from the catalog.
type Virtual struct {
	Name string
	Cols []Column
	At   []int
	// All are the types of all columns that Gen makes.
	All []types.Type
	Gen func(ctx context.Context) ([]*vec.Batch, error)
}

// Series is a set-returning function without table input.
type Series struct {
	Name string
	Args []plan.Expr
	Cols []Column
	Gen  plan.SeriesFunc
	// Sub, if not nil, is a query in place of Gen, with the columns Cols: it is
	// run for the values of Args, which its plan.Outer with IDs stand for, and
	// refers to nothing else outside. Such a Series stands in an Expand only.
	Sub Node
	IDs []int
}

// Expand joins each row of In to the rows of a set-returning function of its
// columns; with Outer a row without any is kept, padded with NULLs.
type Expand struct {
	In    Node
	Func  *Series // its Args are over In
	Outer bool
}

// DistinctOn keeps the first row of each run of equal Keys of a Sort whose first
// keys are Keys.
type DistinctOn struct {
	In   Node
	Keys []plan.Expr
}

// Values are literal rows. With one row of no columns it is the input of a
// SELECT without FROM; with no rows it is the empty relation.
type Values struct {
	Rows [][]plan.Expr
	Cols []Column
}

// Item is a column and the expression that computes it. If the expression is a
// plain column, Col keeps its number.
type Item struct {
	Col  Column
	Expr plan.Expr
}

// Project computes Items. With Barrier it is the border of a view that shows
// less than what it reads: of what stands above it only predicates that cannot
// raise may move below, and it stays a node of its own.
type Project struct {
	In      Node
	Items   []Item
	Barrier bool
}

// Filter keeps the rows for which all Preds are true.
type Filter struct {
	In    Node
	Preds []plan.Expr
}

// Join combines two inputs on the conjuncts On. Semi, Anti and AntiNull put out
// Left's columns only, Mark adds MarkCol. Lateral says that R refers to L.
type Join struct {
	Kind    plan.JoinKind
	L, R    Node
	On      []plan.Expr
	MarkCol Column
	Lateral bool
	// LRows and RRows estimate the inputs' rows, 0 = unknown.
	LRows, RRows float64
}

// AggItem is one aggregate. Call's Args, Filter and Order are over the input.
type AggItem struct {
	Col  Column
	Call plan.AggCall
}

// Aggregate groups by Keys. Without Keys it gives one row.
type Aggregate struct {
	In   Node
	Keys []Item
	Aggs []AggItem
}

// Sort orders.
type Sort struct {
	In   Node
	Keys []plan.SortKey
}

// Limit passes Count rows after Offset; nil or NULL = none. Ties is WITH TIES
// and stands on a Sort.
type Limit struct {
	In            Node
	Count, Offset plan.Expr
	Ties          bool
}

// Union is UNION ALL: column i of the result is column Maps[k][i] (a number) of
// input k.
type Union struct {
	Ins  []Node
	Maps [][]int
	Cols []Column
}

// SetOp is INTERSECT or EXCEPT; like Union, columns are mapped.
type SetOp struct {
	Except, All bool
	L, R        Node
	LMap, RMap  []int
	Cols        []Column
}

// SubKind is the kind of a Sub.
type SubKind uint8

// Subqueries in expressions. SubAny is `x op ANY (query)` with the comparison
// in Cond, over the outer columns and Node's output; IN is one, NOT IN and ALL
// are its negations.
const (
	SubScalar SubKind = iota
	SubExists
	SubAny
)

// Sub is a subquery in an expression. References to columns that Node does not
// produce are correlations.
type Sub struct {
	Kind SubKind
	Node Node
	Cond plan.Expr
	Typ  types.Type
	Pos  int
	// Applied says that the subquery runs row by row, for the values of Args:
	// plan.Outer with IDs stand for them in Node, which refers to nothing outside.
	// Cond is then nil, and SubAny's Node has its values as only column.
	Applied bool
	Args    []plan.Expr
	IDs     []int
}

// Type implements plan.Expr.
func (e *Sub) Type() types.Type { return e.Typ }
