package rowfunc

import (
	"errors"
	"iter"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// Part is one of several functions in one row source.
type Part struct {
	Gen        plan.SeriesFunc
	Args, Cols int // how many of the arguments and columns are its
}

// SideBySide puts the rows of several functions next to each other; those that
// end earlier are padded with NULLs. Typs are the types of all columns.
func SideBySide(typs []types.Type, parts []Part) plan.SeriesFunc {
	return func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		var all []plan.SeriesRows
		for _, p := range parts {
			rows, err := p.Gen(env, args[:p.Args])
			if err != nil {
				return plan.SeriesRows{}, err
			}
			all, args = append(all, rows), args[p.Args:]
		}
		return Rows(typs, func(put func(...types.Datum) error) error {
			cursors := make([]*cursor, len(all))
			for i, rows := range all {
				cursors[i] = newCursor(rows, parts[i].Cols)
				defer cursors[i].stop()
			}
			row := make([]types.Datum, len(typs))
			for {
				at, more := 0, false
				for _, c := range cursors {
					ok, err := c.read(row[at : at+c.cols])
					if err != nil {
						return err
					}
					more = ok || more
					at += c.cols
				}
				if !more {
					return nil
				}
				if err := put(row...); err != nil {
					return err
				}
			}
		})
	}
}

// cursor reads the rows of one function, one by one.
type cursor struct {
	next  func() (*vec.Batch, error, bool)
	stop  func()
	batch *vec.Batch // nil before the first and behind the last
	at    int
	cols  int
}

// errStop ends rows that nobody wants any more.
var errStop = errors.New("stopped")

func newCursor(rows plan.SeriesRows, cols int) *cursor {
	c := &cursor{cols: cols}
	c.next, c.stop = iter.Pull2(func(yield func(*vec.Batch, error) bool) {
		for i := range rows.Batches {
			if !yield(rows.Batch(i), nil) {
				return
			}
		}
		if rows.Each == nil {
			return
		}
		err := rows.Each(func(b *vec.Batch) error {
			if !yield(b, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, err)
		}
	})
	return c
}

// read puts the next row into row; NULLs, and false, at the end.
func (c *cursor) read(row []types.Datum) (bool, error) {
	for c.batch == nil || c.at == c.batch.Len {
		b, err, ok := c.next()
		if err != nil {
			return false, err
		}
		if c.batch, c.at = b, 0; !ok {
			c.batch = nil
			break
		}
	}
	for i := range row {
		if row[i] = types.NullDatum; c.batch != nil {
			row[i] = c.batch.Cols[i].Datum(c.at)
		}
	}
	c.at++
	return c.batch != nil, nil
}
