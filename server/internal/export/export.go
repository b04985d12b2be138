// Package export writes result streams as JSON, NDJSON, CSV, Arrow IPC, Parquet
// or an aligned table, for HTTP and for `quern sql`.
//
//	Run: session ─ statements of a text ─ portal.Next ─► Writer
//
// A Writer gets the fields once, then batches, then the tag. It buffers
// nothing but the table form, which needs its widths. Start reading at Run.
package export

import (
	"context"
	"io"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Session is what Run needs of a session; *sql.Session is the one outside
// tests.
type Session interface {
	Start(ctx context.Context) (_ context.Context, done func())
	BeginImplicit()
	EndImplicit(ctx context.Context, err error) error
	Script(text string) ([]sql.Statement, error)
	Prepare(ctx context.Context, st sql.Statement, oids []types.OID) (sql.Prepared, error)
	Bind(ctx context.Context, p sql.Prepared, params []types.Datum) (sql.Portal, error)
	Notices() []sql.Notice
	Format() *types.Format
}

// Writer writes the results of one text. Start tells how many statements it
// has. For each one Begin is called (fields nil: no rows), Rows for each batch,
// End with its tag. Close ends the whole; err is what stopped it, nil if
// nothing did.
type Writer interface {
	Start(statements int)
	Begin(fields []sql.Field, f *types.Format) error
	Rows(b *vec.Batch) error
	End(tag string) error
	Close(err error) error
}

// Param is one parameter in text form; nil is NULL.
type Param *string

// Run executes all statements of text as one implicit transaction and writes
// their results to w. Parameters are for a single statement. The error is the
// statement's; w has not been told of it.
func Run(ctx context.Context, s Session, text string, params []Param, w Writer) error {
	ctx, done := s.Start(ctx)
	defer done()
	err := run(ctx, s, text, params, w)
	if err != nil {
		if endErr := s.EndImplicit(context.WithoutCancel(ctx), err); endErr != nil {
			return endErr
		}
	}
	return err
}

func run(ctx context.Context, s Session, text string, params []Param, w Writer) error {
	s.BeginImplicit()
	stmts, err := s.Script(text)
	if err != nil {
		return err
	}
	if len(params) > 0 && len(stmts) > 1 {
		return errs.New(errs.Syntax, "cannot insert multiple commands into a prepared statement")
	}
	w.Start(len(stmts))
	for i, st := range stmts {
		s.BeginImplicit()
		if err := statement(ctx, s, st, params, w, i == len(stmts)-1); err != nil {
			return err
		}
	}
	if len(stmts) == 0 {
		return s.EndImplicit(ctx, nil)
	}
	return nil
}

func statement(ctx context.Context, s Session, st sql.Statement, params []Param, w Writer, last bool) error {
	var oids []types.OID // nil: the statement has no parameters
	if len(params) > 0 {
		oids = []types.OID{}
	}
	p, err := s.Prepare(ctx, st, oids)
	if err != nil {
		return err
	}
	values, err := datums(p.ParamTypes(), params, s.Format())
	if err != nil {
		return err
	}
	pt, err := s.Bind(ctx, p, values)
	if err != nil {
		return err
	}
	err = rows(ctx, s, pt, w)
	if closeErr := pt.Close(); err == nil {
		err = closeErr
	}
	if err == nil && last {
		err = s.EndImplicit(ctx, nil)
	}
	if err != nil {
		return err
	}
	return w.End(pt.Tag())
}

func rows(ctx context.Context, s Session, pt sql.Portal, w Writer) error {
	if pt.CopyIn() != nil || pt.CopyOut() != nil {
		return errs.NotSupported("COPY to or from the client over HTTP").
			WithHint("Use POST /v1/ingest or POST /v1/query with Accept: text/csv.")
	}
	if err := w.Begin(pt.Fields(), s.Format()); err != nil {
		return err
	}
	var b vec.Batch
	for {
		n, err := pt.Next(ctx, &b)
		if err != nil || n == 0 {
			return err
		}
		if err := w.Rows(&b); err != nil {
			return err
		}
	}
}

func datums(ts []types.Type, params []Param, f *types.Format) ([]types.Datum, error) {
	if len(ts) != len(params) {
		return nil, errs.New(errs.ProtocolViolation, "query needs %d parameters, %d were given", len(ts), len(params))
	}
	out := make([]types.Datum, len(ts))
	for i, p := range params {
		if p == nil {
			out[i] = types.NullDatum
			continue
		}
		d, err := types.ParseText(types.Type{OID: ts[i].OID, Mod: -1}, *p, f)
		if err != nil {
			return nil, err
		}
		out[i] = d
	}
	return out, nil
}

// eachRow calls f with the physical position of every live row.
func eachRow(b *vec.Batch, f func(i int) error) error {
	if b.Sel != nil {
		for _, i := range b.Sel {
			if err := f(int(i)); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range b.Len {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// appendValue appends row i of v, which is not NULL, in text form.
func appendValue(dst []byte, v *vec.Vector, i int, f *types.Format) []byte {
	d := v.Datum(i)
	return types.AppendText(dst, v.Type, &d, f)
}

// out collects bytes and hands them on in pieces.
type out struct {
	w   io.Writer
	buf []byte
}

// pieceBytes is the size of one write.
const pieceBytes = 64 << 10

func (o *out) full() error {
	if len(o.buf) < pieceBytes {
		return nil
	}
	return o.flush()
}

func (o *out) flush() error {
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// Formats lists what NewWriter knows.
const Formats = "table, csv, json, ndjson, arrow, parquet"

// NewWriter makes the writer of a format.
func NewWriter(format string, w io.Writer) (Writer, error) {
	switch format {
	case "json":
		return &jsonWriter{o: out{w: w}}, nil
	case "ndjson":
		return &ndjsonWriter{o: out{w: w}}, nil
	case "csv":
		return &csvWriter{o: out{w: w}}, nil
	case "table":
		return &tableWriter{o: out{w: w}}, nil
	case "arrow", "parquet":
		return &arrowWriter{w: w, parquet: format == "parquet"}, nil
	}
	return nil, errs.New(errs.InvalidParameterValue, "unknown output format %q", format).WithHint("Formats: " + Formats + ".")
}
