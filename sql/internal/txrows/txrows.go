// Package txrows edits the rows that an open transaction has written but not
// committed: lists of storage.TableRows, which are never changed in place,
// because savepoints share them.
package txrows

import (
	"slices"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/vec"
)

// Without is rows without those of a table that drop names: live rows of that
// table are counted over the whole list, from 0.
func Without(rows []storage.TableRows, table uint32, drop func(row uint32) bool) []storage.TableRows {
	out := make([]storage.TableRows, 0, len(rows))
	at := uint32(0)
	for _, r := range rows {
		if r.Table != table {
			out = append(out, r)
			continue
		}
		n := r
		n.Batches = nil
		for _, b := range r.Batches {
			kept, next := without(b, at, drop)
			at = next
			if kept.Rows() > 0 {
				n.Batches = append(n.Batches, kept)
			}
		}
		if len(n.Batches) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// without is b without the rows that drop names; its first live row is number
// at, the next batch's first is next.
func without(b *vec.Batch, at uint32, drop func(row uint32) bool) (kept *vec.Batch, next uint32) {
	next = at + uint32(b.Rows())
	n := *b
	n.Sel = make(vec.Selection, 0, b.Rows())
	for k := range b.Rows() {
		row := k
		if b.Sel != nil {
			row = int(b.Sel[k])
		}
		if !drop(at + uint32(k)) {
			n.Sel = append(n.Sel, uint16(row))
		}
	}
	return &n, next
}

// WithoutTable is rows without all of a table.
func WithoutTable(rows []storage.TableRows, table uint32) []storage.TableRows {
	out := make([]storage.TableRows, 0, len(rows))
	for _, r := range rows {
		if r.Table != table {
			out = append(out, r)
		}
	}
	return out
}

// Fit is rows without the tables and columns that cat lacks: the transaction
// dropped them after it had written them.
func Fit(rows []storage.TableRows, cat *catalog.Snapshot) []storage.TableRows {
	out := make([]storage.TableRows, 0, len(rows))
	for _, r := range rows {
		if t := cat.Table(r.Table); t != nil {
			out = append(out, fitColumns(r, t))
		}
	}
	return out
}

func fitColumns(r storage.TableRows, t *catalog.Table) storage.TableRows {
	gone := func(id uint32) bool { return t.ColumnByID(id) == nil }
	if !slices.ContainsFunc(r.Cols, gone) {
		return r
	}
	n := r
	n.Cols = slices.DeleteFunc(slices.Clone(r.Cols), gone)
	n.Batches = make([]*vec.Batch, len(r.Batches))
	for i, b := range r.Batches {
		fit := *b
		fit.Cols = nil
		for k, id := range r.Cols {
			if !gone(id) {
				fit.Cols = append(fit.Cols, b.Cols[k])
			}
		}
		n.Batches[i] = &fit
	}
	return n
}
