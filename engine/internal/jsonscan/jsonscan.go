// Package jsonscan finds the parts of valid JSON text without building a tree.
package jsonscan

import (
	"bytes"

	"quern/storage/types"
)

// SkipSpace is s without blanks before it.
func SkipSpace(s []byte) []byte { return bytes.TrimLeft(s, " \t\r\n") }

// SkipValue is the length of the JSON value at the start of s, which is valid.
func SkipValue(s []byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			i += SkipString(s[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ':'):
			return i
		}
	}
	return len(s)
}

// SkipString is the length of the string at the start of s.
func SkipString(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// EachMember calls f for the members of an object until it returns false.
func EachMember(s []byte, f func(key, val []byte) bool) {
	s = SkipSpace(SkipSpace(s)[1:])
	for len(s) > 0 && s[0] == '"' {
		n := SkipString(s)
		key := s[:n]
		s = SkipSpace(SkipSpace(s[n:])[1:])
		n = SkipValue(s)
		if !f(key, s[:n]) {
			return
		}
		if s = SkipSpace(s[n:]); len(s) == 0 || s[0] != ',' {
			return
		}
		s = SkipSpace(s[1:])
	}
}

// EachElement calls f for the elements of an array until it returns false.
func EachElement(s []byte, f func(val []byte) bool) {
	s = SkipSpace(SkipSpace(s)[1:])
	for len(s) > 0 && s[0] != ']' {
		n := SkipValue(s)
		if !f(s[:n]) {
			return
		}
		if s = SkipSpace(s[n:]); len(s) == 0 || s[0] != ',' {
			return
		}
		s = SkipSpace(s[1:])
	}
}

// Field is the member of an object; the last one of duplicates.
func Field(s []byte, key []byte) (val []byte, ok bool) {
	if s = SkipSpace(s); len(s) == 0 || s[0] != '{' {
		return nil, false
	}
	var buf []byte
	EachMember(s, func(k, v []byte) bool {
		name := k[1 : len(k)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			buf = types.UnquoteJSON(buf[:0], k)
			name = buf
		}
		if bytes.Equal(name, key) {
			val, ok = v, true // the last of duplicates
		}
		return true
	})
	return val, ok
}

// Element is element n of an array, from the end if n < 0. A scalar
// document counts as an array of itself, as in PostgreSQL.
func Element(s []byte, n int) (val []byte, ok bool) {
	if s = SkipSpace(s); len(s) == 0 || s[0] == '{' {
		return nil, false
	}
	if s[0] != '[' {
		return s, n == 0 || n == -1
	}
	if n < 0 {
		total := 0
		EachElement(s, func([]byte) bool { total++; return true })
		if n += total; n < 0 {
			return nil, false
		}
	}
	i := 0
	EachElement(s, func(v []byte) bool {
		if i == n {
			val, ok = v, true
		}
		i++
		return !ok
	})
	return val, ok
}
