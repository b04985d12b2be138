// Package jsonpath reads and prints the path language of PostgreSQL's jsonpath type.
//
//	strict $.items[*] ? (@.price > $min && exists (@.tags)).name
//	└mode  └Root .Key └All └Filter                         .Key
//
// A path is a chain: each node has the accessor that follows it as Next. Numbers
// stay text; engine/internal/jsonpath evaluates.
//
// Start reading at Parse and String.
package jsonpath

import (
	"strconv"
	"strings"
)

// Kind is what a node is.
type Kind uint8

// Literals, sources, accessors, methods, operators and predicates.
const (
	Null Kind = iota
	Bool
	Number
	Text
	Variable
	Root
	Current
	Last
	Key
	AnyKey
	Index
	All // [*]
	Any // .**
	Filter
	Type
	Size
	Abs
	Floor
	Ceiling
	Double
	KeyValue
	Datetime
	Plus // unary
	Minus
	Add
	Sub
	Mul
	Div
	Mod
	Equal
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	StartsWith
	LikeRegex
	And
	Or
	Not
	IsUnknown
	Exists
)

// Deepest is `last` as a bound of .**{}.
const Deepest = 1<<32 - 1

// Node is one step of a path, or an operator.
type Node struct {
	Kind Kind
	// Text is a name, a string, a number, a pattern; Flags are LikeRegex's.
	Text, Flags string
	Left, Right *Node
	Subs        []Subscript
	From, To    uint32 // levels of Any
	Next        *Node
}

// Subscript is an item of [i, a to b]; To is nil for a single one.
type Subscript struct{ From, To *Node }

// Path is a whole jsonpath.
type Path struct {
	Strict bool
	Expr   *Node
}

// Predicate tells whether n gives true, false or unknown.
func (n *Node) Predicate() bool { return n.Kind >= Equal && n.Next == nil }

var methods = map[Kind]string{Type: "type", Size: "size", Abs: "abs", Floor: "floor", Ceiling: "ceiling",
	Double: "double", KeyValue: "keyvalue", Datetime: "datetime"}

// Symbol is an operator's sign or a method's name.
func (k Kind) Symbol() string {
	if m, ok := methods[k]; ok {
		return m
	}
	return map[Kind]string{Plus: "+", Minus: "-", Add: "+", Sub: "-", Mul: "*", Div: "/", Mod: "%", Equal: "==", NotEqual: "!=",
		Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=", StartsWith: "starts with", And: "&&", Or: "||"}[k]
}

func (k Kind) priority() int {
	switch k {
	case Or:
		return 0
	case And:
		return 1
	case Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, StartsWith:
		return 2
	case Add, Sub:
		return 3
	case Mul, Div, Mod:
		return 4
	case Plus, Minus:
		return 5
	}
	return 6
}

// String is jsonpath_out.
func (p *Path) String() string {
	var b strings.Builder
	if p.Strict {
		b.WriteString("strict ")
	}
	print(&b, p.Expr, false, true)
	return b.String()
}

// print is one switch over all kinds; it exceeds the usual length.
func print(b *strings.Builder, n *Node, inKey, brackets bool) {
	dot := func(s string) {
		if inKey {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	open := func() {
		if brackets {
			b.WriteByte('(')
		}
	}
	end := func() {
		if brackets {
			b.WriteByte(')')
		}
	}
	part := func(x *Node) { print(b, x, false, x.Kind.priority() <= n.Kind.priority()) }
	switch n.Kind {
	case Null, Bool, Number:
		b.WriteString(n.Text)
	case Text:
		Quote(b, n.Text)
	case Variable:
		b.WriteByte('$')
		Quote(b, n.Text)
	case Root:
		b.WriteByte('$')
	case Current:
		b.WriteByte('@')
	case Last:
		b.WriteString("last")
	case Key:
		dot("")
		Quote(b, n.Text)
	case AnyKey:
		dot("*")
	case All:
		b.WriteString("[*]")
	case Any:
		dot("**")
		b.WriteString(levels(n.From, n.To))
	case Index:
		for i, s := range n.Subs {
			b.WriteString([...]string{"[", ","}[min(i, 1)])
			print(b, s.From, false, false)
			if s.To != nil {
				b.WriteString(" to ")
				print(b, s.To, false, false)
			}
		}
		b.WriteByte(']')
	case Filter:
		b.WriteString("?(")
		print(b, n.Left, false, false)
		b.WriteByte(')')
	case Type, Size, Abs, Floor, Ceiling, Double, KeyValue, Datetime:
		b.WriteString("." + n.Kind.Symbol() + "(")
		if n.Left != nil {
			print(b, n.Left, false, false)
		}
		b.WriteByte(')')
	case Plus, Minus:
		open()
		b.WriteString(n.Kind.Symbol())
		part(n.Left)
		end()
	case Not:
		b.WriteString("!(")
		print(b, n.Left, false, false)
		b.WriteByte(')')
	case IsUnknown:
		b.WriteByte('(')
		print(b, n.Left, false, false)
		b.WriteString(") is unknown")
	case Exists:
		b.WriteString("exists (")
		print(b, n.Left, false, false)
		b.WriteByte(')')
	case LikeRegex:
		open()
		part(n.Left)
		b.WriteString(" like_regex ")
		Quote(b, n.Text)
		if n.Flags != "" {
			b.WriteString(` flag "` + n.Flags + `"`)
		}
		end()
	default:
		open()
		part(n.Left)
		b.WriteString(" " + n.Kind.Symbol() + " ")
		part(n.Right)
		end()
	}
	if n.Next != nil {
		print(b, n.Next, true, true)
	}
}

func levels(from, to uint32) string {
	name := func(n uint32) string {
		if n == Deepest {
			return "last"
		}
		return strconv.FormatUint(uint64(n), 10)
	}
	switch {
	case from == 0 && to == Deepest:
		return ""
	case from == to:
		return "{" + name(from) + "}"
	}
	return "{" + name(from) + " to " + name(to) + "}"
}

// Quote writes s as a JSON string.
func Quote(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < ' ' {
				b.WriteString(`\u00`)
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
				continue
			}
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
