package plan

import (
	"quern/engine/fn"
	"quern/storage/types"
)

// Expr is a bound, typed expression over the columns of its node's input.
type Expr interface {
	Type() types.Type
}

// Col is column Index of the input.
type Col struct {
	Index int
	Typ   types.Type
}

// Lit is a constant.
type Lit struct {
	Val types.Datum
	Typ types.Type
}

// Param is $N (0-based); its value is bound before execution.
type Param struct {
	Index int
	Typ   types.Type
}

// Call is a function or operator on arguments that have exactly its types.
type Call struct {
	Fn   *fn.Func
	Args []Expr
	Typ  types.Type
}

// Cast converts Arg to Typ. fn.Convert does it.
type Cast struct {
	Arg Expr
	Typ types.Type
	Ctx fn.CastContext
}

// And, Or: three-valued logic; an argument that can raise is evaluated only on
// rows that earlier arguments leave undecided.
type (
	And struct{ Args []Expr }
	Or  struct{ Args []Expr }
	Not struct{ Arg Expr }
)

// IsNull is `Arg IS [NOT] NULL`.
type IsNull struct {
	Arg Expr
	Not bool
}

// IsBool is `Arg IS [NOT] TRUE/FALSE`.
type IsBool struct {
	Arg Expr
	Val bool
	Not bool
}

// Distinct is `L IS [NOT] DISTINCT FROM R`; both have the same type.
type Distinct struct {
	L, R Expr
	Not  bool
}

// Case is a searched CASE; a simple CASE has its comparisons made explicit.
// Branches are evaluated only on the rows that reach them.
type Case struct {
	Whens []When
	Else  Expr // nil = NULL
	Typ   types.Type
}

// When is one branch.
type When struct{ Cond, Then Expr }

// Coalesce evaluates arguments only where all earlier ones are NULL.
type Coalesce struct {
	Args []Expr
	Typ  types.Type
}

// In is `Arg [NOT] IN (List)`; all have the same type. List items are any
// expressions; constants are hashed by the evaluator.
type In struct {
	Arg  Expr
	List []Expr
	Not  bool
}

// Like is `Arg [NOT] [I]LIKE Pattern ESCAPE Escape` (Escape 0 = none).
type Like struct {
	Arg, Pattern Expr
	Fold, Not    bool
	Escape       rune
}

// Subquery is an uncorrelated scalar subquery or EXISTS: executed once before
// the main plan, then a constant. More than one row is 21000.
type Subquery struct {
	Plan   Node
	Exists bool
	Typ    types.Type
}

// SubKind is what a SubPlan makes of the rows of its plan.
type SubKind uint8

// SubScalar is the first column of the only row, NULL without one, 21000 with a
// second; SubExists whether there is a row; SubAny whether the first column, a
// boolean, is true in any row: NULL if it is not but is NULL in one.
const (
	SubScalar SubKind = iota
	SubExists
	SubAny
)

// SubPlan is a correlated subquery: Plan runs for the values of Args, which its
// Outer expressions with IDs stand for, when a row needs the result. Results
// are kept by these values unless Volatile.
type SubPlan struct {
	Kind     SubKind
	Plan     Node
	Args     []Expr
	IDs      []int
	Volatile bool
	Typ      types.Type
}

// Outer is a value of the row that the plan around it runs for.
type Outer struct {
	ID  int
	Typ types.Type
}

func (e *SubPlan) Type() types.Type  { return e.Typ }
func (e *Outer) Type() types.Type    { return e.Typ }
func (e *Col) Type() types.Type      { return e.Typ }
func (e *Lit) Type() types.Type      { return e.Typ }
func (e *Param) Type() types.Type    { return e.Typ }
func (e *Call) Type() types.Type     { return e.Typ }
func (e *Cast) Type() types.Type     { return e.Typ }
func (e *And) Type() types.Type      { return types.Bool }
func (e *Or) Type() types.Type       { return types.Bool }
func (e *Not) Type() types.Type      { return types.Bool }
func (e *IsNull) Type() types.Type   { return types.Bool }
func (e *IsBool) Type() types.Type   { return types.Bool }
func (e *Distinct) Type() types.Type { return types.Bool }
func (e *Case) Type() types.Type     { return e.Typ }
func (e *Coalesce) Type() types.Type { return e.Typ }
func (e *In) Type() types.Type       { return types.Bool }
func (e *Like) Type() types.Type     { return types.Bool }
func (e *Subquery) Type() types.Type { return e.Typ }
