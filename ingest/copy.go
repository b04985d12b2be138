package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"

	"quern/ingest/internal/csv"
	"quern/ingest/internal/decode"
	"quern/ingest/internal/pgcopy"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vec"
)

// CopyFrom decodes COPY … FROM STDIN and hands the rows to app, piece by piece,
// for one commit: the copy is atomic. The first bad row ends it with PostgreSQL's
// error and context, unless ON_ERROR ignore sends bad rows to quarantine.
func (g *Ingester) CopyFrom(ctx context.Context, spec *CopySpec, r io.Reader, app Appender) (CopyResult, error) {
	c := &copier{spec: spec, app: app, max: g.o.LoadBytes, whole: spec.OnErrorIgnore || spec.BatchKey != ""}
	if !c.whole {
		c.max = min(c.max, copyPieceBytes)
	}
	defer c.close()
	var digest hash.Hash
	if spec.BatchKey != "" {
		digest = sha256.New()
		r = io.TeeReader(r, digest)
	}
	if err := c.decode(ctx, r); err != nil {
		return CopyResult{}, err
	}
	commit := c.commit()
	if c.load != nil {
		if err := c.push(ctx); err != nil {
			return CopyResult{}, err
		}
		commit.Tables, commit.Rejects, commit.Loads = nil, nil, []*storage.Load{c.load}
	}
	if digest != nil {
		commit.Key = &storage.BatchKey{Principal: spec.Principal.RoleID, Table: spec.Table, Key: spec.BatchKey,
			Digest: [16]byte(digest.Sum(nil)[:16])}
	}
	out, err := app.Append(ctx, commit)
	if err != nil {
		return CopyResult{}, err
	}
	return CopyResult{Rows: c.rows + out.Accepted, Quarantined: out.Quarantined, Replayed: out.Replayed}, nil
}

// copyPieceBytes is how much of a COPY is handed over at a time.
const copyPieceBytes = 4 << 20

// copier collects the batches of one COPY.
type copier struct {
	spec    *CopySpec
	app     Appender
	max     int64 // bytes held
	whole   bool  // key, rejects and rows are one commit of their own
	batches []*vec.Batch
	rejects []storage.Reject
	held    int64
	rows    int64         // handed over already
	bad     int64         // rows rejected so far
	load    *storage.Load // has what came before
}

func (c *copier) close() {
	if c.load != nil {
		c.load.Close()
	}
}

func (c *copier) commit() *storage.Commit {
	out := &storage.Commit{Source: "copy", Rejects: c.rejects, Ingest: c.spec.OnErrorIgnore}
	if len(c.batches) > 0 {
		out.Tables = []storage.TableRows{{Table: c.spec.Table, Cols: c.spec.Cols, Batches: c.batches}}
	}
	return out
}

// keep takes a batch, and hands over what is held if it is enough.
func (c *copier) keep(ctx context.Context, b *vec.Batch) error {
	c.batches = append(c.batches, b)
	if c.held += batchBytes(b); c.held < c.max {
		return nil
	}
	if c.whole {
		return c.push(ctx)
	}
	out, err := c.app.Append(ctx, c.commit())
	c.rows += out.Accepted
	c.batches, c.held = nil, 0
	return err
}

// push moves what is held into the load.
func (c *copier) push(ctx context.Context) error {
	commit := c.commit()
	if c.load == nil {
		var err error
		if c.load, err = c.app.StartLoad(commit); err != nil {
			return err
		}
	}
	var rows *storage.TableRows
	if len(commit.Tables) > 0 {
		rows = &commit.Tables[0]
	}
	c.batches, c.rejects, c.held = nil, nil, 0
	return c.load.Add(ctx, rows, commit.Rejects)
}

func (c *copier) decode(ctx context.Context, r io.Reader) error {
	cols := make([]decode.Column, len(c.spec.Cols))
	for i := range cols {
		cols[i] = decode.Column{Name: c.spec.Names[i], Type: c.spec.Types[i]}
	}
	sink := &decode.Sink{Columns: cols, Builders: newBuilders(cols, vec.BatchRows), Format: c.spec.TextFormat, Reject: c.reject}
	d := c.decoder(r, sink)
	for {
		if err := ctx.Err(); err != nil {
			return errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
		rows, err := d.Next(vec.MaxBatchRows)
		if rows > 0 && (err == nil || err == io.EOF) {
			if err := c.keep(ctx, finish(sink, rows)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return c.context(err)
		}
	}
}

func (c *copier) decoder(r io.Reader, sink *decode.Sink) decoder {
	s := c.spec
	switch s.Format {
	case "binary":
		return pgcopy.NewBinary(r, sink)
	case "csv":
		return csv.New(r, csv.Options{Delimiter: s.Delimiter, Quote: s.Quote, Escape: s.Escape, Null: s.Null, Header: s.Header,
			ForceNotNull: perColumn(s.Names, s.ForceNotNull), ForceNull: perColumn(s.Names, s.ForceNull), EndMark: true}, sink)
	}
	return pgcopy.NewText(r, pgcopy.TextOptions{Delimiter: s.Delimiter, Null: s.Null, Header: s.Header != ""}, sink)
}

func perColumn(names []string, set map[string]bool) []bool {
	if len(set) == 0 {
		return nil
	}
	out := make([]bool, len(names))
	for i, n := range names {
		out[i] = set[n] || set["*"]
	}
	return out
}

// errRow carries PostgreSQL's CONTEXT of a bad row.
func (c *copier) reject(r decode.Reject) error {
	if !c.spec.OnErrorIgnore {
		return &rowError{r}
	}
	if c.spec.RejectLimit > 0 && c.bad >= c.spec.RejectLimit {
		return errs.New(errs.InvalidText, "skipped more than REJECT_LIMIT (%d) rows", c.spec.RejectLimit)
	}
	c.bad++
	c.held += int64(len(r.Raw)) + 256
	c.rejects = append(c.rejects, storage.Reject{Table: c.spec.Table, Name: c.spec.Name, Raw: append([]byte(nil), r.Raw...),
		Row: r.Row, Offset: r.Offset, Format: c.spec.Format, Kind: r.Kind, Code: r.Code, Column: r.Column, Message: r.Message})
	return nil
}

type rowError struct{ r decode.Reject }

func (e *rowError) Error() string { return e.r.Message }

// context turns a bad row into the error that COPY reports, with
// `COPY t, line 3, column a: "abc"`.
func (c *copier) context(err error) error {
	var row *rowError
	if !errors.As(err, &row) {
		return err
	}
	e := *errs.As(row.r.Err)
	e.Where = fmt.Sprintf("COPY %s, line %d", c.spec.Name, row.r.Line)
	switch {
	case row.r.Column != "" && row.r.Value != nil:
		e.Where += fmt.Sprintf(", column %s: %s", row.r.Column, quote(row.r.Value))
	case c.spec.Format != "binary" && row.r.Raw != nil:
		e.Where += ": " + quote(row.r.Raw)
	}
	return &e
}

// contextBytesMax is how much of a value or line a CONTEXT quotes.
const contextBytesMax = 100

func quote(b []byte) string {
	if len(b) <= contextBytesMax {
		return `"` + string(b) + `"`
	}
	cut := contextBytesMax
	for cut > 0 && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return `"` + string(b[:cut]) + `..."`
}
