package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// funcTable binds a function in FROM: generate_series, or any scalar function
// as a relation of one row.
func (b *binder) funcTable(s *scope, t *ast.FuncTable) (*from, error) {
	switch {
	case t.RowsFrom || len(t.Calls) != 1:
		return nil, at(errs.NotSupported("ROWS FROM"), t)
	case len(t.ColDefs) > 0 || len(t.Calls[0].ColDefs) > 0:
		return nil, at(errs.NotSupported("a column definition list"), t)
	}
	ctx := &exprCtx{scope: &scope{parent: s}, clause: "FROM"}
	rel := &relation{}
	f := &from{rels: []*relation{rel}}
	call, ok := t.Calls[0].Expr.(*ast.Call)
	name := ""
	if ok {
		var err error
		if name, err = b.functionName(call); err != nil {
			return nil, err
		}
	}
	if setReturning[name] {
		n, err := b.series(ctx, call, name)
		if err != nil {
			return nil, err
		}
		if t.Ordinality {
			n.Cols = append(n.Cols, b.newCol("ordinality", types.Int8))
			n.Gen = withOrdinality(n.Gen)
		}
		f.node = n
		for _, c := range n.Out() {
			rel.cols = append(rel.cols, &column{Column: c, rel: rel})
		}
	} else {
		if t.Ordinality {
			return nil, at(errs.NotSupported("WITH ORDINALITY of this function"), t)
		}
		x, err := b.expr(ctx, t.Calls[0].Expr)
		if err != nil {
			return nil, err
		}
		if x, err = b.known(x, t); err != nil {
			return nil, err
		}
		name = columnName(t.Calls[0].Expr)
		c := b.newCol(name, x.Type())
		f.node = &logical.Project{In: &logical.Values{Rows: [][]plan.Expr{{}}}, Items: []logical.Item{{Col: c, Expr: x}}}
		rel.cols = []*column{{Column: c, rel: rel}}
	}
	rel.alias = name
	f.cols = rel.cols
	if t.Alias == nil {
		return f, nil
	}
	// The alias of a function with one column names the column too.
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	if t.Alias.Name != "" && len(t.Alias.Columns) == 0 && (len(rel.cols) == 1 || t.Ordinality) {
		rel.cols[0].Name = t.Alias.Name
	}
	return f, nil
}

// series binds a set-returning call.
func (b *binder) series(ctx *exprCtx, e *ast.Call, name string) (*logical.Series, error) {
	if name != "generate_series" && name != "unnest" {
		return nil, at(errs.NotSupported("the set-returning function "+name), e)
	}
	args, err := b.exprs(ctx, e.Args)
	if err != nil {
		return nil, err
	}
	if name == "unnest" {
		return b.unnest(args, e)
	}
	if len(args) < 2 || len(args) > 3 {
		return nil, at(errs.New(errs.UndefinedFunction, "function generate_series(%s) does not exist", typeNames(args)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
	}
	t, step, err := seriesType(args)
	if err != nil {
		return nil, at(err, e)
	}
	for i := range args {
		want := t
		if i == 2 {
			want = step
		}
		if args[i], err = b.coerce(args[i], want, castImplicit, e); err != nil {
			return nil, err
		}
	}
	n := &logical.Series{Name: name, Args: args, Cols: []logical.Column{b.newCol(name, t)}}
	n.Gen = seriesGen(t)
	return n, nil
}

// unnest binds unnest of one array.
func (b *binder) unnest(args []plan.Expr, e *ast.Call) (*logical.Series, error) {
	if len(args) != 1 {
		return nil, at(errs.NotSupported("unnest of several arrays"), e)
	}
	t := args[0].Type()
	if t.OID == types.UnknownOID {
		return nil, at(errs.New(errs.AmbiguousFunction, "function unnest(unknown) is not unique").
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts."), e)
	}
	if !t.IsArray() {
		return nil, at(errs.New(errs.UndefinedFunction, "function unnest(%s) does not exist", bare(t)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
	}
	n := &logical.Series{Name: "unnest", Args: args, Cols: []logical.Column{b.newCol("unnest", t.Elem())}}
	n.Gen = unnestGen(t.Elem())
	return n, nil
}

func typeNames(args []plan.Expr) string {
	s := ""
	for i, a := range args {
		if i > 0 {
			s += ", "
		}
		s += bare(a.Type()).String()
	}
	return s
}

// seriesType chooses the overload: integers, numeric, timestamps with interval.
func seriesType(args []plan.Expr) (t, step types.Type, err error) {
	rank := map[types.OID]int{types.Int2OID: 1, types.Int4OID: 1, types.UnknownOID: 0, types.Int8OID: 2, types.NumericOID: 3}
	best, stamps := 1, types.OID(0)
	for i, a := range args {
		o := a.Type().OID
		switch o {
		case types.DateOID, types.TimestamptzOID:
			stamps = types.TimestamptzOID
			continue
		case types.TimestampOID:
			if stamps == 0 {
				stamps = o
			}
			continue
		case types.IntervalOID:
			if i == 2 {
				continue
			}
		}
		r, ok := rank[o]
		if !ok || stamps != 0 && r > 0 {
			return t, step, errs.New(errs.UndefinedFunction, "function generate_series(%s) does not exist", typeNames(args)).
				WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
		}
		best = max(best, r)
	}
	if stamps != 0 {
		return types.Type{OID: stamps, Mod: -1}, types.Interval, nil
	}
	t = [...]types.Type{1: types.Int4, 2: types.Int8, 3: types.Numeric}[best]
	return t, t, nil
}
