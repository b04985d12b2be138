package segment

import (
	"math"
	"slices"

	"quern/storage/internal/memtable"

	"github.com/RoaringBitmap/roaring/v2"
)

// Forward says where rows of the units (slabs or segments) that a flush or a
// merge took are now. Not for concurrent use.
type Forward struct {
	deleted []*roaring.Bitmap // by unit: rows left out because they were deleted
	starts  []int             // first row of each output, counted over all
	table   func(unit int) []uint32
	tables  [][]uint32 // made when they are asked for
}

// goneRow stands for a row that was left out.
const goneRow = math.MaxUint32

// Rows translates rows of a unit into rows of the outputs. Of those that were
// left out because they were deleted it returns the number; expired ones are gone
// without a word.
func (f *Forward) Rows(unit int, rows *roaring.Bitmap) (out []*roaring.Bitmap, deleted int) {
	if f.tables[unit] == nil {
		f.tables[unit] = f.table(unit)
	}
	to := f.tables[unit]
	out = make([]*roaring.Bitmap, len(f.starts))
	for it := rows.Iterator(); it.HasNext(); {
		row := it.Next()
		at := to[row]
		if at == goneRow {
			if f.deleted[unit] != nil && f.deleted[unit].Contains(row) {
				deleted++
			}
			continue
		}
		o, found := slices.BinarySearch(f.starts, int(at))
		if !found {
			o--
		}
		if out[o] == nil {
			out[o] = roaring.New()
		}
		out[o].Add(at - uint32(f.starts[o]))
	}
	return out, deleted
}

// FlushForward says where the rows of slabs went: outs are the orders that Build
// gave, deleted what was left out, by slab.
func FlushForward(l memtable.List, outs [][]uint32, deleted []*roaring.Bitmap) *Forward {
	f := &Forward{deleted: deleted, tables: make([][]uint32, len(l))}
	n := 0
	for _, refs := range outs {
		f.starts = append(f.starts, n)
		n += len(refs)
	}
	f.table = func(unit int) []uint32 {
		to := allGone(l[unit].Rows)
		for o, refs := range outs {
			for i, ref := range refs {
				if int(ref>>16) == unit {
					to[ref&0xFFFF] = uint32(f.starts[o] + i)
				}
			}
		}
		return to
	}
	return f
}

func allGone(n int) []uint32 {
	to := make([]uint32, n)
	for i := range to {
		to[i] = goneRow
	}
	return to
}

// forward says where the rows of a merge's inputs are. It keeps two bytes a row
// until it is asked, four for each input after that.
func (m *merger) forward() *Forward {
	f := &Forward{tables: make([][]uint32, len(m.spec.Inputs))}
	rows := make([]int, len(m.spec.Inputs))
	for i := range m.spec.Inputs {
		f.deleted = append(f.deleted, m.spec.Inputs[i].Deleted)
		rows[i] = int(m.spec.Inputs[i].File.Rows())
	}
	for _, o := range m.outs {
		f.starts = append(f.starts, o.from)
	}
	runs, order, gone := m.runs, m.order, m.gone
	f.table = func(unit int) []uint32 { return forwardTable(unit, rows[unit], runs, order, gone[unit]) }
	return f
}

// forwardTable gives the place in order of every row of an input of n rows.
func forwardTable(unit, n int, runs []mergeRun, order []uint16, gone []uint64) []uint32 {
	to := allGone(n)
	next := make([]int, len(runs)) // in perm, or the row of the input
	for s := range runs {
		if runs[s].perm == nil {
			next[s] = runs[s].base
		}
	}
	for at, s := range order {
		run := &runs[s]
		if run.input != unit {
			continue
		}
		if run.perm != nil {
			to[run.base+int(run.perm[next[s]])] = uint32(at)
			next[s]++
			continue
		}
		for gone != nil && gone[next[s]>>6]>>(next[s]&63)&1 != 0 {
			next[s]++
		}
		to[next[s]] = uint32(at)
		next[s]++
	}
	return to
}
