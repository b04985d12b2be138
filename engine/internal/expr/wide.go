package expr

import (
	"errors"

	"quern/engine/fn"
	"quern/storage/types"
	"quern/storage/vec"
)

// InPieces calls f with b or, if expressions over it make too much text at a
// time, with pieces of it, one after the other. f evaluates before it does
// anything that shows.
func InPieces(b *vec.Batch, f func(b *vec.Batch) error) error {
	err := f(b)
	w := wideOf(err)
	if w == nil || b.Rows() < 2 {
		return err
	}
	for lo, n := 0, PieceRows(w, b.Rows()); lo < b.Rows(); lo += n {
		p := *b
		p.Cut(lo, min(lo+n, b.Rows()))
		if err := InPieces(&p, f); err != nil {
			return err
		}
	}
	return nil
}

// PieceRows is the size of pieces of a batch of rows of which w did not do all.
func PieceRows(w *fn.Wide, rows int) int { return max(1, min(w.Rows, rows/2)) }

// wideOf is err if it says that texts are too wide, else nil.
func wideOf(err error) *fn.Wide {
	var w *fn.Wide
	if err == nil || !errors.As(err, &w) {
		return nil
	}
	return w
}

// selectInPieces is Select for rows whose texts are too wide.
func (p *Program) selectInPieces(b *vec.Batch, sel vec.Selection, params []types.Datum, w *fn.Wide) (vec.Selection, error) {
	out := vec.Selection{}
	whole := *b
	whole.Sel = sel
	rows := whole.Rows()
	if rows < 2 {
		return nil, w
	}
	for lo, n := 0, PieceRows(w, rows); lo < rows; lo += n {
		piece := whole
		piece.Cut(lo, min(lo+n, rows))
		got, err := p.Select(&piece, piece.Sel, params)
		if err != nil {
			return nil, err
		}
		if got == nil { // all rows of the batch
			got = piece.Sel
		}
		out = append(out, got...)
	}
	return out, nil
}
