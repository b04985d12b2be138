package logical

import "quern/engine/plan"

// Recursive is a WITH RECURSIVE query: Base's rows, then Step's for each round;
// like in Union, columns are mapped.
type Recursive struct {
	Base, Step       Node
	All              bool
	BaseMap, StepMap []int
	Cols             []Column
	ID               int
}

// Working are the last round's rows in the Step of the Recursive with its ID.
type Working struct {
	ID   int
	Name string
	Cols []Column
}

// Out implements Node.
func (n *Recursive) Out() []Column { return n.Cols }

// Inputs implements Node.
func (n *Recursive) Inputs() []Node { return []Node{n.Base, n.Step} }

// WithInputs implements Node.
func (n *Recursive) WithInputs(in []Node) Node {
	c := *n
	c.Base, c.Step = in[0], in[1]
	return &c
}

// Exprs implements Node.
func (n *Recursive) Exprs() []plan.Expr { return nil }

// WithExprs implements Node.
func (n *Recursive) WithExprs([]plan.Expr) Node { return n }

// Out implements Node.
func (n *Working) Out() []Column { return n.Cols }

// Inputs implements Node.
func (n *Working) Inputs() []Node { return nil }

// WithInputs implements Node.
func (n *Working) WithInputs([]Node) Node { return n }

// Exprs implements Node.
func (n *Working) Exprs() []plan.Expr { return nil }

// WithExprs implements Node.
func (n *Working) WithExprs([]plan.Expr) Node { return n }
