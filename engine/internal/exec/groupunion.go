package exec

import (
	"quern/engine/internal/hash"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// unionBytesMax bounds the dictionaries but for the largest: they stay in memory.
const unionBytesMax = 8 << 20

// useUnions makes string keys that are columns of a scan with dictionaries keys of
// numbers: a word each, nothing is copied. in is prepared, g has no rows.
func (g *groups) useUnions(in stage, keys []*compiled) {
	if len(keys) < 2 {
		return // grouped by its codes anyway
	}
	layout := append([]types.Type(nil), g.keyTyps...)
	for i, k := range keys {
		if k.col < 0 || !plan.IsText(k.typ) {
			continue
		}
		s, col := plainScan(in, k.col)
		if s == nil {
			continue
		}
		d, ok := s.scan.(storage.DictScan)
		if !ok || !fewStrings(d, col) {
			continue
		}
		if g.unions == nil {
			g.unions = make([]*hash.Union, len(keys))
		}
		g.unions[i] = hash.NewUnion(func() (*vec.Dictionary, error) { return d.LargestDict(col) })
		layout[i] = hash.CodeType
	}
	if g.unions != nil {
		g.layOut(layout)
	}
}

func fewStrings(d storage.DictScan, col int) bool {
	others, ok := d.DictBytes(col)
	return ok && others <= unionBytesMax
}

// plainScan finds the scan whose vectors a column of s consists of.
func plainScan(s stage, col int) (*scanStage, int) {
	switch s := s.(type) {
	case *countStage:
		return plainScan(s.in, col)
	case *scanStage:
		return s, col
	case *filterStage:
		return plainScan(s.stage, col)
	case *projectStage:
		if c := s.exprs[col].col; c >= 0 {
			return plainScan(s.stage, c)
		}
	}
	return nil, 0
}

// number replaces string keys by their numbers.
func (w *groupWorker) number(keys []vec.Vector, sel vec.Selection) []vec.Vector {
	if w.coders == nil {
		w.coders, w.coded = make([]hash.Coder, len(keys)), make([]vec.Vector, len(keys))
		for i, u := range w.g.unions {
			w.coders[i].U = u
		}
	}
	for i := range keys {
		if w.g.unions[i] == nil {
			w.coded[i] = keys[i]
		} else if err := w.coders[i].Code(&w.coded[i], &keys[i], sel); err != nil {
			w.coded[i] = vec.ConstVector(hash.CodeType, &types.NullDatum, keys[i].Len)
			if w.err == nil {
				w.err = err
			}
		}
	}
	return w.coded
}

// decodeKey makes r.out's column i of n rows.
func (r *groupRunner) decodeKey(i int, rows []uint64, n int, chunks [][]byte) {
	g := r.g
	g.keys.Decode(&r.out.Cols[i], r.scratch.Col(i), i, rows, g.stride, n, chunks)
	if g.unions == nil || g.unions[i] == nil {
		return
	}
	v := &r.out.Cols[i]
	v.Type, v.Form, v.Dict = g.keyTyps[i], vec.Dict, g.unions[i].Dict()
}
