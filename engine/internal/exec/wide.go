package exec

import (
	"errors"

	"quern/engine/fn"
	"quern/storage/vec"
)

// inPieces calls f with b or, if expressions over it make too much text at a
// time, with pieces of it, one after the other. f evaluates before it does
// anything that shows.
func inPieces(b *vec.Batch, f func(b *vec.Batch) error) error {
	err := f(b)
	var w *fn.Wide
	if err == nil || !errors.As(err, &w) || b.Rows() < 2 {
		return err
	}
	for lo, n := 0, pieceRows(w, b.Rows()); lo < b.Rows(); lo += n {
		p := *b
		cut(&p, lo, min(lo+n, b.Rows()))
		if err := inPieces(&p, f); err != nil {
			return err
		}
	}
	return nil
}

// pieceRows is the size of pieces of a batch of rows of which w did not do all.
func pieceRows(w *fn.Wide, rows int) int { return max(1, min(w.Rows, rows/2)) }

// selectInPieces is selectRows for a batch whose texts are too wide.
func (in *instance) selectInPieces(b *vec.Batch, w *fn.Wide) (vec.Selection, error) {
	var out vec.Selection
	for lo, n := 0, pieceRows(w, b.Rows()); lo < b.Rows(); lo += n {
		p := *b
		cut(&p, lo, min(lo+n, b.Rows()))
		sel, err := in.selectRows(&p)
		if err != nil {
			return nil, err
		}
		if sel == nil {
			sel = p.Sel
		}
		out = append(out, sel...)
	}
	if out == nil {
		out = vec.Selection{}
	}
	return out, nil
}
