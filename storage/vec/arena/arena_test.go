package arena

import "testing"

func TestAllocIsZeroAndDisjoint(t *testing.T) {
	p := NewPool(1 << 20)
	for range 3 {
		a := New(p)
		var all [][]byte
		for n := range 2000 {
			b := a.Alloc(n)
			for _, x := range b {
				if x != 0 {
					t.Fatal("memory of another owner")
				}
			}
			for i := range b {
				b[i] = byte(n)
			}
			all = append(all, b)
		}
		for n, b := range all {
			for _, x := range b {
				if x != byte(n) {
					t.Fatalf("allocation %d overwritten", n)
				}
			}
		}
		if a.Bytes() < 2000*1000 {
			t.Fatalf("Bytes %d", a.Bytes())
		}
		a.Reset()
	}
	if p.Kept() == 0 || p.Kept() > 1<<20 {
		t.Fatalf("kept %d", p.Kept())
	}
}

func TestHugeBlock(t *testing.T) {
	a := New(NewPool(0))
	if b := a.Alloc(BlockMax + 5); len(b) != BlockMax+5 {
		t.Fatal(len(b))
	}
	a.Reset()
	if len(a.Alloc(BlockMax)) != BlockMax || class(BlockMax) != classes-1 {
		t.Fatal("largest class")
	}
}
