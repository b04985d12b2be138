package bind

import (
	"strings"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
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
	var positional []plan.Expr
	var names []string
	var named []plan.Expr
	for _, a := range e.Args {
		n, ok := a.(*ast.NamedArg)
		x := a
		if ok {
			for _, have := range names {
				if have == n.Name {
					return nil, at(errs.New(errs.Syntax, "argument name %q used more than once", n.Name), n)
				}
			}
			x = n.Expr
		} else if names != nil {
			return nil, at(errs.New(errs.Syntax, "positional argument cannot follow named argument"), a)
		}
		v, err := b.expr(ctx, x)
		if err != nil {
			return nil, err
		}
		if ok {
			names, named = append(names, n.Name), append(named, v)
		} else {
			positional = append(positional, v)
		}
	}
	for _, p := range fn.ArgNames(name) {
		if args := place(p, positional, names, named); args != nil {
			if _, _, err := fn.LookupFunc(name, exprTypes(args)); err == nil {
				return b.function(name, args, e)
			}
		}
	}
	var text []string
	for _, a := range positional {
		text = append(text, bare(a.Type()).String())
	}
	for i, a := range named {
		text = append(text, names[i]+" => "+bare(a.Type()).String())
	}
	return nil, at(errs.New(errs.UndefinedFunction, "function %s(%s) does not exist", name, strings.Join(text, ", ")).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts."), e)
}

// place gives p's parameters their arguments; nil if it cannot be called so.
func place(p *fn.Proc, positional []plan.Expr, names []string, named []plan.Expr) []plan.Expr {
	if len(positional)+len(named) > len(p.Args) || len(named) > 0 && len(p.Names) != len(p.Args) || p.Variadic != 0 {
		return nil
	}
	out := make([]plan.Expr, len(p.Args))
	copy(out, positional)
	for i, n := range names {
		at := -1
		for k, have := range p.Names {
			if have == n {
				at = k
			}
		}
		if at < 0 || out[at] != nil {
			return nil
		}
		out[at] = named[i]
	}
	for i := range out {
		if out[i] != nil {
			continue
		}
		k := i - (len(out) - len(p.Defaults))
		if k < 0 {
			return nil
		}
		out[i] = defaultLiteral(p.Defaults[k])
	}
	return out
}

// defaultLiteral is a parameter's default: a number, a boolean or a quoted text
// with a cast, which the parameter's own type reads.
func defaultLiteral(s string) plan.Expr {
	if strings.HasPrefix(s, "'") {
		s = s[1:strings.LastIndexByte(s, '\'')]
	}
	return &plan.Lit{Val: types.Datum{S: s}, Typ: types.Unknown}
}

// withDefaults resolves a call that leaves out arguments with defaults.
func withDefaults(name string, args []plan.Expr) (*fn.Func, []types.Type, []plan.Expr) {
	for _, p := range fn.ArgNames(name) {
		if len(p.Defaults) == 0 || len(args) >= len(p.Args) {
			continue
		}
		if full := place(p, args, nil, nil); full != nil {
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
