package ingest

import (
	"bytes"
	"context"
	"io"

	"quern/ingest/internal/csv"
	"quern/ingest/internal/decode"
	"quern/ingest/internal/ndjson"
	"quern/ingest/internal/pgcopy"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// replayRowsMax and replayBytesMax bound one replay: it is one commit in memory.
const (
	ReplayRowsMax  = 10_000
	replayBytesMax = 32 << 20
)

// ReplayRequest asks for rows of system.quarantine to be decoded again. Whoever
// makes it has chosen the ids by what the principal may see.
type ReplayRequest struct {
	Principal policy.Principal
	Schema    string // empty = public
	Table     string
	IDs       [][16]byte
}

// ReplayAnswer says what became of them.
type ReplayAnswer struct {
	Replayed  int64  `json:"replayed"` // stored in their table
	Failed    int64  `json:"failed"`   // still in the quarantine, with the new reason
	Skipped   int64  `json:"skipped"`  // not new any more, cut off, or beyond the bound of one replay
	CommitSeq uint64 `json:"commit_seq"`
}

// Replay decodes quarantined rows against the present schema and stores them. The
// rows, and the state of their entries, are one commit: a replay that is repeated
// stores nothing twice.
func (g *Ingester) Replay(ctx context.Context, r *ReplayRequest) (*ReplayAnswer, error) {
	unlock, err := g.store.LockRows(ctx, catalog.TableQuarantine)
	if err != nil {
		return nil, err
	}
	defer unlock()
	snap := g.store.Snapshot()
	defer snap.Close()
	p := &replayer{g: g, snap: snap, ans: &ReplayAnswer{}}
	p.b = g.newBatch(&Request{Principal: r.Principal, Schema: r.Schema, Table: r.Table, Source: "replay"}, "", onError{-1})
	if err := p.b.target(nil); err != nil {
		return nil, err
	}
	if err := p.find(ctx, r); err != nil || len(p.entries) == 0 {
		return p.ans, err
	}
	for i := range p.entries {
		if err := p.decode(&p.entries[i]); err != nil {
			return nil, err
		}
	}
	return p.ans, p.commit(ctx)
}

// entry is one row of the quarantine.
type entry struct {
	addr   int64
	raw    []byte
	format string
	failed *decode.Reject // why it failed again
}

type replayer struct {
	g       *Ingester
	b       *batch
	snap    *storage.Snapshot
	entries []entry
	good    []*vec.Batch
	raws    [][]byte
	ans     *ReplayAnswer
}

// find reads the entries that can be replayed.
func (p *replayer) find(ctx context.Context, r *ReplayRequest) error {
	wanted := make(map[[16]byte]bool, len(r.IDs))
	for _, id := range r.IDs {
		wanted[id] = true
	}
	t := p.snap.Catalog().Table(catalog.TableQuarantine)
	view, err := policy.Resolve(p.snap.Catalog(), t.ID, policy.Principal{Superuser: true}, p.g.o.Now().UnixMicro())
	if err != nil {
		return err
	}
	spec := storage.ScanSpec{View: view}
	for _, name := range []string{"id", "table_name", "state", "kind", "raw_truncated", "format", "raw"} {
		spec.Cols = append(spec.Cols, t.Column(name).ID)
	}
	spec.Cols = append(spec.Cols, catalog.ColRowAddress)
	sc, err := p.snap.Scan(ctx, spec)
	if err != nil {
		return err
	}
	defer sc.Close()
	size := 0
	return eachRow(ctx, sc, len(spec.Cols), func(row func(col int) types.Datum) {
		if !wanted[row(0).U] {
			return
		}
		raw := row(6).S
		if row(1).S != p.b.table.Name || row(2).S != "new" || row(3).S != "row" || row(4).I != 0 ||
			len(p.entries) == ReplayRowsMax || size+len(raw) > replayBytesMax {
			p.ans.Skipped++
			return
		}
		size += len(raw)
		p.entries = append(p.entries, entry{addr: row(7).I, raw: []byte(raw), format: row(5).S})
	})
}

// eachRow calls fn for every row of a scan.
func eachRow(ctx context.Context, sc storage.Scan, cols int, fn func(row func(col int) types.Datum)) error {
	for m := range sc.Morsels() {
		rd, err := sc.Open(ctx, m)
		if err != nil {
			return err
		}
		for b := range rd.Batches() {
			n, sel, err := rd.Start(ctx, b)
			if err != nil {
				return err
			}
			vs := make([]vec.Vector, cols)
			for i := range vs {
				if err := rd.Load(i, sel, &vs[i]); err != nil {
					return err
				}
			}
			if sel != nil {
				n = len(sel)
			}
			for k := range n {
				at := k
				if sel != nil {
					at = int(sel[k])
				}
				fn(func(col int) types.Datum { return vs[col].Datum(at) })
			}
		}
		if err := rd.Close(); err != nil {
			return err
		}
	}
	return nil
}

// decode tries one entry.
func (p *replayer) decode(e *entry) error {
	p.b.evolved = true // fields without a column are a reason
	sink := p.b.sink()
	sink.Row = nil
	sink.Reject = func(r decode.Reject) error { e.failed = &r; return nil }
	var d decoder
	in := io.MultiReader(bytes.NewReader(e.raw), bytes.NewReader([]byte{'\n'}))
	switch e.format {
	case formatNDJSON, formatJSON:
		d = ndjson.New(e.raw, false, sink)
	case formatCSV:
		d = csv.New(in, csv.Default, sink)
	case formatTSV:
		opt := csv.Default
		opt.Delimiter = '\t'
		d = csv.New(in, opt, sink)
	case "text":
		d = pgcopy.NewText(in, pgcopy.TextOptions{Delimiter: '\t', Null: `\N`}, sink)
	default:
		e.failed = &decode.Reject{Code: string(errs.FeatureNotSupported), Message: "rows of format " + e.format + " cannot be replayed"}
		return nil
	}
	rows, err := d.Next(1)
	if err != nil && err != io.EOF {
		return err
	}
	if rows == 0 && e.failed == nil {
		e.failed = &decode.Reject{Code: string(errs.InvalidText), Message: "there is no row"}
	}
	if e.failed == nil {
		p.good = append(p.good, finish(sink, rows))
		p.raws = append(p.raws, e.raw)
	}
	return nil
}

// commit stores the good rows and the new state of every entry.
func (p *replayer) commit(ctx context.Context) error {
	var done, failed []entry
	for _, e := range p.entries {
		if e.failed == nil {
			done = append(done, e)
		} else {
			failed = append(failed, e)
		}
	}
	c := &storage.Commit{Source: "replay", Ingest: true, Patience: patience}
	if len(p.good) > 0 {
		c.Tables = append(c.Tables, storage.TableRows{Table: p.b.table.ID, Cols: p.b.cols, Batches: p.good,
			Raw: func(row int) []byte { return p.raws[row] }})
	}
	for _, part := range []struct {
		entries []entry
		cols    []string
		value   func(e *entry, col string) string
	}{
		{done, []string{"state"}, func(*entry, string) string { return "replayed" }},
		{failed, []string{"error_code", "error_column", "error_message"}, func(e *entry, col string) string {
			return map[string]string{"error_code": e.failed.Code, "error_column": e.failed.Column, "error_message": e.failed.Message}[col]
		}},
	} {
		if len(part.entries) == 0 {
			continue
		}
		if err := p.change(ctx, c, part.entries, part.cols, part.value); err != nil {
			return err
		}
	}
	out, err := p.g.store.Commit(ctx, c)
	if err != nil {
		return err
	}
	p.ans.CommitSeq = out.Seq
	p.ans.Failed = int64(len(failed)) + out.Quarantined
	p.ans.Replayed = int64(len(done)) - out.Quarantined - out.Refused
	return nil
}

// change adds new versions of entries to c.
func (p *replayer) change(ctx context.Context, c *storage.Commit, list []entry, names []string, value func(*entry, string) string) error {
	t := p.snap.Catalog().Table(catalog.TableQuarantine)
	var addrs []int64
	var cols []uint32
	var vals []*vec.Batch
	for from := 0; from < len(list); from += vec.MaxBatchRows {
		part := list[from:min(len(list), from+vec.MaxBatchRows)]
		out := &vec.Batch{Len: len(part)}
		for _, name := range names {
			b := vec.NewBuilder(types.Text, len(part))
			for i := range part {
				if s := value(&part[i], name); s == "" {
					b.Null()
				} else {
					b.AppendBytes([]byte(s))
				}
			}
			out.Cols = append(out.Cols, b.Finish())
		}
		vals = append(vals, out)
		for i := range part {
			addrs = append(addrs, part[i].addr)
		}
	}
	for _, name := range names {
		cols = append(cols, t.Column(name).ID)
	}
	d, err := p.snap.Rows(t.ID, addrs)
	if err != nil {
		return err
	}
	rows, err := p.snap.Updated(ctx, t.ID, addrs, cols, vals)
	if err != nil {
		return err
	}
	c.Deletes = append(c.Deletes, d)
	c.Tables = append(c.Tables, *rows)
	return nil
}
