package exec

import (
	"quern/engine/internal/hash"
	"quern/storage/vec"
)

// codeGroups are a worker's groups by code of a dictionary. They are handed on
// when another dictionary comes, each entry once. If no other one comes, see
// codedGroups.
type codeGroups struct {
	*hash.Codes          // nil until the first dictionary
	out         []uint64 // rows with keys, for drain
	hash        []uint64
	place       []uint32
}

func (c *codeGroups) size() int {
	if c.Codes == nil {
		return 0
	}
	return c.Codes.Size() + 8*cap(c.out)
}

// byCode tells whether keys are grouped by their codes.
func (g *groups) byCode(keys []vec.Vector) bool {
	return g.codes && len(keys) == 1 && keys[0].Form == vec.Dict && keys[0].Dict.ID != 0
}

// beginCodes is begin for such a key.
func (w *groupWorker) beginCodes(v *vec.Vector, sel vec.Selection, at []uint32) []uint64 {
	c := &w.code
	if c.Codes == nil {
		c.Codes = hash.NewCodes(w.g.keys.Words, w.g.stride-w.g.keys.Words)
	}
	if c.Dict == nil || c.Dict.ID != v.Dict.ID {
		if err := w.drain(false); err != nil && w.err == nil {
			w.err = err
		}
		c.Use(v)
	}
	c.Find(at, v, sel)
	return c.Rows
}

// drain hands the rows on: to the table, or to the partitions if there is no
// table any more or parts says so.
func (w *groupWorker) drain(parts bool) error {
	c, g := &w.code, w.g
	if c.Codes == nil || c.Dict == nil {
		return nil
	}
	n, stride, words := c.Len(), g.stride, g.keys.Words
	if c.hash == nil {
		c.hash, c.place = make([]uint64, vec.BatchRows), make([]uint32, vec.BatchRows)
		c.out = make([]uint64, vec.BatchRows*stride)
	}
	for lo := 0; lo < n; lo += vec.BatchRows {
		k := min(vec.BatchRows, n-lo)
		keys := []vec.Vector{c.Keys(lo, k)}
		rows := c.out[:k*stride]
		for i := range k {
			c.States(rows[i*stride+words:], lo+i)
		}
		if w.through || parts {
			g.keys.Encode(rows, stride, c.hash[:k], keys, nil)
			g.keys.Store(rows, stride, k, keys, nil, w.arena, nil)
			w.needParts().Scatter(rows, k)
			continue
		}
		at := c.place[:k]
		w.table.FindOrInsert(at, keys, nil)
		if err := g.mergeStates(w, at, rows); err != nil {
			return err
		}
		if w.in += k; w.table.Size() > g.limit {
			w.through = 2*w.table.Len() > w.in
			w.flushTable()
		}
	}
	c.Reset()
	return nil
}

func (w *groupWorker) needParts() *hash.Parts {
	if w.parts == nil {
		w.parts = hash.NewParts(w.g.q.blocks, w.g.stride)
	}
	return w.parts
}
