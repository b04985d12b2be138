package crashtest

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"

	"quern/storage"
)

const (
	backupDir = "backup"
	copyDir   = "restored"
)

// backup takes a backup into the same folder as the one before. The model of
// what a restore must show is what a reader sees meanwhile: nothing else commits.
func (r *run) backup() {
	want, _, _, err := readAll(r.s, r.now.UnixMicro())
	if err != nil {
		r.died(err)
		return
	}
	r.backups = append(r.backups, want)
	t, err := storage.OpenBackupTarget(r.fsys(), backupDir)
	if err != nil {
		r.died(err)
		return
	}
	doc, err := r.s.Backup(context.Background(), t.Have(), func(rel string, n int64, src io.Reader) error {
		return t.Put(rel, n, src)
	})
	if err == nil {
		err = t.Finish(doc)
	}
	if err != nil {
		r.died(err)
		return
	}
	r.backups = r.backups[len(r.backups)-1:] // from now on this one
	r.backedUp = true
	r.rep.Backups++
}

// checkBackup restores the backup as it lies after a cut: the last that was
// finished, or a later one that was begun, whole and nothing else.
func (r *run) checkBackup() {
	if !r.backedUp {
		r.backups = nil // A first one may or may not be there.
		return
	}
	// A copy, so that nothing of this is seen by the run.
	fs := r.fs.CrashClone(rand.New(rand.NewPCG(uint64(r.seed), 4)), 100)
	if problems, err := storage.Check(fs, backupDir); err != nil || len(problems) > 0 {
		r.other("check of the backup: %v %v", problems, err)
		return
	}
	if _, err := storage.Restore(fs, backupDir, copyDir); err != nil {
		r.rep.fail(&r.rep.Lost, r.seed, "restore: %v", err)
		return
	}
	o := r.options()
	o.FS, o.Dir = fs, copyDir
	s, err := storage.Open(o)
	if err != nil {
		r.other("open of a restored folder: %v", err)
		return
	}
	got, _, wrong, err := readAll(s, r.now.UnixMicro())
	_ = s.Close()
	if err != nil || len(wrong) > 0 {
		r.other("a restored folder: %v %v", err, wrong)
		return
	}
	for _, want := range r.backups {
		if maps.EqualFunc(got, want, maps.Equal) {
			return
		}
	}
	r.rep.fail(&r.rep.Partial, r.seed, "a restored folder shows none of the %d states that were backed up", len(r.backups))
}
