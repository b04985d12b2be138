package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/colname"
	"quern/sql/internal/literal"
	"quern/sql/internal/logical"
	"quern/sql/internal/rowfunc"
	"quern/storage/errs"
	"quern/storage/types"
)

// funcTable binds functions in FROM: set-returning ones, or any scalar function
// as a relation of one row; ROWS FROM puts several side by side.
func (b *binder) funcTable(s *scope, t *ast.FuncTable) (*from, error) {
	if c, ok := t.Calls[0].Expr.(*ast.Call); ok && len(c.Args) == 0 && colname.Of(c, nil) == "pg_timezone_names" && b.env.Virtual != nil {
		if v, ok := b.env.Virtual("pg_catalog", "pg_timezone_names"); ok && !t.Ordinality {
			return b.virtual(v, &ast.TableRef{At: t.At, Alias: t.Alias})
		}
	}
	ctx := &exprCtx{scope: &scope{parent: s}, clause: "FROM"}
	var items []*logical.Series
	for i := range t.Calls {
		defs := t.Calls[i].ColDefs
		if !t.RowsFrom && len(defs) == 0 {
			defs = t.ColDefs
		}
		n, err := b.funcItem(ctx, &t.Calls[i], defs)
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	n := sideBySide(items)
	name := colname.Of(t.Calls[0].Expr, b.subNames)
	rel := &relation{alias: name}
	single := len(n.Cols) == 1
	if t.Ordinality {
		n.Cols = append(n.Cols, b.newCol("ordinality", types.Int8))
		n.Gen = rowfunc.WithOrdinality(n.Gen, types.Int8)
	}
	f := &from{rels: []*relation{rel}, node: n}
	for _, c := range n.Out() {
		rel.cols = append(rel.cols, &column{Column: c, rel: rel})
	}
	f.cols = rel.cols
	if t.Alias == nil {
		return f, nil
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	// The alias of a function with one column names the column too, unless an OUT
	// parameter does: then it names the row, which is the value.
	if t.Alias.Name != "" && len(t.Alias.Columns) == 0 && single && len(t.ColDefs) == 0 {
		if rel.cols[0].Name == name {
			rel.cols[0].Name = t.Alias.Name
		} else {
			rel.scalar = rel.cols[0]
		}
	}
	return f, nil
}

// funcItem binds one function of FROM.
func (b *binder) funcItem(ctx *exprCtx, it *ast.FuncItem, defs []ast.ColDef) (*logical.Series, error) {
	call, ok := it.Expr.(*ast.Call)
	name := ""
	if ok {
		var err error
		if name, err = b.functionName(call); err != nil {
			return nil, err
		}
	}
	if _, kind := fn.RecordFunc(name); kind != fn.NoRecord {
		return b.recordItem(ctx, call, name, defs)
	}
	if len(defs) > 0 {
		return nil, at(errs.New(errs.Syntax, "a column definition list is only allowed for functions returning \"record\""), &defs[0])
	}
	if rowfunc.IsSet(name) {
		return b.series(ctx, call, name)
	}
	x, err := b.expr(ctx, it.Expr)
	if err != nil {
		return nil, err
	}
	if x, err = b.known(x, it.Expr); err != nil {
		return nil, err
	}
	name, typ := colname.Of(it.Expr, b.subNames), x.Type()
	return &logical.Series{Name: name, Args: []plan.Expr{x}, Cols: []logical.Column{b.newCol(name, typ)},
		Gen: func(_ *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
			return rowfunc.Rows([]types.Type{typ}, func(put func(...types.Datum) error) error { return put(args[0]) })
		}}, nil
}

// recordItem binds json_to_record and its like: their columns are those of the
// definition list.
func (b *binder) recordItem(ctx *exprCtx, e *ast.Call, name string, defs []ast.ColDef) (*logical.Series, error) {
	if len(defs) == 0 {
		return nil, at(errs.New(errs.Syntax, "a column definition list is required for functions returning \"record\""), e)
	}
	args, err := b.exprs(ctx, e.Args)
	if err != nil {
		return nil, err
	}
	arg, _ := fn.RecordFunc(name)
	missing := func() error {
		return at(errs.New(errs.UndefinedFunction, "function %s(%s) does not exist", name, literal.TypeNames(args)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
	}
	if len(args) != 1 || args[0].Type().OID != arg.OID && args[0].Type().OID != types.UnknownOID {
		return nil, missing()
	}
	if args[0], err = b.coerce(args[0], arg, castImplicit, e); err != nil {
		return nil, err
	}
	n := &logical.Series{Name: name, Args: args}
	var names []string
	var typs []types.Type
	for i := range defs {
		t, err := b.typeName(defs[i].Type)
		if err != nil {
			return nil, err
		}
		names, typs = append(names, defs[i].Name), append(typs, t)
		n.Cols = append(n.Cols, b.newCol(defs[i].Name, t))
	}
	n.Gen = func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		if args[0].Null {
			return plan.SeriesRows{}, nil
		}
		return rowfunc.Rows(typs, func(put func(...types.Datum) error) error {
			return fn.Records(env, name, args[0], names, typs, put)
		})
	}
	return n, nil
}

// sideBySide puts the rows of several functions next to each other; those that
// end earlier are padded with NULLs.
func sideBySide(items []*logical.Series) *logical.Series {
	if len(items) == 1 {
		return items[0]
	}
	n := &logical.Series{Name: "rows from"}
	var gens []rowfunc.Part
	for _, it := range items {
		gens = append(gens, rowfunc.Part{Gen: it.Gen, Args: len(it.Args), Cols: len(it.Cols)})
		n.Args = append(n.Args, it.Args...)
		n.Cols = append(n.Cols, it.Cols...)
	}
	var typs []types.Type
	for _, c := range n.Cols {
		typs = append(typs, c.Type)
	}
	n.Gen = rowfunc.SideBySide(typs, gens)
	return n
}

// series binds a set-returning call.
func (b *binder) series(ctx *exprCtx, e *ast.Call, name string) (*logical.Series, error) {
	args, err := b.setArgs(ctx, e, name)
	if err != nil {
		return nil, err
	}
	switch {
	case name == "unnest" && len(args) > 1 && ctx.clause == "FROM":
		var items []*logical.Series
		for i := range args {
			n, err := b.unnest(args[i:i+1], e)
			if err != nil {
				return nil, err
			}
			items = append(items, n)
		}
		return sideBySide(items), nil
	case name == "unnest":
		return b.unnest(args, e)
	case name == "_pg_expandarray": // of information_schema: elements x and their places n
		n, err := b.unnest(args, e)
		if err == nil {
			n.Cols = append(n.Cols, b.newCol("n", types.Int4))
			n.Cols[0].Name, n.Gen = "x", rowfunc.WithOrdinality(n.Gen, types.Int4)
		}
		return n, err
	case fn.IsSet(name):
		return b.setFunction(args, e, name)
	}
	if len(args) < 2 || len(args) > 3 {
		return nil, at(errs.New(errs.UndefinedFunction, "function generate_series(%s) does not exist", literal.TypeNames(args)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
	}
	t, step, err := literal.SeriesType(args)
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
	n.Gen = rowfunc.Series(t)
	return n, nil
}

// setFunction binds a function of the registry.
func (b *binder) setFunction(args []plan.Expr, e *ast.Call, name string) (*logical.Series, error) {
	set, want, err := fn.LookupSet(name, exprTypes(args))
	if err != nil {
		return nil, at(err, e)
	}
	if args, err = b.coerceArgs(args, want, e); err != nil {
		return nil, err
	}
	n := &logical.Series{Name: name, Args: args}
	var typs []types.Type
	for _, c := range set.Cols {
		col := c.Name
		if col == "" {
			col = name
		}
		t := types.Type{OID: c.Type, Mod: -1}
		n.Cols, typs = append(n.Cols, b.newCol(col, t)), append(typs, t)
	}
	argTypes := exprTypes(args)
	n.Gen = func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		for i := range args {
			if args[i].Null && !set.NotStrict {
				return plan.SeriesRows{}, nil
			}
		}
		c := &fn.SetCall{Env: env, Args: args, Types: argTypes}
		return rowfunc.Rows(typs, func(put func(...types.Datum) error) error { return set.Gen(c, put) })
	}
	return n, nil
}

// unnest binds unnest of one array.
func (b *binder) unnest(args []plan.Expr, e *ast.Call) (*logical.Series, error) {
	if len(args) != 1 {
		return nil, at(errs.New(errs.UndefinedFunction, "function unnest(%s) does not exist", literal.TypeNames(args)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
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
	n.Gen = rowfunc.Unnest(t.Elem())
	return n, nil
}
