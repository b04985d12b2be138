package engine

import (
	"io"
	"runtime"
	"time"

	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/vfs"
)

// ResourceOptions are the bounds of Resources.
type ResourceOptions struct {
	// Memory bounds what all queries hold together, in bytes; 0 = no bound.
	Memory int64
	// Dir is an existing folder of FS for what does not fit in memory.
	FS  vfs.FS
	Dir string
	// SpillMax bounds the bytes there, 0 = half of the free space;
	// QuerySpillMax those of one query, 0 = SpillMax.
	SpillMax, QuerySpillMax int64
	Rand                    io.Reader // of the key that spill files are encrypted with
}

const (
	// blocksKept bounds the free blocks that wait for use (256 MiB).
	blocksKept = 4096
	// ticketBytes is the memory that each of the queries with much memory can
	// count on; more than ticketsPerCore of them only take it from each other.
	ticketBytes    = 32 << 20
	ticketsPerCore = 4
	// A query holds up to the memory/smallPart, at most smallMax, without a ticket:
	// a hundred of them then fit beside those that have one.
	smallPart = 512
	smallMax  = 8 << 20
	// ticketPatience is long: it only ends a wait for clients that do not read.
	ticketPatience = 5 * time.Minute
)

// Resources are what the queries of a process share.
type Resources struct {
	memory *sched.Budget
	disk   *spill.Disk
	gate   *sched.Gate
	blocks *sched.Blocks
}

// NewResources makes Resources. It touches no file.
func NewResources(o ResourceOptions) (*Resources, error) {
	d, err := spill.NewDisk(spill.Options{FS: o.FS, Dir: o.Dir, Max: o.SpillMax, QueryMax: o.QuerySpillMax, Rand: o.Rand})
	if err != nil {
		return nil, err
	}
	r := &Resources{memory: sched.NewBudget(nil, o.Memory), disk: d, blocks: sched.NewBlocks(blocksKept)}
	if o.Memory > 0 {
		r.blocks = sched.NewBlocks(int(min(blocksKept, o.Memory/8/(8*sched.BlockWords))))
		r.gate = sched.NewGate(int(max(2, min(o.Memory/ticketBytes, int64(ticketsPerCore*runtime.GOMAXPROCS(0))))), min(smallMax, o.Memory/smallPart), ticketPatience)
	}
	return r, nil
}

// MemoryUsed and SpillUsed are the bytes that queries hold now.
func (r *Resources) MemoryUsed() int64 { return r.memory.Used() }

// SpillUsed is the size of the spill files.
func (r *Resources) SpillUsed() int64 { return r.disk.Used() }
