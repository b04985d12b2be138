package are

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
)

// Linear matches patterns that begin with ^ and are a row of literals, optional
// literals, runs of a character class and groups of these, where no run can
// reach into what follows it: ^https?://(?:www\.)?([^/]+)/.*$ or
// ^([a-z]+)=([0-9]*)$. One pass over the text finds the match and its groups; only
// an optional literal is ever taken back.
type Linear struct {
	steps  []step
	groups int
}

type stepKind uint8

const (
	stepLiteral  stepKind = iota
	stepOptional          // literal or nothing
	stepRun               // at least min bytes of set
	stepMark              // a group begins or ends: slot
	stepEnd               // end of text
)

type step struct {
	kind stepKind
	min  uint8
	// stop is the one byte that ends a run, -1 if there are others.
	stop int16
	slot int
	lit  []byte
	set  byteSet
}

// byteSet is a set of bytes; all bytes of characters beyond ASCII are in or out
// together.
type byteSet [4]uint64

func (b *byteSet) add(c byte)      { b[c>>6] |= 1 << (c & 63) }
func (b *byteSet) has(c byte) bool { return b[c>>6]>>(c&63)&1 != 0 }
func (b *byteSet) meets(o *byteSet) bool {
	return b[0]&o[0]|b[1]&o[1]|b[2]&o[2]|b[3]&o[3] != 0
}

// stepsMax and optionalsMax bound the work: each optional literal may be tried
// both ways.
const (
	stepsMax     = 64
	optionalsMax = 6
)

// NewLinear makes the matcher of re, nil if re is not of this kind.
func NewLinear(re *regexp.Regexp) *Linear {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	if len(parts) < 2 || parts[0].Op != syntax.OpBeginText {
		return nil
	}
	l := &Linear{groups: re.NumSubexp() + 1}
	optionals := 0
	for _, p := range parts[1:] {
		if !l.add(p, &optionals) {
			return nil
		}
	}
	for i := range l.steps {
		if s := &l.steps[i]; s.kind == stepRun && l.reaches(i) {
			return nil
		}
	}
	return l
}

func (l *Linear) add(p *syntax.Regexp, optionals *int) bool {
	if len(l.steps) >= stepsMax || p.Flags&(syntax.FoldCase|syntax.NonGreedy) != 0 && p.Op != syntax.OpCapture {
		return false
	}
	switch p.Op {
	case syntax.OpLiteral:
		l.steps = append(l.steps, step{kind: stepLiteral, lit: []byte(string(p.Rune))})
		return true
	case syntax.OpEndText:
		l.steps = append(l.steps, step{kind: stepEnd})
		return true
	case syntax.OpQuest:
		lit := p.Sub[0]
		*optionals++
		if lit.Op != syntax.OpLiteral || lit.Flags&syntax.FoldCase != 0 || *optionals > optionalsMax {
			return false
		}
		l.steps = append(l.steps, step{kind: stepOptional, lit: []byte(string(lit.Rune))})
		return true
	case syntax.OpPlus, syntax.OpStar:
		s := step{kind: stepRun, stop: -1}
		if p.Op == syntax.OpPlus {
			s.min = 1
		}
		if !s.class(p.Sub[0]) {
			return false
		}
		l.steps = append(l.steps, s)
		return true
	case syntax.OpConcat:
		return !slices.ContainsFunc(p.Sub, func(x *syntax.Regexp) bool { return !l.add(x, optionals) })
	case syntax.OpCapture:
		l.steps = append(l.steps, step{kind: stepMark, slot: 2 * p.Cap})
		if !l.add(p.Sub[0], optionals) {
			return false
		}
		l.steps = append(l.steps, step{kind: stepMark, slot: 2*p.Cap + 1})
		return true
	}
	return false
}

// class fills the set of a run.
func (s *step) class(p *syntax.Regexp) bool {
	var ranges []rune
	switch p.Op {
	case syntax.OpAnyChar:
		ranges = []rune{0, 0x10FFFF}
	case syntax.OpAnyCharNotNL:
		ranges = []rune{0, '\n' - 1, '\n' + 1, 0x10FFFF}
	case syntax.OpCharClass:
		ranges = p.Rune
	case syntax.OpLiteral:
		if len(p.Rune) != 1 || p.Flags&syntax.FoldCase != 0 {
			return false
		}
		ranges = []rune{p.Rune[0], p.Rune[0]}
	default:
		return false
	}
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if hi >= 0x80 && (lo > 0x80 || hi < 0x10FFFF) {
			return false // some characters beyond ASCII and not others
		}
		for c := lo; c <= min(hi, 0xff); c++ {
			s.set.add(byte(c))
		}
	}
	out := 0
	for c := range 256 {
		if !s.set.has(byte(c)) {
			out++
			s.stop = int16(c)
		}
	}
	if out != 1 {
		s.stop = -1
	}
	return true
}

// reaches tells whether what may follow run i can begin with a byte of it.
func (l *Linear) reaches(i int) bool {
	set := &l.steps[i].set
	for k := i + 1; k < len(l.steps); k++ {
		switch s := &l.steps[k]; s.kind {
		case stepLiteral:
			return set.has(s.lit[0])
		case stepOptional:
			if set.has(s.lit[0]) {
				return true
			}
		case stepRun:
			if set.meets(&s.set) {
				return true
			}
			if s.min > 0 {
				return false
			}
		case stepEnd:
			return false
		}
	}
	return false
}

// Match finds the match at the start of s. loc gets the positions as
// regexp.FindSubmatchIndex gives them; it is loc's array if that has room.
func (l *Linear) Match(s []byte, loc []int) []int {
	if cap(loc) < 2*l.groups {
		loc = make([]int, 2*l.groups)
	}
	loc = loc[:2*l.groups]
	end := l.from(0, 0, s, loc)
	if end < 0 {
		return nil
	}
	loc[0], loc[1] = 0, end
	return loc
}

// from matches the steps from k on at s[p:] and gives the end, -1 if none.
func (l *Linear) from(k, p int, s []byte, loc []int) int {
	for ; k < len(l.steps); k++ {
		st := &l.steps[k]
		switch st.kind {
		case stepLiteral:
			if !bytes.HasPrefix(s[p:], st.lit) {
				return -1
			}
			p += len(st.lit)
		case stepOptional:
			if bytes.HasPrefix(s[p:], st.lit) {
				if end := l.from(k+1, p+len(st.lit), s, loc); end >= 0 {
					return end
				}
			}
		case stepRun:
			n := st.run(s[p:])
			if n < int(st.min) {
				return -1
			}
			p += n
		case stepMark:
			loc[st.slot] = p
		case stepEnd:
			if p != len(s) {
				return -1
			}
		}
	}
	return p
}

// run counts the bytes of the set at the start of s.
func (st *step) run(s []byte) int {
	if st.stop >= 0 {
		if n := bytes.IndexByte(s, byte(st.stop)); n >= 0 {
			return n
		}
		return len(s)
	}
	for i, c := range s {
		if !st.set.has(c) {
			return i
		}
	}
	return len(s)
}
