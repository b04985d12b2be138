// Package parse turns SQL text into sql/internal/ast. It is the door to the
// front half of the SQL front end:
//
//	text ─ dialect.Lex ─ dialect.Split ─ stmt.Parse ─ ast.Stmt
//	                                       │      ↑
//	                          carrier text ↓      │ *ast.Query
//	                                     parse.decode: TiDB's grammar, then decoder
//
// dialect reads PostgreSQL's syntax and writes queries as carriers: text that
// TiDB's grammar reads with PostgreSQL's meaning (see dialect's comment). This
// package runs that grammar and takes its tree apart at once. It is the only
// importer of pingcap; no TiDB type leaves it. The decoder is total: a node or
// a mark that it does not know is an internal error, never a guess.
//
// What it deliberately does not do: names, types, privileges, and rewriting.
//
// Start reading at Script and decode.
package parse

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pingcap/tidb/pkg/parser"
	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/sql/internal/dialect/stmt"
	"quern/storage/errs"
)

// Statement is one statement of a script. Start and End are byte offsets in
// the script's text, without the semicolon.
type Statement struct {
	Stmt       ast.Stmt
	Start, End int
}

// Script parses every statement of text. Empty statements are left out; a text
// without any gives an empty list. Positions in trees and errors are offsets in
// text.
func Script(text string) ([]Statement, error) {
	toks, err := dialect.Lex(text)
	if err != nil {
		return nil, err
	}
	var list []Statement
	for _, part := range dialect.Split(toks) {
		if part.Empty() {
			continue
		}
		s, err := stmt.Parse(text, part, decode)
		if err != nil {
			return nil, err
		}
		list = append(list, Statement{Stmt: s, Start: part.Start, End: part.End})
	}
	return list, nil
}

// One parses a text that may hold one statement only, as the extended protocol
// demands. A text without statement gives *ast.Empty.
func One(text string) (ast.Stmt, error) {
	list, err := Script(text)
	if err != nil {
		return nil, err
	}
	switch len(list) {
	case 0:
		return &ast.Empty{}, nil
	case 1:
		return list[0].Stmt, nil
	}
	return nil, errs.New(errs.Syntax, "cannot insert multiple commands into a prepared statement")
}

// Expr parses text as one expression: a stored default, policy or view body.
func Expr(text string) (ast.Expr, error) {
	toks, err := dialect.Lex(text)
	if err != nil {
		return nil, err
	}
	return dialect.ParseExpr(text, toks, decode)
}

// Type parses text as a type name.
func Type(text string) (*ast.TypeName, error) {
	toks, err := dialect.Lex(text)
	if err != nil {
		return nil, err
	}
	return dialect.ParseType(text, toks)
}

// mode is how the carriers are meant to be read.
const mode = mysql.ModeANSIQuotes | mysql.ModePipesAsConcat | mysql.ModeNoBackslashEscapes | mysql.ModeIgnoreSpace

// pool holds grammar instances: one is not safe for concurrent use and costs
// 17 KB to make.
var pool = sync.Pool{New: func() any {
	p := parser.New()
	p.SetSQLMode(mode)
	return p
}}

// pooledBytesMax is the longest carrier after which a grammar instance goes
// back to the pool: its stack has grown with the text.
const pooledBytesMax = 256 << 10

// holes counts carriers that the grammar refused though the walker had taken
// the statement: each is a bug.
var holes atomic.Int64

// Holes is the number of statements that the walker took and the grammar
// refused since the process started; system.metrics shows it and it should be
// zero.
func Holes() int64 { return holes.Load() }

// decode runs the grammar on a carrier and takes its tree apart.
func decode(c *dialect.Carrier) (q *ast.Query, err error) {
	p := pool.Get().(*parser.Parser)
	// Foreign code: a panic in it ends the statement only, and the instance is
	// not used again.
	defer func() {
		if r := recover(); r != nil {
			holes.Add(1)
			q, err = nil, &errs.Error{Code: errs.Internal, Msg: "statement could not be parsed",
				Err: fmt.Errorf("panic in the grammar: %v", r)}
		}
	}()
	// The list is the parser's own and is overwritten by its next call: it is
	// decoded before the parser goes back.
	stmts, _, perr := p.ParseSQL(c.Text)
	if perr != nil {
		holes.Add(1)
		return nil, hole(c, perr)
	}
	if len(stmts) != 1 {
		holes.Add(1)
		return nil, errs.New(errs.Internal, "statement could not be parsed")
	}
	d := decoder{c: c}
	q, err = d.statement(stmts[0])
	if err != nil {
		holes.Add(1)
		return nil, err
	}
	if len(c.Text) <= pooledBytesMax {
		// Reset clears the yacc stack, which keeps the last tree alive, and
		// also sets MySQL's default mode.
		p.Reset()
		p.SetSQLMode(mode)
		pool.Put(p)
	}
	return q, nil
}

// hole words an error of the grammar as PostgreSQL would: the walker missed
// it. Only the place can be told.
func hole(c *dialect.Carrier, err error) error {
	msg := err.Error()
	pos := -1
	if i := strings.Index(msg, `near "`); i >= 0 {
		rest := strings.TrimSuffix(strings.TrimRight(msg[i+6:], " "), `"`)
		if n := len(c.Text) - len(rest); n >= 0 && strings.HasSuffix(c.Text, rest) {
			pos = c.Source(n)
		}
	}
	return &errs.Error{Code: errs.Syntax, Msg: "syntax error", Pos: pos + 1, Err: err}
}

var errUnknownNode = errors.New("unknown node of the grammar")

// unknown is the internal error for a node that the decoder does not know.
func unknown(what string, n any) error {
	return &errs.Error{Code: errs.Internal, Msg: "statement could not be decoded",
		Err: fmt.Errorf("%w: %s %T", errUnknownNode, what, n)}
}

var _ tidb.ValueExpr = (*value)(nil)
