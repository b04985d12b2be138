// Package ast is the syntax tree of one SQL statement: pure data, one node per
// PostgreSQL concept, made by sql/internal/parse and read by sql/internal/bind.
//
// Shape:
//
//	Stmt ─ SelectStmt ─ Query ─ Body: Select | SetOp | Values
//	     ├ Insert, Update, Delete          ├ From: TableRef | SubqueryRef | FuncTable | Join
//	     └ DDL, session, rights, …         └ Expr (expr.go)
//
// Rules that hold for every tree:
//   - Pos is the 0-based byte offset in the text that the client sent, -1 if
//     the node stands nowhere (synthesised). Error positions are Pos+1.
//   - Names are folded already. A name of several parts is a []string, the last
//     one the object. The quoted bit is kept where it decides something, which
//     is in type names only ("char" is not char).
//   - Special syntaxes are calls of the function PostgreSQL makes of them
//     (trim → btrim, AT TIME ZONE → timezone) with Call.Syntax telling which.
//   - AND and OR are flat lists; operators are left-deep.
//   - Nothing here knows types, catalogs or policies: TypeName is text.
//
// Start reading at Expr and Stmt. The printer (print.go) gives back PostgreSQL
// text; it is used by view definitions, EXPLAIN and the round-trip tests.

package ast

// Node is anything with a place in the statement's text.
type Node interface {
	// Position is the 0-based byte offset in the statement's text, -1 if none.
	Position() int
}

// Expr is an expression.
type Expr interface {
	Node
	exprNode()
}

// Stmt is a whole statement.
type Stmt interface {
	Node
	stmtNode()
}

// Body is what stands between WITH and ORDER BY of a Query.
type Body interface {
	Node
	bodyNode()
}

// TableExpr is an item of FROM.
type TableExpr interface {
	Node
	tableNode()
}

// At is the position that every node embeds.
type At struct {
	Pos int
}

// Position implements Node.
func (a At) Position() int { return a.Pos }

// TypeName is a type as written, in canonical words: "timestamptz" for
// `timestamp with time zone`, "int4" for `int`, "bpchar" for `char`,
// "varchar" for `character varying`, "numeric" for `dec`. A schema-qualified
// name keeps its parts. It deliberately does not say whether the type exists.
type TypeName struct {
	At
	Parts []string
	// Quoted says that the last part was a delimited identifier, so that no
	// keyword alias applies: "char" is the one-byte type, char is bpchar(1).
	Quoted bool
	// Mods are the modifiers in parentheses: varchar(10), numeric(10,2),
	// timestamp(3). `char` without length has Mods [1].
	Mods []int
	// Fields is the interval restriction: "day to second", else empty.
	Fields string
	// Array holds one bound per dimension, -1 for []. `int ARRAY` is [-1].
	Array []int
	// SetOf is true only where PostgreSQL's grammar allows it.
	SetOf bool
	// Text is printed instead of all else, if set: types that binding found.
	Text string
}

// Option is one item of a parenthesised option list, WITH (a = b) or COPY's
// and EXPLAIN's (a b). Names are folded.
type Option struct {
	At
	// Name may have a namespace: "toast.autovacuum_enabled".
	Name  string
	Kind  ValueKind
	Value string
	// List is set for Kind ValueList; each item is a word or string.
	List []string
}

// ValueKind says how an option's or setting's value was written.
type ValueKind uint8

// The kinds.
const (
	ValueNone ValueKind = iota
	ValueWord
	ValueString
	ValueNumber
	ValueList
	ValueStar
	ValueDefault
)

// Role is a role as written in GRANT, OWNER TO and the like.
type Role struct {
	At
	Kind RoleKind
	Name string
}

// RoleKind tells names from key words.
type RoleKind uint8

// The kinds of role names.
const (
	RoleName RoleKind = iota
	RolePublic
	RoleCurrentUser
	RoleSessionUser
)
