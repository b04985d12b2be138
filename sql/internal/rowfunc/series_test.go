package rowfunc

import (
	"errors"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// take reads at most n batches.
func take(t *testing.T, rows plan.SeriesRows, n int) (out []*vec.Batch) {
	t.Helper()
	enough := errors.New("enough")
	if rows.Each == nil {
		t.Fatal("rows that are not made one after the other")
	}
	err := rows.Each(func(b *vec.Batch) error {
		if out = append(out, b); len(out) == n {
			return enough
		}
		return nil
	})
	if err != nil && err != enough {
		t.Fatal(err)
	}
	return out
}

// TestSeriesStops reads the beginning of series that would fill any memory.
func TestSeriesStops(t *testing.T) {
	num := func(s string) types.Datum {
		d, err := types.ParseText(types.Numeric, s, types.DefaultFormat)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	env := &fn.Env{Format: types.DefaultFormat}
	args := []types.Datum{num("0"), num("1e15"), num("0.5")}
	rows, err := WithOrdinality(Series(types.Numeric), types.Int8)(env, args)
	if err != nil {
		t.Fatal(err)
	}
	bs := take(t, rows, 2)
	if len(bs) != 2 || bs[1].Cols[0].Datum(0).N.String() != "1024.0" || bs[1].Cols[1].Datum(0).I != 2049 {
		t.Fatalf("second batch begins with %v", bs[1].Cols[0].Datum(0))
	}
	both := SideBySide([]types.Type{types.Numeric, types.Int8}, []Part{{Gen: Series(types.Numeric), Args: 3, Cols: 1}, {Gen: Series(types.Int8), Args: 2, Cols: 1}})
	if rows, err = both(env, append(args, types.Datum{I: 1}, types.Datum{I: 3})); err != nil {
		t.Fatal(err)
	}
	bs = take(t, rows, 1)
	if b := bs[0]; b.Cols[1].Datum(2).I != 3 || !b.Cols[1].Null(3) || b.Cols[0].Datum(3).N.String() != "1.5" {
		t.Fatalf("side by side: %v %v", b.Cols[0].Datum(3), b.Cols[1].Datum(3))
	}
}
