package storage

import (
	"encoding/binary"
	"time"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/dedup"
	"quern/storage/internal/memtable"
	"quern/storage/internal/tally"
	"quern/storage/internal/wal"
	"quern/storage/types"
	"quern/storage/vec"
)

// pending is one commit on its way through the committer.
type pending struct {
	frame    *wal.Frame
	schema   []catalog.Change
	base     uint64 // catalog version that schema was computed from
	tables   []placement
	attached []attachment
	bodies   [][]byte // what tables alias
	// deletes come before tables.
	deletes  []*DeleteSet
	key      *dedup.Entry
	source   string
	patience time.Duration
	buffered bool // acknowledged by acknowledgeBuffered
	stats    []tally.Table

	outcome Outcome
	err     error
	done    chan struct{} // closed when outcome and err are final

	// more are commits that come before this one in the same group.
	more []*pending
	// task, if set, runs alone in the committer; nothing else is set then.
	task func()
}

// release gives the memory back; only whoever waited for done may call it.
func (p *pending) release(b *buffers) {
	b.put(p.frame.Buffer())
	for _, body := range p.bodies {
		b.put(body)
	}
}

// placement is rows on their way into a MemTable.
type placement struct {
	table   uint32
	version uint32 // of the schema that the rows were made for
	rows    *memtable.Rows
}

// preparer turns a Commit into a frame, in the producer's goroutine.
type preparer struct {
	s       *Store
	c       *Commit
	cat     *catalog.Snapshot // with c.Schema applied
	now     int64
	p       *pending
	rejects []Reject
	byTable map[uint32]*tally.Counts
	order   []uint32
	load    *Load // takes the rows; nil = the frame does
}

// prepare checks c against cat and encodes it: everything that needs no
// sequence. Rows that break a rule become rejects on the ingest routes.
func (s *Store) prepare(c *Commit, cat *catalog.Snapshot, dups map[uint32]int64) (*pending, error) {
	if len(c.Schema) > 0 {
		if c.BaseVersion != cat.Version() {
			return nil, errCatalogRace
		}
		next, err := cat.Apply(c.Schema)
		if err != nil {
			return nil, err
		}
		cat = next
	}
	pr := &preparer{s: s, c: c, cat: cat, now: s.nowMicros(), byTable: map[uint32]*tally.Counts{},
		p: &pending{schema: c.Schema, base: c.BaseVersion, source: c.Source, patience: c.Patience, buffered: c.Buffered, done: make(chan struct{})}}
	pr.rejects = append(pr.rejects, c.Rejects...)
	for id, n := range dups {
		if n > 0 {
			k := pr.counts(id)
			k[0], k[2] = k[0]+n, k[2]+n
		}
	}
	pr.p.frame = wal.NewFrame(pr.now, s.buffers.get(sizeHint(c)))
	if err := pr.encode(); err != nil {
		return nil, err
	}
	pr.p.frame.Seal()
	return pr.p, nil
}

// sizeHint guesses the size of a frame, to spare the growing of its buffer.
// NB: batches cut from one row group share their buffers, which count once.
func sizeHint(c *Commit) int {
	n, seen := 512, map[*byte]bool{}
	for i := range c.Tables {
		for _, b := range c.Tables[i].Batches {
			for k := range b.Cols {
				n += len(b.Cols[k].Fixed) + 4*len(b.Cols[k].Views)
				for _, buf := range b.Cols[k].Bufs {
					if len(buf) > 0 && !seen[&buf[0]] {
						seen[&buf[0]] = true
						n += len(buf)
					}
				}
			}
		}
	}
	return n
}

func (pr *preparer) encode() error {
	if len(pr.c.Schema) > 0 {
		body, err := encodeSchema(pr.c.Schema)
		if err != nil {
			return err
		}
		pr.p.frame.Add(wal.Schema, 0, body, nil)
	}
	if err := pr.deletes(); err != nil {
		return err
	}
	for i := range pr.c.Tables {
		if err := pr.table(&pr.c.Tables[i]); err != nil {
			return err
		}
	}
	if err := pr.quarantine(); err != nil {
		return err
	}
	if err := pr.loads(); err != nil {
		return err
	}
	pr.count()
	return nil
}

// table completes, checks and encodes the rows of one table.
func (pr *preparer) table(tr *TableRows) error {
	t := pr.cat.Table(tr.Table)
	if t == nil {
		return errs.New(errs.UndefinedTable, "relation with OID %d does not exist", tr.Table)
	}
	if pr.load != nil && len(t.Options.DedupKey) > 0 {
		return errs.NotSupported("one write larger than memory into a table with dedup_key").
			WithHint("Write smaller batches.")
	}
	full, done, err := pr.s.complete(t, tr, pr.now, pr.c)
	if err != nil {
		return err
	}
	c := pr.counts(tr.Table)
	for _, b := range tr.Batches {
		c[0] += int64(b.Rows())
	}
	c[3] += int64(len(done.rejects))
	c[4] += done.refused
	pr.rejects = append(pr.rejects, done.rejects...)
	rows := 0
	for _, b := range full.Batches {
		rows += b.Rows()
	}
	c[1] += int64(rows)
	if err := pr.rows(t, full); err != nil {
		return err
	}
	if pr.load != nil {
		pr.load.given[t.ID] = done.counters
		return nil
	}
	pr.counters(t.ID, done.counters)
	return nil
}

// counters adds what the counters of a table gave so far.
func (pr *preparer) counters(table uint32, cols []uint32) {
	if len(cols) == 0 {
		return
	}
	values := make([]int64, len(cols))
	for i, col := range cols {
		values[i] = pr.s.tallies.Counter(tally.Column{Table: table, Col: col})
	}
	pr.p.frame.Add(sectionCounters, table, tally.EncodeCounters(cols, values), nil)
}

func (pr *preparer) rows(t *catalog.Table, full *TableRows) error {
	n := 0
	for _, b := range full.Batches {
		n += b.Rows()
	}
	if n == 0 {
		return nil
	}
	if pr.load != nil {
		return pr.loadRows(t, full)
	}
	body, err := memtable.EncodeRows(pr.s.buffers.get(0), t.Version, full.Cols, full.Batches)
	if err != nil {
		return err
	}
	rows, err := memtable.DecodeRows(body) // as replay does: one way into a slab
	if err != nil {
		return err
	}
	pr.p.frame.Add(wal.Rows, t.ID, body, pr.s.shrinkOf(t.ID))
	pr.p.bodies = append(pr.p.bodies, body)
	pr.p.tables = append(pr.p.tables, placement{table: t.ID, version: t.Version, rows: rows})
	return nil
}

// loadRows gives rows to the load, batch by batch in the same small buffer.
func (pr *preparer) loadRows(t *catalog.Table, full *TableRows) error {
	buf := pr.s.buffers.get(0)
	for i := range full.Batches {
		body, err := memtable.EncodeRows(buf[:0], t.Version, full.Cols, full.Batches[i:i+1])
		if err != nil {
			return err
		}
		buf = body
		rows, err := memtable.DecodeRows(body)
		if err != nil {
			return err
		}
		if rows.N > 0 {
			pr.load.add(t, rows, len(body))
		}
	}
	pr.s.buffers.put(buf)
	return nil
}

func (pr *preparer) counts(table uint32) *tally.Counts {
	if pr.byTable[table] == nil {
		pr.byTable[table] = new(tally.Counts)
		pr.order = append(pr.order, table)
	}
	return pr.byTable[table]
}

// quarantine turns rejects into rows of system.quarantine, in the same frame.
func (pr *preparer) quarantine() error {
	for i := range pr.c.Rejects { // those of complete are counted already
		c := pr.counts(pr.c.Rejects[i].Table)
		c[0]++
		c[3]++
	}
	if len(pr.rejects) == 0 {
		return nil
	}
	t := pr.cat.Table(catalog.TableQuarantine)
	if t == nil {
		return errs.New(errs.Internal, "table system.quarantine is missing")
	}
	full := &TableRows{Table: t.ID}
	for _, col := range t.Columns {
		full.Cols = append(full.Cols, col.ID)
	}
	key := ""
	if pr.c.Key != nil {
		key = pr.c.Key.Key
	}
	for list := pr.rejects; len(list) > 0; {
		n := min(len(list), vec.BatchRows)
		full.Batches = append(full.Batches, pr.rejectBatch(t, list[:n], key))
		list = list[n:]
	}
	return pr.rows(t, full)
}

// rawBytesMax is how much of a row the quarantine keeps.
const rawBytesMax = 1 << 20

func (pr *preparer) rejectBatch(t *catalog.Table, list []Reject, key string) *vec.Batch {
	b := &vec.Batch{Len: len(list)}
	for _, col := range t.Columns {
		bd := vec.NewBuilder(col.Type, len(list))
		for i := range list {
			d := pr.rejectValue(col.Name, &list[i], key)
			bd.Append(&d)
		}
		b.Cols = append(b.Cols, bd.Finish())
	}
	return b
}

// rejectValue is one column of a row of system.quarantine; a column that this
// version does not know is NULL.
func (pr *preparer) rejectValue(col string, r *Reject, key string) types.Datum {
	text := func(s string) types.Datum {
		if s == "" {
			return types.NullDatum
		}
		return types.Datum{S: s}
	}
	switch col {
	case "id":
		return types.Datum{U: pr.s.newUUID()}
	case "received_at":
		return types.Datum{I: pr.now}
	case "table_name":
		return text(r.Name)
	case "source":
		return text(pr.c.Source)
	case "client":
		return text(r.Client)
	case "batch_key":
		return text(key)
	case "row_number":
		return types.Datum{I: r.Row}
	case "byte_offset":
		return types.Datum{I: r.Offset}
	case "format":
		return text(r.Format)
	case "kind":
		return text(r.Kind)
	case "raw":
		return types.Datum{S: string(r.Raw[:min(len(r.Raw), rawBytesMax)])}
	case "raw_truncated":
		if len(r.Raw) > rawBytesMax {
			return types.Datum{I: 1}
		}
		return types.Datum{}
	case "error_code":
		return text(r.Code)
	case "error_column":
		return text(r.Column)
	case "error_message":
		return text(r.Message)
	case "schema_version":
		if t := pr.cat.Table(r.Table); t != nil {
			return types.Datum{I: int64(t.Version)}
		}
	case "state":
		return types.Datum{S: "new"}
	}
	return types.NullDatum
}

// count fills the outcome, and the sections that hold it.
func (pr *preparer) count() {
	if pr.c.Refused > 0 {
		table := uint32(0)
		if len(pr.c.Tables) > 0 {
			table = pr.c.Tables[0].Table
		}
		c := pr.counts(table)
		c[0] += pr.c.Refused
		c[4] += pr.c.Refused
	}
	var sum tally.Counts
	for _, id := range pr.order {
		sum.Add(pr.byTable[id])
		pr.p.stats = append(pr.p.stats, tally.Table{Table: id, Counts: *pr.byTable[id]})
	}
	pr.p.outcome = Outcome{Received: sum[0], Accepted: sum[1], Duplicates: sum[2], Quarantined: sum[3], Refused: sum[4]}
	if len(pr.p.stats) > 0 {
		pr.p.frame.Add(wal.Stats, 0, tally.EncodeStats(pr.c.Source, pr.p.stats), nil)
	}
	if k := pr.c.Key; k != nil {
		pr.p.key = &dedup.Entry{Key: dedupKey(k), Digest: k.Digest, At: pr.now, Counts: sum}
		if !pr.s.opts.mutations.KeyNotInFrame {
			pr.p.frame.Add(wal.BatchKey, k.Table, pr.p.key.Append(nil), nil)
		}
	}
}

func dedupKey(k *BatchKey) dedup.Key {
	return dedup.Key{Principal: k.Principal, Table: k.Table, Key: k.Key}
}

// newUUID is a version 7 UUID: its values sort by time.
func (s *Store) newUUID() (u [16]byte) {
	ms := uint64(s.opts.Now().UnixMilli())
	binary.BigEndian.PutUint64(u[:], ms<<16|s.opts.Rand()>>52|0x7000)
	binary.BigEndian.PutUint64(u[8:], s.opts.Rand()>>2|1<<63)
	return u
}
