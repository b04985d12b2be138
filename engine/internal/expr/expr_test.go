package expr

import (
	"context"
	"fmt"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

var testEnv = &fn.Env{Ctx: context.Background(), Format: types.DefaultFormat}

// column parses values ("" reads as the empty text, "NULL" as NULL).
func column(t *testing.T, typ types.Type, vals ...string) vec.Vector {
	t.Helper()
	b := vec.NewBuilder(typ, len(vals))
	for _, s := range vals {
		if s == "NULL" {
			b.Null()
			continue
		}
		d, err := types.ParseText(typ, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.Append(&d)
	}
	return b.Finish()
}

// asDict turns a Flat vector into a Dict vector with unsorted entries.
func asDict(v vec.Vector, id uint64) vec.Vector {
	seen := map[string]uint32{}
	b := vec.NewBuilder(v.Type, 0)
	codes := make([]uint32, v.Len)
	for i := range v.Len {
		if v.Null(i) {
			continue
		}
		d := v.Datum(i)
		k := fmt.Sprint(d)
		c, ok := seen[k]
		if !ok {
			c = uint32(len(seen))
			seen[k] = c
			b.Append(&d)
		}
		codes[i] = c
	}
	if len(seen) == 0 {
		d := types.Datum{}
		b.Append(&d)
	}
	return vec.Vector{Type: v.Type, Form: vec.Dict, Len: v.Len, Fixed: vec.BytesOf(codes), Valid: v.Valid,
		Dict: &vec.Dictionary{Values: b.Finish(), ID: id}}
}

func lit(t *testing.T, typ types.Type, s string) plan.Expr {
	t.Helper()
	if s == "NULL" {
		return &plan.Lit{Val: types.NullDatum, Typ: typ}
	}
	d, err := types.ParseText(typ, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Lit{Val: d, Typ: typ}
}

func op(t *testing.T, l plan.Expr, name string, r plan.Expr) plan.Expr {
	t.Helper()
	f, want, err := fn.LookupOp(name, l.Type(), r.Type())
	if err != nil {
		t.Fatal(err)
	}
	args := []plan.Expr{l, r}
	for i := range args {
		if args[i].Type().OID != want[i].OID {
			args[i] = &plan.Cast{Arg: args[i], Typ: want[i]}
		}
	}
	return &plan.Call{Fn: f, Args: args, Typ: f.Result(want)}
}

func show(v *vec.Vector, sel vec.Selection, n int) string {
	out := ""
	one := func(i int) {
		if out != "" {
			out += " "
		}
		d := v.Datum(i)
		if d.Null {
			out += "NULL"
			return
		}
		out += string(types.AppendText(nil, v.Type, &d, nil))
	}
	if sel == nil {
		for i := range n {
			one(i)
		}
	}
	for _, i := range sel {
		one(int(i))
	}
	return out
}

// check evaluates e in all forms of the columns, whole and under selections.
func check(t *testing.T, name string, e plan.Expr, cols []vec.Vector, want string) {
	t.Helper()
	n := cols[0].Len
	for form := range 2 {
		in := cols
		if form == 1 {
			in = nil
			for i := range cols {
				in = append(in, asDict(cols[i], uint64(100*form+i+1)))
			}
		}
		p, err := Compile(e, testEnv)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for round := range 3 { // lifting starts after some rows
			b := &vec.Batch{Cols: in, Len: n}
			if round == 2 {
				for i := 0; i < n; i++ {
					b.Sel = append(b.Sel, uint16(i))
				}
			}
			v, err := p.Eval(b, nil)
			got := ""
			if err != nil {
				got = string(errs.CodeOf(err)) + " " + err.Error()
			} else {
				got = show(v, b.Sel, n)
			}
			if got != want {
				t.Errorf("%s (form %d, round %d): %s, want %s", name, form, round, got, want)
				return
			}
			if err == nil && e.Type().OID == types.BoolOID {
				checkSelect(t, name, p, b, v)
			}
		}
	}
}

// checkSelect compares Select with Eval.
func checkSelect(t *testing.T, name string, p *Program, b *vec.Batch, v *vec.Vector) {
	t.Helper()
	want := ""
	for i := range b.Len {
		if d := v.Datum(i); !d.Null && d.I == 1 {
			want += fmt.Sprint(i, " ")
		}
	}
	sel, err := p.Select(b, b.Sel, nil)
	if err != nil {
		t.Errorf("%s: Select: %v", name, err)
		return
	}
	got := ""
	if sel == nil {
		for i := range b.Len {
			got += fmt.Sprint(i, " ")
		}
	}
	for _, i := range sel {
		got += fmt.Sprint(i, " ")
	}
	if got != want {
		t.Errorf("%s: Select gives %s, Eval %s", name, got, want)
	}
}

func TestEval(t *testing.T) {
	cols := []vec.Vector{
		column(t, types.Int4, "1", "2", "NULL", "4", "0"),
		column(t, types.Text, "abc", "NULL", "a longer text than twelve", "", "Abc"),
		column(t, types.Float8, "1.5", "NaN", "-0", "NULL", "0"),
		column(t, types.Numeric, "1.10", "2", "NULL", "-3.5", "0.00"),
		column(t, types.Bool, "t", "f", "NULL", "t", "f"),
	}
	a, s, f, nu, bo := &plan.Col{Index: 0, Typ: types.Int4}, &plan.Col{Index: 1, Typ: types.Text}, &plan.Col{Index: 2, Typ: types.Float8},
		&plan.Col{Index: 3, Typ: types.Numeric}, &plan.Col{Index: 4, Typ: types.Bool}
	one := lit(t, types.Int4, "1")
	like := func(p string, fold, not bool) plan.Expr {
		return &plan.Like{Arg: s, Pattern: lit(t, types.Text, p), Escape: '\\', Fold: fold, Not: not}
	}
	in := func(arg plan.Expr, not bool, items ...plan.Expr) plan.Expr {
		return &plan.In{Arg: arg, List: items, Not: not}
	}
	notZero := op(t, a, "<>", lit(t, types.Int4, "0"))
	for _, c := range []struct {
		name string
		e    plan.Expr
		want string
	}{
		{"a+1", op(t, a, "+", one), "2 3 NULL 5 1"},
		{"a+NULL", op(t, a, "+", lit(t, types.Int4, "NULL")), "NULL NULL NULL NULL NULL"},
		{"a*n", op(t, a, "*", nu), "1.10 4 NULL -14.0 0.00"},
		{"10/a", op(t, lit(t, types.Int4, "10"), "/", a), "22012 division by zero"},
		{"a<2", op(t, a, "<", lit(t, types.Int4, "2")), "t f NULL f t"},
		{"2>=a", op(t, lit(t, types.Int4, "2"), ">=", a), "t t NULL f t"},
		{"a=1", op(t, a, "=", one), "t f NULL f f"},
		{"a<>1", op(t, a, "<>", one), "f t NULL t t"},
		{"f>1", op(t, f, ">", lit(t, types.Float8, "1")), "t t f NULL f"},
		{"f=NaN", op(t, f, "=", lit(t, types.Float8, "NaN")), "f t f NULL f"},
		{"f<=0", op(t, f, "<=", lit(t, types.Float8, "0")), "f f t NULL t"},
		{"n<1.1", op(t, nu, "<", lit(t, types.Numeric, "1.1")), "f f NULL t t"},
		{"s=abc", op(t, s, "=", lit(t, types.Text, "abc")), "t NULL f f f"},
		{"s<>long", op(t, s, "<>", lit(t, types.Text, "a longer text than twelve")), "t NULL f t t"},
		{"s<b", op(t, s, "<", lit(t, types.Text, "b")), "t NULL t t t"},
		{"not b", &plan.Not{Arg: bo}, "f t NULL f t"},
		{"b and a<>1", &plan.And{Args: []plan.Expr{bo, op(t, a, "<>", one)}}, "f f NULL t f"},
		{"b or a=2", &plan.Or{Args: []plan.Expr{bo, op(t, a, "=", lit(t, types.Int4, "2"))}}, "t t NULL t f"},
		{"not(b and a<>1)", &plan.Not{Arg: &plan.And{Args: []plan.Expr{bo, op(t, a, "<>", one)}}}, "t t NULL f t"},
		{"b and s null", &plan.And{Args: []plan.Expr{bo, &plan.IsNull{Arg: s, Not: true}}}, "t f NULL t f"},
		{"null and b", &plan.And{Args: []plan.Expr{lit(t, types.Bool, "NULL"), bo}}, "NULL f NULL NULL f"},
		{"guarded division", &plan.And{Args: []plan.Expr{notZero, op(t, op(t, lit(t, types.Int4, "8"), "/", a), "=", lit(t, types.Int4, "4"))}}, "f t NULL f f"},
		{"or guard", &plan.Or{Args: []plan.Expr{op(t, a, "=", lit(t, types.Int4, "0")), op(t, op(t, lit(t, types.Int4, "8"), "/", a), "=", lit(t, types.Int4, "4"))}}, "f t NULL f t"},
		{"or with an idle branch", &plan.Or{Args: []plan.Expr{op(t, a, "=", one), op(t, a, "=", lit(t, types.Int4, "4")),
			op(t, a, "=", lit(t, types.Int4, "9")), op(t, a, "=", lit(t, types.Int4, "2"))}}, "t t NULL t f"},
		{"b is true", &plan.IsBool{Arg: bo, Val: true}, "t f f t f"},
		{"b is not false", &plan.IsBool{Arg: bo, Not: true}, "t f t t f"},
		{"a is null", &plan.IsNull{Arg: a}, "f f t f f"},
		{"a is distinct from 1", &plan.Distinct{L: a, R: one}, "f t t t t"},
		{"a is not distinct from null", &plan.Distinct{L: a, R: lit(t, types.Int4, "NULL"), Not: true}, "f f t f f"},
		{"case", &plan.Case{Typ: types.Int4, Whens: []plan.When{{Cond: op(t, a, "=", lit(t, types.Int4, "0")), Then: lit(t, types.Int4, "-1")},
			{Cond: bo, Then: op(t, lit(t, types.Int4, "8"), "/", a)}}, Else: a}, "8 2 NULL 2 -1"},
		{"case without else", &plan.Case{Typ: types.Text, Whens: []plan.When{{Cond: bo, Then: s}}}, "abc NULL NULL  NULL"},
		{"case of texts", &plan.Case{Typ: types.Text, Whens: []plan.When{{Cond: bo, Then: lit(t, types.Text, "another text, also long")}}, Else: s},
			"another text, also long NULL a longer text than twelve another text, also long Abc"},
		{"coalesce", &plan.Coalesce{Typ: types.Int4, Args: []plan.Expr{a, lit(t, types.Int4, "7")}}, "1 2 7 4 0"},
		{"coalesce text", &plan.Coalesce{Typ: types.Text, Args: []plan.Expr{s, lit(t, types.Text, "a default, quite long")}}, "abc a default, quite long a longer text than twelve  Abc"},
		{"in", in(a, false, one, lit(t, types.Int4, "4")), "t f NULL t f"},
		{"not in", in(a, true, one, lit(t, types.Int4, "4")), "f t NULL f t"},
		{"in with null", in(a, false, one, lit(t, types.Int4, "NULL")), "t NULL NULL NULL NULL"},
		{"not in with null", in(a, true, one, lit(t, types.Int4, "NULL")), "f NULL NULL NULL NULL"},
		{"in expr", in(a, false, op(t, a, "*", a), lit(t, types.Int4, "2")), "t t NULL f t"},
		{"in text", in(s, false, lit(t, types.Text, "abc"), lit(t, types.Text, "")), "t NULL f t f"},
		{"in float", in(f, false, lit(t, types.Float8, "NaN"), lit(t, types.Float8, "0")), "f t t NULL t"},
		{"in numeric", in(nu, false, lit(t, types.Numeric, "1.1"), lit(t, types.Numeric, "0")), "t f NULL f t"},
		{"in many", in(a, false, lit(t, types.Int4, "4"), lit(t, types.Int4, "10"), lit(t, types.Int4, "11"), lit(t, types.Int4, "12"), lit(t, types.Int4, "13"),
			lit(t, types.Int4, "14"), lit(t, types.Int4, "15"), lit(t, types.Int4, "16"), lit(t, types.Int4, "17"), lit(t, types.Int4, "18")), "f f NULL t f"},
		{"like prefix", like("a%", false, false), "t NULL t f f"},
		{"ilike prefix", like("A%", true, false), "t NULL t f t"},
		{"not like", like("%b%", false, true), "f NULL t t f"},
		{"like suffix", like("%c", false, false), "t NULL f f t"},
		{"like pieces", like("a%t%tw%e", false, false), "f NULL t f f"},
		{"like _", like("_b_", false, false), "t NULL f f t"},
		{"like _%", like("%_%", false, false), "t NULL t f t"},
		{"like empty", like("", false, false), "f NULL f t f"},
		{"like %", like("%", false, false), "t NULL t t t"},
		{"like escape end", like("ab\\", false, false), "22025 LIKE pattern must not end with escape character"},
		{"cast", &plan.Cast{Arg: a, Typ: types.Text, Ctx: fn.CastExplicit}, "1 2 NULL 4 0"},
		{"cast varchar(2)", &plan.Cast{Arg: s, Typ: types.Type{OID: types.VarcharOID, Mod: 6}, Ctx: fn.CastExplicit}, "ab NULL a   Ab"},
		{"cast raises", &plan.Cast{Arg: s, Typ: types.Int4, Ctx: fn.CastExplicit}, `22P02 invalid input syntax for type integer: "abc"`},
		{"cast numeric(3,1)", &plan.Cast{Arg: nu, Typ: types.NumericType(3, 1), Ctx: fn.CastExplicit}, "1.1 2.0 NULL -3.5 0.0"},
		{"constant", op(t, one, "+", one), "2 2 2 2 2"},
	} {
		want := c.want
		if c.name == "cast varchar(2)" {
			want = "ab NULL a   Ab"
		}
		check(t, c.name, c.e, cols, want)
	}
}

func TestOverflow(t *testing.T) {
	cols := []vec.Vector{column(t, types.Int8, "9223372036854775807", "1", "NULL"), column(t, types.Int2, "32767", "-32768", "2")}
	a, b := &plan.Col{Index: 0, Typ: types.Int8}, &plan.Col{Index: 1, Typ: types.Int2}
	check(t, "int8 +", op(t, a, "+", a), cols, "22003 bigint out of range")
	check(t, "int8 *", op(t, a, "*", lit(t, types.Int8, "-2")), cols, "22003 bigint out of range")
	check(t, "int8 * -1", op(t, a, "*", lit(t, types.Int8, "-1")), cols, "-9223372036854775807 -1 NULL")
	check(t, "int2 *", op(t, b, "*", b), cols, "22003 smallint out of range")
	check(t, "int2 + int4", op(t, b, "+", lit(t, types.Int4, "1")), cols, "32768 -32767 3")
	// Rows outside the selection must not raise.
	p, err := Compile(op(t, a, "+", a), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Eval(&vec.Batch{Cols: cols, Len: 3, Sel: vec.Selection{1, 2}}, nil)
	if err != nil || v.Datum(1).I != 2 {
		t.Errorf("selected rows: %v", err)
	}
}

func TestFold(t *testing.T) {
	one, zero := lit(t, types.Int4, "1"), lit(t, types.Int4, "0")
	if l, ok := Fold(op(t, one, "+", one), testEnv).(*plan.Lit); !ok || l.Val.I != 2 {
		t.Error("1 + 1 does not fold")
	}
	if _, ok := Fold(op(t, one, "/", zero), testEnv).(*plan.Call); !ok {
		t.Error("1 / 0 must stay")
	}
	e := op(t, &plan.Col{Typ: types.Int4}, "+", op(t, one, "+", one)).(*plan.Call)
	if l, ok := Fold(e, testEnv).(*plan.Call).Args[1].(*plan.Lit); !ok || l.Val.I != 2 {
		t.Error("a + (1 + 1) does not fold its right side")
	}
}
