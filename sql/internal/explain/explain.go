// Package explain prints an executable plan as EXPLAIN shows it: PostgreSQL's
// node names where the operator is the same, one line per node and indented
// details, or PostgreSQL's JSON keys.
//
//	plan.Node ─► Text lines / JSON     Options.Counters adds EXPLAIN ANALYZE
//
// For a principal bound by a policy only the shape is shown: no counters, no
// times (Options.Shape). Policy predicates never appear: they are no part of a
// plan, they live in the view.
//
// Start reading at Text.
package explain

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"quern/engine/plan"
)

// Counter is what a node did in EXPLAIN ANALYZE.
type Counter struct {
	Rows     int64
	Time     time.Duration // with inputs
	Bytes    int64         // peak memory
	Batches  int64
	Segments [2]int // read, all
	Groups   [2]int // row groups read, all
	Granules [2]int // granules read, all
	Read     int64  // bytes
	HasScan  bool
}

// Options choose what is printed.
type Options struct {
	// Counters gives a node's counters, ok false if it has none; nil without
	// ANALYZE.
	Counters func(n plan.Node) (Counter, bool)
	// Rows gives how many rows the optimizer expects of a node; nil with COSTS off.
	Rows func(n plan.Node) (float64, bool)
	// Operation is Insert, Update or Delete on Relation; "" for a query.
	Operation, Relation string
	// Memory is the most that the query held at once, 0 = not known.
	Memory int64
	// Timing false leaves times out.
	Timing bool
	// Shape says that neither counters nor estimates may be shown.
	Shape bool
}

// Text prints n, one string per line.
func Text(n plan.Node, o Options) []string {
	p := printer{o: o, qualify: relations(n) > 1}
	if o.Operation == "" {
		p.node(n, 0, true)
		return p.lines
	}
	p.lines = []string{o.Operation + " on " + o.Relation}
	p.node(n, 2, false)
	return p.lines
}

// estimate is how many rows are expected, at least one.
func (p *printer) estimate(n plan.Node) (int64, bool) {
	if p.o.Rows == nil || p.o.Shape {
		return 0, false
	}
	rows, ok := p.o.Rows(n)
	return int64(min(max(math.Round(rows), 1), 1e18)), ok
}

type printer struct {
	o       Options
	lines   []string
	qualify bool
}

func (p *printer) node(n plan.Node, indent int, root bool) {
	d := describe(n, p.qualify)
	head := d.title
	if len(d.notes) > 0 {
		head += "  (" + strings.Join(d.notes, "; ") + ")"
	}
	if rows, ok := p.estimate(n); ok {
		head += fmt.Sprintf("  (estimated rows=%d)", rows)
	}
	head += p.counters(n)
	pad, deep := strings.Repeat(" ", indent), indent+2
	if !root {
		head = "->  " + head
		deep = indent + 6
	}
	p.lines = append(p.lines, pad+head)
	inner := strings.Repeat(" ", deep)
	for _, x := range d.details {
		p.lines = append(p.lines, inner+x)
	}
	for i, s := range d.subplans {
		p.lines = append(p.lines, inner+fmt.Sprintf("%s %d", d.subnames[i], i+1))
		p.node(s, deep+2, false)
	}
	for _, in := range n.Inputs() {
		p.node(in, deep, false)
	}
}

func (p *printer) counters(n plan.Node) string {
	if p.o.Counters == nil || p.o.Shape {
		return ""
	}
	c, ok := p.o.Counters(n)
	if !ok {
		return "  (never executed)"
	}
	parts := []string{fmt.Sprintf("actual rows=%d", c.Rows)}
	if p.o.Timing {
		parts = append(parts, fmt.Sprintf("time=%.3f ms", float64(c.Time)/1e6))
	}
	if c.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("peak=%d kB", (c.Bytes+1023)/1024))
	}
	if c.HasScan {
		parts = append(parts, fmt.Sprintf("segments=%d/%d row groups=%d/%d granules=%d/%d bytes=%d",
			c.Segments[0], c.Segments[1], c.Groups[0], c.Groups[1], c.Granules[0], c.Granules[1], c.Read))
	}
	return "  (" + strings.Join(parts, " ") + ")"
}

// JSON prints n with PostgreSQL's keys.
func JSON(n plan.Node, o Options, planning, execution time.Duration) (string, error) {
	root := (&printer{o: o, qualify: relations(n) > 1}).tree(n)
	if o.Operation != "" {
		root = map[string]any{"Node Type": "ModifyTable", "Operation": o.Operation, "Relation Name": o.Relation, "Plans": []any{root}}
	}
	top := map[string]any{"Plan": root}
	if o.Counters != nil && !o.Shape {
		top["Planning Time"] = float64(planning.Microseconds()) / 1000
		top["Execution Time"] = float64(execution.Microseconds()) / 1000
		if o.Memory > 0 {
			top["Quern"] = map[string]any{"Peak Memory": o.Memory}
		}
	}
	out, err := json.MarshalIndent([]any{top}, "", "  ")
	return string(out), err
}

func (p *printer) tree(n plan.Node) map[string]any {
	d := describe(n, p.qualify)
	m := map[string]any{"Node Type": d.kind}
	for k, v := range d.fields {
		m[k] = v
	}
	if rows, ok := p.estimate(n); ok {
		m["Plan Rows"] = rows
	}
	if p.o.Counters != nil && !p.o.Shape {
		if c, ok := p.o.Counters(n); ok {
			m["Actual Rows"], m["Actual Loops"] = c.Rows, 1
			if c.HasScan {
				m["Quern"] = map[string]any{"Segments Read": c.Segments[0], "Segments": c.Segments[1], "Row Groups Read": c.Groups[0],
					"Row Groups": c.Groups[1], "Granules Read": c.Granules[0], "Granules": c.Granules[1], "Bytes Read": c.Read}
			}
			if p.o.Timing {
				m["Actual Total Time"] = float64(c.Time.Microseconds()) / 1000
			}
		}
	}
	var plans []any
	for _, in := range append(append([]plan.Node(nil), d.subplans...), n.Inputs()...) {
		plans = append(plans, p.tree(in))
	}
	if len(plans) > 0 {
		m["Plans"] = plans
	}
	return m
}
