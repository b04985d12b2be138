// Package crashtest is the power-cut harness: a seeded workload on a memory
// file system, the power cut at a random operation, a reopen, and a comparison
// with a model. One seed makes one run; a failing seed replays.
//
//	workload   groups of commits (with and without keys, over several tables),
//	           repeats of keys, bad rows, loads, DDL, deletes (also while a flush or a
//	           merge writes their rows), flushes, merges, background steps,
//	           backups
//	cut        at any write, sync, rename or removal, also during recovery;
//	           0 to 100 % of what was not synced is kept, torn at 512 bytes
//	check      every acknowledged or seen batch whole and once, every other one
//	           whole or absent, nothing back that was gone; a repeated key
//	           answers the old sequence; `quern check` is clean; the backup, restored,
//	           shows what was backed up
//
// Start reading at Run, run.round and model.check.
package crashtest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"quern/storage"
)

// Report sums up many seeds.
type Report struct {
	Seeds, Cuts, Acked int
	Lost               int // acknowledged or seen, and not there
	Duplicated         int // there more than once
	Partial            int // half there
	Resurrected        int // back after it was gone, or never written
	Other              int // a start that failed, a wrong answer, a dirty check
	// Failures are the first few, each with its seed.
	Failures []string
	// Flushes and Retired tell that the workload came that far.
	Flushes, Retired, Loads, Backups, Merges int
}

// Violations is the number of all violations.
func (r *Report) Violations() int {
	return r.Lost + r.Duplicated + r.Partial + r.Resurrected + r.Other
}

// String is the last line of `dev crash`.
func (r *Report) String() string {
	s := fmt.Sprintf("%d seeds, %d cuts, %d acked: lost %d, duplicated %d, partial %d, resurrected %d",
		r.Seeds, r.Cuts, r.Acked, r.Lost, r.Duplicated, r.Partial, r.Resurrected)
	if r.Other > 0 {
		s += fmt.Sprintf(", other %d", r.Other)
	}
	return s
}

// failuresMax bounds the texts kept.
const failuresMax = 10

func (r *Report) fail(count *int, seed int64, format string, args ...any) {
	*count++
	if len(r.Failures) < failuresMax {
		r.Failures = append(r.Failures, fmt.Sprintf("seed %d: ", seed)+fmt.Sprintf(format, args...))
	}
}

// Run runs the seeds from firstSeed on.
func Run(seeds int, firstSeed int64) Report { return RunMutated(seeds, firstSeed, storage.Mutations{}) }

// RunMutated is Run with planted bugs: it must report violations. Seeds are
// independent, so that all cores may work on them.
func RunMutated(seeds int, firstSeed int64, m storage.Mutations) Report {
	var rep Report
	var mu sync.Mutex
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), seeds) {
		wg.Go(func() {
			var own Report
			for i := next.Add(1) - 1; i < int64(seeds); i = next.Add(1) - 1 {
				own.Seeds++
				newRun(firstSeed+i, &own, m).all()
			}
			mu.Lock()
			defer mu.Unlock()
			rep.add(&own)
		})
	}
	wg.Wait()
	return rep
}

func (r *Report) add(o *Report) {
	r.Seeds += o.Seeds
	r.Cuts += o.Cuts
	r.Acked += o.Acked
	r.Lost += o.Lost
	r.Duplicated += o.Duplicated
	r.Partial += o.Partial
	r.Resurrected += o.Resurrected
	r.Other += o.Other
	r.Flushes += o.Flushes
	r.Retired += o.Retired
	r.Loads += o.Loads
	r.Backups += o.Backups
	r.Merges += o.Merges
	r.Failures = append(r.Failures, o.Failures...)
	r.Failures = r.Failures[:min(len(r.Failures), failuresMax)]
}
