// Package keywords is the list of PostgreSQL 15's key words, as pg_get_keywords()
// gives it.
package keywords

import (
	_ "embed"
	"strings"
)

//go:embed keywords.txt
var list string

// Word is a key word: its class (U, C, T, R) and whether it can be a label
// without AS.
type Word struct {
	Text, Class string
	Bare        bool
}

// Describe is the class in words.
func (w *Word) Describe() string {
	return map[string]string{"U": "unreserved", "C": "unreserved (cannot be function or type name)",
		"T": "reserved (can be function or type name)", "R": "reserved"}[w.Class]
}

// DescribeBare says whether it can be a label without AS.
func (w *Word) DescribeBare() string {
	if w.Bare {
		return "can be bare label"
	}
	return "requires AS"
}

// All lists them in order.
func All() []Word {
	var out []Word
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 3 {
			out = append(out, Word{f[0], f[1], f[2] == "t"})
		}
	}
	return out
}
