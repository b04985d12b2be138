package explain

import (
	"strings"

	"quern/engine/plan"
)

func window(d *description, t *texter, n *plan.Window) {
	d.kind, d.title = "WindowAgg", "WindowAgg"
	t.names = names(n.In, t.qualify)
	d.add("Partition Key", t.list(n.Partition))
	d.add("Sort Key", t.keys(n.Order))
	var calls []string
	for i := range n.Calls {
		calls = append(calls, t.window(&n.Calls[i]))
	}
	d.add("Functions", strings.Join(calls, ", "))
}

// window prints one window function.
func (t *texter) window(c *plan.WindowCall) string {
	s := ""
	if c.Func == plan.WinAggregate {
		s = t.agg(&c.AggCall)
	} else {
		s = c.Name + "(" + t.list(c.Args) + ")"
	}
	return s + " OVER (?)"
}
