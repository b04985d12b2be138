// Package fn is the function registry: every function, operator, cast and
// aggregate that a statement can name, with its argument types, its properties
// and its kernel. A new function is one entry in a file of its family here and
// one .slt file.
//
//	binder ── Lookup(name, argument types) ─► *Func (+ implicit casts)
//	executor ── Func.Kernel(env, args, sel, n, out)
//
// Operators are functions named by their sign ("+", "||", "->>"); casts are
// found by FindCast. Aggregates have a Kind; their states live in the
// hash aggregation operator.
package fn

import (
	"context"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Volatility as in PostgreSQL.
type Volatility uint8

// Volatilities.
const (
	Immutable Volatility = iota
	Stable               // constant within a statement
	Volatile
)

// Env is what kernels may know of the session. One per statement; immutable
// while it runs, except Notice.
type Env struct {
	Ctx                                 context.Context
	Format                              *types.Format // settings that text conversion depends on; Now inside
	User, SessionUser, Database, Schema string
	SearchPath                          []string
	// Catalog is the handle of catalog functions (format_type, regclass, …);
	// sql's pgcatalog implements it. Nil outside statements.
	Catalog CatalogHandle
	// Setting reads a session setting (current_setting).
	Setting func(name string) (string, bool)
	// Session is the backend's process id on the wire.
	PID uint32
	// ValueMax bounds the bytes of one value that a function makes, 0 = 1 GiB:
	// values on their way are in no operator's account.
	ValueMax int
}

// stopped tells whether the query was cancelled. Env may be nil.
func (e *Env) stopped() bool { return e != nil && e.Ctx != nil && e.Ctx.Err() != nil }

// room refuses to make a value of n bytes that the query's memory has no room for.
func (e *Env) room(n int) error {
	if e == nil || e.ValueMax == 0 || n <= e.ValueMax {
		return nil
	}
	return errs.New(errs.OutOfMemory, "out of memory").
		WithDetail("A value of %d MB is too large for the memory limit of the query.", n>>20).
		WithHint("Make the query smaller, or raise the memory limit.")
}

// CatalogHandle answers catalog functions. Each honours the principal's rights.
type CatalogHandle interface {
	// RelationName and RelationOID are regclass's output and input functions.
	RelationName(oid uint32) (string, bool)
	RelationOID(name string) (uint32, bool)
	// Call runs a catalog function by name (pg_table_is_visible, obj_description,
	// pg_get_userbyid, …) on one row of arguments.
	Call(name string, args []types.Datum) (types.Datum, error)
}

// Kernel computes out for the rows in sel (nil = all n rows). Args have the
// function's argument types, Len n and any Form. For Strict functions the
// caller has already removed NULL rows from sel and sets their validity; the
// kernel never sees them. out is a Flat vector with room for n rows of the
// result type: the kernel fills out's values (out.Fixed, or out.Views with
// buffers of its own) and, if it can return NULL, out.Valid. It must not raise
// for rows outside sel.
type Kernel func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error

// Func is one overload of a function or operator.
type Func struct {
	Name string
	Args []types.OID
	// Variadic: the last argument repeats.
	Variadic bool
	// Ret is the result type. RetType, if not nil, computes it from the actual
	// arguments (typmods, polymorphic functions).
	Ret       types.OID
	RetType   func(args []types.Type) types.Type
	NotStrict bool // sees NULLs itself
	CanRaise  bool
	Leakproof bool
	Vol       Volatility
	Kernel    Kernel
	// OID is pg_proc's, 0 if we do not know one.
	OID uint32
}

// AggKind names an aggregate's state.
type AggKind uint8

// Aggregates.
const (
	AggCountStar AggKind = iota + 1
	AggCount
	AggSum
	AggAvg
	AggMin
	AggMax
	AggBoolAnd
	AggBoolOr
	AggStddevSamp
	AggStddevPop
	AggVarSamp
	AggVarPop
	AggStringAgg
	AggArrayAgg
	AggAnyValue
	AggBitAnd
	AggBitOr
	AggBitXor
	AggJSONAgg // json_agg, jsonb_agg: by the result type
	AggJSONObjectAgg
	AggCovarPop
	AggCovarSamp
	AggCorr
	AggRegrCount
	AggRegrAvgX
	AggRegrAvgY
	AggRegrSxx
	AggRegrSyy
	AggRegrSxy
	AggRegrSlope
	AggRegrIntercept
	AggRegrR2
	AggApproxDistinct
	AggApproxPercentile
	// Ordered-set aggregates.
	AggPercentileCont
	AggPercentileDisc
	AggMode
	// Hypothetical-set aggregates.
	AggHypoRank
	AggHypoDenseRank
	AggHypoPercentRank
	AggHypoCumeDist
)

// SeesNull tells whether rows whose first argument is NULL count.
func (k AggKind) SeesNull() bool {
	switch k {
	case AggArrayAgg, AggJSONAgg, AggJSONObjectAgg:
		return true
	}
	return k >= AggHypoRank
}

// ZeroWhenEmpty tells whether the aggregate of no rows is 0 instead of NULL.
func (k AggKind) ZeroWhenEmpty() bool {
	return k == AggCountStar || k == AggCount || k == AggRegrCount || k == AggApproxDistinct
}

// Agg is one overload of an aggregate. Distinct, ORDER BY and FILTER belong to
// the call, not to it.
type Agg struct {
	Name string
	Kind AggKind
	// Args are the arguments. Those of an ordered-set aggregate are what WITHIN
	// GROUP orders by, then the direct arguments.
	Args []types.OID
	Ret  types.OID
	OID  uint32
	// Within marks ordered-set aggregates, Direct is how many direct arguments
	// they have; a hypothetical-set aggregate (Hypothetical) has as many as it
	// orders by.
	Within, Hypothetical bool
	Direct               int
}

// DirectOf is the number of direct arguments of a call with n arguments.
func (a *Agg) DirectOf(n int) int {
	if a.Hypothetical {
		return n / 2
	}
	return a.Direct
}

// CastContext says how a cast was asked for.
type CastContext uint8

// Contexts, each allowing more.
const (
	CastImplicit CastContext = iota
	CastAssignment
	CastExplicit
)
