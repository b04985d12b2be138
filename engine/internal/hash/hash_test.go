package hash

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"quern/engine/internal/sched"
	"quern/storage/types"
	"quern/storage/vec"
)

func column(t types.Type, ds []types.Datum) vec.Vector {
	b := vec.NewBuilder(t, len(ds))
	for i := range ds {
		b.Append(&ds[i])
	}
	return b.Finish()
}

// keyColumns makes rows of an int8 and a text key with few values and NULLs.
func keyColumns(r *rand.Rand, rows, values int) ([]vec.Vector, []string) {
	a, b := make([]types.Datum, rows), make([]types.Datum, rows)
	text := make([]string, rows)
	for i := range rows {
		x := r.IntN(values)
		a[i].I = int64(x % 7)
		b[i].S = fmt.Sprintf("key%0*d", x%30, x)
		if x == 3 {
			a[i] = types.NullDatum
		}
		text[i] = fmt.Sprint(a[i].Null, a[i].I, b[i].S)
	}
	return []vec.Vector{column(types.Int8, a), column(types.Text, b)}, text
}

var keyTypes = []types.Type{types.Int8, types.Text}

// TestTable compares groups with a map, by batches and through partitions.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var arenas Arenas
	k := NewKeys(keyTypes)
	tab := NewTable(k, 1, &Arena{All: &arenas})
	want := map[string]uint64{}
	for range 60 {
		cols, text := keyColumns(r, 500, 3000)
		at := make([]uint32, len(text))
		tab.FindOrInsert(at, cols, nil)
		for i, s := range text {
			want[s]++
			tab.Rows[int(at[i])+k.Words]++
		}
	}
	check := func(tab *Table, times uint64) {
		t.Helper()
		if tab.Len() != len(want) {
			t.Fatalf("%d groups, want %d", tab.Len(), len(want))
		}
		var a, b vec.Vector
		var sa, sb vec.Scratch
		k.Decode(&a, &sa, 0, tab.Rows, tab.Stride(), tab.Len(), arenas.Chunks())
		k.Decode(&b, &sb, 1, tab.Rows, tab.Stride(), tab.Len(), arenas.Chunks())
		for i := range tab.Len() {
			x, y := a.Datum(i), b.Datum(i)
			s := fmt.Sprint(x.Null, x.I, y.S)
			if n := tab.Rows[i*tab.Stride()+k.Words]; n != times*want[s] {
				t.Fatalf("%s: %d, want %d", s, n, times*want[s])
			}
		}
	}
	check(tab, 1)
	parts := NewParts(sched.NewBlocks(10), tab.Stride())
	parts.Scatter(tab.Rows, tab.Len())
	parts.Scatter(tab.Rows, tab.Len())
	merged := NewTable(k, 1, &Arena{All: &arenas})
	for p := range Partitions {
		err := parts.Blocks(p, func(rows []uint64, n int) error {
			at := make([]uint32, n)
			merged.MergeRows(at, rows, tab.Stride())
			for i := range at {
				merged.Rows[int(at[i])+k.Words] += rows[i*tab.Stride()+k.Words]
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		parts.Free(p)
	}
	check(merged, 2)
}

// TestManyKeys has more keys than fit the NULL bits of word 0.
func TestManyKeys(t *testing.T) {
	var typs []types.Type
	for range 40 {
		typs = append(typs, types.Int4)
	}
	var arenas Arenas
	k := NewKeys(typs)
	tab := NewTable(k, 0, &Arena{All: &arenas})
	cols := make([]vec.Vector, len(typs))
	for c := range cols {
		ds := make([]types.Datum, 41)
		for i := range ds { // row i has NULL in column i only
			ds[i].Null = i == c
		}
		cols[c] = column(types.Int4, ds)
	}
	at := make([]uint32, 41)
	tab.FindOrInsert(at, cols, nil)
	tab.FindOrInsert(at, cols, nil)
	if tab.Len() != 41 {
		t.Fatalf("%d groups", tab.Len())
	}
	for c := range cols {
		var v vec.Vector
		var s vec.Scratch
		k.Decode(&v, &s, c, tab.Rows, tab.Stride(), tab.Len(), nil)
		for i := range tab.Len() {
			if v.Null(i) != (i == c) {
				t.Fatalf("column %d row %d", c, i)
			}
		}
	}
}

// TestJoin compares chains with a map, in one region and in several.
func TestJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, c := range []struct{ rows, threads int }{{0, 1}, {1000, 1}, {parallelRows + 777, 3}} {
		cols, text := keyColumns(r, c.rows, max(1, c.rows/3))
		want := map[string][]uint32{}
		for i, s := range text {
			if !cols[0].Null(i) {
				want[s] = append(want[s], uint32(i))
			}
		}
		j, err := NewJoin(t.Context(), c.threads, NewKeys(keyTypes), cols, c.rows)
		if err != nil {
			t.Fatal(err)
		}
		probe, ptext := keyColumns(r, 3000, max(1, c.rows))
		first := make([]uint32, 3000)
		j.NewProber().Find(first, probe, nil)
		for i, s := range ptext {
			var got []uint32
			for b := first[i]; b != 0; b = j.Next(b - 1) {
				got = append(got, b-1)
			}
			w := want[s]
			if probe[0].Null(i) {
				w = nil
			}
			if fmt.Sprint(got) != fmt.Sprint(w) {
				t.Fatalf("%d rows: %q has %v, want %v", c.rows, s, got, w)
			}
		}
	}
}
