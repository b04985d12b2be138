package ast

// LiteralKind is the kind of a Literal.
type LiteralKind uint8

// The kinds of literals.
const (
	LitNull LiteralKind = iota
	LitBool
	LitInt
	LitNumeric
	LitString
	LitBit
)

// Literal is a constant. Text is "true"/"false" for LitBool; decimal digits
// with an optional sign for LitInt (any size: the binder chooses int4, int8 or
// numeric); the number as written for LitNumeric; the value for LitString;
// "b1010" or "x1F" for LitBit. A sign directly before a number is part of it.
type Literal struct {
	At
	Kind LiteralKind
	Text string
	// As is the type that a string or NULL of a view's definition was bound to,
	// printed behind it; empty elsewhere.
	As string
}

// Param is $N, N ≥ 1.
type Param struct {
	At
	N int
}

// Column is a column reference of one to four parts.
type Column struct {
	At
	Parts []string
}

// Star is * (no Parts) or t.* as a target or as an argument such as count(t.*).
type Star struct {
	At
	Parts []string
}

// Default is DEFAULT as a value in INSERT and UPDATE.
type Default struct{ At }

// CastSyntax says how a cast was written.
type CastSyntax uint8

// The syntaxes of casts.
const (
	CastCall    CastSyntax = iota // CAST(x AS t)
	CastColons                    // x::t
	CastLiteral                   // t 'literal'
)

// Cast converts Expr to Type. For CastLiteral Expr is a LitString.
type Cast struct {
	At
	Expr   Expr
	Type   *TypeName
	Syntax CastSyntax
}

// Op is an operator: Left is nil for a prefix operator. Pos is the operator's.
// Schema is set by OPERATOR(schema.op) only.
type Op struct {
	At
	Schema string
	Name   string
	Left   Expr
	Right  Expr
}

// LogicKind is AND, OR or NOT.
type LogicKind uint8

// The logical connectives.
const (
	And LogicKind = iota
	Or
	Not
)

// Logic is AND or OR of two or more, or NOT of one.
type Logic struct {
	At
	Kind LogicKind
	Args []Expr
}

// LikeKind is LIKE, ILIKE or SIMILAR TO.
type LikeKind uint8

// The pattern predicates.
const (
	Like LikeKind = iota
	ILike
	Similar
)

// Pattern is Left [NOT] LIKE Right [ESCAPE Escape]; Escape may be nil.
type Pattern struct {
	At
	Kind   LikeKind
	Not    bool
	Left   Expr
	Right  Expr
	Escape Expr
}

// Between is Expr [NOT] BETWEEN [SYMMETRIC] Low AND High.
type Between struct {
	At
	Not       bool
	Symmetric bool
	Expr      Expr
	Low, High Expr
}

// In is Expr [NOT] IN (List) or Expr [NOT] IN (Query).
type In struct {
	At
	Not   bool
	Expr  Expr
	List  []Expr
	Query *Query
}

// AnyAll is Left op ANY|ALL (Array) or (Query). LIKE ANY has Name "~~", NOT
// LIKE "!~~", ILIKE "~~*", NOT ILIKE "!~~*", as in PostgreSQL.
type AnyAll struct {
	At
	Schema string
	Name   string
	All    bool
	Left   Expr
	Array  Expr
	Query  *Query
}

// IsKind is what IS tests for.
type IsKind uint8

// The tests.
const (
	IsNull IsKind = iota
	IsTrue
	IsFalse
	IsUnknown
	IsDocument
	IsNormalized
	IsJSON
)

// Is is Expr IS [NOT] NULL|TRUE|FALSE|UNKNOWN|…
type Is struct {
	At
	Kind IsKind
	Not  bool
	Expr Expr
	// Form is the normal form of IS NORMALIZED or the kind of IS JSON.
	Form string
}

// Distinct is Left IS [NOT] DISTINCT FROM Right.
type Distinct struct {
	At
	Not         bool
	Left, Right Expr
}

// Overlaps is Left OVERLAPS Right; both are rows of two.
type Overlaps struct {
	At
	Left, Right *Row
}

// Exists is EXISTS (Query).
type Exists struct {
	At
	Query *Query
}

// Subquery is (Query) as a value.
type Subquery struct {
	At
	Query *Query
}

// ArrayQuery is ARRAY(Query).
type ArrayQuery struct {
	At
	Query *Query
}

// Array is ARRAY[…]; inner brackets of ARRAY[[1],[2]] are Arrays too.
type Array struct {
	At
	Elems []Expr
}

// Row is ROW(…) or, with Explicit false, (a, b).
type Row struct {
	At
	Explicit bool
	Elems    []Expr
}

// When is one arm of Case.
type When struct {
	Cond, Then Expr
}

// Case is CASE [Arg] WHEN … [ELSE] END.
type Case struct {
	At
	Arg   Expr
	Whens []When
	Else  Expr
}

// BuiltinKind is a construct with the look of a call that is no function.
type BuiltinKind uint8

// The constructs.
const (
	Coalesce BuiltinKind = iota
	Greatest
	Least
	NullIf
	Grouping
)

// Builtin is COALESCE(…) and its like.
type Builtin struct {
	At
	Kind BuiltinKind
	Args []Expr
}

// ValueFunc is CURRENT_DATE and its like, without parentheses. Name is the
// lower-case key word (USER and CURRENT_ROLE keep theirs: they name the result
// column). Precision is -1 if not given.
type ValueFunc struct {
	At
	Name      string
	Precision int
}

// CallSyntax says which special syntax a call was written in.
type CallSyntax uint8

// The syntaxes of calls.
const (
	SyntaxCall CallSyntax = iota
	SyntaxExtract
	SyntaxTrim
	SyntaxPosition
	SyntaxOverlay
	SyntaxSubstring
	SyntaxAtTimeZone
	SyntaxAtLocal
	SyntaxNormalize
	SyntaxCollationFor
)

// NullTreatment is RESPECT NULLS or IGNORE NULLS behind a window call.
type NullTreatment uint8

// The treatments.
const (
	NullsDefault NullTreatment = iota
	NullsRespect
	NullsIgnore
)

// Call is a function, aggregate or window call.
type Call struct {
	At
	Name   []string
	Syntax CallSyntax
	// Args are positional ones first, then *NamedArg.
	Args []Expr
	// Variadic marks the last argument.
	Variadic bool
	// Star is f(*).
	Star     bool
	Distinct bool
	Order    []*SortItem
	// WithinGroup says that Order came from WITHIN GROUP.
	WithinGroup bool
	Filter      Expr
	Nulls       NullTreatment
	Over        *Window
}

// NamedArg is name => Expr in a call.
type NamedArg struct {
	At
	Name string
	Expr Expr
}

// Subscript is [Index] or [Low:High] (either may be nil).
type Subscript struct {
	Slice     bool
	Index     Expr
	Low, High Expr
}

// Subscripts is Base followed by all subscripts of one chain.
type Subscripts struct {
	At
	Base  Expr
	Items []Subscript
}

// Field is (Expr).Name.
type Field struct {
	At
	Expr Expr
	Name string
}

// RowStar is (Expr).*.
type RowStar struct {
	At
	Expr Expr
}

// Collate is Expr COLLATE Name.
type Collate struct {
	At
	Expr Expr
	Name []string
}

// GroupingKind is the kind of a GroupingSet.
type GroupingKind uint8

// The kinds of grouping sets.
const (
	GroupEmpty GroupingKind = iota // ()
	GroupRollup
	GroupCube
	GroupSets
)

// GroupingSet stands in GROUP BY only. Items are expressions, Rows without
// ROW (a set of several columns) or nested GroupingSets.
type GroupingSet struct {
	At
	Kind  GroupingKind
	Items []Expr
}

func (*Literal) exprNode()     {}
func (*Param) exprNode()       {}
func (*Column) exprNode()      {}
func (*Star) exprNode()        {}
func (*Default) exprNode()     {}
func (*Cast) exprNode()        {}
func (*Op) exprNode()          {}
func (*Logic) exprNode()       {}
func (*Pattern) exprNode()     {}
func (*Between) exprNode()     {}
func (*In) exprNode()          {}
func (*AnyAll) exprNode()      {}
func (*Is) exprNode()          {}
func (*Distinct) exprNode()    {}
func (*Overlaps) exprNode()    {}
func (*Exists) exprNode()      {}
func (*Subquery) exprNode()    {}
func (*ArrayQuery) exprNode()  {}
func (*Array) exprNode()       {}
func (*Row) exprNode()         {}
func (*Case) exprNode()        {}
func (*Builtin) exprNode()     {}
func (*ValueFunc) exprNode()   {}
func (*Call) exprNode()        {}
func (*NamedArg) exprNode()    {}
func (*Subscripts) exprNode()  {}
func (*Field) exprNode()       {}
func (*RowStar) exprNode()     {}
func (*Collate) exprNode()     {}
func (*GroupingSet) exprNode() {}
