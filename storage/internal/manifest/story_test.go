package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/datadriven"

	"quern/storage/vfs"
)

// TestStories runs testdata/manifest:
//
//	flush id=N seq=N        merge add=N remove=(N,…) seq=N      gone file=N seq=N
//	reopen                  flip back=N | truncate back=N: from the live file's end
//	show
func TestStories(t *testing.T) {
	datadriven.RunTest(t, "testdata/manifest", func() func(*testing.T, *datadriven.TestData) string {
		fsys := newFS(t)
		m := create(t, fsys)
		return func(t *testing.T, d *datadriven.TestData) string {
			arg := func(key string) uint64 {
				for _, a := range d.CmdArgs {
					if a.Key == key {
						n, _ := strconv.ParseUint(a.Vals[0], 10, 64)
						return n
					}
				}
				return 0
			}
			var err error
			live := "catalog/" + generationName(m.gen)
			switch d.Cmd {
			case "flush":
				err = m.Append(&Edit{Kind: Flush, Added: []Segment{{ID: arg("id"), Table: 7}}, Applied: map[uint32]uint64{7: arg("seq")}})
			case "merge":
				e := &Edit{Kind: Merge, Added: []Segment{{ID: arg("add"), Table: 7}}, RetireSeq: arg("seq")}
				for _, a := range d.CmdArgs {
					if a.Key == "remove" {
						for _, v := range a.Vals {
							n, _ := strconv.ParseUint(v, 10, 64)
							e.Removed = append(e.Removed, n)
						}
					}
				}
				err = m.Append(e)
			case "gone":
				err = m.Append(&Edit{Kind: Gone, FloorFile: arg("file"), FloorSeq: arg("seq")})
			case "flip":
				data, _ := vfs.ReadFile(fsys, live)
				off := uint64(len(data)) - arg("back")
				err = fsys.Corrupt(live, int64(off), []byte{data[off] ^ 1})
			case "truncate":
				data, _ := vfs.ReadFile(fsys, live)
				err = fsys.Truncate(live, int64(uint64(len(data))-arg("back")))
			case "reopen":
				var n *Manifest
				if n, err = Open(fsys, "catalog", "tmp"); err == nil {
					m = n
				}
			case "show":
				s := m.State()
				return fmt.Sprintf("segments %v retired %v applied %v floor %d/%d generation %d\n",
					slices.Sorted(maps.Keys(s.Segments)), slices.Sorted(maps.Keys(s.Retired)), s.Applied, s.FloorFile, s.FloorSeq, m.gen)
			}
			if err != nil {
				return "ERROR " + err.Error() + "\n"
			}
			return ""
		}
	}())
}
