package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/wal"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

const (
	dir       = "data"
	principal = 10
)

// run is one seed.
type run struct {
	seed  int64
	rep   *Report
	rng   *rand.Rand // workload
	fs    *crashfs.FS
	s     *storage.Store
	m     *model
	mut   storage.Mutations
	now   time.Time
	ids   *rand.Rand // randomness of the store
	looks int        // syncs at which a reader could look
	down  bool       // the power went during this round
	// inside says that the workload runs within another of its operations.
	inside bool
	// over, if set, is a failing file system over fs; lenient lets operations
	// of the workload fail with the errors of a failing disk.
	over    vfs.FS
	lenient bool
	// memory is what the next start has for rows: 0 = enough, 1 = replay writes
	// segments all the time.
	memory int64
	// backups are the states that the backup folder may hold.
	backups  []contents
	backedUp bool
}

func newRun(seed int64, rep *Report, mut storage.Mutations) *run {
	return &run{seed: seed, rep: rep, mut: mut, fs: crashfs.New(), m: newModel(),
		rng: rand.New(rand.NewPCG(uint64(seed), 1)), ids: rand.New(rand.NewPCG(uint64(seed), 2)),
		now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
}

func (r *run) options() storage.Options {
	return storage.Options{Dir: dir, FS: r.fsys(), Manual: true, WALFileBytes: 32 << 10, FlushRows: 60, FlushRowsMin: 8, LoadBytes: 1,
		MemBytesMax: r.memory,
		SparesMax:   2, Rand: r.ids.Uint64, WALRollAge: time.Minute,
		Now:   func() time.Time { r.now = r.now.Add(time.Millisecond); return r.now },
		After: func(time.Duration) <-chan time.Time { return nil }}.WithMutations(r.mut)
}

// all runs two to four rounds, each ended by a power cut.
func (r *run) all() {
	rounds := 2 + r.rng.IntN(3)
	for i := range rounds {
		if !r.open(i == 0) {
			return
		}
		r.round()
		r.cut()
	}
	if r.open(false) {
		r.retryKeys()
		r.verify("after the retries")
		if err := r.s.Close(); err != nil {
			r.other("close: %v", err)
		}
		r.damage()
	}
}

// damage flips one bit of an acknowledged frame. The closed store has covered
// its last group, so the start must be refused; if it is not, rows are lost
// without a word.
func (r *run) damage() {
	type place struct{ file, off, bytes int64 }
	var places []place
	l, err := manifest.Load(r.fs, dir+"/catalog")
	if err == nil {
		_, err = wal.Replay(r.fs, dir+"/wal", l.State.FloorFile, l.State.FloorSeq, func(v *wal.FrameView) error {
			if !v.Empty() {
				places = append(places, place{int64(v.File), v.Offset, v.Bytes()})
			}
			return nil
		})
	}
	if err != nil {
		r.other("replay of a closed folder: %v", err)
		return
	}
	if len(places) == 0 {
		return
	}
	p := places[r.rng.IntN(len(places))]
	if r.rng.IntN(2) == 0 { // where only a later durable_seq proves the damage
		p = places[len(places)-1]
	}
	name := fmt.Sprintf("%s/wal/%016x.wal", dir, p.file)
	data, err := vfs.ReadFile(r.fs, name)
	if err != nil {
		r.other("%v", err)
		return
	}
	off := p.off + r.rng.Int64N(p.bytes)
	_ = r.fs.Corrupt(name, off, []byte{data[off] ^ 1<<r.rng.IntN(8)})
	s, err := storage.Open(r.options())
	if err == nil {
		r.rep.fail(&r.rep.Lost, r.seed, "a flipped bit in acknowledged frames (%s, offset %d) was not detected", name, off)
		_ = s.Close()
	} else if errs.CodeOf(err) != errs.DataCorrupted {
		r.other("a flipped bit gave %v", err)
	}
}

func (r *run) other(format string, args ...any) { r.rep.fail(&r.rep.Other, r.seed, format, args...) }

// open opens the store, now and then with a cut on the way, and compares it
// with the model.
func (r *run) open(first bool) bool {
	for r.rng.IntN(4) == 0 {
		r.memory = r.rng.Int64N(2)
		r.planCut(40)
		s, err := storage.Open(r.options())
		if err == nil {
			r.s = s
			r.cut()
			continue
		}
		if !r.fs.Lost() {
			r.other("open failed without a cut: %v", err)
			return false
		}
		r.rep.Cuts++
		r.fs = r.fs.Cut(r.rng, 0)
	}
	r.memory = r.rng.Int64N(2)
	s, err := storage.Open(r.options())
	if err != nil {
		r.other("open: %v", err)
		return false
	}
	r.s, r.down = s, false
	if !first {
		r.verify("after the cut")
	}
	return true
}

// planCut plans a cut within the next n operations.
func (r *run) planCut(n int64) {
	keep := []int{0, 25, 50, 75, 100}[r.rng.IntN(5)]
	// NB: the cut draws from a generator of its own, whose use does not depend
	// on when it happens.
	cutRNG := rand.New(rand.NewPCG(r.rng.Uint64(), 3))
	r.fs.CutAt(1+r.rng.Int64N(n), r.rng.IntN(2) == 0, cutRNG, keep)
}

// cut takes the power, checks the folder as it lies, and makes the clone the
// file system of the next round.
func (r *run) cut() {
	r.rep.Cuts++
	clone := r.fs.Cut(r.rng, 50)
	_ = r.s.Close() // It cannot write any more.
	r.fs = clone
	problems, err := storage.Check(r.fs, dir)
	if len(problems) > 0 {
		r.other("check after a cut: %v", problems[0])
	} else if err != nil && !strings.Contains(err.Error(), "not exist") {
		r.other("check after a cut: %v", err)
	}
	r.checkBackup()
}

// round is the workload up to the cut.
func (r *run) round() {
	r.planCut(int64(20 + r.rng.IntN(150)))
	if !r.mut.AckBeforeSync { // the workload would run on during the sync
		r.fs.BeforeSync(func(name string) {
			switch {
			case strings.Contains(name, "/wal/"):
				r.look()
			case strings.HasSuffix(name, ".qseg") && !r.inside && r.rng.IntN(2) == 0:
				// Rows that a flush or a merge has taken already are deleted.
				r.inside = true
				r.removeRows()
				r.inside = false
			}
		})
	}
	for steps := 0; !r.down && steps < 200; steps++ {
		r.step()
	}
	r.fs.BeforeSync(nil)
}

func (r *run) step() {
	switch n := r.rng.IntN(20); {
	case n < 2 || len(r.m.live()) == 0:
		r.createTable()
	case n == 2:
		r.changeTable()
	case n == 3:
		r.retry()
	case n < 7:
		r.background()
	case n == 7:
		r.flush()
	case n == 14 || n == 15:
		r.compact()
	case n == 8:
		r.now = r.now.Add(90 * time.Second)
	case n == 10 || n == 11:
		r.removeRows()
	case n == 9:
		r.verify("while running")
	case n == 12:
		r.load()
	case n == 13 && r.rng.IntN(3) == 0:
		r.backup()
	default:
		r.commitGroup()
	}
}

// died notes the power cut; any other error of class 58 is a violation.
func (r *run) died(err error) bool {
	if r.lenient {
		r.allow(err)
		return false
	}
	if r.fs.Lost() {
		r.down = true
		return true
	}
	r.other("unexpected error: %v (%s)", err, errs.CodeOf(err))
	r.down = true
	return true
}

func (r *run) ddl(c catalog.Change, done func(acked bool)) {
	_, err := r.s.Commit(context.Background(), &storage.Commit{Schema: []catalog.Change{c},
		BaseVersion: r.s.Catalog().Version(), Source: "ddl"})
	done(err == nil)
	if err != nil {
		r.died(err)
	}
}

func (r *run) createTable() {
	id := max(r.m.nextTable, r.s.Catalog().NextOID())
	r.m.nextTable = id + 1
	t := &catalog.Table{ID: id, Schema: catalog.SchemaPublic, Name: fmt.Sprintf("t%d", id), Owner: catalog.RoleAdmin,
		Version: 1, NextCol: 4, Columns: []catalog.Column{
			{ID: 1, Name: "id", Type: types.Int8, NotNull: true},
			{ID: 2, Name: "body", Type: types.Text},
			{ID: 3, Name: "n", Type: types.Int8, Default: catalog.Default{Kind: catalog.DefaultCounter}},
		}}
	if r.rng.IntN(2) == 0 {
		t.Columns = append(t.Columns, catalog.Column{ID: 4, Name: "ts", Type: types.Timestamptz,
			Default: catalog.Default{Kind: catalog.DefaultNow}})
		t.NextCol = 5
	}
	r.ddl(catalog.Change{Table: t, Create: true}, func(acked bool) { r.m.created(id, acked) })
}

// changeTable drops a table or gives it a column.
func (r *run) changeTable() {
	live := r.m.live()
	id := live[r.rng.IntN(len(live))]
	if r.rng.IntN(3) == 0 {
		r.ddl(catalog.Change{Drop: "table", ID: id}, func(acked bool) { r.m.dropped(id, acked) })
		return
	}
	now := r.s.Catalog().Table(id)
	if now == nil {
		r.rep.fail(&r.rep.Lost, r.seed, "table %d was acknowledged and is not visible", id)
		r.down = true
		return
	}
	t := *now
	t.Columns = append(append([]catalog.Column(nil), t.Columns...), catalog.Column{ID: t.NextCol,
		Name: fmt.Sprintf("c%d", t.NextCol), Type: types.Int4, Default: catalog.Default{Kind: catalog.DefaultConst, Text: "7"}})
	t.NextCol++
	t.Version++
	r.ddl(catalog.Change{Table: &t}, func(bool) {})
}

// commitGroup commits one to six batches as one group.
func (r *run) commitGroup() {
	var batches []*batch
	var commits []*storage.Commit
	for range 1 + r.rng.IntN(6) {
		b := r.m.newBatch(r.rng)
		batches = append(batches, b)
		commits = append(commits, b.commit())
	}
	outs, failed := r.s.CommitGroup(context.Background(), commits)
	for i, b := range batches {
		if failed[i] != nil {
			r.died(failed[i])
			continue
		}
		r.acked(b, &outs[i], false)
	}
}

// acked notes an acknowledged batch and checks the answer.
func (r *run) acked(b *batch, o *storage.Outcome, mustReplay bool) {
	r.rep.Acked++
	if o.Replayed != mustReplay {
		count := &r.rep.Duplicated
		if o.Replayed {
			count = &r.rep.Lost
		}
		r.rep.fail(count, r.seed, "batch %d: replayed is %v", b.id, o.Replayed)
	}
	if b.seq != 0 && b.seq != o.Seq {
		r.other("batch %d: sequence was %d and is %d", b.id, b.seq, o.Seq)
	}
	b.seq = o.Seq
	b.fate = there
	if o.Received != int64(b.size()) || o.Accepted+o.Quarantined != o.Received || o.Quarantined != int64(len(b.rows[catalog.TableQuarantine])) {
		r.other("batch %d of %d rows: outcome %+v", b.id, b.size(), *o)
	}
}

// retry repeats an acknowledged batch with a key.
func (r *run) retry() {
	b := r.m.pickKeyed(r.rng)
	if b == nil {
		return
	}
	o, err := r.s.Commit(context.Background(), b.commit())
	if err != nil {
		r.died(err)
		return
	}
	r.acked(b, &o, true)
}

// retryKeys repeats every batch with a key: what is there must answer with its
// sequence, what is not must be stored now.
func (r *run) retryKeys() {
	for _, b := range r.m.batches {
		if b.key == "" || !r.m.tablesLive(b) {
			continue
		}
		wasThere := b.fate == there
		o, err := r.s.Commit(context.Background(), b.commit())
		if err != nil {
			r.other("retry of batch %d: %v", b.id, err)
			continue
		}
		r.acked(b, &o, wasThere)
	}
}

func (r *run) background() {
	for range 1 + r.rng.IntN(4) {
		more, err := r.s.Step(context.Background())
		if err != nil {
			r.died(err)
		}
		if err != nil || !more {
			return
		}
		r.rep.Retired++
	}
}

// compact merges all that can be merged; now and then there is more than one
// segment.
func (r *run) compact() {
	for range r.rng.IntN(3) {
		r.commitGroup()
		if !r.down {
			r.flush()
		}
		if r.down {
			return
		}
	}
	before := r.s.Compaction().Jobs
	if err := r.s.Compact(context.Background(), true); err != nil {
		r.died(err)
		return
	}
	r.rep.Merges += int(r.s.Compaction().Jobs - before)
}

func (r *run) flush() {
	if err := r.s.Flush(context.Background(), 0); err != nil {
		r.died(err)
		return
	}
	r.rep.Flushes++
}

// commit makes the request for b; a repeat is equal.
func (b *batch) commit() *storage.Commit {
	c := &storage.Commit{Source: "crash", Ingest: true}
	if b.key != "" {
		c.Key = &storage.BatchKey{Principal: principal, Table: b.tables[0], Key: b.key, Digest: [16]byte{byte(b.id)}}
	}
	for _, table := range b.tables {
		id, body := vec.NewBuilder(types.Int8, 8), vec.NewBuilder(types.Text, 8)
		for _, x := range b.rows[table] {
			vec.AppendFixed(id, x)
			body.AppendBytes([]byte(bodyOf(x)))
		}
		n := len(b.rows[table])
		tr := storage.TableRows{Table: table, Cols: []uint32{1, 2}}
		if table == b.tables[0] {
			for range b.rows[catalog.TableQuarantine] { // rows that break NOT NULL
				id.Null()
				body.Null()
			}
			bad := b.rows[catalog.TableQuarantine]
			n += len(bad)
			good := len(b.rows[table])
			tr.Raw = func(row int) []byte { return fmt.Append(nil, bad[row-good]) }
		}
		tr.Batches = []*vec.Batch{{Len: n, Cols: []vec.Vector{id.Finish(), body.Finish()}}}
		c.Tables = append(c.Tables, tr)
	}
	return c
}
