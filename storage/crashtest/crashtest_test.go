package crashtest

import (
	"os"
	"strconv"
	"testing"

	"quern/storage"
	"quern/storage/vfs/faultfs"
)

// TestPowerCut is T2 of RELIABILITY.md. QUERN_CRASH_SEEDS sets the number of
// seeds, QUERN_CRASH_FIRST the first one.
func TestPowerCut(t *testing.T) {
	seeds, first := 60, 0
	if testing.Short() {
		seeds = 20
	}
	if s := os.Getenv("QUERN_CRASH_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("QUERN_CRASH_FIRST"); s != "" {
		first, _ = strconv.Atoi(s)
	}
	rep := Run(seeds, int64(first))
	t.Logf("%s; %d flushes, %d background steps, %d loads, %d backups, %d merges", rep.String(), rep.Flushes, rep.Retired, rep.Loads, rep.Backups, rep.Merges)
	for _, f := range rep.Failures {
		t.Error(f)
	}
	if rep.Violations() > 0 {
		t.Fatal("violations")
	}
	if seeds >= 50 && (rep.Acked == 0 || rep.Loads == 0 || rep.Backups == 0 || rep.Cuts < seeds || rep.Merges < seeds/2) {
		t.Fatalf("the workload did not run: %+v", rep)
	}
}

// TestMutations plants known bugs: the harness must report each.
func TestMutations(t *testing.T) {
	for name, m := range map[string]storage.Mutations{
		"ack before sync":                 {AckBeforeSync: true},
		"publish before sync":             {PublishBeforeSync: true},
		"key not in frame":                {KeyNotInFrame: true},
		"durable_seq is 0":                {DurableSeqZero: true},
		"delete not in frame":             {DeleteNotInFrame: true},
		"deletes during a merge are lost": {MergeForgetsDeletes: true},
		"deletes during a flush are lost": {FlushForgetsDeletes: true},
		"attach not in frame":             {AttachNotInFrame: true},
	} {
		seeds := 20
		if m.MergeForgetsDeletes || m.AckBeforeSync { // takes a delete of a merge's rows, or a cut, at the right moment
			seeds = 60
		}
		rep := RunMutated(seeds, 1000, m)
		t.Logf("%s: %s", name, rep.String())
		if rep.Violations() == 0 {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

// TestFaults is T4 of RELIABILITY.md: every N-th file operation fails once.
func TestFaults(t *testing.T) {
	stride := int64(61) // `dev crash` has the denser form
	if testing.Short() {
		stride = 301
	}
	if os.Getenv("QUERN_CRASH_SEEDS") != "" {
		stride = 1
	}
	rep := RunFaults(stride, 0)
	t.Logf("%s", rep.String())
	for _, f := range rep.Failures {
		t.Error(f)
	}
	if rep.Violations() > 0 {
		t.Fatal("violations")
	}
}

// TestFaultSeeds repeats single faults that were once misjudged: a removal that
// came out durable after its sync had failed overlaps one that did not.
func TestFaultSeeds(t *testing.T) {
	for _, n := range []int64{160, 556} {
		var rep Report
		f := faults[0]
		f.Op, f.Nth = faultfs.Any, n
		newRun(n, &rep, storage.Mutations{}).fault(f)
		for _, failure := range rep.Failures {
			t.Error(failure)
		}
	}
}

// TestFirstStart cuts the power again and again while the folder is being made:
// no honest cut may leave a folder that does not start.
func TestFirstStart(t *testing.T) {
	for seed := range int64(200) {
		var rep Report
		r := newRun(seed, &rep, storage.Mutations{})
		for range 6 {
			r.planCut(30)
			if s, err := storage.Open(r.options()); err == nil {
				_ = s.Close()
			} else if !r.fs.Lost() {
				t.Fatalf("seed %d: %v", seed, err)
			}
			r.fs = r.fs.Cut(r.rng, 50)
		}
		s, err := storage.Open(r.options())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
