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

// CopyFrom decodes COPY … FROM STDIN and hands all rows to app as one commit:
// the copy is atomic. The first bad row ends it with PostgreSQL's error and
// context, unless ON_ERROR ignore sends bad rows to quarantine.
func (g *Ingester) CopyFrom(ctx context.Context, spec *CopySpec, r io.Reader, app Appender) (CopyResult, error) {
	c := &copier{spec: spec}
	var digest hash.Hash
	if spec.BatchKey != "" {
		digest = sha256.New()
		r = io.TeeReader(r, digest)
	}
	if err := c.decode(ctx, r); err != nil {
		return CopyResult{}, err
	}
	commit := &storage.Commit{Source: "copy", Rejects: c.rejects, Ingest: spec.OnErrorIgnore}
	if len(c.batches) > 0 {
		commit.Tables = []storage.TableRows{{Table: spec.Table, Cols: spec.Cols, Batches: c.batches}}
	}
	if digest != nil {
		commit.Key = &storage.BatchKey{Principal: spec.Principal.RoleID, Table: spec.Table, Key: spec.BatchKey,
			Digest: [16]byte(digest.Sum(nil)[:16])}
	}
	out, err := app.Append(ctx, commit)
	if err != nil {
		return CopyResult{}, err
	}
	return CopyResult{Rows: out.Accepted, Quarantined: out.Quarantined, Replayed: out.Replayed}, nil
}

// copier collects the batches of one COPY.
type copier struct {
	spec    *CopySpec
	batches []*vec.Batch
	rejects []storage.Reject
}

func (c *copier) decode(ctx context.Context, r io.Reader) error {
	cols := make([]decode.Column, len(c.spec.Cols))
	for i := range cols {
		cols[i] = decode.Column{Name: c.spec.Names[i], Type: c.spec.Types[i]}
	}
	sink := &decode.Sink{Columns: cols, Builders: newBuilders(cols), Format: c.spec.TextFormat, Reject: c.reject}
	d := c.decoder(r, sink)
	for {
		if err := ctx.Err(); err != nil {
			return errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
		rows, err := d.Next(vec.MaxBatchRows)
		if rows > 0 && (err == nil || err == io.EOF) {
			c.batches = append(c.batches, finish(sink, rows))
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
	if n := int64(len(c.rejects)); c.spec.RejectLimit > 0 && n >= c.spec.RejectLimit {
		return errs.New(errs.InvalidText, "skipped more than REJECT_LIMIT (%d) rows", c.spec.RejectLimit)
	}
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
