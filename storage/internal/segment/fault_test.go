package segment

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"quern/storage/errs"
	"quern/storage/vfs"
)

// TestTruncatedUnderMapping: a file that is cut while it is mapped gives an
// error, not a dead process (STORAGE.md §19.6).
func TestTruncatedUnderMapping(t *testing.T) {
	dir := t.TempDir()
	l := testList(t, rand.New(rand.NewPCG(1, 1)), 3000)
	if _, err := Build(t.Context(), vfs.OS{}, dir+"/tmp", dir+"/seg", testSpec(), l, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(vfs.OS{}, dir+"/seg", Expect{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := f.Column(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/seg", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Page(0); errs.CodeOf(err) != errs.IO {
		t.Fatalf("page: %v", err)
	}
	if _, err := f.Column(9); errs.CodeOf(err) != errs.IO {
		t.Fatalf("column: %v", err)
	}
	if err := f.Verify(); errs.CodeOf(err) != errs.IO {
		t.Fatalf("verify: %v", err)
	}
}

func TestOtherPanicsGoOn(t *testing.T) {
	defer func() {
		if p := recover(); p == nil {
			t.Fatal("a bug was swallowed")
		}
	}()
	var err error
	func() {
		defer CatchFault(false, &err)
		panic(errors.New("a bug"))
	}()
}
