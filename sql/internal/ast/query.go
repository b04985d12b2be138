package ast

// Query is a query expression with its WITH, ORDER BY and LIMIT. An operand of
// a set operation is a Query of its own.
type Query struct {
	At
	With    *With
	Body    Body
	OrderBy []*SortItem
	// Limit and Offset are nil if absent; LIMIT ALL and LIMIT NULL are absent.
	Limit, Offset Expr
	WithTies      bool
	Locks         []Lock
}

// With is WITH [RECURSIVE].
type With struct {
	At
	Recursive bool
	CTEs      []*CTE
}

// Materialize is the hint of a CTE.
type Materialize uint8

// The hints.
const (
	MaterializeDefault Materialize = iota
	MaterializeAlways
	MaterializeNever
)

// CTE is one WITH query.
type CTE struct {
	At
	Name        string
	Columns     []string
	Materialize Materialize
	// Query is set for queries, Stmt for INSERT, UPDATE and DELETE.
	Query *Query
	Stmt  Stmt
}

// Select is SELECT … without ORDER BY and LIMIT.
type Select struct {
	At
	Distinct   bool
	DistinctOn []Expr // DISTINCT ON; Distinct is then true as well
	// Targets is empty for SELECT without columns.
	Targets []*Target
	From    []TableExpr // comma list
	Where   Expr
	Group   *GroupBy
	Having  Expr
	Windows []*Window // WINDOW clause; Name set
}

// Target is a result column of SELECT or RETURNING. Alias is empty if absent.
type Target struct {
	At
	Expr  Expr
	Alias string
}

// GroupBy is GROUP BY. All is `GROUP BY ALL` with no items: every target
// without aggregates. Distinct is GROUP BY DISTINCT.
type GroupBy struct {
	At
	Distinct bool
	All      bool
	Items    []Expr
}

// SetKind is UNION, INTERSECT or EXCEPT.
type SetKind uint8

// The set operations.
const (
	Union SetKind = iota
	Intersect
	Except
)

// SetOp combines two queries.
type SetOp struct {
	At
	Kind        SetKind
	All         bool
	Left, Right *Query
}

// Values is VALUES as a query, or the rows of an INSERT (where Default may
// stand). All rows have at least one column; PostgreSQL's "must all be the same
// length" is the binder's check.
type Values struct {
	At
	Rows [][]Expr
}

func (*Select) bodyNode() {}
func (*SetOp) bodyNode()  {}
func (*Values) bodyNode() {}

// NullsOrder is NULLS FIRST or LAST.
type NullsOrder uint8

// The orders of nulls.
const (
	NullsUnset NullsOrder = iota
	NullsFirst
	NullsLast
)

// SortItem is an item of ORDER BY. Using is the operator of USING, else empty.
type SortItem struct {
	At
	Expr  Expr
	Desc  bool
	Nulls NullsOrder
	Using string
}

// LockStrength is FOR UPDATE and its weaker forms.
type LockStrength uint8

// The strengths.
const (
	LockUpdate LockStrength = iota
	LockNoKeyUpdate
	LockShare
	LockKeyShare
)

// Lock is a FOR UPDATE clause.
type Lock struct {
	At
	Strength   LockStrength
	Of         [][]string
	NoWait     bool
	SkipLocked bool
}

// Window is a window definition: OVER w has Name only in a call, with Inline
// false; OVER (…) and WINDOW w AS (…) have the rest. Ref is the window that
// (w …) builds upon.
type Window struct {
	At
	Name      string
	Inline    bool
	Ref       string
	Partition []Expr
	Order     []*SortItem
	Frame     *Frame
}

// FrameMode is ROWS, RANGE or GROUPS.
type FrameMode uint8

// The modes.
const (
	FrameRows FrameMode = iota
	FrameRange
	FrameGroups
)

// BoundKind is one end of a frame.
type BoundKind uint8

// The bounds.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// ExcludeKind is EXCLUDE of a frame.
type ExcludeKind uint8

// The exclusions.
const (
	ExcludeNothing ExcludeKind = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// Bound is one end of a frame; Offset is set for Preceding and Following.
type Bound struct {
	Kind   BoundKind
	Offset Expr
}

// Frame is a window frame. A frame written with one bound ends at CURRENT ROW.
type Frame struct {
	At
	Mode       FrameMode
	Start, End Bound
	Exclude    ExcludeKind
}

// Alias is [AS] name [(columns)].
type Alias struct {
	At
	Name    string
	Columns []string
}

// TableRef is a relation in FROM or the target of DML. Alias may be nil.
type TableRef struct {
	At
	Name   []string
	Only   bool
	Alias  *Alias
	Sample *Sample
}

// Sample is TABLESAMPLE method (args) [REPEATABLE (seed)].
type Sample struct {
	At
	Method string
	Args   []Expr
	Seed   Expr
}

// SubqueryRef is (Query) in FROM. Alias may be nil.
type SubqueryRef struct {
	At
	Lateral bool
	Query   *Query
	Alias   *Alias
}

// ColDef is name type of a column definition list of a FROM function.
type ColDef struct {
	At
	Name string
	Type *TypeName
}

// FuncItem is one function of ROWS FROM; Expr is a Call, Builtin, ValueFunc or
// Cast (some functions have key word forms).
type FuncItem struct {
	Expr    Expr
	ColDefs []ColDef
}

// FuncTable is f(…) or ROWS FROM (…) in FROM. It is always implicitly lateral.
type FuncTable struct {
	At
	Lateral    bool
	RowsFrom   bool
	Calls      []FuncItem
	Ordinality bool
	Alias      *Alias
	// ColDefs is AS t(a int, …): Alias then has no Columns.
	ColDefs []ColDef
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The joins.
const (
	JoinInner JoinKind = iota
	JoinLeft
	JoinRight
	JoinFull
	JoinCross
)

// Join is a join of two FROM items: exactly one of Natural, Using, On is set
// unless Kind is JoinCross.
type Join struct {
	At
	Kind        JoinKind
	Natural     bool
	Using       []string
	UsingAlias  string
	On          Expr
	Left, Right TableExpr
	// Alias is set for (a JOIN b …) AS j.
	Alias *Alias
}

func (*TableRef) tableNode()    {}
func (*SubqueryRef) tableNode() {}
func (*FuncTable) tableNode()   {}
func (*Join) tableNode()        {}

// SelectStmt is a query as a statement.
type SelectStmt struct {
	At
	Query *Query
}

// Overriding is OVERRIDING … VALUE of an INSERT.
type Overriding uint8

// The forms of OVERRIDING.
const (
	OverridingNone Overriding = iota
	OverridingSystem
	OverridingUser
)

// Insert is INSERT. Query is nil for DEFAULT VALUES; its body is Values for
// the VALUES form.
type Insert struct {
	At
	With       *With
	Table      *TableRef
	Columns    []InsertColumn
	Overriding Overriding
	Query      *Query
	OnConflict *OnConflict
	Returning  []*Target
}

// InsertColumn is a target column of INSERT and COPY.
type InsertColumn struct {
	At
	Name string
}

// OnConflict is ON CONFLICT [target] DO NOTHING (DO UPDATE is refused by the
// parser).
type OnConflict struct {
	At
	// Columns or Constraint is the target; both empty if absent.
	Columns    []Expr
	Where      Expr
	Constraint string
}

// Assign is one assignment of UPDATE: Columns has one name, or several for
// (a, b) = …, where Value is a Row or a Subquery.
type Assign struct {
	At
	Columns []string
	Multi   bool
	Value   Expr
}

// Update is UPDATE.
type Update struct {
	At
	With      *With
	Table     *TableRef
	Set       []*Assign
	From      []TableExpr
	Where     Expr
	Returning []*Target
}

// Delete is DELETE.
type Delete struct {
	At
	With      *With
	Table     *TableRef
	Using     []TableExpr
	Where     Expr
	Returning []*Target
}

func (*SelectStmt) stmtNode() {}
func (*Insert) stmtNode()     {}
func (*Update) stmtNode()     {}
func (*Delete) stmtNode()     {}
