package parse

import (
	"io"

	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"

	"quern/storage/errs"
)

// value is a literal of the grammar: nil, bool, int64 or string. The grammar's
// own driver for tests is never linked: it panics on long numbers, and numbers
// that long never reach the grammar here.
type value struct {
	tidb.TexprNode
	v any
}

// The grammar asks for these at every literal; without them parser.New panics.
func init() {
	tidb.NewValueExpr = func(v any, _, _ string) tidb.ValueExpr {
		if e, ok := v.(*value); ok {
			return e
		}
		return &value{v: v}
	}
	tidb.NewParamMarkerExpr = func(int) tidb.ParamMarkerExpr { return &value{} }
	refuse := func(string) (any, error) {
		return nil, errs.New(errs.Internal, "literal that the walker does not write")
	}
	tidb.NewDecimal, tidb.NewHexLiteral, tidb.NewBitLiteral = refuse, refuse, refuse
}

// The rest implements the grammar's interfaces; none of it is called here.

func (e *value) Restore(*format.RestoreCtx) error { return nil }
func (e *value) Format(io.Writer)                 {}
func (e *value) SetValue(v any)                   { e.v = v }
func (e *value) GetValue() any                    { return e.v }
func (e *value) GetDatumString() string           { return e.GetString() }
func (e *value) GetProjectionOffset() int         { return -1 }
func (e *value) SetProjectionOffset(int)          {}
func (e *value) SetOrder(int)                     {}

func (e *value) GetString() string {
	s, _ := e.v.(string)
	return s
}

// Accept implements the grammar's visitor.
func (e *value) Accept(v tidb.Visitor) (tidb.Node, bool) {
	n, skip := v.Enter(e)
	if skip {
		return v.Leave(n)
	}
	return v.Leave(n)
}
