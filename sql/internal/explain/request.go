package explain

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// Request is what EXPLAIN's options ask for.
type Request struct {
	Analyze, JSON, Timing, Summary, Costs bool
}

// Read validates the options of EXPLAIN.
func Read(st *ast.Explain) (Request, error) {
	o := Request{Costs: true}
	var timing, summary *bool
	for i := range st.Options {
		x := &st.Options[i]
		on := true
		switch strings.ToLower(x.Value) {
		case "off", "false", "0":
			on = false
		}
		switch x.Name {
		case "analyze":
			o.Analyze = on
		case "timing":
			timing = &on
		case "summary":
			summary = &on
		case "costs":
			o.Costs = on
		case "verbose", "settings", "buffers", "wal":
		case "format":
			switch strings.ToLower(x.Value) {
			case "text":
			case "json":
				o.JSON = true
			case "xml", "yaml":
				return o, errs.NotSupported("EXPLAIN format " + strings.ToUpper(x.Value)).WithPos(x.Pos + 1)
			default:
				return o, errs.New(errs.InvalidParameterValue, "unrecognized value for EXPLAIN option %q: %q", x.Name, x.Value).WithPos(x.Pos + 1)
			}
		default:
			return o, errs.New(errs.Syntax, "unrecognized EXPLAIN option %q", x.Name).WithPos(x.Pos + 1)
		}
	}
	o.Timing, o.Summary = o.Analyze, o.Analyze
	if timing != nil {
		if *timing && !o.Analyze {
			return o, errs.New(errs.InvalidParameterValue, "EXPLAIN option TIMING requires ANALYZE")
		}
		o.Timing = *timing
	}
	if summary != nil {
		o.Summary = *summary
	}
	return o, nil
}
