package storage

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"time"

	"quern/storage/vfs"
)

// Options configure a Store. The zero value of a field means its default.
type Options struct {
	Dir string
	FS  vfs.FS // the operating system's files
	// Now and Rand are the only clock and the only randomness of the store.
	Now  func() time.Time
	Rand func() uint64
	// After is the timer of the covering frame; nil means time.After.
	After func(time.Duration) <-chan time.Time
	Log   *slog.Logger // discards if nil

	FlushRows   int           // rows of a MemTable that make it flush: 1,000,000
	FlushBytes  int64         // bytes of a MemTable: 128 MiB
	FlushAge    time.Duration // with at least FlushRowsMin rows: 5 min
	FlushAgeMax time.Duration // anyway: 15 min
	// FlushRowsMin is the least number of rows of a partition that gets a
	// segment of its own, and of a flush by age: 8,192.
	FlushRowsMin int
	// MemBytesMax bounds all MemTables together: commits wait above it, flushes
	// start at 70 %. 1 GiB.
	MemBytesMax int64
	// RowKeyBytesMax bounds the keys of rows of all tables with a dedup_key: a
	// quarter of MemBytesMax, at least 1 MiB. Rows beyond are refused with 53200.
	RowKeyBytesMax int64
	// DictBytesMax bounds the decoded dictionaries of segments that are kept for
	// later queries, 0 = without bound.
	DictBytesMax int64
	// LoadBytes is the size of the pieces in which all Loads together write segments:
	// half of MemBytesMax, at most 448 MiB. Small pieces make small segments, which
	// cost more to make, and to merge.
	LoadBytes    int64
	WALBytesMax  int64 // 2 GiB: at 70 % the oldest tables are flushed, at 100 % commits wait
	WALFileBytes int64 // 64 MiB
	WALRollAge   time.Duration
	SparesMax    int // zeroed WAL files kept for reuse: 4
	// QueueBytesMax bounds encoded commits that wait for the committer: 64 MiB.
	QueueBytesMax int64
	// KeyWindow and KeysMin: a batch key is known for that long, and at least
	// the newest that many: 24 h and 1,000,000.
	KeyWindow time.Duration
	KeysMin   int
	// Manual starts no background goroutine: the caller drives Step. Tests do.
	Manual bool
	// NoCompaction merges no segments.
	NoCompaction bool
	// Writer is the product version, recorded in segments.
	Writer string

	mutations Mutations
}

// Mutations plant known bugs, for the proof that the crash harness works.
type Mutations struct {
	AckBeforeSync     bool
	PublishBeforeSync bool
	KeyNotInFrame     bool
	DurableSeqZero    bool
	DeleteNotInFrame  bool
	AttachNotInFrame  bool
	// MergeForgetsDeletes loses deletes that arrive in mid-merge.
	MergeForgetsDeletes bool
	FlushForgetsDeletes bool
}

// WithMutations returns o with planted bugs. Only the crash harness uses it.
func (o Options) WithMutations(m Mutations) Options {
	o.mutations = m
	return o
}

// coverDelay is how long an idle log waits before it writes the empty frame
// that covers the last group: shorter costs a sync per pause of a slow writer,
// longer widens the gap in which damage looks like a torn write.
const coverDelay = 50 * time.Millisecond

func orDefault[T comparable](p *T, d T) {
	var zero T
	if *p == zero {
		*p = d
	}
}

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = randomWord
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	orDefault(&o.FlushRows, 1_000_000)
	orDefault(&o.FlushBytes, 128<<20)
	orDefault(&o.FlushAge, 5*time.Minute)
	orDefault(&o.FlushAgeMax, 15*time.Minute)
	orDefault(&o.FlushRowsMin, 8192)
	orDefault(&o.MemBytesMax, 1<<30)
	orDefault(&o.RowKeyBytesMax, max(o.MemBytesMax/4, 1<<20))
	orDefault(&o.LoadBytes, min(o.MemBytesMax/2, 448<<20))
	orDefault(&o.WALBytesMax, 2<<30)
	orDefault(&o.WALFileBytes, 64<<20)
	orDefault(&o.WALRollAge, 15*time.Minute)
	orDefault(&o.SparesMax, 4)
	orDefault(&o.QueueBytesMax, 64<<20)
	orDefault(&o.KeyWindow, 24*time.Hour)
	orDefault(&o.KeysMin, 1_000_000)
	orDefault(&o.Writer, "quern")
}

func randomWord() uint64 {
	var b [8]byte
	// crypto/rand.Read never fails; it ends the process instead.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
