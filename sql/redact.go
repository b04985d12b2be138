package sql

import (
	"strings"

	"quern/sql/internal/dialect"
)

// withoutLiterals replaces strings and numbers of a statement by "?". A text
// that cannot be split into tokens is hidden whole.
func withoutLiterals(text string) string {
	toks, err := dialect.Lex(text)
	if err != nil {
		return "<unparsable statement>"
	}
	var b strings.Builder
	last := 0
	for _, t := range toks {
		switch t.Kind {
		case dialect.String, dialect.Bits, dialect.Int, dialect.Number:
			b.WriteString(text[last:t.Start] + "?")
			last = int(t.End)
		}
	}
	return b.String() + text[last:]
}
