package bind

import (
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/sql/internal/rowfunc"
	"quern/sql/internal/winfunc"
	"quern/storage/errs"
	"quern/storage/types"
)

// functionName strips pg_catalog from a call's name.
func (b *binder) functionName(e *ast.Call) (string, error) {
	name := e.Name[len(e.Name)-1]
	if len(e.Name) == 1 {
		return name, nil
	}
	schema := e.Name[len(e.Name)-2]
	if schema == "pg_catalog" || schema == "information_schema" && name == "_pg_expandarray" {
		return name, nil
	}
	if b.env.Catalog.SchemaByName(schema) == nil {
		return "", at(errs.New(errs.InvalidSchemaName, "schema %q does not exist", schema), e)
	}
	return "", at(errs.New(errs.UndefinedFunction, "function %s() does not exist", strings.Join(e.Name, ".")).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
}

func (b *binder) call(ctx *exprCtx, e *ast.Call) (plan.Expr, error) {
	name, err := b.functionName(e)
	if err != nil {
		return nil, err
	}
	if e.Over != nil {
		return b.windowCall(ctx, e, name)
	}
	if err := refuseCall(e, name); err != nil {
		return nil, err
	}
	if fn.IsAgg(name) || e.WithinGroup {
		return b.aggregate(ctx, e, name)
	}
	if rowfunc.IsSet(name) {
		return b.setInList(ctx, e, name)
	}
	notAgg := func(what string) error {
		if !fn.IsFunc(name) {
			return at(errs.New(errs.UndefinedFunction, "function %s does not exist", name).
				WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
		}
		return at(errs.New(errs.WrongObjectType, "%s specified, but %s is not an aggregate function", what, name), e)
	}
	switch {
	case e.Star:
		if x, err := b.function(name, nil, e); err != nil {
			return x, err
		}
		return nil, notAgg(name + "(*)")
	case e.Distinct:
		return nil, notAgg("DISTINCT")
	case len(e.Order) > 0:
		return nil, notAgg("ORDER BY")
	case e.Filter != nil:
		return nil, notAgg("FILTER")
	}
	if hasNamed(e.Args) {
		return b.namedCall(ctx, e, name)
	}
	args, err := b.exprs(ctx, e.Args)
	if err != nil {
		return nil, err
	}
	if e.Variadic {
		return b.variadicCall(args, e, name)
	}
	if e.Syntax == ast.SyntaxAtTimeZone && len(args) == 2 {
		args[0], args[1] = args[1], args[0] // timezone(zone, x)
	}
	return b.function(name, args, e)
}

func refuseCall(e *ast.Call, name string) error {
	switch {
	case e.WithinGroup:
	case winfunc.Only[name] && !(fn.IsOrderedSet(name) && len(e.Args) > 0):
		return at(errs.New(errs.WrongObjectType, "window function %s requires an OVER clause", name), e)
	}
	return nil
}

// aggregateClauses are how PostgreSQL names the places without aggregates.
var aggregateClauses = map[string]string{
	"JOIN/ON": "JOIN conditions", "LIMIT": "LIMIT", "OFFSET": "OFFSET", "VALUES": "VALUES",
	"WHERE": "WHERE", "GROUP BY": "GROUP BY", "FILTER": "FILTER", "FROM": "functions in FROM",
	"RETURNING": "RETURNING", "UPDATE": "UPDATE", "LATERAL": "FROM clause of their own query level",
}

func (b *binder) aggregate(ctx *exprCtx, e *ast.Call, name string) (plan.Expr, error) {
	inner := &exprCtx{scope: ctx.scope, clause: ctx.clause, agg: ctx.agg, inAgg: true}
	if e.WithinGroup || fn.IsOrderedSet(name) {
		call, err := b.orderedSet(inner, e, name)
		if err != nil {
			return nil, err
		}
		return b.addAggregate(ctx, name, call, e)
	}
	var args []plan.Expr
	var err error
	if args, err = b.exprs(inner, e.Args); err != nil {
		return nil, err
	}
	if !e.Star && len(args) == 0 && name == "count" {
		return nil, at(errs.New(errs.WrongObjectType, "count(*) must be used to call a parameterless aggregate function"), e)
	}
	agg, want, err := fn.LookupAgg(name, exprTypes(args))
	if err != nil {
		return nil, at(err, e)
	}
	call := plan.AggCall{Agg: agg, Distinct: e.Distinct}
	if call.Args, err = b.coerceArgs(args, want, e); err != nil {
		return nil, err
	}
	call.Typ = agg.Result(exprTypes(call.Args))
	if err := b.aggregateModifiers(inner, &call, e); err != nil {
		return nil, err
	}
	return b.addAggregate(ctx, name, &call, e)
}

func (b *binder) aggregateModifiers(inner *exprCtx, call *plan.AggCall, e *ast.Call) error {
	for _, it := range e.Order {
		x, err := b.expr(inner, it.Expr)
		if err != nil {
			return err
		}
		if x, err = b.known(x, it.Expr); err != nil {
			return err
		}
		for _, a := range call.Args {
			// A sort key that is an argument but for its implicit cast is it.
			if y, cerr := b.coerce(x, a.Type(), castImplicit, nil); cerr == nil && logical.Key(y) == logical.Key(a) {
				x = a
			}
		}
		k, err := b.sortKey(x, it)
		if err != nil {
			return err
		}
		if e.Distinct && !logical.Contains(call.Args, x) {
			return at(errs.New(errs.InvalidColumnReference,
				"in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"), it.Expr)
		}
		call.Order = append(call.Order, k)
	}
	if e.Distinct {
		for _, a := range call.Args {
			if err := b.sortable(a.Type(), e); err != nil {
				return err
			}
		}
	}
	return b.aggregateFilter(inner, call, e)
}

func (b *binder) aggregateFilter(inner *exprCtx, call *plan.AggCall, e *ast.Call) error {
	if e.Filter == nil {
		return nil
	}
	f, err := b.boolExpr(&exprCtx{scope: inner.scope, clause: "FILTER"}, e.Filter, "FILTER")
	call.Filter = f
	return err
}

// add registers an aggregate; equal ones share a column.
func (s *aggState) add(b *binder, name string, call plan.AggCall) plan.Expr {
	key := logical.AggKey(&call)
	for i := range s.aggs {
		if logical.AggKey(&s.aggs[i].Call) == key && key != "" {
			return s.aggs[i].Col.Col()
		}
	}
	col := b.newCol(name, call.Typ)
	s.aggs = append(s.aggs, logical.AggItem{Col: col, Call: call})
	return col.Col()
}

// valueFunc binds CURRENT_DATE and its like.
func (b *binder) valueFunc(e *ast.ValueFunc) (plan.Expr, error) {
	name := e.Name
	var to types.Type
	switch name {
	case "user", "current_role":
		name = "current_user"
	case "current_catalog":
		name = "current_database"
	case "current_timestamp":
		name, to = "now", types.Timestamptz
	case "localtimestamp":
		name, to = "now", types.Timestamp
	case "current_date":
		name, to = "now", types.Date
	case "localtime":
		name, to = "now", types.Time
	case "current_time":
		name, to = "now", types.Type{OID: types.TimetzOID, Mod: -1}
	}
	x, err := b.function(name, nil, e)
	if err != nil || to.OID == 0 {
		return x, err
	}
	if e.Precision >= 0 {
		to.Mod = int32(min(e.Precision, 6))
	}
	if to.Mod >= 0 && to.OID == x.Type().OID {
		return &plan.Cast{Arg: x, Typ: to, Ctx: castExplicit}, nil
	}
	return b.coerce(x, to, castExplicit, e)
}
