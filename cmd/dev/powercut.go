package main

import (
	"errors"
	"fmt"
	"time"

	"quern/storage"
	"quern/storage/crashtest"
)

// mutantSeeds are enough for every planted bug to show.
const mutantSeeds = 300

// foundMutant runs seeds until the harness reports the planted bug.
func foundMutant(m storage.Mutations) bool {
	const chunk = 20
	for first := int64(1); first <= mutantSeeds; first += chunk {
		if r := crashtest.RunMutated(chunk, first, m); r.Violations() > 0 {
			return true
		}
	}
	return false
}

// powerCuts is T2: seeded workloads on the crashable memory file system, cut at
// a random operation, reopened and compared with a model. Before it counts, a
// harness with planted bugs must report them.
func powerCuts(seeds int, total *crashTotals) error {
	start := time.Now()
	for name, m := range map[string]storage.Mutations{
		"ack before sync":      {AckBeforeSync: true},
		"publish before sync":  {PublishBeforeSync: true},
		"key not in the frame": {KeyNotInFrame: true},
		"durable_seq always 0": {DurableSeqZero: true},
		"delete not in frame":  {DeleteNotInFrame: true},
		"attach not in frame":  {AttachNotInFrame: true},
	} {
		if !foundMutant(m) {
			return fmt.Errorf("mutation proof: %q was planted and not found", name)
		}
	}
	r := crashtest.Run(seeds, 1)
	for _, f := range r.Failures {
		fmt.Println(f)
	}
	total.lost += r.Lost
	total.duplicated += r.Duplicated
	total.partial += r.Partial
	total.resurrected += r.Resurrected
	verdict := "passed"
	if r.Violations() > 0 {
		verdict = "FAILED"
	}
	fmt.Printf("T2 %d seeds %s, %d batches acknowledged, %d flushes, first seed 1, %.0f s\n",
		r.Seeds, verdict, r.Acked, r.Flushes, time.Since(start).Seconds())
	if r.Other > 0 {
		return errors.New("a start failed, an answer was wrong, or a check was not clean")
	}
	return nil
}

// faultSweep is T4: every stride-th file operation of a small workload fails,
// in each of the ways; the folder must reopen consistent.
func faultSweep(stride, offset int64, total *crashTotals) error {
	start := time.Now()
	r := crashtest.RunFaults(stride, offset)
	for _, f := range r.Failures {
		fmt.Println(f)
	}
	total.lost += r.Lost
	total.duplicated += r.Duplicated
	total.partial += r.Partial
	total.resurrected += r.Resurrected
	verdict := "passed"
	if r.Violations() > 0 {
		verdict = "FAILED"
	}
	fmt.Printf("T4 %d faults %s, every %d. operation from %d, %.0f s\n", r.Seeds, verdict, stride, offset, time.Since(start).Seconds())
	if r.Other > 0 {
		return errors.New("a start failed, an answer was wrong, or a check was not clean")
	}
	return nil
}
