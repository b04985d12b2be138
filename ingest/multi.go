package ingest

import (
	"context"
	"strings"

	"quern/ingest/internal/decode"
	"quern/ingest/internal/ndjson"
	"quern/storage"
	"quern/storage/errs"
)

// tablesMax bounds the tables of one multi-table request.
const tablesMax = 100

// AppendMulti commits lines {"table":"t","row":{…}} of several tables as one
// atomic batch. r.Table is not used; a name may be schema.table.
func (g *Ingester) AppendMulti(ctx context.Context, r *Request) (*Answer, error) {
	mode, err := parseOnError(r.OnError)
	if err != nil {
		return nil, err
	}
	body, err := g.openBody(ctx, r)
	if err != nil {
		return nil, err
	}
	defer body.release()
	if !body.whole {
		return nil, errs.New(errs.ProgramLimit, "a body for several tables may have at most %d MiB", g.o.LoadBytes>>20).
			WithHint("Cut it at row borders.")
	}
	for try := 0; ; try++ {
		a, err := g.multiOnce(ctx, r, body.head, mode, body.digest())
		if try < schemaTries && raced(err) {
			continue
		}
		return a, err
	}
}

// part is the rows of one table: its body, and where each row came from.
type part struct {
	name  string
	body  []byte
	place []decode.Place
}

func (g *Ingester) multiOnce(ctx context.Context, r *Request, body []byte, mode onError, digest [16]byte) (*Answer, error) {
	parts, bad, err := splitTables(body)
	if err != nil {
		return nil, err
	}
	cat := g.store.Catalog()
	base := cat.Version()
	c := &storage.Commit{BaseVersion: base, Source: r.Source, Ingest: true, Buffered: r.Buffered}
	all := g.newBatch(r, formatNDJSON, mode)
	for _, x := range bad {
		if err := all.rejectNamed(x, ""); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		req := *r
		req.Schema, req.Table = "", p.name
		if s, t, ok := strings.Cut(p.name, "."); ok {
			req.Schema, req.Table = s, t
		}
		b := g.newBatch(&req, formatNDJSON, mode)
		b.cat, b.place, b.inMemory = cat, p.place, true
		b.rejects, b.shown, b.rejected = all.rejects, all.shown, all.rejected
		if err := b.target(p.body); err != nil {
			return nil, err
		}
		if err := b.decode(ctx, p.body); err != nil {
			return nil, err
		}
		// Later tables are judged, and their ids chosen, on the catalog that
		// the earlier ones lead to.
		if len(b.schema) > 0 {
			if cat, err = cat.Apply(b.schema); err != nil {
				return nil, err
			}
		}
		c.Schema = append(c.Schema, b.schema...)
		c.Tables = append(c.Tables, b.rows()...)
		all.rejects, all.shown, all.rejected = b.rejects, b.shown, b.rejected
	}
	c.Rejects = all.rejects
	if err := setKey(c, r, 0, digest); err != nil {
		return nil, err
	}
	return g.commit(ctx, c, all.shown)
}

// splitTables sorts the lines by table, in order of first appearance.
func splitTables(body []byte) (parts []*part, bad []decode.Reject, err error) {
	byName := map[string]*part{}
	err = ndjson.Lines(body, func(row int64, offset int, line []byte) error {
		table, fields, err := ndjson.Envelope(line)
		if err != nil {
			bad = append(bad, decode.Reject{Row: row, Offset: int64(offset), Raw: line, Kind: "row",
				Code: string(errs.CodeOf(err)), Message: err.Error()})
			return nil
		}
		p := byName[table]
		if p == nil {
			if len(parts) == tablesMax {
				return errs.New(errs.ProgramLimit, "more than %d tables in one request", tablesMax)
			}
			p = &part{name: table}
			byName[table] = p
			parts = append(parts, p)
		}
		p.body = append(append(p.body, fields...), '\n')
		p.place = append(p.place, decode.Place{Row: row, Offset: int64(offset)})
		return nil
	})
	return parts, bad, err
}
