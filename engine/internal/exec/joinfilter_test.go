package exec

import (
	"math/rand"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// TestKeySets asks filters of every kind for their own keys, and counts the
// strangers that they let pass.
func TestKeySets(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, c := range []struct {
		name  string
		keys  int
		make  func() int64
		exact bool
	}{
		{"dense", 5000, func() int64 { return rnd.Int63n(20000) - 10000 }, true},
		{"wide", 5000, func() int64 { return int64(rnd.Uint64()) }, false},
		{"extremes", 9, func() int64 { return []int64{-1 << 63, 1<<63 - 1, rnd.Int63()}[rnd.Intn(3)] }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := vec.NewBuilder(types.Int8, 0)
			in := map[int64]bool{}
			for range c.keys {
				d := types.Datum{I: c.make()}
				in[d.I] = true
				b.Append(&d)
			}
			b.Append(&types.NullDatum)
			v := b.Finish()
			s := &scanStage{}
			s.addJoinFilter(0, &v, c.keys+1)
			if len(s.filters) == 0 {
				if len(in) > filterList {
					t.Fatal("no filter")
				}
				return
			}
			run := filterRun{joinFilter: &s.filters[0]}
			probe := vec.NewBuilder(types.Int8, 0)
			var want []uint16
			var asked []int64
			for i := range 2048 {
				d := types.Datum{I: c.make()}
				asked = append(asked, d.I)
				probe.Append(&d)
				if in[d.I] {
					want = append(want, uint16(i))
				}
			}
			p := probe.Finish()
			got := run.apply(&p, nil)
			passed := map[uint16]bool{}
			strangers := 0
			for _, r := range got {
				passed[r] = true
				if !in[asked[r]] {
					strangers++
				}
			}
			for _, r := range want {
				if !passed[r] {
					t.Errorf("key %d was dropped", asked[r])
				}
			}
			if c.exact && strangers > 0 || strangers > 60 {
				t.Errorf("%d strangers passed", strangers)
			}
		})
	}
}
