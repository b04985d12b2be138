package dialect

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
)

// Lex cuts text into tokens by the rules of PostgreSQL's scan.l with
// standard_conforming_strings on. The last token is EOF.
func Lex(text string) ([]Token, error) {
	if len(text) > textBytesMax {
		return nil, errs.New(errs.ProgramLimit, "statement is longer than %d bytes", textBytesMax)
	}
	lx := lexer{src: text, toks: make([]Token, 0, len(text)/4+8)}
	if err := lx.checkEncoding(); err != nil {
		return nil, err
	}
	for {
		if err := lx.space(); err != nil {
			return lx.toks, err
		}
		if lx.pos >= len(text) {
			break
		}
		if err := lx.token(); err != nil {
			return lx.toks, err
		}
	}
	lx.toks = append(lx.toks, Token{Kind: EOF, Start: int32(len(text)), End: int32(len(text)), Match: -1})
	return lx.toks, nil
}

type lexer struct {
	src  string
	pos  int
	toks []Token
	open []int32 // indexes of brackets not yet closed
}

func (lx *lexer) checkEncoding() error {
	if strings.IndexByte(lx.src, 0) >= 0 {
		return errs.New(errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x00`)
	}
	if utf8.ValidString(lx.src) {
		return nil
	}
	for i := 0; i < len(lx.src); {
		r, n := utf8.DecodeRuneInString(lx.src[i:])
		if r == utf8.RuneError && n <= 1 {
			return errs.New(errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x%02x`, lx.src[i])
		}
		i += n
	}
	return nil
}

// fail is a lexical error whose text runs from start to end.
func (lx *lexer) fail(msg string, start, end int) error {
	return errs.New(errs.Syntax, "%s at or near \"%s\"", msg, lx.src[start:end]).WithPos(start + 1)
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isIdentPart(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }

func isOpChar(c byte) bool {
	switch c {
	case '~', '!', '@', '#', '^', '&', '|', '`', '?', '+', '-', '*', '/', '%', '<', '>', '=':
		return true
	}
	return false
}

// at is the byte at i, 0 behind the end (the text holds no NUL).
func (lx *lexer) at(i int) byte {
	if i < len(lx.src) {
		return lx.src[i]
	}
	return 0
}

// space skips white space and comments.
func (lx *lexer) space() error {
	for lx.pos < len(lx.src) {
		c := lx.src[lx.pos]
		switch {
		case isSpace(c):
			lx.pos++
		case c == '-' && lx.at(lx.pos+1) == '-':
			lx.lineComment()
		case c == '/' && lx.at(lx.pos+1) == '*':
			start := lx.pos
			if !lx.blockComment() {
				return lx.fail("unterminated /* comment", start, len(lx.src))
			}
		default:
			return nil
		}
	}
	return nil
}

func (lx *lexer) lineComment() {
	n := strings.IndexAny(lx.src[lx.pos:], "\r\n")
	if n < 0 {
		lx.pos = len(lx.src)
		return
	}
	lx.pos += n
}

// blockComment skips a comment, which may nest; false if it does not end.
func (lx *lexer) blockComment() bool {
	depth := 0
	for i := lx.pos; i < len(lx.src); {
		switch {
		case lx.src[i] == '/' && lx.at(i+1) == '*':
			depth++
			i += 2
		case lx.src[i] == '*' && lx.at(i+1) == '/':
			depth--
			i += 2
			if depth == 0 {
				lx.pos = i
				return true
			}
		default:
			i++
		}
	}
	return false
}

func (lx *lexer) add(k Kind, start int, text string) {
	lx.toks = append(lx.toks, Token{Kind: k, Start: int32(start), End: int32(lx.pos), Match: -1, Text: text})
}

// token reads one token at lx.pos. It is a switch over the first byte, and
// longer than a screen only for that.
func (lx *lexer) token() error {
	start, c, next := lx.pos, lx.src[lx.pos], lx.at(lx.pos+1)
	switch {
	case next == '\'' && (c == 'e' || c == 'E'):
		lx.pos++
		return lx.escapeString(start)
	case next == '\'' && (c == 'n' || c == 'N'):
		lx.pos++
		return lx.plainString(start)
	case next == '\'' && (c == 'b' || c == 'B' || c == 'x' || c == 'X'):
		return lx.bitString(start, c|0x20)
	case next == '&' && (c == 'u' || c == 'U') && (lx.at(start+2) == '\'' || lx.at(start+2) == '"'):
		lx.pos += 2
		return lx.unicodeString(start)
	case isIdentStart(c):
		lx.word(start)
		return nil
	case c == '"':
		return lx.quotedIdent(start)
	case c == '\'':
		return lx.plainString(start)
	case isDigit(c), c == '.' && isDigit(next):
		return lx.number(start)
	case c == '$':
		return lx.dollar(start)
	case isOpChar(c):
		lx.operator(start)
		return nil
	case c == ':' && (next == ':' || next == '='), c == '.' && next == '.':
		lx.pos += 2
		lx.add(Punct, start, lx.src[start:lx.pos])
		return nil
	}
	switch c {
	case '(', ')', '[', ']', ',', ';', '.', ':':
		lx.pos++
		lx.add(Punct, start, lx.src[start:lx.pos])
		return lx.bracket(c)
	}
	return lx.fail("syntax error", start, start+1)
}

// bracket keeps the table of matching brackets.
func (lx *lexer) bracket(c byte) error {
	i := int32(len(lx.toks) - 1)
	switch c {
	case '(', '[':
		if len(lx.open) >= nestingMax {
			return errs.New(errs.TooComplex, "statement is nested deeper than %d levels", nestingMax).WithPos(int(lx.toks[i].Start) + 1)
		}
		lx.open = append(lx.open, i)
	case ')', ']':
		if len(lx.open) == 0 {
			return nil
		}
		o := lx.open[len(lx.open)-1]
		if (lx.toks[o].Text == "(") != (c == ')') {
			return nil // left unmatched: the walker stops at it
		}
		lx.open = lx.open[:len(lx.open)-1]
		lx.toks[o].Match, lx.toks[i].Match = i, o
	}
	return nil
}

func (lx *lexer) word(start int) {
	i, upper := start, false
	for i < len(lx.src) && isIdentPart(lx.src[i]) {
		upper = upper || lx.src[i] >= 'A' && lx.src[i] <= 'Z'
		i++
	}
	lx.pos = i
	text := lx.src[start:i]
	if upper {
		text = fold(text)
	}
	lx.add(Word, start, cutIdent(text))
	if info, ok := words[text]; ok {
		t := &lx.toks[len(lx.toks)-1]
		t.Class, t.NoLabel = info.class, info.noLabel
		t.Text = info.text
	}
}

// fold maps A–Z to a–z and nothing else.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// cutIdent cuts a name to 63 bytes at a character boundary.
func cutIdent(s string) string {
	if len(s) <= identBytesMax {
		return s
	}
	n := identBytesMax
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (lx *lexer) quotedIdent(start int) error {
	text, ok := lx.quoted('"')
	if !ok {
		return lx.fail("unterminated quoted identifier", start, len(lx.src))
	}
	if text == "" {
		return lx.fail("zero-length delimited identifier", start, lx.pos)
	}
	lx.add(Quoted, start, cutIdent(text))
	return nil
}

// quoted reads q…q at lx.pos with doubled quotes as one; lx.pos is then behind
// it.
func (lx *lexer) quoted(q byte) (string, bool) {
	begin := lx.pos + 1
	var b strings.Builder
	for i := begin; ; {
		n := strings.IndexByte(lx.src[i:], q)
		if n < 0 {
			return "", false
		}
		i += n
		if lx.at(i+1) != q {
			lx.pos = i + 1
			if b.Len() == 0 {
				return lx.src[begin:i], true
			}
			b.WriteString(lx.src[begin:i])
			return b.String(), true
		}
		b.WriteString(lx.src[begin : i+1])
		begin = i + 2
		i = begin
	}
}

// continued reports whether a further quote follows over white space with a
// newline, and moves to it. A -- comment may stand between, a /* */ may not.
func (lx *lexer) continued() bool {
	newline := false
	i := lx.pos
	for i < len(lx.src) {
		c := lx.src[i]
		switch {
		case c == '\n' || c == '\r':
			newline = true
			i++
		case isSpace(c):
			i++
		case c == '-' && lx.at(i+1) == '-' && newline:
			n := strings.IndexAny(lx.src[i:], "\r\n")
			if n < 0 {
				return false
			}
			i += n
		case c == '\'' && newline:
			lx.pos = i
			return true
		default:
			return false
		}
	}
	return false
}

func (lx *lexer) plainString(start int) error {
	text, ok := lx.quoted('\'')
	for ok && lx.continued() {
		var more string
		more, ok = lx.quoted('\'')
		text += more
	}
	if !ok {
		return lx.fail("unterminated quoted string", start, len(lx.src))
	}
	lx.add(String, start, text)
	return nil
}

func (lx *lexer) bitString(start int, kind byte) error {
	lx.pos++
	text, ok := lx.quoted('\'')
	for ok && lx.continued() {
		var more string
		more, ok = lx.quoted('\'')
		text += more
	}
	if !ok {
		if kind == 'b' {
			return lx.fail("unterminated bit string literal", start, len(lx.src))
		}
		return lx.fail("unterminated hexadecimal string literal", start, len(lx.src))
	}
	lx.add(Bits, start, string(kind)+text)
	return nil
}

// dollar reads $1, $$…$$ or $tag$…$tag$.
func (lx *lexer) dollar(start int) error {
	i := start + 1
	if isDigit(lx.at(i)) {
		for isDigit(lx.at(i)) {
			i++
		}
		if isIdentStart(lx.at(i)) {
			return lx.fail("trailing junk after parameter", start, lx.identEnd(i))
		}
		lx.pos = i
		lx.add(Param, start, lx.src[start+1:i])
		return nil
	}
	if isIdentStart(lx.at(i)) {
		for isIdentStart(lx.at(i)) || isDigit(lx.at(i)) {
			i++
		}
	}
	if lx.at(i) != '$' {
		return lx.fail("syntax error", start, start+1)
	}
	tag := lx.src[start : i+1]
	n := strings.Index(lx.src[i+1:], tag)
	if n < 0 {
		return lx.fail("unterminated dollar-quoted string", start, len(lx.src))
	}
	lx.pos = i + 1 + n + len(tag)
	lx.add(String, start, lx.src[i+1:i+1+n])
	return nil
}

func (lx *lexer) operator(start int) {
	i := start
	for i < len(lx.src) && isOpChar(lx.src[i]) {
		if i > start && (lx.src[i] == '-' && lx.at(i+1) == '-' || lx.src[i] == '/' && lx.at(i+1) == '*') {
			break
		}
		i++
	}
	op := lx.src[start:i]
	if len(op) > 1 && !strings.ContainsAny(op, "~!@#%^&|`?") {
		for len(op) > 1 && (op[len(op)-1] == '+' || op[len(op)-1] == '-') {
			op = op[:len(op)-1]
		}
	}
	lx.pos = start + len(op)
	switch op {
	case "=>":
		lx.add(Punct, start, op)
	case "!=":
		lx.add(Op, start, "<>")
	default:
		lx.add(Op, start, op)
	}
}

// number reads an integer, a numeric, or one of the later spellings 0x1F, 0o7,
// 0b1, 1_000.
func (lx *lexer) number(start int) error {
	if lx.src[start] == '0' && start+1 < len(lx.src) {
		if base := radix(lx.src[start+1]); base != 0 {
			return lx.radixNumber(start, base)
		}
	}
	i := lx.digits(start)
	kind := Int
	if lx.at(i) == '.' && lx.at(i+1) != '.' {
		kind = Number
		i = lx.digits(i + 1)
	}
	if c := lx.at(i); c == 'e' || c == 'E' {
		j := i + 1
		if lx.at(j) == '+' || lx.at(j) == '-' {
			j++
		}
		if !isDigit(lx.at(j)) {
			return lx.fail("trailing junk after numeric literal", start, lx.identEnd(j))
		}
		kind = Number
		i = lx.digits(j)
	}
	return lx.numberEnd(kind, start, i, strings.ReplaceAll(lx.src[start:i], "_", ""))
}

// digits skips digits with single underscores between them.
func (lx *lexer) digits(i int) int {
	for isDigit(lx.at(i)) || lx.at(i) == '_' && i > 0 && isDigit(lx.src[i-1]) && isDigit(lx.at(i+1)) {
		i++
	}
	return i
}

// identEnd is the end of the identifier characters at i.
func (lx *lexer) identEnd(i int) int {
	for isIdentPart(lx.at(i)) {
		i++
	}
	return i
}

func (lx *lexer) numberEnd(kind Kind, start, end int, text string) error {
	if isIdentStart(lx.at(end)) {
		return lx.fail("trailing junk after numeric literal", start, lx.identEnd(end))
	}
	lx.pos = end
	if kind == Int {
		if t := strings.TrimLeft(text, "0"); t != "" {
			text = t
		} else {
			text = "0"
		}
	}
	lx.add(kind, start, text)
	return nil
}

func radix(c byte) int {
	switch c | 0x20 {
	case 'x':
		return 16
	case 'o':
		return 8
	case 'b':
		return 2
	}
	return 0
}

func (lx *lexer) radixNumber(start, base int) error {
	i := start + 2
	var b strings.Builder
	for ; i < len(lx.src); i++ {
		c := lx.src[i]
		if c == '_' {
			continue
		}
		d := c - '0'
		if !isDigit(c) {
			d = (c | 0x20) - 'a' + 10
			if (c|0x20) < 'a' || (c|0x20) > 'z' {
				break
			}
		}
		if int(d) >= base {
			break
		}
		b.WriteByte(c)
	}
	if b.Len() == 0 || lx.src[i-1] == '_' {
		return lx.fail("trailing junk after numeric literal", start, min(start+2, len(lx.src)))
	}
	v, ok := new(big.Int).SetString(b.String(), base)
	if !ok {
		return lx.fail("trailing junk after numeric literal", start, i)
	}
	return lx.numberEnd(Int, start, i, v.String())
}
