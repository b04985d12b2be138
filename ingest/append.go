package ingest

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// rejectsShown is how many rejects an answer lists; counts stay exact.
const rejectsShown = 100

// Store is what ingest needs of storage; *storage.Store is the one outside
// tests.
type Store interface {
	Catalog() *catalog.Snapshot
	Commit(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	StartLoad(c *storage.Commit, cat *catalog.Snapshot) (*storage.Load, error)
	Snapshot() *storage.Snapshot
	LockRows(ctx context.Context, tables ...uint32) (unlock func(), err error)
	// Pressure is how full memory and log are: at 1 commits wait.
	Pressure() float64
}

// Options bound an Ingester. The zero value of a field means its default.
type Options struct {
	// Now gives statement times.
	Now func() time.Time
	// LoadBytes is how much of a request is held as one batch in memory; what is
	// larger becomes a load: 64 MiB.
	LoadBytes int64
	// Memory bounds all bodies in flight together, with their columns: 512 MiB.
	// Requests wait for it for a while, then they are turned away (53200).
	Memory int64
}

// Ingester decodes and commits. Safe for concurrent use.
type Ingester struct {
	store Store
	o     Options
	mem   *memory
	heads headPool
}

// New returns an ingester over store.
func New(store Store, o Options) *Ingester {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.LoadBytes = cmp.Or(o.LoadBytes, 64<<20)
	o.Memory = cmp.Or(o.Memory, 512<<20)
	return &Ingester{store: store, o: o, mem: newMemory(o.Memory)}
}

// Append decodes r's body and commits it as one atomic batch. Errors carry
// SQLSTATEs: 42501 no right, 42P01 no table (and no create), 54000 too large,
// 22P02… the first bad row with on_error=abort, 22023 a key with other content.
func (g *Ingester) Append(ctx context.Context, r *Request) (*Answer, error) {
	mode, err := parseOnError(r.OnError)
	if err != nil {
		return nil, err
	}
	body, err := g.openBody(ctx, r)
	if err != nil {
		return nil, err
	}
	defer body.release()
	format, err := sniff(r, body.head)
	if err != nil {
		return nil, err
	}
	if !body.whole && (format == formatParquet || format == formatArrow) {
		if err := body.readTo(ctx, wholeBytesMax); err != nil {
			return nil, err
		}
		if !body.whole {
			return nil, errWhole
		}
	}
	if !body.whole {
		return g.appendStream(ctx, r, body, format, mode)
	}
	for try := 0; ; try++ {
		a, err := g.appendOnce(ctx, r, body, format, mode)
		// Another batch created the table or a column first: infer anew.
		if try < schemaTries && raced(err) {
			continue
		}
		return a, err
	}
}

// schemaTries bounds how often a batch loses the race for a schema change.
const schemaTries = 8

func raced(err error) bool {
	switch errs.CodeOf(err) {
	case errs.SerializationFailure, errs.DuplicateTable:
		return true
	}
	return false
}

func (g *Ingester) appendOnce(ctx context.Context, r *Request, body *body, format string, mode onError) (*Answer, error) {
	b := g.newBatch(r, format, mode)
	defer b.close()
	if err := b.target(body.head); err != nil {
		return nil, err
	}
	if err := b.decode(ctx, body.head); err != nil {
		return nil, err
	}
	return b.commit(ctx, body)
}

// setKey makes c idempotent if the request has a key.
func setKey(c *storage.Commit, r *Request, table uint32, digest [16]byte) error {
	if r.Key == "" {
		return nil
	}
	if len(r.Key) > 256 {
		return errs.New(errs.InvalidParameterValue, "Idempotency-Key is longer than 256 bytes")
	}
	c.Key = &storage.BatchKey{Principal: r.Principal.RoleID, Table: table, Key: r.Key, Digest: digest}
	return nil
}

func (g *Ingester) commit(ctx context.Context, c *storage.Commit, shown []Rejected) (*Answer, error) {
	c.Patience = patience
	out, err := g.store.Commit(ctx, c)
	if err != nil {
		return nil, err
	}
	a := &Answer{Received: out.Received, Accepted: out.Accepted, Duplicates: out.Duplicates, Quarantined: out.Quarantined,
		Refused: out.Refused, CommitSeq: out.Seq, Replayed: out.Replayed, Rejects: shown}
	if shown == nil || out.Replayed {
		a.Rejects = []Rejected{}
	}
	return a, nil
}

// onError is on_error: abort at the first bad row beyond limit, or keep all.
type onError struct {
	limit int64 // -1 = quarantine without limit
}

func parseOnError(s string) (onError, error) {
	switch {
	case s == "" || s == "quarantine":
		return onError{-1}, nil
	case s == "abort":
		return onError{0}, nil
	case strings.HasPrefix(s, "limit:"):
		if n, err := strconv.ParseInt(s[len("limit:"):], 10, 64); err == nil && n >= 0 {
			return onError{n}, nil
		}
	}
	return onError{}, errs.New(errs.InvalidParameterValue, "invalid value for on_error: %q", s).
		WithHint("Use quarantine, abort or limit:N.")
}

var errWhole = errs.New(errs.ProgramLimit, "a Parquet or Arrow body may have at most %d MiB", wholeBytesMax>>20).
	WithHint("Use quern load, which cuts the file.")

// Sniffable formats.
const (
	formatNDJSON  = "ndjson"
	formatJSON    = "json"
	formatCSV     = "csv"
	formatTSV     = "tsv"
	formatParquet = "parquet"
	formatArrow   = "arrow"
)

// sniff decides the format: the format parameter, then binary magic, then the
// content type, then the first character (INGEST.md §3.2).
func sniff(r *Request, body []byte) (string, error) {
	switch r.Format {
	case formatNDJSON, formatJSON, formatCSV, formatTSV, formatParquet, formatArrow:
		return r.Format, nil
	case "", "auto":
	default:
		return "", errs.New(errs.InvalidParameterValue, "unknown format %q", r.Format).WithHint("Use ndjson, json, csv, tsv or parquet.")
	}
	if strings.HasPrefix(string(body[:min(4, len(body))]), "PAR1") {
		return formatParquet, nil
	}
	if strings.HasPrefix(string(body[:min(6, len(body))]), "ARROW1") || strings.HasPrefix(string(body[:min(4, len(body))]), "\xff\xff\xff\xff") {
		return formatArrow, nil
	}
	if strings.HasPrefix(string(body[:min(4, len(body))]), "Obj\x01") {
		return "", errs.NotSupported("Avro")
	}
	mediaType, _, _ := strings.Cut(r.ContentType, ";")
	first := firstByte(body)
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "application/x-ndjson", "application/jsonl", "application/ndjson":
		return formatNDJSON, nil
	case "application/json":
		if first == '[' {
			return formatJSON, nil
		}
		return formatNDJSON, nil
	case "text/csv":
		return formatCSV, nil
	case "text/tab-separated-values":
		return formatTSV, nil
	case "application/vnd.apache.parquet":
		return formatParquet, nil
	case "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file":
		return formatArrow, nil
	}
	switch first {
	case '{':
		return formatNDJSON, nil
	case '[':
		return formatJSON, nil
	}
	return formatCSV, nil
}

// firstByte skips a byte order mark and white space.
func firstByte(body []byte) byte {
	s := strings.TrimLeft(strings.TrimPrefix(string(body[:min(256, len(body))]), "\ufeff"), " \t\r\n")
	if s == "" {
		return 0
	}
	return s[0]
}

// authorise checks that the principal may insert into t's columns.
func authorise(cat *catalog.Snapshot, t *catalog.Table, p policy.Principal, now time.Time) error {
	v, err := policy.Resolve(cat, t.ID, p, now.UnixMicro())
	if err != nil {
		return err
	}
	if !v.HasAny() {
		// A table that the role may not see does not exist for it.
		return undefinedTable(t.Name)
	}
	if t.Kind != catalog.KindTable {
		return errs.New(errs.WrongObjectType, "cannot write to %s %q", t.Noun(), t.Name)
	}
	if !v.Has(policy.Insert) {
		return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", t.Name)
	}
	return nil
}

func undefinedTable(name string) error {
	return errs.New(errs.UndefinedTable, "relation %q does not exist", name)
}

// mayCreate checks CREATE on the schema.
func mayCreate(cat *catalog.Snapshot, s *catalog.Schema, p policy.Principal) error {
	if p.Superuser {
		return nil
	}
	active := policy.Active(cat, p.RoleID)
	if active[s.Owner] {
		return nil
	}
	for _, g := range s.Grants {
		if (g.Role == 0 || active[g.Role]) && g.Priv&policy.Create != 0 {
			return nil
		}
	}
	return errs.New(errs.InsufficientPrivilege, "permission denied for schema %s", s.Name)
}
