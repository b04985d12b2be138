package ddl

import (
	"slices"
	"strings"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

func principal(cat *catalog.Snapshot, role uint32) policy.Principal {
	p := policy.Principal{RoleID: role, SessionID: role}
	if r := cat.Role(role); r != nil {
		p.Superuser, p.Name = r.Superuser, r.Name
	}
	return p
}

// edge is one dependence, for messages.
type edge struct{ view, on *catalog.Table }

// closure adds all views to dropped that read what is dropped, and tells of
// each what it hangs on.
func (c *Ctx) closure(dropped map[uint32]bool, order []uint32) []edge {
	var edges []edge
	for i := 0; i < len(order); i++ {
		on := c.Cat.Table(order[i])
		for _, v := range c.dependents(order[i], 0) {
			if dropped[v.ID] {
				continue
			}
			dropped[v.ID] = true
			order = append(order, v.ID)
			edges = append(edges, edge{v, on})
		}
	}
	return edges
}

// dropDependents deals with views on relations that are dropped: with CASCADE
// they go too. what names what the user dropped, for the message.
func (c *Ctx) dropDependents(dropped map[uint32]bool, what string, cascade bool) error {
	var order []uint32
	for id := range dropped {
		order = append(order, id)
	}
	slices.Sort(order)
	return c.dropEdges(c.closure(dropped, order), what, cascade)
}

func (c *Ctx) dropEdges(edges []edge, what string, cascade bool) error {
	if len(edges) == 0 {
		return nil
	}
	if !cascade {
		e := errs.New(errs.DependentObjects, "cannot drop %s because other objects depend on it", what).
			WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
		var lines []string
		for _, x := range edges {
			// NB: a view that the principal may not see is not named.
			if c.mayRead(x.view) {
				lines = append(lines, c.describe(x.view)+" depends on "+c.describe(x.on))
			}
		}
		if lines != nil {
			_ = e.WithDetail("%s", strings.Join(lines, "\n"))
		}
		return e
	}
	return c.cascade(edges)
}

func (c *Ctx) cascade(edges []edge) error {
	var lines []string
	for _, x := range edges {
		if c.mayRead(x.view) {
			lines = append(lines, "drop cascades to "+c.describe(x.view))
		}
		c.put(catalog.Change{Drop: "table", ID: x.view.ID})
	}
	switch len(lines) {
	case 0:
	case 1:
		c.notice("%s", lines[0])
	default:
		c.notice("drop cascades to %d other objects", len(lines))
		c.out.Notices[len(c.out.Notices)-1].Detail = strings.Join(lines, "\n")
	}
	return nil
}

// columnReaders deals with views that read a column that is dropped.
func (c *Ctx) columnReaders(t *catalog.Table, col *catalog.Column, cascade bool) error {
	readers := c.dependents(t.ID, col.ID)
	if len(readers) == 0 {
		return nil
	}
	if !cascade {
		e := errs.New(errs.DependentObjects, "cannot drop column %s of table %s because other objects depend on it", col.Name, c.nameOf(t)).
			WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
		var lines []string
		for _, v := range readers {
			if c.mayRead(v) {
				lines = append(lines, c.describe(v)+" depends on column "+col.Name+" of table "+c.nameOf(t))
			}
		}
		if lines != nil {
			_ = e.WithDetail("%s", strings.Join(lines, "\n"))
		}
		return e
	}
	dropped := map[uint32]bool{}
	var edges []edge
	var order []uint32
	for _, v := range readers {
		dropped[v.ID] = true
		order = append(order, v.ID)
		edges = append(edges, edge{v, t})
	}
	return c.cascade(append(edges, c.closure(dropped, order)...))
}
