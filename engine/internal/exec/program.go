package exec

import (
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/vec"
)

// program evaluates what is neither column nor constant. TEMPORARY until expr.
type program struct{ c *compiled }

func newProgram(c *compiled) *program { return &program{c} }

func (c *compiled) check() error {
	switch c.e.(type) {
	case *plan.Col, *plan.Lit:
		return nil
	}
	if testProgram != nil {
		return nil
	}
	return errs.NotSupported("this expression")
}

var testProgram func(e plan.Expr, b *vec.Batch) (*vec.Vector, error)

func (p *program) eval(b *vec.Batch) (*vec.Vector, error) { return testProgram(p.c.e, b) }
func (p *program) selectRows(b *vec.Batch) (vec.Selection, error) {
	v, err := testProgram(p.c.e, b)
	if err != nil {
		return nil, err
	}
	var s vec.Selection
	return selectTrue(v, b.Sel, b.Len, &s), nil
}
