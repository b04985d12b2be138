package ingest

import (
	"context"
	"io"
	"slices"

	"quern/ingest/internal/decode"
	"quern/ingest/internal/ndjson"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// batch is one request on its way from bytes to a commit.
type batch struct {
	req    *Request
	cat    *catalog.Snapshot
	format string
	mode   onError
	g      *Ingester

	table   *catalog.Table // as it will be after schema
	schema  []catalog.Change
	cols    []uint32 // ids of the decoded columns
	columns []decode.Column
	batches []*vec.Batch
	place   []decode.Place // where row i stands in the request, if it was cut out of one
	raws    [][]byte       // raw bytes of every good row, for quarantine by storage
	rejects []storage.Reject
	shown   []Rejected

	held       int64 // bytes of batches and rejects
	rejected   int64 // rows rejected so far
	baseRow    int64 // of the window that is being decoded
	baseOffset int64
	unknown    bool          // a field without a column was met
	evolved    bool          // columns were added for what the body holds
	size       int           // of the body, as far as it is in memory
	partial    bool          // the body to infer from is only the beginning
	inMemory   bool          // never a load
	load       *storage.Load // has what came before, nil if everything is here
}

// target finds the table, or makes its definition from the body.
func (b *batch) target(body []byte) error {
	b.size = len(body)
	schemaName := b.req.Schema
	if schemaName == "" {
		schemaName = "public"
	}
	ns := b.cat.SchemaByName(schemaName)
	if ns == nil {
		return errs.New(errs.InvalidSchemaName, "schema %q does not exist", schemaName)
	}
	if t := b.cat.TableByName(ns.ID, b.req.Table); t != nil {
		if err := authorise(b.cat, t, b.req.Principal, b.g.o.Now()); err != nil {
			return err
		}
		b.table = t
		if t.Options.OnNewColumn == catalog.Evolve && !b.isJSON() {
			return b.evolve(body)
		}
		return nil
	}
	if !b.req.Create {
		return undefinedTable(b.req.Table)
	}
	if err := mayCreate(b.cat, ns, b.req.Principal); err != nil {
		return err
	}
	return b.create(ns, body)
}

// columnsMax and newColumnsMax guard against floods (INGEST.md §3.3).
const (
	columnsMax    = 2000
	newColumnsMax = 100
)

// create defines the table from what the whole body holds.
func (b *batch) create(ns *catalog.Schema, body []byte) error {
	cols, err := b.infer(body)
	if err != nil {
		return err
	}
	if len(cols) == 0 {
		return errs.New(errs.InvalidTableDefinition, "cannot create table %q: no columns could be inferred from the body", b.req.Table)
	}
	if len(b.req.Table) > 63 {
		return errs.New(errs.NameTooLong, "table name is longer than 63 bytes")
	}
	t := &catalog.Table{ID: b.cat.NextOID(), Schema: ns.ID, Name: b.req.Table, Owner: b.req.Principal.RoleID,
		Version: 1, NextCol: 1, BornByWrite: true, Options: catalog.Options{OnNewColumn: catalog.Evolve}}
	for _, c := range cols[:min(len(cols), columnsMax)] {
		addColumn(t, c)
	}
	t.Options.TimeColumn = timeColumn(t)
	b.table = t
	b.schema = append(b.schema, catalog.Change{Table: t, Create: true})
	return nil
}

func addColumn(t *catalog.Table, c decode.Column) {
	t.Columns = append(t.Columns, catalog.Column{ID: t.NextCol, Name: c.Name, Type: c.Type, Masking: t.NewColumnMask()})
	t.NextCol++
}

// timeColumn picks the event time of a table born by a write (INGEST.md §9).
func timeColumn(t *catalog.Table) string {
	for _, name := range []string{"timestamp", "ts", "time", "@timestamp", "event_time", "created_at"} {
		if c := t.Column(name); c != nil && (c.Type.OID == types.TimestamptzOID || c.Type.OID == types.TimestampOID) {
			return name
		}
	}
	return ""
}

// evolve adds columns that the body has and the table lacks.
func (b *batch) evolve(body []byte) error {
	b.evolved = true
	cols, err := b.infer(body)
	if err != nil {
		return err
	}
	var fresh []decode.Column
	for _, c := range cols {
		if findColumn(b.table, c.Name) == nil {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if len(fresh) > newColumnsMax || len(b.table.Columns)+len(fresh) > columnsMax {
		return errs.New(errs.TooManyColumns, "the batch would add %d columns to table %q", len(fresh), b.table.Name)
	}
	t := *b.table
	t.Columns = append([]catalog.Column(nil), t.Columns...)
	t.Version++
	for _, c := range fresh {
		addColumn(&t, c)
	}
	b.table = &t
	b.schema = append(b.schema, catalog.Change{Table: &t})
	return nil
}

// decode fills b.batches and b.rejects from the body.
func (b *batch) decode(ctx context.Context, body []byte) error {
	switch b.format {
	case formatParquet:
		return b.decodeParquet(ctx, body)
	case formatArrow:
		return b.decodeArrow(ctx, body)
	}
	if !b.isJSON() {
		sink := b.sink()
		d, err := b.csvDecoder(body, nil, sink)
		if err != nil {
			return err
		}
		return b.drain(ctx, d, sink)
	}
	before := *b
	b.inMemory = true // until it is clear that there are no new fields
	sink := b.sink()
	if err := b.drain(ctx, ndjson.New(body, b.format == formatJSON, sink), sink); err != nil || !b.unknown {
		return err
	}
	// New fields: the body is decoded again, with columns for them.
	*b = before
	if err := b.evolve(body); err != nil {
		return err
	}
	sink = b.sink()
	return b.drain(ctx, ndjson.New(body, b.format == formatJSON, sink), sink)
}

func (b *batch) isJSON() bool { return b.format == formatNDJSON || b.format == formatJSON }

// sink takes rows of the table's columns, or of those asked for.
func (b *batch) sink() *decode.Sink {
	b.choose()
	sink := &decode.Sink{Columns: b.columns, Builders: b.builders(), Format: types.DefaultFormat, Reject: b.reject}
	if b.mayReject() {
		sink.Row = func(_ int64, raw []byte) error {
			b.raws = append(b.raws, raw)
			return nil
		}
	}
	if b.req.Columns != nil || b.table.Options.OnNewColumn == catalog.Evolve {
		// Fields that were not asked for, and keys that are null in every row,
		// have no column.
		sink.Unknown = func(_ string, raw []byte) bool {
			if b.req.Columns != nil || raw[0] == 'n' {
				return true
			}
			b.unknown = b.unknown || !b.evolved
			return !b.evolved
		}
	}
	return sink
}

// mayReject tells whether storage may refuse a row that was decoded, so that its
// raw bytes are needed.
func (b *batch) mayReject() bool {
	return slices.ContainsFunc(b.table.Columns, func(c catalog.Column) bool { return c.NotNull })
}

// drain decodes to the end.
func (b *batch) drain(ctx context.Context, d decoder, sink *decode.Sink) error {
	for {
		if err := ctx.Err(); err != nil {
			return errs.New(errs.QueryCanceled, "the request was cancelled")
		}
		rows, err := d.Next(vec.MaxBatchRows)
		if rows > 0 && (err == nil || err == io.EOF) {
			if err := b.keep(ctx, finish(sink, rows)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// decoder is what all formats have in common.
type decoder interface {
	Next(limit int) (rows int, err error)
}

// infer looks at the whole body.
func (b *batch) infer(body []byte) ([]decode.Column, error) {
	switch b.format {
	case formatNDJSON, formatJSON:
		return ndjson.Infer(body, b.format == formatJSON).Columns(), nil
	case formatCSV, formatTSV:
		return b.inferCSV(body)
	case formatParquet:
		return b.inferParquet(body)
	case formatArrow:
		return b.inferArrow(body)
	}
	return nil, errs.NotSupported("create=true with format " + b.format)
}

// choose lists the columns to decode: all, or those asked for.
func (b *batch) choose() {
	b.cols, b.columns = nil, nil
	for _, c := range b.table.Columns {
		if b.req.Columns == nil || contains(b.req.Columns, c.Name) {
			b.cols = append(b.cols, c.ID)
			b.columns = append(b.columns, decode.Column{Name: c.Name, Type: c.Type})
		}
	}
}

func (b *batch) reject(r decode.Reject) error {
	if b.place != nil && r.Row < int64(len(b.place)) {
		r.Offset, r.Row = b.place[r.Row].Offset, b.place[r.Row].Row
	}
	r.Row += b.baseRow
	r.Offset += b.baseOffset
	return b.rejectNamed(r, b.table.Name)
}

// rejectNamed keeps a bad row of a table; without a name it is of none.
func (b *batch) rejectNamed(r decode.Reject, name string) error {
	if b.mode.limit >= 0 && b.rejected >= b.mode.limit {
		code := errs.Code(r.Code)
		if len(r.Code) != 5 {
			code = errs.InvalidText
		}
		return errs.New(code, "row %d: %s", r.Row+1, r.Message)
	}
	table := uint32(0)
	if name != "" {
		table = b.table.ID
	}
	b.rejected++
	b.held += int64(len(r.Raw)) + 256
	b.rejects = append(b.rejects, storage.Reject{Table: table, Name: name, Raw: r.Raw, Row: r.Row,
		Offset: r.Offset, Format: b.format, Kind: r.Kind, Code: r.Code, Column: r.Column, Message: r.Message, Client: b.req.Client})
	if len(b.shown) < rejectsShown {
		b.shown = append(b.shown, Rejected{Row: r.Row, Offset: r.Offset, Code: r.Code, Column: r.Column, Message: r.Message})
	}
	return nil
}

// rows are the commit's rows; none if every row was rejected.
func (b *batch) rows() []storage.TableRows {
	if len(b.batches) == 0 {
		return nil
	}
	return []storage.TableRows{{Table: b.table.ID, Cols: b.cols, Batches: b.batches,
		Raw: func(row int) []byte {
			if row >= len(b.raws) {
				return nil // columnar formats have no raw rows
			}
			return b.raws[row]
		}}}
}

// builders are made for as many rows as there can be.
func (b *batch) builders() []*vec.Builder {
	if b.size == 0 || b.size > 64<<10 {
		return newBuilders(b.columns, vec.BatchRows)
	}
	return newBuilders(b.columns, min(vec.BatchRows, 1+b.size/16))
}

func newBuilders(cols []decode.Column, rows int) []*vec.Builder {
	out := make([]*vec.Builder, len(cols))
	for i, c := range cols {
		out[i] = vec.NewBuilder(c.Type, rows)
	}
	return out
}

func finish(s *decode.Sink, rows int) *vec.Batch {
	out := &vec.Batch{Len: rows, Cols: make([]vec.Vector, len(s.Builders))}
	for i, b := range s.Builders {
		out.Cols[i] = b.Finish()
	}
	return out
}
