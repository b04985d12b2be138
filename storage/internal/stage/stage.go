// Package stage turns rows in memory into finished segments, one per partition:
// those of a flush, and those of a load that is too large for the log.
//
//	memtable.List ─ Job.Write ─► split by partition ─ segment.Build ─► Job.Added
//	Rows ─ Buffer.Add ─► private MemTable ─ full: Job ─► Buffer.Segments
//
// Files are complete and synced when they are in Added. Nobody sees them before
// a manifest edit or an ATTACH section names them; the next start removes those
// that none names. It knows no log, no state and no manifest file.
package stage

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vfs"
)

// Bounds of a job. Partitions with few rows share one segment "mixed": a
// backfill over years would otherwise make hundreds of tiny files, and keeping
// the rest in memory would hold the log back.
const (
	partsMax = 16
	// fineRowsMin is what a partition of a finer grain must hold for that grain
	// to be used although a coarser one is allowed.
	fineRowsMin = 1_000_000
	// retentionParts is how many partitions a retention period spans at least:
	// purging by unlink needs small pieces.
	retentionParts = 24
)

const dayMicros = 24 * 3600 * 1_000_000

// Env is what writing segments needs of a store.
type Env struct {
	FS      vfs.FS
	Dir     string // the data folder
	Writer  string // product version
	RowsMin int    // a partition with fewer rows gets no segment of its own
	Now     func() int64
	NextID  func() uint64
	UUID    func() [16]byte
	// Folder makes a partition's folder durable.
	Folder func(rel string) error
	// Memory is what is known of a table's columns, Spares has emptied MemTables of it.
	Memory func(table uint32) *segment.Memory
	Spares func(table uint32) *sync.Pool
	// Error gives a failure to write its SQLSTATE.
	Error func(error) error
}

// Job writes the rows of a list into segments.
type Job struct {
	Env     *Env
	Table   *catalog.Table
	Slabs   memtable.List
	Deleted func(pos uint32) bool // rows to leave out; nil = none
	Reason  string                // recorded in the files: flush, load
	// Floor is the retention floor: rows below it are left out.
	Floor    int64
	HasFloor bool

	// KeepOrders: Orders gets what segment.BuildOrder says of each of Added.
	KeepOrders bool

	Added  []manifest.Segment
	Orders [][]uint32
}

// Write builds one segment per partition. After an error Added holds those that
// were finished: see Discard.
func (j *Job) Write(ctx context.Context) error {
	for _, part := range j.split() {
		if err := ctx.Err(); err != nil {
			return errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
		if len(part.Rows) == 0 {
			continue
		}
		if err := j.part(ctx, part); err != nil {
			return fmt.Errorf("write a segment of table %d: %w", j.Table.ID, err)
		}
	}
	return nil
}

func (j *Job) part(ctx context.Context, part segment.Part) error {
	e := j.Env
	id := e.NextID()
	spec := Spec(j.Table, e.Writer, j.Reason)
	spec.ID, spec.UUID, spec.Memory = id, e.UUID(), e.Memory(j.Table.ID)
	rel := SegmentPath(j.Table.ID, part.Name, id)
	if err := e.Folder(path.Dir(rel)); err != nil {
		return e.Error(err)
	}
	tmp := path.Join(e.Dir, "tmp", fmt.Sprintf("%016x.qseg", id))
	info, order, err := segment.BuildOrder(ctx, e.FS, tmp, path.Join(e.Dir, rel), &spec, j.Slabs, part.Rows)
	if err != nil {
		_ = e.FS.Remove(path.Join(e.Dir, rel)) // It has its name if only the folder's sync failed.
		return e.Error(err)
	}
	if j.Reason == "flush" {
		failpoint.Hit(failpoint.FlushAfterSegment)
	} else {
		failpoint.Hit(failpoint.LoadAfterStage)
	}
	j.Added = append(j.Added, manifest.Segment{
		ID: id, Table: j.Table.ID, Partition: part.Name, Path: rel,
		Rows: info.Rows, Length: info.Length, TrailerCRC: info.TrailerCRC, SeqMin: info.SeqMin, SeqMax: info.SeqMax,
		TimeMin: info.TimeMin, TimeMax: info.TimeMax, ReceivedMin: info.ReceivedMin, ReceivedMax: info.ReceivedMax,
		Created: e.Now(),
	})
	if j.KeepOrders {
		j.Orders = append(j.Orders, order)
	}
	return nil
}

// SegmentPath is where a segment lies in the data folder.
func SegmentPath(table uint32, partition string, id uint64) string {
	return path.Join("tables", fmt.Sprintf("%08x", table), partition, fmt.Sprintf("%016x.qseg", id))
}

// Discard removes files that nothing names; the next start removes what stays.
func (e *Env) Discard(list []manifest.Segment) {
	for i := range list {
		_ = e.FS.Remove(path.Join(e.Dir, list[i].Path))
	}
}

// split cuts the rows into partitions of the coarsest grain that retention
// allows, or a finer one if its partitions are large.
func (j *Job) split() []segment.Part {
	spec := segment.SplitSpec{MinRows: j.Env.RowsMin, MaxParts: partsMax, Deleted: j.Deleted, Floor: j.Floor, HasFloor: j.HasFloor}
	grain, fixed := GrainOf(j.Table)
	if col := j.Table.TimeColumn(); col != nil {
		spec.TimeCol = col.ID
	} else {
		grain, fixed = segment.GrainNone, true
	}
	spec.Grain = grain
	parts := segment.Split(j.Slabs, spec)
	for !fixed && grain < segment.GrainHour && j.Slabs.Rows() >= 2*fineRowsMin {
		grain++
		spec.Grain = grain
		finer := segment.Split(j.Slabs, spec)
		if largest(finer) < fineRowsMin || len(finer) == len(parts) {
			break
		}
		parts = finer
	}
	return parts
}

func largest(parts []segment.Part) int {
	n := 0
	for _, p := range parts {
		n = max(n, len(p.Rows))
	}
	return n
}

// GrainOf is the grain of a table's partitions; fixed says that the table's
// option chose it.
func GrainOf(t *catalog.Table) (g segment.Grain, fixed bool) {
	switch t.Options.PartitionBy {
	case "hour":
		return segment.GrainHour, true
	case "day":
		return segment.GrainDay, true
	case "month":
		return segment.GrainMonth, true
	case "none":
		return segment.GrainNone, true
	}
	r := t.Options.Retention
	switch {
	case r == 0 || r/retentionParts >= 31*dayMicros:
		return segment.GrainMonth, false
	case r/retentionParts >= dayMicros:
		return segment.GrainDay, false
	}
	return segment.GrainHour, false
}

// Spec describes a segment of t as t is now.
func Spec(t *catalog.Table, writer, reason string) segment.Spec {
	spec := segment.Spec{Table: t.ID, Version: t.Version, Writer: writer, Reason: reason}
	for i := range t.Columns {
		c := &t.Columns[i]
		col := segment.Column{ID: c.ID, Name: c.Name, Type: c.Type, Missing: types.NullDatum}
		if c.Missing != nil {
			// A default that no longer parses shows NULL, as in the scan.
			if d, err := types.ParseText(c.Type, *c.Missing, types.DefaultFormat); err == nil {
				col.Missing = d
			}
		}
		spec.Cols = append(spec.Cols, col)
	}
	tc := t.TimeColumn()
	if tc != nil {
		spec.TimeCol = tc.ID
	}
	for _, o := range t.Options.OrderBy {
		name, desc := strings.CutSuffix(o, " desc")
		if c := t.Column(name); c != nil {
			spec.Order = append(spec.Order, segment.SortKey{Col: c.ID, Desc: desc})
		}
	}
	if len(spec.Order) == 0 && tc != nil {
		spec.Order = []segment.SortKey{{Col: tc.ID}}
	}
	return spec
}

// Fits tells whether rows that were made for a table as it was may be added to
// it as it is: every column is still there, and new ones may be NULL.
func Fits(was, is *catalog.Table) bool {
	old := map[uint32]*catalog.Column{}
	for i := range was.Columns {
		old[was.Columns[i].ID] = &was.Columns[i]
	}
	for i := range is.Columns {
		c := &is.Columns[i]
		o := old[c.ID]
		if o == nil {
			if c.NotNull || c.Default.Kind != catalog.DefaultNone {
				return false
			}
			continue
		}
		if o.Type != c.Type || o.NotNull != c.NotNull {
			return false
		}
		delete(old, c.ID)
	}
	return len(old) == 0
}
