package bind

import (
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/storage/errs"
	"quern/storage/types"
)

func hasNamed(args []ast.Expr) bool {
	for _, a := range args {
		if _, ok := a.(*ast.NamedArg); ok {
			return true
		}
	}
	return false
}

// namedCall binds f(a, name => b): the arguments are put at the places of the
// function's parameters, defaults where there are none.
func (b *binder) namedCall(ctx *exprCtx, e *ast.Call, name string) (plan.Expr, error) {
	positional, names, named, err := b.splitArgs(ctx, e)
	if err != nil {
		return nil, err
	}
	for _, p := range fn.ArgNames(name) {
		if args := literal.Place(p, positional, names, named); args != nil {
			if _, _, err := fn.LookupFunc(name, exprTypes(args)); err == nil {
				return b.function(name, args, e)
			}
		}
	}
	return nil, noSuchCall(e, name, positional, names, named)
}

// setArgs are the arguments of a set-returning function, defaults included.
func (b *binder) setArgs(ctx *exprCtx, e *ast.Call, name string) ([]plan.Expr, error) {
	positional, names, named, err := b.splitArgs(ctx, e)
	if err != nil || !fn.IsSet(name) && names == nil {
		return positional, err
	}
	for _, p := range fn.ArgNames(name) {
		if args := literal.Place(p, positional, names, named); args != nil && (names != nil || len(args) > len(positional)) {
			return args, nil
		}
	}
	if names != nil {
		return nil, noSuchCall(e, name, positional, names, named)
	}
	return positional, nil
}

// splitArgs binds positional and named arguments.
func (b *binder) splitArgs(ctx *exprCtx, e *ast.Call) (positional []plan.Expr, names []string, named []plan.Expr, err error) {
	for _, a := range e.Args {
		n, ok := a.(*ast.NamedArg)
		x := a
		if ok {
			for _, have := range names {
				if have == n.Name {
					return nil, nil, nil, at(errs.New(errs.Syntax, "argument name %q used more than once", n.Name), n)
				}
			}
			x = n.Expr
		} else if names != nil {
			return nil, nil, nil, at(errs.New(errs.Syntax, "positional argument cannot follow named argument"), a)
		}
		v, err := b.expr(ctx, x)
		if err != nil {
			return nil, nil, nil, err
		}
		if ok {
			names, named = append(names, n.Name), append(named, v)
		} else {
			positional = append(positional, v)
		}
	}
	return positional, names, named, nil
}

func noSuchCall(e *ast.Call, name string, positional []plan.Expr, names []string, named []plan.Expr) error {
	var text []string
	for _, a := range positional {
		text = append(text, bare(a.Type()).String())
	}
	for i, a := range named {
		text = append(text, names[i]+" => "+bare(a.Type()).String())
	}
	return at(errs.New(errs.UndefinedFunction, "function %s(%s) does not exist", name, strings.Join(text, ", ")).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
}

// withDefaults resolves a call that leaves out arguments with defaults.
func withDefaults(name string, args []plan.Expr) (*fn.Func, []types.Type, []plan.Expr) {
	for _, p := range fn.ArgNames(name) {
		if len(p.Defaults) == 0 || len(args) >= len(p.Args) {
			continue
		}
		if full := literal.Place(p, args, nil, nil); full != nil {
			if f, want, err := fn.LookupFunc(name, exprTypes(full)); err == nil {
				return f, want, full
			}
		}
	}
	return nil, nil, nil
}

// variadicCall binds f(…, VARIADIC array).
func (b *binder) variadicCall(args []plan.Expr, e *ast.Call, name string) (plan.Expr, error) {
	f, want, err := fn.LookupVariadic(name, exprTypes(args))
	if err != nil {
		return nil, at(err, e)
	}
	if args, err = b.coerceArgs(args, want, e); err != nil {
		return nil, err
	}
	return &plan.Call{Fn: f, Args: args, Typ: f.Result(exprTypes(args))}, nil
}
