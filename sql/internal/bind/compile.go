package bind

import (
	"quern/engine"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/sql/internal/optimize"
	"quern/sql/internal/physical"
	"quern/storage/types"
)

// Compile makes the bound statement runnable: the plan's output columns are
// Field (or fill Target.Cols), in order.
func (b *Bound) Compile() (plan.Node, error) {
	node, _, err := b.compile(nil)
	return node, err
}

// CompileEstimated is Compile that also tells how many rows the optimizer expects
// of a node, for EXPLAIN.
func (b *Bound) CompileEstimated() (plan.Node, func(plan.Node) (float64, bool), error) {
	from := map[plan.Node]logical.Node{}
	node, rows, err := b.compile(from)
	return node, func(n plan.Node) (float64, bool) {
		l, ok := from[n]
		if !ok {
			return 0, false
		}
		return rows(l), true
	}, err
}

func (b *Bound) compile(from map[plan.Node]logical.Node) (plan.Node, func(logical.Node) float64, error) {
	opts := optimize.Options{
		LastID: b.lastID,
		Eval:   func(e plan.Expr) (types.Datum, error) { return engine.EvalConst(e, b.env.Fn, nil) },
	}
	if stats := b.env.Stats; stats != nil {
		opts.Stats = func(s *logical.Scan, i int) (logical.ColumnStats, bool) { return stats(s.View(), s.ColIDs[i]) }
	}
	if b.env.Fn != nil && b.env.Fn.Setting != nil {
		opts.Off, _ = b.env.Fn.Setting("quern.disable_rules")
	}
	root, rows, err := optimize.Run(b.Root, b.Out, opts)
	if err != nil {
		return nil, nil, err
	}
	node, err := physical.Build(root, b.Out, from)
	return node, rows, err
}

// ReturningPlan computes RETURNING over the rows that were written; in gives
// them with all columns of the table, as Target.Cols says.
func (b *Bound) ReturningPlan(in plan.Node) plan.Node {
	names := make([]string, len(b.Field))
	for i := range b.Field {
		names[i] = b.Field[i].Name
	}
	return &plan.Project{In: in, Exprs: b.Returning, Names: names}
}
