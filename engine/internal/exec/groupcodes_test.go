package exec

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"quern/engine/fn"
	"quern/storage/types"
	"quern/storage/vec"
)

// TestCodeGroups groups by codes of dictionaries that overlap and come back,
// with NULLs, and with tables so small that rows go to the partitions, early or
// at once; the counts must be those of the strings. With one dictionary the codes
// stay as they are.
func TestCodeGroups(t *testing.T) {
	for _, c := range []struct{ limit, dicts int }{{tableLimit, 4}, {20_000, 4}, {200, 4}, {tableLimit, 1}} {
		limit := c.limit
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rnd := rand.New(rand.NewSource(3))
			q := newQuery(t.Context(), &Config{Threads: 2})
			call := aggOf(fn.AggCountStar, types.Int8)
			count, err := q.newCall(t.Context(), &call)
			if err != nil {
				t.Fatal(err)
			}
			g := q.newGroups([]types.Type{types.Text}, []*aggCall{count})
			g.codes, g.limit = true, limit
			want := map[string]int{}
			var dicts []*vec.Dictionary
			for d := range c.dicts {
				b := vec.NewBuilder(types.Text, 0)
				for i := range 9000 {
					x := types.Datum{S: fmt.Sprintf("entry number %d of many", 3000*d+i)}
					b.Append(&x)
				}
				dicts = append(dicts, &vec.Dictionary{Values: b.Finish(), ID: uint64(d + 1)})
			}
			for i := range 40 {
				d := dicts[rnd.Intn(len(dicts))]
				codes := make([]uint32, vec.BatchRows)
				v := vec.Vector{Type: types.Text, Form: vec.Dict, Len: len(codes), Dict: d, Fixed: vec.BytesOf(codes)}
				v.Valid = make([]uint64, (len(codes)+63)/64)
				var sel vec.Selection
				for r := range codes {
					codes[r] = uint32(rnd.Intn(9000))
					null := rnd.Intn(50) == 0
					if !null {
						v.Valid[r>>6] |= 1 << (r & 63)
					}
					if i%3 == 0 && rnd.Intn(2) == 0 {
						continue
					}
					sel = append(sel, uint16(r))
					if null {
						want["NULL"]++
					} else {
						want[string(d.Values.BytesAt(int(codes[r])))]++
					}
				}
				w := g.worker(i % 2)
				rows, at := w.begin([]vec.Vector{v}, sel, len(sel))
				for _, a := range at {
					rows[int(a)+count.off]++
				}
				if err := w.end(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if g.keepCodes() != (c.dicts == 1) {
				t.Fatal("codes kept with", c.dicts, "dictionaries")
			}
			for _, w := range g.workers {
				if g.coded != nil {
					break
				}
				if err := w.drain(false); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer g.close()
			var got, expect []string
			r := g.open()
			for m := range g.morsels() {
				err := r.run(t.Context(), m, func(b *vec.Batch) error {
					for i := range b.Len {
						s := "NULL"
						if !b.Cols[0].Null(i) {
							s = string(b.Cols[0].BytesAt(i))
						}
						got = append(got, fmt.Sprint(s, " ", vec.Values[int64](&b.Cols[1])[i]))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for k, n := range want {
				expect = append(expect, fmt.Sprint(k, " ", n))
			}
			slices.Sort(got)
			slices.Sort(expect)
			if !slices.Equal(got, expect) {
				t.Errorf("%d groups, want %d", len(got), len(expect))
			}
			if limit < tableLimit && !g.parted {
				t.Error("nothing went to the partitions")
			}
		})
	}
}
