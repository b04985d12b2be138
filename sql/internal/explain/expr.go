package explain

import (
	"fmt"
	"strings"

	"quern/engine/plan"
	"quern/storage/types"
)

// texter prints expressions over named columns and collects subquery plans.
type texter struct {
	names   []string
	d       *description
	qualify bool
}

func (t *texter) list(es []plan.Expr) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = t.expr(e)
	}
	return strings.Join(out, ", ")
}

// subs only collects subquery plans.
func (t *texter) subs(es []plan.Expr) { _ = t.list(es) }

func (t *texter) keys(keys []plan.SortKey) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = t.expr(k.Expr)
		if k.Desc {
			out[i] += " DESC"
		}
		if k.NullsFirst != k.Desc {
			out[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
	}
	return strings.Join(out, ", ")
}

func (t *texter) agg(a *plan.AggCall) string {
	args := t.list(a.Args)
	if len(a.Args) == 0 {
		args = "*"
	}
	if a.Distinct {
		args = "DISTINCT " + args
	}
	if len(a.Order) > 0 {
		args += " ORDER BY " + t.keys(a.Order)
	}
	s := a.Agg.Name + "(" + args + ")"
	if a.Filter != nil {
		s += " FILTER (WHERE " + t.expr(a.Filter) + ")"
	}
	return s
}

func (t *texter) joined(es []plan.Expr, sep string) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = t.expr(e)
	}
	return "(" + strings.Join(out, sep) + ")"
}

func not(b bool) string {
	if b {
		return "NOT "
	}
	return ""
}

// expr is one switch over all kinds of expressions.
func (t *texter) expr(e plan.Expr) string {
	switch e := e.(type) {
	case *plan.Col:
		if e.Index < len(t.names) && t.names[e.Index] != "" {
			return t.names[e.Index]
		}
		return fmt.Sprintf("#%d", e.Index)
	case *plan.Lit:
		return literal(e)
	case *plan.Param:
		return fmt.Sprintf("$%d", e.Index+1)
	case *plan.Call:
		return t.call(e)
	case *plan.Cast:
		return t.expr(e.Arg) + "::" + e.Typ.String()
	case *plan.And:
		return t.joined(e.Args, " AND ")
	case *plan.Or:
		return t.joined(e.Args, " OR ")
	case *plan.Not:
		return "(NOT " + t.expr(e.Arg) + ")"
	case *plan.IsNull:
		return "(" + t.expr(e.Arg) + " IS " + not(e.Not) + "NULL)"
	case *plan.IsBool:
		return "(" + t.expr(e.Arg) + " IS " + not(e.Not) + strings.ToUpper(fmt.Sprint(e.Val)) + ")"
	case *plan.Distinct:
		return "(" + t.expr(e.L) + " IS " + not(e.Not) + "DISTINCT FROM " + t.expr(e.R) + ")"
	case *plan.Case:
		var b strings.Builder
		b.WriteString("CASE")
		for _, w := range e.Whens {
			b.WriteString(" WHEN " + t.expr(w.Cond) + " THEN " + t.expr(w.Then))
		}
		if e.Else != nil {
			b.WriteString(" ELSE " + t.expr(e.Else))
		}
		return b.String() + " END"
	case *plan.Coalesce:
		return "COALESCE(" + t.list(e.Args) + ")"
	case *plan.In:
		return "(" + t.expr(e.Arg) + " " + not(e.Not) + "IN (" + t.list(e.List) + "))"
	case *plan.Like:
		op := "~~"
		if e.Fold {
			op += "*"
		}
		if e.Not {
			op = "!" + op
		}
		return "(" + t.expr(e.Arg) + " " + op + " " + t.expr(e.Pattern) + ")"
	case *plan.Outer:
		return fmt.Sprintf("$%d", e.ID)
	case *plan.SubPlan:
		var given []string
		for i := range e.Args {
			given = append(given, fmt.Sprintf(", $%d := %s", e.IDs[i], t.expr(e.Args[i])))
		}
		kind := [...]string{"", "EXISTS", "ANY"}[e.Kind]
		return fmt.Sprintf("%s(SubPlan %d%s)", kind, t.sub(e.Plan, "SubPlan"), strings.Join(given, ""))
	case *plan.Subquery:
		if e.Exists {
			return fmt.Sprintf("EXISTS(InitPlan %d)", t.sub(e.Plan, "InitPlan"))
		}
		return fmt.Sprintf("(InitPlan %d)", t.sub(e.Plan, "InitPlan"))
	}
	return fmt.Sprintf("%T", e)
}

// sub notes the plan of a subquery and returns its number.
func (t *texter) sub(n plan.Node, name string) int {
	t.d.subplans, t.d.subnames = append(t.d.subplans, n), append(t.d.subnames, name)
	return len(t.d.subplans)
}

func (t *texter) call(e *plan.Call) string {
	if isSign(e.Fn.Name) {
		if len(e.Args) == 1 {
			return "(" + e.Fn.Name + " " + t.expr(e.Args[0]) + ")"
		}
		return "(" + t.expr(e.Args[0]) + " " + e.Fn.Name + " " + t.expr(e.Args[1]) + ")"
	}
	return e.Fn.Name + "(" + t.list(e.Args) + ")"
}

func isSign(s string) bool { return s != "" && strings.ContainsRune("+-*/<>=~!@#%^&|`?", rune(s[0])) }

func literal(l *plan.Lit) string {
	if l.Val.Null {
		return "NULL::" + l.Typ.String()
	}
	text := string(types.AppendText(nil, l.Typ, &l.Val, types.DefaultFormat))
	switch l.Typ.OID {
	case types.Int4OID, types.NumericOID:
		if !strings.HasPrefix(text, "-") {
			return text
		}
	case types.BoolOID:
		if l.Val.I != 0 {
			return "true"
		}
		return "false"
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + types.Type{OID: l.Typ.OID, Mod: -1}.String()
}
