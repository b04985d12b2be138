package plan

import "quern/storage/types"

// WinFunc is a function that exists only over windows; 0 is an aggregate.
type WinFunc uint8

// The window functions.
const (
	WinAggregate WinFunc = iota
	WinRowNumber
	WinRank
	WinDenseRank
	WinPercentRank
	WinCumeDist
	WinNtile
	WinLag
	WinLead
	WinFirstValue
	WinLastValue
	WinNthValue
)

// FrameMode counts a frame's offsets in rows, in values of the sort key or in
// groups of peers.
type FrameMode uint8

// The modes.
const (
	FrameRows FrameMode = iota
	FrameRange
	FrameGroups
)

// BoundKind is one end of a frame.
type BoundKind uint8

// The bounds, in the order of the rows they stand for.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// FrameExclude takes rows out of a frame.
type FrameExclude uint8

// The exclusions.
const (
	ExcludeNothing FrameExclude = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// FrameBound is one end. Offset (Preceding and Following) refers to no column:
// an int8 of FrameRows and FrameGroups. In FrameRange At is the value, over the
// input, that the frame's Key is compared with.
type FrameBound struct {
	Kind   BoundKind
	Offset Expr
	At     Expr
}

// Frame says which rows of the partition a function sees. Key is set if a bound
// has At: the only sort key, in At's type.
type Frame struct {
	Mode       FrameMode
	Start, End FrameBound
	Exclude    FrameExclude
	Key        Expr
}

// WindowCall is one function of a Window. AggCall carries the arguments, the
// filter and the result type of all kinds; Agg only of aggregates.
type WindowCall struct {
	Func WinFunc
	Name string
	AggCall
	Frame Frame
}

// Window computes Calls for every row among the rows with the same Partition
// (NULLs are equal) in Order. Output: In's columns, then the calls; rows come
// partition by partition, in order.
type Window struct {
	In        Node
	Partition []Expr
	Order     []SortKey
	Calls     []WindowCall
}

// Types implements Node.
func (n *Window) Types() []types.Type {
	in := n.In.Types()
	out := in[:len(in):len(in)]
	for i := range n.Calls {
		out = append(out, n.Calls[i].Typ)
	}
	return out
}

// Inputs implements Node.
func (n *Window) Inputs() []Node { return []Node{n.In} }

// slots are the call's expressions, in a fixed order.
func (c *WindowCall) slots() []*Expr {
	out := make([]*Expr, 0, len(c.Args)+6)
	for i := range c.Args {
		out = append(out, &c.Args[i])
	}
	for _, e := range []*Expr{&c.Filter, &c.Frame.Key, &c.Frame.Start.Offset, &c.Frame.Start.At, &c.Frame.End.Offset, &c.Frame.End.At} {
		if *e != nil {
			out = append(out, e)
		}
	}
	return out
}

// Exprs are the call's expressions: arguments, filter, frame.
func (c *WindowCall) Exprs() []Expr {
	var out []Expr
	for _, s := range c.slots() {
		out = append(out, *s)
	}
	return out
}

// WithExprs is a copy of the call with other expressions, as many as Exprs
// gives.
func (c *WindowCall) WithExprs(es []Expr) WindowCall {
	d := *c
	d.Args = append([]Expr(nil), c.Args...)
	for i, s := range d.slots() {
		*s = es[i]
	}
	return d
}
