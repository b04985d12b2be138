package exec

import (
	"quern/engine/internal/hash"
	"quern/storage/types"
	"quern/storage/vec"
)

// codeGroups are the groups of a single key that comes as codes of a dictionary:
// a row of states per code that occurred, without hashing and without copies of
// strings. They are handed on when another dictionary comes, each entry once, so
// that a row of the input costs one look at an array whatever the number of
// groups.
type codeGroups struct {
	dict  *vec.Dictionary // nil = none
	typ   types.Type
	rows  []uint64 // n rows of keys, which are left empty, and states
	n     int
	codes []uint32 // per row
	null  int      // its row + 1
	at    []uint32 // per code: row + 1
	hash  []uint64
	place []uint32
}

func (c *codeGroups) size() int { return 8*cap(c.rows) + 4*(cap(c.codes)+cap(c.at)) }

// byCode tells whether keys are grouped by their codes.
func (g *groups) byCode(keys []vec.Vector) bool {
	return g.codes && len(keys) == 1 && keys[0].Form == vec.Dict && keys[0].Dict.ID != 0 && keys[0].Dict.Values.Len <= cacheCodes
}

// beginCodes is begin for such a key.
func (w *groupWorker) beginCodes(v *vec.Vector, sel vec.Selection, at []uint32) []uint64 {
	c, stride := &w.code, w.g.stride
	if c.dict == nil || c.dict.ID != v.Dict.ID {
		if err := w.drain(false); err != nil && w.err == nil {
			w.err = err
		}
		c.dict, c.typ = v.Dict, v.Type
		if cap(c.at) < v.Dict.Values.Len {
			c.at = make([]uint32, v.Dict.Values.Len)
		}
		c.at = c.at[:v.Dict.Values.Len]
		clear(c.at)
	}
	codes := v.Codes()
	for i := range at {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if v.Valid != nil && v.Null(r) {
			if c.null == 0 {
				c.null = c.add(0, stride)
			}
			at[i] = uint32((c.null - 1) * stride)
			continue
		}
		row := c.at[codes[r]]
		if row == 0 {
			row = uint32(c.add(codes[r], stride))
			c.at[codes[r]] = row
		}
		at[i] = (row - 1) * uint32(stride)
	}
	return c.rows
}

// add makes a row and returns its number + 1.
func (c *codeGroups) add(code uint32, stride int) int {
	if len(c.rows) < (c.n+1)*stride {
		bigger := make([]uint64, max(2*len(c.rows), 1024*stride))
		copy(bigger, c.rows)
		c.rows = bigger
	}
	clear(c.rows[c.n*stride : (c.n+1)*stride])
	c.codes = append(c.codes[:c.n], code)
	c.n++
	return c.n
}

// drain hands the rows on: to the table, or to the partitions if there is no
// table any more or parts says so.
func (w *groupWorker) drain(parts bool) error {
	c, g := &w.code, w.g
	if c.dict == nil {
		return nil
	}
	n, stride := c.n, g.stride
	if cap(c.hash) < vec.BatchRows {
		c.hash, c.place = make([]uint64, vec.BatchRows), make([]uint32, vec.BatchRows)
	}
	keys := []vec.Vector{{Type: c.typ, Form: vec.Dict, Dict: c.dict}}
	for lo := 0; lo < n; lo += vec.BatchRows {
		k := min(vec.BatchRows, n-lo)
		keys[0].Len, keys[0].Fixed, keys[0].Valid = k, vec.BytesOf(c.codes[lo:lo+k]), nil
		if c.null > lo && c.null <= lo+k {
			keys[0].Valid = make([]uint64, (k+63)/64)
			for i := range keys[0].Valid {
				keys[0].Valid[i] = ^uint64(0)
			}
			keys[0].SetNull(c.null - 1 - lo)
		}
		rows := c.rows[lo*stride : (lo+k)*stride]
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
	c.dict, c.n, c.null = nil, 0, 0
	return nil
}

func (w *groupWorker) needParts() *hash.Parts {
	if w.parts == nil {
		w.parts = hash.NewParts(w.g.q.blocks, w.g.stride)
	}
	return w.parts
}
