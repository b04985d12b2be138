package plan

import "quern/storage/types"

// Recursive gives Base's rows, then Step's, again and again until Step gives no
// rows. Step reads the rows of the round before through Working nodes with the
// same ID. Without All a row that came before counts as no row (UNION).
type Recursive struct {
	Base, Step Node
	All        bool
	ID         int
}

// Working are the rows of the last round of the Recursive above it.
type Working struct {
	ID   int
	Name string // for EXPLAIN
	Typs []types.Type
}

// Types implements Node.
func (n *Recursive) Types() []types.Type { return n.Base.Types() }

// Types implements Node.
func (n *Working) Types() []types.Type { return n.Typs }

// Inputs implements Node.
func (n *Recursive) Inputs() []Node { return []Node{n.Base, n.Step} }

// Inputs implements Node.
func (n *Working) Inputs() []Node { return nil }
