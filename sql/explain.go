package sql

import (
	"context"
	"fmt"
	"time"

	"quern/engine"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/explain"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// explained is the query inside EXPLAIN.
func (s *Session) explained(st *ast.Explain) (inner ast.Stmt, given []types.Type, execute *ast.Execute, err error) {
	if changesIn(st.Stmt) != nil {
		return nil, nil, nil, errs.NotSupported("EXPLAIN of data-modifying WITH")
	}
	switch x := st.Stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete:
		return x, nil, nil, nil
	case *ast.DeclareCursor:
		return &ast.SelectStmt{At: x.Query.At, Query: x.Query}, nil, nil, nil
	case *ast.CreateTableAs:
		if x.Query != nil {
			return &ast.SelectStmt{At: x.Query.At, Query: x.Query}, nil, nil, nil
		}
	case *ast.Execute:
		p, err := s.findPrepared(x.Name)
		if err != nil {
			return nil, nil, nil, err
		}
		switch p.st.stmt.(type) {
		case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete:
			return p.st.stmt, p.params, x, nil
		}
	}
	return nil, nil, nil, errs.NotSupported("EXPLAIN of this statement")
}

func (s *Session) describeExplain(ctx context.Context, p *prepared, st *ast.Explain) error {
	o, err := explain.Read(st)
	if err != nil {
		return err
	}
	inner, given, execute, err := s.explained(st)
	if err != nil {
		return err
	}
	if execute == nil {
		b, err := s.bind(ctx, inner, p.given, p.hasParams)
		if err != nil {
			return err
		}
		p.params = b.Params
	} else if _, err := s.bind(ctx, inner, given, true); err != nil {
		return noPos(err)
	}
	typ := types.Text
	if o.JSON {
		typ = types.JSON
	}
	p.fields = []Field{{Name: "QUERY PLAN", Type: typ}}
	return nil
}

func (s *Session) runExplain(ctx context.Context, c *commandPortal, st *ast.Explain) error {
	o, err := explain.Read(st)
	if err != nil {
		return err
	}
	inner, given, execute, err := s.explained(st)
	if err != nil {
		return err
	}
	params, hasParams := c.params, c.p.hasParams
	if execute != nil {
		if _, params, err = s.executeArgs(ctx, execute); err != nil {
			return err
		}
		hasParams = true
	} else {
		given = c.p.params
	}
	started := time.Now() //nolint:forbidigo // a duration, not a point in time
	b, err := s.bind(ctx, inner, given, hasParams)
	if err != nil {
		return err
	}
	if o.Analyze && changes(inner) {
		if b, err = s.lockChange(ctx, b, inner, given, hasParams); err != nil {
			return err
		}
	}
	node, estimates, err := b.CompileEstimated()
	if err != nil {
		return err
	}
	planning := time.Since(started)
	s.tellMasks(node)
	opts := explain.Options{Timing: o.Timing, Shape: b.Bound}
	if o.Costs {
		opts.Rows = estimates
	}
	if b.Target != nil {
		opts.Operation, opts.Relation = operation(inner), b.Target.Table.Name
		if sc := s.catalog().SchemaByID(b.Target.Table.Schema); sc != nil {
			opts.Relation = sc.Name + "." + opts.Relation
		}
	}
	var execution time.Duration
	if o.Analyze {
		var an engine.Analysis
		started = time.Now() //nolint:forbidigo // as above
		if err := s.analyze(ctx, b, inner, node, params, &an); err != nil {
			return err
		}
		execution, opts.Memory = time.Since(started), an.PeakMemory()
		opts.Counters = func(n plan.Node) (explain.Counter, bool) { return counterOf(&an, n) }
	}
	c.tag = "EXPLAIN"
	var lines []string
	if o.JSON {
		text, err := explain.JSON(node, opts, planning, execution)
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		lines = []string{text}
	} else {
		lines = explain.Text(node, opts)
		if o.Summary && !b.Bound {
			lines = append(lines, fmt.Sprintf("Planning Time: %.3f ms", ms(planning)))
			if o.Analyze {
				lines = append(lines, fmt.Sprintf("Execution Time: %.3f ms", ms(execution)), fmt.Sprintf("Peak Memory: %d kB", (opts.Memory+1023)/1024))
			}
		}
	}
	rows := make([][]*string, len(lines))
	for i := range lines {
		rows[i] = []*string{&lines[i]}
	}
	c.out = textRows(c.fields, rows)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// operation is what PostgreSQL calls a statement that changes a table.
func operation(st ast.Stmt) string {
	switch st.(type) {
	case *ast.Update:
		return "Update"
	case *ast.Delete:
		return "Delete"
	}
	return "Insert"
}

func changes(st ast.Stmt) bool { return operation(st) != "Insert" }

// analyze runs the statement; what it changes is changed, as in PostgreSQL.
func (s *Session) analyze(ctx context.Context, b *bind.Bound, st ast.Stmt, node plan.Node, params []types.Datum, an *engine.Analysis) error {
	if b.Target != nil && !changes(st) {
		if err := s.mayWrite("INSERT"); err != nil {
			return err
		}
		if err := s.checkCopy(b, b.Out, nil); err != nil {
			return err
		}
	}
	rows, err := s.runPlan(ctx, node, params, an)
	switch {
	case err != nil:
		return err
	case b.Target == nil:
		return drain(ctx, rows, 0, func(*vec.Batch) error { return nil })
	case !changes(st):
		return s.insertRows(ctx, b, rows)
	}
	ch, err := s.collectChange(ctx, b, rows, joined(st))
	if err != nil {
		return err
	}
	return s.apply(ctx, ch)
}

func (s *Session) insertRows(ctx context.Context, b *bind.Bound, rows engine.Rows) error {
	tr := storage.TableRows{Table: b.Target.Table.ID, Cols: b.Target.Cols}
	err := drain(ctx, rows, s.db.o.WriteMemory, func(x *vec.Batch) error {
		tr.Batches = append(tr.Batches, x)
		return nil
	})
	if err == nil {
		_, _, err = s.write(ctx, &tr, "insert")
	}
	return err
}

func counterOf(an *engine.Analysis, n plan.Node) (explain.Counter, bool) {
	st, ok := an.Node(n)
	if !ok {
		return explain.Counter{}, false
	}
	c := explain.Counter{Rows: st.Rows, Batches: st.Batches, Time: time.Duration(st.Nanos)}
	if _, scan := n.(*plan.Scan); scan {
		z := st.Scan
		c.HasScan, c.Read = true, z.Bytes
		c.Segments = [2]int{z.Segments - z.SegmentsSkipped, z.Segments}
		c.Groups = [2]int{z.RowGroups - z.RowGroupsSkipped, z.RowGroups}
		c.Granules = [2]int{z.Granules - z.GranulesSkipped, z.Granules}
	}
	return c, true
}
