// Package dialect is the bridge from PostgreSQL's SQL to a grammar that speaks
// another dialect: the lexer and the walker that writes queries as carriers.
// Its child stmt has the hand-written parsers of all statements that are no
// queries.
//
//	text ─ Lex ─ tokens ─ Split ─ one statement ─ stmt.Parse
//	                                │ create, alter, set, copy, grant, …: ast directly
//	                                └ queries, DML, embedded expressions: Walker
//	walker ─ Carrier{Text, Side, source map} ─ Decoder (sql/internal/parse) ─ ast
//
// A carrier is text that the grammar parses with PostgreSQL's shape. Closed
// world: the walker never copies user bytes. It writes only key words of its
// own, backquoted names, quoted strings, integers of fewer than 19 digits and
// marks (names that begin with 0x01; a user's name with a byte below 0x20 is
// refused). So no comment, hint, variable, function form or quoting rule of the
// other dialect can be reached from user text.
//
// What travels as itself: SELECT with its clauses, set operations, nesting,
// columns, calls, the operators + - * / % ^ = <> < <= > >= AND OR NOT, IS
// [NOT] NULL/TRUE/FALSE, IN, CASE, subqueries. What travels by a mark:
//
//   - every other construct with operands is a call `\x01n`(i, operands…), where
//     Side[i] is its ast node without operands (Cast, Pattern, Between, Call with
//     modifiers and window, Row, Subscripts, …): the walker knows names, types,
//     flags and positions, the grammar only groups;
//   - every other operator is a | `\x01o<op>` | b: the grammar's | has exactly the
//     place of PostgreSQL's "any other operator", and chains of it stay flat;
//   - relations, aliases, WITH names: a name with the number of a side entry;
//   - a join is JOIN … ON @j<i>:=condition, so that conditions need no brackets
//     and the grammar re-associates nothing;
//   - FROM functions and parenthesised operands of set operations are derived
//     tables with a mark; VALUES, DISTINCT ON, LIMIT, locks, windows are marked
//     fields or sort items.
//
// DML travels as one SELECT (the assigned values as its fields, with FROM and
// WHERE) and RETURNING as another, so the grammar only ever sees SELECT.
//
// Precedence: expr climbs PostgreSQL's table and returns the level, in the
// carrier grammar, of what it wrote; an operand of too low a level is put in
// parentheses. Both tables are needed because they differ: IS and BETWEEN stand
// elsewhere, || is any other operator, predicates may be followed by anything.
// That the walker knows precedence also means that it finds nearly every syntax
// error itself, at PostgreSQL's token and in its words.
//
// Positions are byte offsets of the user's text; Carrier.Source maps back.
//
// What it deliberately does not do: resolve names, types or privileges; decide
// what a setting or option means.
//
// Start reading at Walker, then expr (expr.go) and selectBody (query.go).
package dialect
