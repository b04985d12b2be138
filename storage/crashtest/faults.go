package crashtest

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vfs"
	"quern/storage/vfs/faultfs"
)

// faults are the ways in which the N-th operation fails.
var faults = []faultfs.Fault{
	{Err: syscall.EIO},
	{Err: syscall.ENOSPC},
	{Err: syscall.EIO, Short: true},
	{Err: syscall.ENOSPC, Short: true},
	{Err: syscall.EIO, Sticky: true},
}

// RunFaults fails the N-th file operation of a small workload, for every
// stride-th N from offset on and each kind of fault, until a run meets no fault.
// The store must answer with the right SQLSTATE, and reopen consistent.
func RunFaults(stride, offset int64) Report {
	var rep Report
	for kind, f := range faults {
		for n := offset + 1; ; n += stride {
			f.Op, f.Nth = faultfs.Any, n
			rep.Seeds++
			if !newRun(int64(kind)*1_000_000+n, &rep, storage.Mutations{}).fault(f) {
				break
			}
		}
	}
	return rep
}

// fault runs the workload with one fault and says whether it was met.
func (r *run) fault(f faultfs.Fault) bool {
	r.rng = rand.New(rand.NewPCG(7, 7)) // the same workload for every N
	faulty := faultfs.New(r.fs)
	r.over = faulty
	faulty.Arm(f)
	r.smallWorkload()
	fired := faulty.Fired()
	faulty.Disarm()
	r.over = nil
	// The power goes, too: what a failed operation left behind is not durable.
	r.fs = r.fs.CrashClone(rand.New(rand.NewPCG(uint64(f.Nth), 9)), []int{0, 50, 100}[f.Nth%3])
	r.down = false
	s, err := storage.Open(r.options())
	if err != nil {
		r.other("fault %+v: open afterwards: %v", f, err)
		return fired
	}
	r.s = s
	r.verify("after a fault")
	r.checkBackup()
	r.retryKeys()
	r.verify("after the retries")
	if err := r.s.Close(); err != nil {
		r.other("fault %+v: close: %v", f, err)
	}
	problems, err := storage.Check(r.fs, dir)
	if err != nil || len(problems) > 0 {
		r.other("fault %+v: check: %v %v", f, problems, err)
	}
	return fired
}

// smallWorkload touches every kind of file operation once or a few times. After
// a full disk it tries again, as clients do.
func (r *run) smallWorkload() {
	s, err := storage.Open(r.options())
	if err != nil {
		r.allow(err)
		return
	}
	r.s = s
	ctx := context.Background()
	for round := range 3 {
		r.tolerate(func() { r.createTable() })
		for range 4 {
			if len(r.m.live()) > 0 {
				r.tolerate(r.commitGroup)
				r.tolerate(r.load)
			}
		}
		if err := s.Flush(ctx, 0); err != nil {
			r.allow(err)
		}
		if round == 1 && len(r.m.live()) > 1 {
			r.tolerate(r.changeTable)
		}
		if round > 0 && len(r.m.live()) > 0 {
			r.tolerate(r.backup)
		}
		if len(r.m.live()) > 0 {
			r.tolerate(r.removeRows)
		}
		if err := s.Compact(ctx, true); err != nil {
			r.allow(err)
		}
		r.now = r.now.Add(2 * time.Minute)
		for range 12 {
			more, err := s.Step(ctx)
			if err != nil {
				r.allow(err)
			}
			if !more {
				break
			}
		}
	}
	_ = s.Close() // Its errors are those of handles that failed before.
}

// tolerate runs a part of the workload whose errors are allowed ones.
func (r *run) tolerate(fn func()) {
	r.lenient = true
	fn()
	r.lenient = false
}

// allow checks that an error has a SQLSTATE that fits a failing disk.
func (r *run) allow(err error) {
	switch errs.CodeOf(err) {
	case errs.DiskFull, errs.IO, errs.DataCorrupted, errs.UndefinedTable, errs.SerializationFailure:
	default:
		r.other("a failing disk gave %s: %v", errs.CodeOf(err), err)
	}
}

// fsys is what the store writes to.
func (r *run) fsys() vfs.FS {
	if r.over != nil {
		return r.over
	}
	return r.fs
}
