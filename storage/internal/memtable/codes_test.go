package memtable

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

func textRows(t *testing.T, values []string) *Rows {
	t.Helper()
	b := vec.NewBuilder(types.Text, len(values))
	for _, s := range values {
		if s == "NULL" {
			b.Null()
		} else {
			b.AppendBytes([]byte(s))
		}
	}
	return encoded(t, []uint32{1}, b.Finish())
}

func checkCodes(t *testing.T, v SlabView, want []string) {
	t.Helper()
	codes, dict, ok := v.Codes(1, types.Text)
	if !ok || len(codes) != v.Rows {
		t.Fatalf("%d rows: ok %v, %d codes", v.Rows, ok, len(codes))
	}
	used := make([]bool, dict.Values.Len)
	for i, c := range codes {
		if want[i] == "NULL" {
			continue
		}
		used[c] = true
		if got := string(dict.Values.BytesAt(int(c))); got != want[i] {
			t.Fatalf("row %d: %q, want %q", i, got, want[i])
		}
		if dict.Hashes[c] != vec.HashBytes([]byte(want[i])) {
			t.Fatalf("row %d: wrong hash", i)
		}
	}
	for c, u := range used {
		if !u {
			t.Fatalf("entry %d of %d belongs to no row of the view", c, len(used))
		}
	}
}

// TestCodes: codes grow with the slab; a view of fewer rows has only the entries
// of its rows.
func TestCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tab := NewTable()
	var want []string
	var views []SlabView
	for seq := range uint64(60) {
		var part []string
		for range 1 + rng.IntN(150) {
			s := fmt.Sprintf("value %d of a column", rng.IntN(10+int(seq)*20))
			switch rng.IntN(10) {
			case 0:
				s = "NULL"
			case 1:
				s = ""
			}
			part = append(part, s)
		}
		want = append(want, part...)
		tab.Append(textRows(t, part), 1, seq)
		views = append(views, tab.List()[0])
		if seq%7 == 0 {
			checkCodes(t, tab.List()[0], want)
		}
	}
	for _, v := range views {
		checkCodes(t, v, want)
	}
	a, da, _ := views[59].Codes(1, types.Text)
	_, db, _ := views[59].Codes(1, types.Text)
	if da != db || len(a) == 0 {
		t.Fatal("the same view has two dictionaries")
	}
	if _, d, _ := views[3].Codes(1, types.Text); d.ID == da.ID {
		t.Fatal("two dictionaries have one id")
	}
}

func TestCodesGiveUp(t *testing.T) {
	tab := NewTable()
	var part []string
	for i := range codesMax + 1 {
		part = append(part, fmt.Sprint(i))
	}
	tab.Append(textRows(t, part[:codesMax]), 1, 1)
	checkCodes(t, tab.List()[0], part)
	tab.Append(textRows(t, part[codesMax:]), 1, 2)
	for range 2 {
		if _, _, ok := tab.List()[0].Codes(1, types.Text); ok {
			t.Fatal("too many values still have codes")
		}
	}
	nulls := NewTable()
	defer func() {
		// A later row's value is not in an earlier view's dictionary.
		early := nulls.List()[0]
		nulls.Append(textRows(t, []string{"later"}), 1, 2)
		checkCodes(t, nulls.List()[0], []string{"NULL", "NULL", "later"})
		if _, _, ok := early.Codes(1, types.Text); ok {
			t.Fatal("a view of NULLs has codes")
		}
	}()
	nulls.Append(textRows(t, []string{"NULL", "NULL"}), 1, 1)
	if _, _, ok := nulls.List()[0].Codes(1, types.Text); ok {
		t.Fatal("a column of NULLs has codes")
	}
}

// TestCodesDuringAppend is for the race detector.
func TestCodesDuringAppend(t *testing.T) {
	tab := NewTable()
	var want []string
	for i := range 6000 {
		want = append(want, fmt.Sprintf("a value longer than inline %d", i%(1+i/50)))
	}
	views := make(chan SlabView, 100)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for v := range views {
				codes, dict, ok := v.Codes(1, types.Text)
				if !ok {
					t.Error("no codes")
					continue
				}
				for i, c := range codes {
					if string(dict.Values.BytesAt(int(c))) != want[i] {
						t.Errorf("row %d", i)
						break
					}
				}
			}
		})
	}
	for at := 0; at < len(want); at += 100 {
		tab.Append(textRows(t, want[at:at+100]), 1, uint64(at))
		views <- tab.List()[0]
	}
	close(views)
	wg.Wait()
}
