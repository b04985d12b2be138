package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quern/engine"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/batches"
	"quern/sql/internal/bind"
	"quern/sql/internal/ddl"
	"quern/sql/internal/lineage"
	"quern/sql/internal/logical"
	"quern/sql/internal/txrows"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// runBound compiles a bound query and starts it on the transaction's snapshot.
func (s *Session) runBound(ctx context.Context, b *bind.Bound, params []types.Datum) (engine.Rows, error) {
	node, err := b.Compile()
	if err != nil {
		return nil, err
	}
	s.tellMasks(node)
	return s.runPlan(ctx, node, params, nil)
}

func (s *Session) runPlan(ctx context.Context, node plan.Node, params []types.Datum, an *engine.Analysis) (engine.Rows, error) {
	snap, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	return s.db.run(ctx, &engine.Query{Plan: node, Snap: snap, Params: params, Env: s.env(ctx),
		Threads: s.db.o.Threads, Memory: s.memory(), Resources: s.db.o.Resources, Analyze: an})
}

// memory is the budget of one query: work_mem when the session set it.
func (s *Session) memory() int64 {
	if s.set.Source("work_mem") == "default" {
		return s.db.o.Memory
	}
	n := int64(s.millis("work_mem")) << 10
	if s.db.o.Memory > 0 {
		n = min(n, s.db.o.Memory)
	}
	return n
}

// tellMasks tells the client, once per session and column, that it compares
// masked values.
func (s *Session) tellMasks(n plan.Node) {
	if sc, ok := n.(*plan.Scan); ok {
		for i, id := range sc.Cols {
			if sc.View.Mask(id) == nil {
				continue
			}
			name := sc.Table + "." + sc.Names[i]
			if t := s.catalog().Table(sc.View.Table()); t != nil {
				name = t.Name + "." + sc.Names[i]
			}
			if !s.told[name] {
				s.told[name] = true
				s.notice(Notice{Severity: "NOTICE", Code: string(errs.Success),
					Msg: "column " + name + " is masked for you; predicates compare masked values"})
			}
		}
	}
	for _, in := range n.Inputs() {
		s.tellMasks(in)
	}
}

// drain runs a query to its end and keeps copies of its rows.
func drain(ctx context.Context, rows engine.Rows, maxBytes int64, keep func(*vec.Batch) error) (err error) {
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	var dst vec.Batch
	var bytes int64
	for {
		n, err := rows.Next(ctx, &dst)
		if err != nil || n == 0 {
			return err
		}
		c := batches.Clone(&dst)
		if bytes += batches.Bytes(c); maxBytes > 0 && bytes > maxBytes {
			return errs.New(errs.OutOfMemory, "result is larger than %d bytes", maxBytes)
		}
		if err := keep(c); err != nil {
			return err
		}
	}
}

// execute runs a command.
func (s *Session) execute(ctx context.Context, c *commandPortal) error {
	if with := changesIn(c.p.st.stmt); with != nil {
		return s.runChanges(ctx, c, with)
	}
	switch st := c.p.st.stmt.(type) {
	case *ast.Empty:
		return nil
	case *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Savepoint, *ast.ReleaseSavepoint, *ast.RollbackTo:
		tag, err := s.runTx(ctx, st)
		c.tag = tag
		return err
	case *ast.Insert:
		return s.runInsert(ctx, c, st)
	case *ast.Update:
		return s.runChange(ctx, c, st, "UPDATE")
	case *ast.Delete:
		return s.runChange(ctx, c, st, "DELETE")
	case *ast.Truncate:
		return s.truncate(ctx, c, st)
	case *ast.CreateTableAs:
		return s.createTableAs(ctx, c, st)
	case *ast.RefreshMaterializedView:
		return s.refreshView(ctx, c, st)
	case *ast.Explain:
		return s.runExplain(ctx, c, st)
	case *ast.DeclareCursor:
		return s.declare(ctx, c, st)
	case *ast.Fetch:
		return s.fetch(ctx, c, st)
	case *ast.Close:
		return s.closeCursor(c, st)
	case *ast.Prepare:
		c.tag = "PREPARE"
		return s.runPrepare(ctx, st, c.p.st)
	case *ast.Execute:
		return s.runExecute(ctx, c, st)
	case *ast.Deallocate:
		return s.deallocate(c, st)
	}
	if done, err := s.executeUtility(ctx, c); done || err != nil {
		return err
	}
	tag, err := s.planDDL(ctx, c.p.st.stmt)
	c.tag = tag
	if cs, ok := c.p.st.stmt.(*ast.CreateSchema); ok && err == nil && len(cs.Elements) > 0 {
		err = s.schemaElements(ctx, cs)
	}
	return err
}

// schemaElements makes the elements of CREATE SCHEMA: names without a schema are
// looked for, and made, in the new one.
func (s *Session) schemaElements(ctx context.Context, cs *ast.CreateSchema) (err error) {
	s.pathFirst = cs.Name
	if cs.Name == "" {
		s.pathFirst = s.permanent().Role(s.roleID).Name
	}
	for _, st := range cs.Elements {
		if _, err = s.planDDL(ctx, st); err != nil {
			break
		}
	}
	s.pathFirst, s.tx.ddl = "", nil
	return err
}

// ddlCtx is what definitions are planned with.
func (s *Session) ddlCtx() *ddl.Ctx {
	return &ddl.Ctx{Cat: s.permanent(), Who: s.Principal(), SessionUser: s.userID, SearchPath: s.searchPath(),
		Now: s.db.nowMicros(), SaltBytes: s.db.random, Bind: s.bindOver, Count: s.db.store.CurrVal}
}

// bindOver is what the queries of views are bound with: cat, or the session's
// catalog.
func (s *Session) bindOver(cat *catalog.Snapshot) *bind.Env {
	env := s.bindEnv(context.Background(), nil, false)
	if cat != nil {
		env.Catalog = cat
	}
	return env
}

// planDDL plans a definition and adds its changes to the transaction.
func (s *Session) planDDL(ctx context.Context, st ast.Stmt) (string, error) {
	if s.onTemp(st) {
		return s.planTemp(ctx, st)
	}
	d := s.ddlCtx()
	r, ok, err := ddl.Plan(d, st)
	if v, view := st.(*ast.CreateView); view && err == ddl.ErrTemporary {
		s.notice(Notice{Severity: "NOTICE", Code: string(errs.Success), Msg: fmt.Sprintf("view %q will be a temporary view", v.Name[len(v.Name)-1])})
		return s.planTemp(ctx, st)
	}
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errs.NotSupported("this statement")
	}
	if err := s.mayWrite(r.Tag); err != nil {
		return "", err
	}
	for _, n := range r.Notices {
		s.notice(Notice(n))
	}
	define := func() error { return s.change(d.Cat, r.Changes) }
	again := s.tx.ddl != nil || len(s.tx.changes) == 0 && !s.tx.wrote()
	if r.Rewrite != nil {
		err = s.altered(ctx, r.Rewrite, define)
	} else {
		err = define()
	}
	if err != nil {
		return "", err
	}
	if again {
		s.tx.ddl = append(s.tx.ddl, st)
		s.tx.ddlWrites = len(s.tx.rows) + len(s.tx.deletes)
	}
	return r.Tag, nil
}

// change adds catalog changes, planned on from, to the transaction, which sees
// them at once.
func (s *Session) change(from *catalog.Snapshot, changes []catalog.Change) error {
	if len(changes) == 0 {
		return nil
	}
	t := &s.tx
	if t.base == nil {
		t.base, t.cat = from, from
	}
	cat, err := t.cat.Apply(changes)
	if err != nil {
		return err
	}
	t.cat = cat
	t.changes = append(t.changes, changes...)
	t.rows = txrows.Fit(t.rows, cat)
	t.deletes = slices.DeleteFunc(slices.Clone(t.deletes), func(d *storage.DeleteSet) bool { return cat.Table(d.Table) == nil })
	t.stale()
	return nil
}

// runInsert runs INSERT and keeps its rows for the transaction's Commit.
func (s *Session) runInsert(ctx context.Context, c *commandPortal, st *ast.Insert) error {
	if err := s.mayWrite("INSERT"); err != nil {
		return err
	}
	b, err := s.bind(ctx, st, c.p.params, c.p.hasParams)
	if err != nil {
		return err
	}
	if b.Target.Table.Schema == catalog.SchemaSystem {
		return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", b.Target.Table.Name)
	}
	if err := s.checkCopy(b, b.Out, nil); err != nil {
		return err
	}
	rows, err := s.runBound(ctx, b, c.params)
	if err != nil {
		return err
	}
	if len(b.Returning) == 0 {
		n, err := s.insertAll(ctx, rows, storage.TableRows{Table: b.Target.Table.ID, Cols: b.Target.Cols})
		c.verb, c.tag = "INSERT 0", countTag("INSERT 0", n)
		return err
	}
	ch, err := s.newRows(ctx, b, rows, c.params)
	if err != nil {
		return err
	}
	c.verb, c.tag, c.out = "INSERT 0", countTag("INSERT 0", ch.n), ch.out
	return s.apply(ctx, ch)
}

// newRows takes the rows of an INSERT, as they will be written, and computes its
// RETURNING.
func (s *Session) newRows(ctx context.Context, b *bind.Bound, rows engine.Rows, params []types.Datum) (*change, error) {
	tr := storage.TableRows{Table: b.Target.Table.ID, Cols: b.Target.Cols}
	if err := drain(ctx, rows, s.db.o.WriteMemory, func(b *vec.Batch) error {
		tr.Batches = append(tr.Batches, b)
		return nil
	}); err != nil {
		return nil, err
	}
	full, err := s.complete(ctx, &tr, "insert")
	if err != nil {
		return nil, err
	}
	ch := &change{rows: &full, full: true}
	for _, b := range full.Batches {
		ch.n += int64(b.Rows())
	}
	if len(b.Returning) > 0 {
		ch.out, err = s.returning(ctx, b, &full, params)
	}
	return ch, err
}

// returning computes RETURNING over the rows as they are written.
func (s *Session) returning(ctx context.Context, b *bind.Bound, full *storage.TableRows, params []types.Datum) (out []*vec.Batch, err error) {
	in := &plan.Virtual{Name: "inserted rows", Gen: func(context.Context) ([]*vec.Batch, error) { return full.Batches, nil }}
	for i := range b.Target.Table.Columns {
		in.Typs = append(in.Typs, b.Target.Table.Columns[i].Type)
	}
	names := make([]string, len(b.Field))
	for i, f := range b.Field {
		names[i] = f.Name
	}
	rows, err := s.runPlan(ctx, &plan.Project{In: in, Exprs: b.Returning, Names: names}, params, nil)
	if err != nil {
		return nil, err
	}
	err = drain(ctx, rows, 0, func(b *vec.Batch) error {
		out = append(out, b)
		return nil
	})
	return out, err
}

// createTableAs makes the table and its rows in one transaction.
func (s *Session) createTableAs(ctx context.Context, c *commandPortal, st *ast.CreateTableAs) error {
	command := "CREATE TABLE AS"
	if st.Materialized {
		command = "CREATE MATERIALIZED VIEW"
	}
	if err := s.mayWrite(command); err != nil {
		return err
	}
	d, name, err := s.ddlCtx(), st.Name, error(nil)
	if st.Persistence == ast.Temporary {
		if name, err = s.tempName(st.Name); err == nil {
			d, err = s.tempCtx()
		}
		if err != nil {
			return err
		}
	}
	t, err := d.NewTable(name, st.IfNotExists)
	if err != nil {
		return err
	}
	for _, n := range d.Result().Notices {
		s.notice(Notice(n))
	}
	c.verb, c.tag = "SELECT", "SELECT 0"
	if t == nil {
		c.tag = command
		return nil
	}
	q, params, given, hasParams := st.Query, c.params, c.p.params, c.p.hasParams
	if st.Execute != nil {
		p, args, err := s.executeArgs(ctx, st.Execute)
		if err != nil {
			return err
		}
		sel, ok := p.st.stmt.(*ast.SelectStmt)
		if !ok || changesIn(sel) != nil {
			return errs.New(errs.WrongObjectType, "prepared statement is not a SELECT")
		}
		q, params, given, hasParams = sel.Query, args, p.params, true
	}
	b, err := s.bind(ctx, &ast.SelectStmt{At: q.At, Query: q}, given, hasParams)
	if err != nil {
		return err
	}
	cols, err := columnsAs(t, st, b.Field)
	if err != nil {
		return err
	}
	if st.Materialized {
		if err := materialize(d, t, st); err != nil {
			return err
		}
	}
	if err := d.SetOptions(t, st.Options); err != nil {
		return err
	}
	if err := lineage.Carry(s.catalog(), t, cols, lineage.Of(s.catalog(), b.Root, b.Out, nil)); err != nil {
		return err
	}
	// The query reads the state before the table exists.
	var rows engine.Rows
	if !st.WithNoData {
		if rows, err = s.runBound(ctx, b, params); err != nil {
			return err
		}
	}
	change := []catalog.Change{{Table: t, Create: true}}
	if st.Persistence == ast.Temporary {
		err = s.changeTemp(change, st.OnCommit)
	} else {
		err = s.change(d.Cat, change)
		s.tx.ddl = nil
	}
	if err != nil || st.WithNoData {
		c.tag = command
		if rows != nil {
			err = errors.Join(err, rows.Close())
		}
		return err
	}
	n, err := s.insertAll(ctx, rows, storage.TableRows{Table: t.ID, Cols: cols})
	c.tag = countTag("SELECT", n)
	return err
}

// checkCopy refuses INSERT and UPDATE that would open values of masked columns to
// roles that see them masked; out are the columns that fill the target's.
func (s *Session) checkCopy(b *bind.Bound, out []logical.Column, feeds lineage.Feeds) error {
	cat := s.catalog()
	return lineage.Check(cat, b.Target.Table, b.Target.Cols, lineage.Of(cat, b.Root, out, feeds))
}

// columnsAs gives a table the columns of a query.
func columnsAs(t *catalog.Table, st *ast.CreateTableAs, fields []bind.Field) ([]uint32, error) {
	if len(st.Columns) > len(fields) {
		return nil, errs.New(errs.Syntax, "too many column names were specified")
	}
	var ids []uint32
	for i, f := range fields {
		name := f.Name
		if i < len(st.Columns) {
			name = st.Columns[i]
		}
		if err := ddl.CheckNewColumn(t, name); err != nil {
			return nil, err
		}
		if types.Category(f.Type.OID) == types.CatPseudo {
			return nil, errs.New(errs.InvalidTableDefinition, "column %q has pseudo-type %s", name, f.Type)
		}
		t.Columns = append(t.Columns, catalog.Column{ID: t.NextCol, Name: name, Type: f.Type})
		ids = append(ids, t.NextCol)
		t.NextCol++
	}
	return ids, nil
}

// mayInsert is COPY FROM's check, made again when rows arrive.
func (s *Session) mayInsert(table uint32, cols []uint32) error {
	v, err := policy.Resolve(s.catalog(), table, s.Principal(), s.db.nowMicros())
	if err != nil {
		return err
	}
	for _, c := range cols {
		if !v.HasColumn(policy.Insert, c) {
			return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", s.catalog().Table(table).Name)
		}
	}
	return nil
}
