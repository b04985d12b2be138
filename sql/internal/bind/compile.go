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
	root, err := optimize.Run(b.Root, b.Out, opts)
	if err != nil {
		return nil, err
	}
	return physical.Build(root, b.Out)
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
