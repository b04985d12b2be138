package rowfunc

import (
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
		var cursors []cursor
		for _, p := range parts {
			rows, err := p.Gen(env, args[:p.Args])
			if err != nil {
				return plan.SeriesRows{}, err
			}
			cursors = append(cursors, cursor{rows: rows, cols: p.Cols})
			args = args[p.Args:]
		}
		return Rows(typs, func(put func(...types.Datum) error) error {
			row := make([]types.Datum, len(typs))
			for {
				at, more := 0, false
				for i := range cursors {
					more = cursors[i].read(row[at:at+cursors[i].cols]) || more
					at += cursors[i].cols
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

// cursor reads batches row by row.
type cursor struct {
	rows  plan.SeriesRows
	batch *vec.Batch // nil before the first and behind the last
	next  int        // number of the next batch
	at    int
	cols  int
}

// read puts the next row into row, NULLs at the end.
func (c *cursor) read(row []types.Datum) bool {
	for c.batch == nil || c.at == c.batch.Len {
		c.batch, c.at = nil, 0
		if c.next == c.rows.Batches {
			break
		}
		c.batch = c.rows.Batch(c.next)
		c.next++
	}
	for i := range row {
		if row[i] = types.NullDatum; c.batch != nil {
			row[i] = c.batch.Cols[i].Datum(c.at)
		}
	}
	c.at++
	return c.batch != nil
}
