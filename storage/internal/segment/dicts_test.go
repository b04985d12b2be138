package segment

import (
	"sync"
	"testing"

	"quern/storage/vec"
)

func TestDicts(t *testing.T) {
	d := NewDicts(1000)
	slots := make([]dictSlot, 10)
	make100 := func() *vec.Dictionary {
		return &vec.Dictionary{Values: vec.Vector{Bufs: [][]byte{make([]byte, 300)}}}
	}
	for i := range slots {
		if d.put(&slots[i], make100()) == nil {
			t.Fatal("no dictionary")
		}
		if d.Bytes() > 1000 {
			t.Fatalf("%d bytes are kept", d.Bytes())
		}
		if slots[i].p.Load() == nil {
			t.Fatal("what has just come went")
		}
		slots[0].load() // asked for all the time
	}
	if slots[0].load() == nil {
		t.Error("the one in use went")
	}
	first := slots[9].load()
	if got := d.put(&slots[9], make100()); got != first {
		t.Error("a second dictionary of a column")
	}
	all := make([]*dictSlot, len(slots))
	for i := range slots {
		all[i] = &slots[i]
	}
	d.drop(all...)
	if d.Bytes() != 0 || slots[9].load() != nil {
		t.Errorf("%d bytes after drop", d.Bytes())
	}
	var none *Dicts
	if none.put(&slots[0], make100()) == nil || slots[0].load() == nil {
		t.Error("without a bound nothing is kept")
	}
	none.drop(&slots[0])
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				s := &slots[i%len(slots)]
				if s.load() == nil {
					d.put(s, make100())
				}
				if i%50 == 0 {
					d.drop(s)
				}
			}
		})
	}
	wg.Wait()
	d.drop(all...)
	if d.Bytes() != 0 {
		t.Errorf("%d bytes after all was dropped", d.Bytes())
	}
}
