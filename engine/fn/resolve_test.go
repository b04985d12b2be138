package fn

import (
	"testing"

	"quern/storage/errs"
	"quern/storage/types"
)

func typ(t *testing.T, name string) types.Type {
	t.Helper()
	if name == "" {
		return types.Type{}
	}
	r, ok := types.ByName(name)
	if !ok {
		t.Fatalf("no type %q", name)
	}
	return r
}

func TestLookupOp(t *testing.T) {
	for _, c := range []struct{ l, op, r, want string }{
		{"int4", "+", "int4", "integer"},
		{"int2", "+", "int4", "integer"},
		{"int4", "+", "int8", "bigint"},
		{"int4", "+", "float4", "double precision"},
		{"int4", "+", "numeric", "numeric"},
		{"numeric(10,2)", "+", "float8", "double precision"},
		{"int4", "+", "unknown", "integer"},
		{"int4", "^", "int4", "double precision"},
		{"unknown", "=", "unknown", "boolean"},
		{"varchar(10)", "=", "unknown", "boolean"},
		{"int2", "=", "int8", "boolean"},
		{"date", "<", "timestamptz", "boolean"},
		{"", "-", "int2", "smallint"},
		{"text", "=", "bpchar", "boolean"},
	} {
		f, args, err := LookupOp(c.op, typ(t, c.l), typ(t, c.r))
		if err != nil {
			t.Errorf("%s %s %s: %v", c.l, c.op, c.r, err)
			continue
		}
		if got := f.Result(args).String(); got != c.want {
			t.Errorf("%s %s %s is %s, want %s", c.l, c.op, c.r, got, c.want)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct{ l, op, r, msg, code string }{
		{"int4", "+", "text", "operator does not exist: integer + text", "42883"},
		{"numeric(10,2)", "&", "numeric(10,2)", "operator does not exist: numeric & numeric", "42883"},
		{"unknown", "%", "unknown", "operator is not unique: unknown % unknown", "42725"},
		{"", "-", "text", "operator does not exist: - text", "42883"},
		{"bool", "=", "int4", "operator does not exist: boolean = integer", "42883"},
	} {
		_, _, err := LookupOp(c.op, typ(t, c.l), typ(t, c.r))
		if err == nil || err.Error() != c.msg || string(errs.CodeOf(err)) != c.code {
			t.Errorf("%s %s %s: %v", c.l, c.op, c.r, err)
		}
	}
	_, _, err := LookupFunc("foo", []types.Type{types.Int4, types.Unknown})
	if e := errs.As(err); e.Msg != "function foo(integer, unknown) does not exist" ||
		e.Hint != "No function matches the given name and argument types. You might need to add explicit type casts." {
		t.Errorf("%v %q", e, e.Hint)
	}
}

func TestLookupAgg(t *testing.T) {
	for _, c := range []struct{ name, arg, want string }{
		{"count", "", "bigint"}, {"count", "text", "bigint"}, {"sum", "int2", "bigint"}, {"sum", "int8", "numeric"},
		{"sum", "float4", "real"}, {"avg", "int4", "numeric"}, {"avg", "float4", "double precision"},
		{"min", "varchar(3)", "text"}, {"max", "char(3)", "character"}, {"stddev", "int4", "numeric"},
		{"array_agg", "int4", "integer[]"}, {"max", "timestamptz", "timestamp with time zone"},
	} {
		var args []types.Type
		if c.arg != "" {
			args = append(args, typ(t, c.arg))
		}
		a, to, err := LookupAgg(c.name, args)
		if err != nil {
			t.Errorf("%s(%s): %v", c.name, c.arg, err)
			continue
		}
		if got := a.Result(to).String(); got != c.want {
			t.Errorf("%s(%s) is %s, want %s", c.name, c.arg, got, c.want)
		}
	}
}

func TestCommonType(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want string
	}{
		{[]string{"unknown", "int4"}, "integer"},
		{[]string{"int4", "numeric"}, "numeric"},
		{[]string{"unknown", "unknown"}, "text"},
		{[]string{"varchar(3)", "varchar(3)"}, "character varying(3)"},
		{[]string{"varchar(3)", "varchar(4)"}, "character varying"},
		{[]string{"date", "timestamptz"}, "timestamp with time zone"},
		{[]string{"int8", "int2"}, "bigint"},
		{[]string{"int4", "text"}, "CASE types integer and text cannot be matched"},
	} {
		var ts []types.Type
		for _, n := range c.in {
			ts = append(ts, typ(t, n))
		}
		got, err := CommonType("CASE", ts)
		s := got.String()
		if err != nil {
			s = err.Error()
		}
		if s != c.want {
			t.Errorf("%v: %s, want %s", c.in, s, c.want)
		}
	}
}

func TestFindCast(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ctx      CastContext
		want     bool
	}{
		{"int4", "int8", CastImplicit, true}, {"int8", "int4", CastImplicit, false}, {"int8", "int4", CastAssignment, true},
		{"bool", "int4", CastAssignment, false}, {"bool", "int4", CastExplicit, true}, {"int4", "text", CastImplicit, false},
		{"int4", "text", CastAssignment, true}, {"text", "int4", CastAssignment, false}, {"text", "int4", CastExplicit, true},
		{"int4[]", "int8[]", CastImplicit, true}, {"bool", "float8", CastExplicit, false}, {"date", "int4", CastExplicit, false},
	} {
		if got := FindCast(typ(t, c.from), typ(t, c.to), c.ctx); got != c.want {
			t.Errorf("%s -> %s (%d): %v", c.from, c.to, c.ctx, got)
		}
	}
}
