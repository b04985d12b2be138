package dialect

import (
	"quern/storage/errs"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens.
const (
	EOF    Kind = iota
	Word        // unquoted identifier or key word, folded
	Quoted      // "delimited" identifier
	String      // any string literal, decoded
	Bits        // B'…' or X'…'; Text begins with b or x
	Int         // integer; Text is decimal digits
	Number      // any other number, as written without underscores
	Param       // $1; Text is the digits
	Op          // operator, <> for !=
	Punct       // ( ) [ ] , ; . : :: := => ..
)

// Class is the key word class of a Word.
type Class uint8

// The classes of PostgreSQL; everything else is an ordinary name.
const (
	Unreserved Class = iota
	ColName          // a name except before ( where its special form begins
	TypeFunc         // usable as function or type name, not as a column
	Reserved
)

// Token is one lexical unit. Start and End are byte offsets in the text.
type Token struct {
	Kind  Kind
	Class Class
	// NoLabel marks the words that need AS to be a column label.
	NoLabel    bool
	Start, End int32
	// Match is the index of the matching bracket, -1 if there is none.
	Match int32
	Text  string
}

// Is reports whether t is the unquoted word.
func (t *Token) Is(word string) bool { return t.Kind == Word && t.Text == word }

// Punct reports whether t is the punctuation p.
func (t *Token) Punct(p string) bool { return t.Kind == Punct && t.Text == p }

// Op reports whether t is the operator o.
func (t *Token) Op(o string) bool { return t.Kind == Op && t.Text == o }

// Limits of SQL.md §2: found before the grammar sees the text.
const (
	textBytesMax  = 16 << 20
	nestingMax    = 1000
	paramMax      = 65535
	targetsMax    = 1664
	identBytesMax = 63
)

// syntaxAt is PostgreSQL's syntax error at token t of src.
func syntaxAt(src string, t *Token) error {
	if t.Kind == EOF {
		return errs.New(errs.Syntax, "syntax error at end of input").WithPos(int(t.Start) + 1)
	}
	return errs.New(errs.Syntax, "syntax error at or near \"%s\"", src[t.Start:t.End]).WithPos(int(t.Start) + 1)
}
