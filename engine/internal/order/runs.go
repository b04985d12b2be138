package order

import (
	"context"
	"slices"

	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/types"
	"quern/storage/vec"
)

// edge is the place of a row by the first key, as far as its word tells.
type edge struct {
	class uint8 // 0 before 1: NULLs and values, in the key's order
	word  uint64
}

func (a edge) less(b edge) bool {
	return a.class < b.class || a.class == b.class && a.word < b.word
}

// Run is a sorted run on disk.
type Run struct {
	*spill.Run
	first []edge // of each block's first row
}

// Layout says how runs are written and merged: rows of these types, ordered by
// keys that leave no two rows equal.
type Layout struct {
	Types []types.Type
	Keys  []Key
}

// Write sorts rows of cols and writes them to f. Gathering is batch by batch.
func (l *Layout) Write(ctx context.Context, f *spill.File, enc *spill.Encoder, cols []vec.Vector, rows []uint32) (*Run, error) {
	s := Sorter{Cols: cols, Keys: l.Keys, Stop: func() bool { return ctx.Err() != nil }}
	s.Sort(rows)
	w := l.newRun(f, enc)
	b := vec.Batch{Cols: make([]vec.Vector, len(l.Types))}
	var scratch vec.BatchScratch
	scratch.Col(len(l.Types))
	for len(rows) > 0 {
		if err := sched.CheckCancel(ctx); err != nil {
			return nil, err
		}
		b.Len = min(vec.BatchRows, len(rows))
		for i := range b.Cols {
			scratch.Col(i).GatherRows(&b.Cols[i], &cols[i], rows[:b.Len])
		}
		if err := w.append(&b); err != nil {
			return nil, err
		}
		rows = rows[b.Len:]
	}
	return w.finish()
}

// runWriter writes rows that come in order.
type runWriter struct {
	w   *spill.Writer
	run Run
}

func (l *Layout) newRun(f *spill.File, enc *spill.Encoder) *runWriter {
	w := &runWriter{w: f.NewWriter(l.Types, enc)}
	w.w.OnBlock(func(b *vec.Batch) {
		var e [1]edge
		edges(e[:], &b.Cols[l.Keys[0].Col], l.Keys[0], 1)
		w.run.first = append(w.run.first, e[0])
	})
	return w
}

func (w *runWriter) append(b *vec.Batch) error { return w.w.Append(b, nil) }

func (w *runWriter) finish() (*Run, error) {
	r, err := w.w.Finish()
	if err != nil {
		return nil, err
	}
	w.run.Run = r
	return &w.run, nil
}

// edges computes the places of the first n rows of v, which is Flat.
func edges(dst []edge, v *vec.Vector, k Key, n int) {
	var class [1]uint8
	var word [1]uint64
	for i := range n {
		row := vec.Slice(v, i, i+1)
		keyWords(word[:], class[:], &row, k, 1, nil)
		dst[i] = edge{class[0], word[0]}
	}
}

// keyWords computes words and classes of the first n rows of v. rows is scratch
// of n.
func keyWords(words []uint64, class []uint8, v *vec.Vector, k Key, n int, rows []uint32) (exact bool) {
	value := uint8(0)
	if k.NullsFirst {
		value = 1
	}
	if cap(rows) < n {
		rows = make([]uint32, n)
	}
	rows = rows[:0]
	for i := range n {
		class[i] = value
		if v.Null(i) {
			class[i] = 1 - value
		} else {
			rows = append(rows, uint32(i))
		}
	}
	exact = Words(words, v, rows, k.Desc)
	if len(rows) < n {
		// Spread the words from the back: a NULL's is zero.
		j := len(rows) - 1
		for i := n - 1; i >= 0; i-- {
			if j >= 0 && int(rows[j]) == i {
				words[i] = words[j]
				j--
			} else {
				words[i] = 0
			}
		}
	}
	return exact
}

// FanIn is the most runs that are merged at a time with this much memory.
func FanIn(runs []*Run, bytes int64) int {
	var each int64
	for _, r := range runs {
		each = max(each, r.ReaderSize())
	}
	return int(min(256, max(2, bytes/max(1, each))))
}

// Reduce merges runs until at most fanIn are left. bytes bounds what the merges
// hold together.
func (l *Layout) Reduce(ctx context.Context, f *spill.File, runs []*Run, fanIn, threads int) ([]*Run, error) {
	for len(runs) > fanIn {
		// As few as possible are written once more: groups of equal size.
		groups := (len(runs) + fanIn - 1) / fanIn
		next := make([]*Run, groups)
		encs := make([]spill.Encoder, threads)
		err := sched.Run(ctx, threads, groups, func(ctx context.Context, wk, g int) error {
			part := runs[g*len(runs)/groups : (g+1)*len(runs)/groups]
			w := l.newRun(f, &encs[wk])
			m := l.NewMerge(part, Range{})
			if err := m.Each(ctx, w.append); err != nil {
				return err
			}
			var err error
			next[g], err = w.finish()
			return err
		})
		if err != nil {
			return nil, err
		}
		runs = next
	}
	return runs, nil
}

// Range is the part of a merge from one edge to before another.
type Range struct {
	from, to *edge // nil = no bound
}

// Ranges cuts the merge of runs into parts of about rows rows.
func Ranges(runs []*Run, rows int) []Range {
	var all []edge
	total := 0
	for _, r := range runs {
		all = append(all, r.first...)
		total += r.Rows
	}
	slices.SortFunc(all, func(a, b edge) int {
		switch {
		case a.less(b):
			return -1
		case b.less(a):
			return 1
		}
		return 0
	})
	n := max(1, total/max(1, rows))
	out := []Range{{}}
	for i := 1; i < n; i++ {
		cut := &all[i*len(all)/n]
		last := &out[len(out)-1]
		if last.from != nil && !last.from.less(*cut) || last.from == nil && cut == &all[0] {
			continue
		}
		last.to = cut
		out = append(out, Range{from: cut})
	}
	return out
}
