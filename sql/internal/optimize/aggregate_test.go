package optimize

import (
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

func column(id int, t types.Type) logical.Column { return logical.Column{ID: id, Type: t} }

func lit(v int64, t types.Type) *plan.Lit { return &plan.Lit{Val: types.Datum{I: v}, Typ: t} }

func op(t *testing.T, name string, l, r plan.Expr) plan.Expr {
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
	return &plan.Call{Fn: f, Args: args, Typ: types.Type{OID: f.Ret, Mod: -1}}
}

func sum(t *testing.T, e plan.Expr) plan.AggCall {
	a, _, err := fn.LookupAgg("sum", []types.Type{e.Type()})
	if err != nil {
		t.Fatal(err)
	}
	return plan.AggCall{Agg: a, Args: []plan.Expr{e}, Typ: types.Type{OID: a.Ret, Mod: -1}}
}

func TestSumsOfShiftedIntegers(t *testing.T) {
	small, int4, int8 := column(1, types.Int2).Col(), column(2, types.Int4).Col(), column(3, types.Int8).Col()
	tests := []struct {
		name string
		arg  plan.Expr
		ok   bool
		k    int64
		neg  bool
	}{
		{"int2 + int4", op(t, "+", small, lit(7, types.Int4)), true, 7, false},
		{"int4 + int2", op(t, "+", lit(7, types.Int4), small), true, 7, false},
		{"int2 - int4", op(t, "-", small, lit(7, types.Int4)), true, -7, false},
		{"int4 - int2", op(t, "-", lit(7, types.Int4), small), true, 7, true},
		{"result may leave int4", op(t, "+", small, lit(1<<31-100, types.Int4)), false, 0, false},
		{"result may leave int2", op(t, "+", small, lit(1, types.Int2)), false, 0, false},
		{"int4 may overflow", op(t, "+", int4, lit(1, types.Int4)), false, 0, false},
		{"numeric sum", op(t, "+", small, lit(1, types.Int8)), false, 0, false},
		{"int8", op(t, "+", int8, lit(1, types.Int8)), false, 0, false},
		{"no constant", op(t, "+", small, int4), false, 0, false},
		{"product", op(t, "*", small, lit(2, types.Int4)), false, 0, false},
		{"NULL", op(t, "+", small, &plan.Lit{Val: types.NullDatum, Typ: types.Int4}), false, 0, false},
	}
	for _, tt := range tests {
		c := sum(t, tt.arg)
		s := shiftOf(&c)
		if (s != nil) != tt.ok {
			t.Errorf("%s: rewritten = %t", tt.name, s != nil)
		} else if s != nil && (s.k != tt.k || s.negate != tt.neg || s.sum.Args[0] != plan.Expr(small)) {
			t.Errorf("%s: got %+v", tt.name, s)
		}
		c.Distinct = true
		if shiftOf(&c) != nil {
			t.Errorf("%s: DISTINCT rewritten", tt.name)
		}
	}
}

func TestAggregatesAreShared(t *testing.T) {
	x := column(1, types.Int2)
	a := &logical.Aggregate{In: &logical.Values{Cols: []logical.Column{x}}}
	for i, e := range []plan.Expr{
		x.Col(), op(t, "+", x.Col(), lit(1, types.Int4)), op(t, "-", x.Col(), lit(2, types.Int4)), x.Col(),
	} {
		c := sum(t, e)
		a.Aggs = append(a.Aggs, logical.AggItem{Col: column(10+i, c.Typ), Call: c})
	}
	o := &optimizer{o: Options{LastID: 20}}
	p, ok := o.aggregates(a).(*logical.Project)
	if !ok || len(p.Items) != 4 {
		t.Fatalf("got %#v", p)
	}
	if got := p.In.(*logical.Aggregate).Aggs; len(got) != 2 || got[0].Call.Agg.Kind != fn.AggSum || got[1].Call.Agg.Kind != fn.AggCount {
		t.Errorf("computed: %v", got)
	}
	for i, it := range p.Items {
		if it.Col.ID != 10+i {
			t.Errorf("column %d is %d", i, it.Col.ID)
		}
	}
	// A shift that stands alone saves nothing; a filter makes a call another one.
	f := sum(t, x.Col())
	f.Filter = truth(true)
	b := &logical.Aggregate{In: a.In, Aggs: []logical.AggItem{a.Aggs[1], {Col: column(15, f.Typ), Call: f}}}
	if n := o.aggregates(b); n != logical.Node(b) {
		t.Errorf("rewritten to %#v", n)
	}
}

func TestComputedKeys(t *testing.T) {
	ip, num := column(1, types.Int4), column(2, types.Type{OID: types.NumericOID, Mod: -1})
	key := func(id int, e plan.Expr) logical.Item {
		return logical.Item{Col: column(id, e.Type()), Expr: e}
	}
	next := op(t, "-", ip.Col(), lit(1, types.Int4))
	all := logical.Set{1: true, 2: true, 11: true, 12: true}
	tests := []struct {
		name string
		keys []logical.Item
		need logical.Set
		left int
	}{
		{"function of a key", []logical.Item{{Col: ip, Expr: ip.Col()}, key(11, next)}, all, 1},
		{"before its key", []logical.Item{key(11, next), {Col: ip, Expr: ip.Col()}}, all, 1},
		{"constant", []logical.Item{key(11, lit(1, types.Int4)), {Col: ip, Expr: ip.Col()}}, all, 1},
		{"unread constant", []logical.Item{key(11, lit(1, types.Int4)), {Col: ip, Expr: ip.Col()}}, logical.Set{1: true}, 1},
		{"only constants", []logical.Item{key(11, lit(1, types.Int4)), key(12, lit(2, types.Int4))}, all, 1},
		{"alone", []logical.Item{key(11, next)}, all, 1},
		{"unread, may raise", []logical.Item{{Col: ip, Expr: ip.Col()}, key(11, next)}, logical.Set{1: true}, 2},
		{"1.0 = 1.00", []logical.Item{{Col: num, Expr: num.Col()}, key(11, &plan.Cast{Arg: num.Col(), Typ: types.Text})}, all, 2},
		{"of another column", []logical.Item{{Col: num, Expr: num.Col()}, key(11, next)}, all, 2},
	}
	for _, tt := range tests {
		a := &logical.Aggregate{In: &logical.Values{Cols: []logical.Column{ip, num}}, Keys: tt.keys}
		n := computedKeys(a, tt.need)
		if p, ok := n.(*logical.Project); ok {
			for i, it := range p.Items {
				if it.Col.ID != tt.keys[i].Col.ID {
					t.Errorf("%s: column %d is %d", tt.name, i, it.Col.ID)
				}
			}
			a = p.In.(*logical.Aggregate)
		}
		if len(a.Keys) != tt.left {
			t.Errorf("%s: %d keys left", tt.name, len(a.Keys))
		}
	}
}
