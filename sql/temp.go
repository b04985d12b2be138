package sql

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/ddl"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// temp is a session's temporary tables: definitions and rows that only its own
// snapshots hold. Nothing of them reaches storage.Commit, the WAL or another
// session. They follow the transaction as other writes do: mark and restore.
//
// The catalog that the session reads is the shared one plus a schema pg_temp_N;
// permanent definitions are planned on the shared one alone.
type temp struct {
	tables   []*catalog.Table
	rows     []storage.TableRows
	onCommit map[uint32]ast.OnCommit
	gen      uint64 // raised by every change of definitions

	base, cat *catalog.Snapshot // cat is base with tables
}

// Object numbers of temporary schemas and tables; no stored object comes here.
const (
	tempSchemaBase = 3_940_000_000
	tempTableBase  = 3_950_000_000
)

func isTemp(table uint32) bool { return table >= tempTableBase }

func (s *Session) tempSchema() *catalog.Schema {
	return &catalog.Schema{ID: tempSchemaBase + s.pid, Name: "pg_temp_" + strconv.FormatUint(uint64(s.pid), 10), Owner: s.authID,
		Grants: []policy.Grant{{Priv: policy.Usage | policy.Create, Grantor: s.authID}}}
}

// tempMark is what a savepoint and ROLLBACK restore.
type tempMark struct {
	tables   []*catalog.Table
	rows     []storage.TableRows
	onCommit map[uint32]ast.OnCommit
}

func (t *temp) mark() tempMark {
	return tempMark{t.tables[:len(t.tables):len(t.tables)], t.rows[:len(t.rows):len(t.rows)], maps.Clone(t.onCommit)}
}

func (t *temp) restore(m tempMark) {
	if !slices.Equal(t.tables, m.tables) {
		t.changed()
	}
	t.tables, t.rows, t.onCommit = m.tables, m.rows, maps.Clone(m.onCommit)
}

func (t *temp) changed() {
	t.gen++
	t.base, t.cat = nil, nil
}

// withTemp is a catalog with the session's temporary tables.
func (s *Session) withTemp(base *catalog.Snapshot) *catalog.Snapshot {
	if len(s.temp.tables) == 0 {
		return base
	}
	if s.temp.base != base {
		cat, err := s.overlay(base)
		if err != nil {
			s.db.o.Log.Error("temporary tables do not fit the catalog", "err", err)
			return base
		}
		s.temp.base, s.temp.cat = base, cat
	}
	return s.temp.cat
}

func (s *Session) overlay(base *catalog.Snapshot) (*catalog.Snapshot, error) {
	changes := []catalog.Change{{Schema: s.tempSchema()}}
	for _, t := range s.temp.tables {
		changes = append(changes, catalog.Change{Table: t, Create: true})
	}
	return base.Apply(changes)
}

// tempCtx plans definitions of temporary tables.
func (s *Session) tempCtx() (*ddl.Ctx, error) {
	cat, err := s.overlay(s.permanent())
	if err != nil {
		return nil, err
	}
	d := s.ddlCtx()
	d.Cat, d.Temporary = cat, true
	d.FirstOID = tempTableBase + s.db.tempOIDs.Add(1)
	d.SearchPath = append([]string{s.tempSchema().Name}, d.SearchPath...)
	return d, nil
}

// tempName turns a name of CREATE TEMP TABLE into one of the session's schema.
func (s *Session) tempName(name []string) ([]string, error) {
	if len(name) > 1 && name[0] != "pg_temp" && name[0] != s.tempSchema().Name {
		return nil, errs.New(errs.InvalidTableDefinition, "cannot create temporary relation in non-temporary schema")
	}
	return []string{s.tempSchema().Name, name[len(name)-1]}, nil
}

// namesTemp tells whether a name means a temporary table of the session.
func (s *Session) namesTemp(name []string) bool {
	if len(name) > 1 && name[0] != "pg_temp" && name[0] != s.tempSchema().Name || len(name) == 0 {
		return false
	}
	return slices.ContainsFunc(s.temp.tables, func(t *catalog.Table) bool { return t.Name == name[len(name)-1] })
}

// onTemp tells whether a definition is about temporary tables.
func (s *Session) onTemp(st ast.Stmt) bool {
	switch st := st.(type) {
	case *ast.CreateTable:
		return st.Persistence == ast.Temporary
	case *ast.CreateView:
		return st.Persistence == ast.Temporary || st.OrReplace && s.namesTemp(st.Name)
	case *ast.Drop:
		return (st.Kind == ast.ObjTable || st.Kind == ast.ObjView) && slices.ContainsFunc(st.Names, s.namesTemp)
	case *ast.AlterTable:
		return s.namesTemp(st.Table.Name)
	case *ast.CreateIndex:
		return s.namesTemp(st.Table.Name)
	case *ast.Comment:
		return (st.Kind == ast.ObjTable || st.Kind == ast.ObjView) && s.namesTemp(st.Name) ||
			st.Kind == ast.ObjColumn && len(st.Name) > 1 && s.namesTemp(st.Name[:len(st.Name)-1])
	case *ast.Grant:
		return st.Kind == ast.ObjTable && slices.ContainsFunc(st.Objects, s.namesTemp)
	}
	return false
}

// planTemp runs a definition on temporary tables.
func (s *Session) planTemp(ctx context.Context, st ast.Stmt) (string, error) {
	d, err := s.tempCtx()
	if err != nil {
		return "", err
	}
	action := ast.OnCommitDefault
	switch x := st.(type) {
	case *ast.CreateTable:
		c := *x
		if c.Name, err = s.tempName(x.Name); err != nil {
			return "", err
		}
		st, action = &c, x.OnCommit
	case *ast.CreateView:
		c := *x
		if c.Name, err = s.tempName(x.Name); err != nil {
			return "", err
		}
		st = &c
	}
	r, _, err := ddl.Plan(d, st)
	if err != nil {
		return "", err
	}
	for _, n := range r.Notices {
		s.notice(Notice(n))
	}
	define := func() error { return s.changeTemp(r.Changes, action) }
	if r.Rewrite != nil {
		return r.Tag, s.altered(ctx, r.Rewrite, define)
	}
	return r.Tag, define()
}

// changeTemp applies planned changes to the session's tables.
func (s *Session) changeTemp(changes []catalog.Change, action ast.OnCommit) error {
	for _, ch := range changes {
		if !(ch.Table != nil && isTemp(ch.Table.ID) || ch.Drop == "table" && isTemp(ch.ID)) {
			return errs.NotSupported("one statement on temporary and permanent tables")
		}
	}
	for _, ch := range changes {
		if ch.Table != nil {
			s.temp.put(ch.Table)
			if action == ast.OnCommitDelete || action == ast.OnCommitDrop {
				if s.temp.onCommit == nil {
					s.temp.onCommit = map[uint32]ast.OnCommit{}
				}
				s.temp.onCommit[ch.Table.ID] = action
			}
			continue
		}
		s.temp.drop(ch.ID)
	}
	s.tx.stale()
	return nil
}

func (t *temp) put(tab *catalog.Table) {
	t.changed()
	list := slices.Clone(t.tables)
	if i := slices.IndexFunc(list, func(x *catalog.Table) bool { return x.ID == tab.ID }); i >= 0 {
		list[i] = tab
	} else {
		list = append(list, tab)
	}
	t.tables = list
}

func (t *temp) drop(id uint32) {
	t.changed()
	t.tables = slices.DeleteFunc(slices.Clone(t.tables), func(x *catalog.Table) bool { return x.ID == id })
	t.empty(id)
	delete(t.onCommit, id)
}

func (t *temp) empty(id uint32) {
	t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(r storage.TableRows) bool { return r.Table == id })
}

// fillCounters gives serial columns their values before storage would take
// them from durable counters.
func (s *Session) fillCounters(rows *storage.TableRows) *storage.TableRows {
	t := s.catalog().Table(rows.Table)
	out := *rows
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Default.Kind != catalog.DefaultCounter || slices.Contains(rows.Cols, col.ID) {
			continue
		}
		out.Cols = append(slices.Clip(out.Cols), col.ID)
		batches := make([]*vec.Batch, len(out.Batches))
		for k, b := range out.Batches {
			bl := vec.NewBuilder(col.Type, b.Len)
			for range b.Len {
				bl.Append(&types.Datum{I: s.nextTemp(t.ID, col.ID)})
			}
			n := *b
			n.Cols = append(slices.Clip(b.Cols), bl.Finish())
			batches[k] = &n
		}
		out.Batches = batches
	}
	return &out
}

// nextTemp is the counter of a temporary table. As every counter it does not
// go back with the transaction.
func (s *Session) nextTemp(table, col uint32) int64 {
	if s.tempCounters == nil {
		s.tempCounters = map[counter]int64{}
	}
	s.tempCounters[counter{table, col}]++
	n := s.tempCounters[counter{table, col}]
	if t := s.catalog().Table(table); t != nil && t.ColumnByID(col) != nil {
		n = t.ColumnByID(col).Default.Value(n)
	}
	s.took(table, col, n)
	return n
}

// endTemp does what ON COMMIT says.
func (s *Session) endTemp() {
	for id, action := range maps.Clone(s.temp.onCommit) {
		if action == ast.OnCommitDrop {
			s.temp.drop(id)
		} else {
			s.temp.empty(id)
		}
	}
}

// discardTemp drops all temporary tables.
func (s *Session) discardTemp() {
	gen := s.temp.gen
	s.temp = temp{gen: gen + 1}
	s.tx.stale()
}

func isTempSchema(name string) bool { return strings.HasPrefix(name, "pg_temp_") }
