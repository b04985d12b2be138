package ast

import "strings"

// WrittenOut tells whether the elements of an array stand in the statement: then
// op ANY is a list of comparisons, which storage may decide.
func WrittenOut(e Expr) bool {
	switch x := e.(type) {
	case *Array:
		for _, el := range x.Elems {
			if _, nested := el.(*Array); nested {
				return false
			}
		}
		return true
	case *Cast:
		return len(x.Type.Array) > 0 && WrittenOut(x.Expr)
	case *Literal:
		return x.Kind == LitString && !strings.Contains(strings.TrimLeft(x.Text, " {"), "{")
	}
	return false
}
