// Package picture formats and reads values by the template patterns of to_char,
// to_date, to_timestamp and to_number, with PostgreSQL's meaning for every
// template, sensible or not.
//
//	template.go   text → nodes: patterns with their FM, TM, TH and SP, separators,
//	              spaces, other characters
//	number.go     numbers: what a template as a whole asks for
//	numberout.go  to_char of numbers
//	numberin.go   to_number
//	stampout.go   to_char of timestamps and intervals
//	stampin.go    to_date, to_timestamp
//
// A template is compiled once and serves many values; it is not changed by use.
package picture

import (
	"strings"
	"unicode/utf8"
)

type nodeKind uint8

const (
	kindAction nodeKind = iota
	kindChar
	kindSeparator
	kindSpace
)

type suffix uint8

const (
	sufFM suffix = 1 << iota
	sufTM
	sufTHUpper
	sufTHLower
	sufSP
)

// node is one piece of a template.
type node struct {
	kind nodeKind
	suf  suffix
	key  string // the pattern as written in the table; of the others the character
}

func (n *node) fm() bool { return n.suf&sufFM != 0 }
func (n *node) th() bool { return n.suf&(sufTHUpper|sufTHLower) != 0 }

// stampKeys are the patterns of dates and times. Of those that fit, the first
// one counts.
var stampKeys = both(
	"A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FX",
	"HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS", "Month", "Mon", "OF", "P.M.", "PM",
	"Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y")

// numberKeys are the patterns of numbers.
var numberKeys = both(",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V")

// both gives keys in upper and in lower case.
func both(keys ...string) []string {
	out := append([]string(nil), keys...)
	for _, k := range keys {
		if l := strings.ToLower(k); strings.ToUpper(k) == k && l != k {
			out = append(out, l)
		}
	}
	return out
}

var suffixes = []struct {
	text   string
	suf    suffix
	before bool
}{
	{"FM", sufFM, true}, {"fm", sufFM, true}, {"TM", sufTM, true}, {"tm", sufTM, true},
	{"TH", sufTHUpper, false}, {"th", sufTHLower, false}, {"SP", sufSP, false},
}

// parse cuts a template into nodes. Stamps have suffixes and separators; see is
// called for each pattern.
func parse(f string, keys []string, stamp bool, see func(key string) error) ([]node, error) {
	var out []node
	for f != "" {
		var suf suffix
		if stamp {
			suf, f = takeSuffix(f, true)
		}
		if k := findKey(f, keys); k != "" {
			f = f[len(k):]
			if see != nil {
				if err := see(k); err != nil {
					return nil, err
				}
			}
			if stamp {
				var behind suffix
				behind, f = takeSuffix(f, false)
				suf |= behind
			}
			out = append(out, node{kindAction, suf, k})
			continue
		}
		if f == "" {
			break
		}
		if f[0] == '"' {
			out, f = quoted(out, f[1:])
			continue
		}
		// Outside of quotes a backslash quotes nothing but a quote.
		if strings.HasPrefix(f, `\"`) {
			f = f[1:]
		}
		_, size := utf8.DecodeRuneInString(f)
		n := node{kind: kindChar, key: f[:size]}
		switch {
		case stamp && separator(f[0]):
			n.kind = kindSeparator
		case space(f[0]):
			n.kind = kindSpace
		}
		out, f = append(out, n), f[size:]
	}
	return out, nil
}

// quoted takes text up to the closing quote; a backslash quotes what follows it.
func quoted(out []node, f string) ([]node, string) {
	for f != "" {
		if f[0] == '"' {
			return out, f[1:]
		}
		if f[0] == '\\' && len(f) > 1 {
			f = f[1:]
		}
		_, size := utf8.DecodeRuneInString(f)
		out, f = append(out, node{kind: kindChar, key: f[:size]}), f[size:]
	}
	return out, f
}

func takeSuffix(f string, before bool) (suffix, string) {
	for _, s := range suffixes {
		if s.before == before && strings.HasPrefix(f, s.text) {
			return s.suf, f[len(s.text):]
		}
	}
	return 0, f
}

func findKey(f string, keys []string) string {
	for _, k := range keys {
		if strings.HasPrefix(f, k) {
			return k
		}
	}
	return ""
}

func digit(c byte) bool { return c-'0' <= 9 }

func space(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// separator tells what stands between fields: printable ASCII that is neither
// letter nor digit.
func separator(c byte) bool {
	return c > ' ' && c < 0x7f && !digit(c) && (c|0x20) < 'a' || c < 0x7f && (c|0x20) > 'z' && c > ' '
}

// ordinal is the ending of the number that text ends with.
func ordinal(text string, upper bool) (string, error) {
	last := text[len(text)-1]
	if !digit(last) {
		return "", errNotNumber(text)
	}
	if len(text) > 1 && text[len(text)-2] == '1' {
		last = '0'
	}
	s := "th"
	switch last {
	case '1':
		s = "st"
	case '2':
		s = "nd"
	case '3':
		s = "rd"
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return s, nil
}
