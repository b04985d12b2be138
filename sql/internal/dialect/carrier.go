package dialect

import (
	"slices"
	"sort"
	"strconv"
	"sync"

	"quern/sql/internal/ast"
)

// Marks of carriers. A name in carrier text that begins with Mark is ours: a
// user's name with a byte below 0x20 is refused.
const (
	Mark = "\x01"
	// MarkNode is the function `\x01n`(i, operands…): Side[i] is a node of
	// ast that lacks its operands.
	MarkNode = "\x01n"
	// MarkRel is the relation `\x01r<i>`: Side[i] is a *ast.TableRef.
	MarkRel = "\x01r"
	// MarkSub is the alias `\x01q<i>` of a derived table: Side[i] is a
	// *ast.SubqueryRef.
	MarkSub = "\x01q"
	// MarkFrom is the function in SELECT `\x01srf`(i, …) of a derived table:
	// Side[i] is a *ast.FuncTable or a *ast.TableRef with a sample.
	MarkFrom = "\x01srf"
	// MarkCTE is the CTE name `\x01c<i>`: Side[i] is a *CTEMark.
	MarkCTE = "\x01c"
	// MarkOp is the identifier `\x01o<op>` between two | of an operator chain,
	// MarkOpIn `\x01p<schema>\x02<op>` the same for OPERATOR(schema.op).
	MarkOp   = "\x01o"
	MarkOpIn = "\x01p"
	// MarkParam is the column `\x01$<n>`.
	MarkParam = "\x01$"
	// MarkStar is the column `\x01*`, MarkDefault `\x01default`.
	MarkStar    = "\x01*"
	MarkDefault = "\x01default"
	// MarkNone is the only field of a SELECT without columns, and the only
	// relation of one without FROM that has other clauses.
	MarkNone = "\x01none"
	// MarkPar is the only field of a parenthesised operand of a set operation:
	// SELECT `\x01par` FROM (query) AS `\x01`.
	MarkPar = "\x01par"
	// MarkValues is the first field of a VALUES list, a MarkRow per row
	// follows.
	MarkValues = "\x01values"
	MarkRow    = "\x01row"
	// MarkExists is EXISTS as a function: NOT EXISTS would be folded.
	MarkExists = "\x01exists"
	// MarkDistinctOn is the first field of SELECT DISTINCT ON.
	MarkDistinctOn = "\x01don"
	// MarkTail is an item of ORDER BY that is none: `\x01tail`(i, limit,
	// offset), Side[i] is a *TailMark.
	MarkTail = "\x01tail"
	// MarkSort is an item of ORDER BY with NULLS or USING: `\x01s`(i, e).
	MarkSort = "\x01s"
	// MarkGroupAll and MarkGroupDistinct are first items of GROUP BY.
	MarkGroupAll      = "\x01gall"
	MarkGroupDistinct = "\x01gdistinct"
)

// CallMark is the side entry of a call with modifiers, windows included. The
// operands of its carrier are, in this order: Args of Call, Order of Call,
// filter, and those of Window.
type CallMark struct {
	Call      *ast.Call
	Args      int
	Filter    bool
	HasWindow bool
}

// CTEMark is the side entry of a WITH query.
type CTEMark struct {
	With *ast.With
	CTE  *ast.CTE
}

// TailMark is the side entry of what follows ORDER BY.
type TailMark struct {
	HasLimit, HasOffset, WithTies bool
	Locks                         []ast.Lock
}

// SampleMark is the side entry of a sampled relation.
type SampleMark struct {
	Table   *ast.TableRef
	HasSeed bool
}

// Carrier is what the grammar reads in place of a query: text made only of key
// words from a fixed list, backquoted identifiers, quoted strings, integers of
// fewer than 19 digits and carriers. No byte of the user's text is in it
// outside quotes.
type Carrier struct {
	Text string
	// Side holds what does not travel through the grammar.
	Side []any

	starts []int32 // offsets in Text, ascending
	srcs   []int32 // offsets in the user's text
}

// Source is the place in the user's text of the piece of the carrier at off.
func (c *Carrier) Source(off int) int {
	if i := c.find(off); i >= 0 {
		return int(c.srcs[i])
	}
	return -1
}

// SourceBefore is the place of the piece that stands before the one at off:
// the operator before its right operand.
func (c *Carrier) SourceBefore(off int) int {
	if i := c.find(off); i >= 1 {
		return int(c.srcs[i-1])
	}
	return -1
}

// find is the index of the last piece that starts at or before off.
func (c *Carrier) find(off int) int {
	return sort.Search(len(c.starts), func(i int) bool { return int(c.starts[i]) > off }) - 1
}

type pieceMode uint8

const (
	pieceRaw   pieceMode = iota // text as is
	pieceIdent                  // `text`
	pieceStr                    // 'text'
	pieceInt                    // mark and n
)

// piece is one token of the carrier.
type piece struct {
	text string
	src  int32
	pre  int32 // head of the list of prefixes put before it later, -1
	n    int32
	mode pieceMode
}

type prefix struct {
	text string
	src  int32
	n    int32 // side index, -1
	next int32
}

// builder collects pieces. A construct that turns out to wrap what was already
// written (x::int, a LIKE b) puts a prefix before the piece at its start.
type builder struct {
	pieces   []piece
	prefixes []prefix
	side     []any
	car      Carrier
}

// builders holds builders whose slices have grown; the carrier of one is dead
// once it has been decoded.
var builders = sync.Pool{New: func() any { return &builder{} }}

// builderPiecesMax keeps the slices of long statements out of the pool.
const builderPiecesMax = 8192

// release gives b back. Nothing of it may be used afterwards.
func (b *builder) release() {
	if cap(b.pieces) > builderPiecesMax {
		return
	}
	clear(b.pieces)
	clear(b.side)
	b.pieces, b.prefixes, b.side = b.pieces[:0], b.prefixes[:0], b.side[:0]
	b.car = Carrier{starts: b.car.starts[:0], srcs: b.car.srcs[:0]}
	builders.Put(b)
}

func (b *builder) raw(src int32, text string) {
	b.pieces = append(b.pieces, piece{text: text, src: src, pre: -1})
}

func (b *builder) ident(src int32, name string) {
	b.pieces = append(b.pieces, piece{text: name, src: src, pre: -1, mode: pieceIdent})
}

func (b *builder) str(src int32, s string) {
	b.pieces = append(b.pieces, piece{text: s, src: src, pre: -1, mode: pieceStr})
}

// numbered writes text, n and, if text opens a backquote or a call, nothing
// else: the caller closes it.
func (b *builder) numbered(src int32, text string, n int) {
	b.pieces = append(b.pieces, piece{text: text, src: src, pre: -1, n: int32(n), mode: pieceInt})
}

// add keeps a side entry and returns its number.
func (b *builder) add(x any) int {
	b.side = append(b.side, x)
	return len(b.side) - 1
}

// wrap puts text (and the number n if it is not negative) before the piece at
// start, before prefixes that are already there.
func (b *builder) wrap(start int, src int32, text string, n int) {
	p := &b.pieces[start]
	b.prefixes = append(b.prefixes, prefix{text: text, src: src, n: int32(n), next: p.pre})
	p.pre = int32(len(b.prefixes) - 1)
}

// finish writes the carrier, which lives until release.
func (b *builder) finish() *Carrier {
	c := &b.car
	c.Side = b.side
	c.starts = slices.Grow(c.starts, len(b.pieces)+len(b.prefixes))
	c.srcs = slices.Grow(c.srcs, len(b.pieces)+len(b.prefixes))
	size := 0
	for i := range b.pieces {
		size += len(b.pieces[i].text) + 6
	}
	buf := make([]byte, 0, size+16*len(b.prefixes))
	mark := func(src int32) {
		c.starts = append(c.starts, int32(len(buf)))
		c.srcs = append(c.srcs, src)
	}
	for i := range b.pieces {
		p := &b.pieces[i]
		for j := p.pre; j >= 0; j = b.prefixes[j].next {
			f := &b.prefixes[j]
			mark(f.src)
			buf = append(buf, f.text...)
			if f.n >= 0 {
				buf = strconv.AppendInt(buf, int64(f.n), 10)
				buf = append(buf, ',')
			}
		}
		mark(p.src)
		switch p.mode {
		case pieceRaw:
			buf = append(buf, p.text...)
		case pieceIdent:
			buf = appendQuoted(buf, p.text, '`')
		case pieceStr:
			buf = appendQuoted(buf, p.text, '\'')
		case pieceInt:
			buf = append(buf, p.text...)
			buf = strconv.AppendInt(buf, int64(p.n), 10)
		}
	}
	c.Text = string(buf)
	return c
}

func appendQuoted(buf []byte, s string, q byte) []byte {
	buf = append(buf, q)
	for i := 0; i < len(s); i++ {
		if s[i] == q {
			buf = append(buf, q)
		}
		buf = append(buf, s[i])
	}
	return append(buf, q)
}
