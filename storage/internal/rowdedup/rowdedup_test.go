package rowdedup_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"quern/storage/internal/rowdedup"
)

func print(n uint64) (p rowdedup.Print) {
	binary.LittleEndian.PutUint64(p[:], n*0x9e3779b97f4a7c15)
	return p
}

// TestAgainstModel: over random times, sweeps and expiries the index knows what a
// list of all keys knows, and holds what it accounts for.
func TestAgainstModel(t *testing.T) {
	const window = 1000
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := rowdedup.NewBudget(400 * rowdedup.KeyBytes)
		x := rowdedup.New("", b)
		last := map[uint64]int64{}
		now, refused := int64(1<<50), 0
		for range 3000 {
			now += rng.Int64N(6)
			floor := rowdedup.Floor(window, now)
			n := rng.Uint64N(2000)
			at, known := last[n]
			known = known && at >= floor
			switch has := x.Has(print(n), floor); {
			case has != known:
				t.Fatalf("seed %d: key %d: known %v, want %v", seed, n, has, known)
			case has:
			case x.Admit(1, floor):
				x.AddAll([]rowdedup.Print{print(n)}, now)
				last[n] = now
			default:
				refused++
				inside := 0
				for _, at := range last {
					if at >= floor {
						inside++
					}
				}
				if inside < 200 { // a map keeps the room of keys that went
					t.Fatalf("seed %d: no room beside %d keys", seed, inside)
				}
			}
			if rng.IntN(50) == 0 {
				x.Sweep(window, now)
			}
			if got := b.Used(); got > b.Max() || got < int64(x.Len())*rowdedup.KeyBytes {
				t.Fatalf("seed %d: %d bytes for %d keys", seed, got, x.Len())
			}
		}
		if seed == 0 && refused > 2500 {
			t.Errorf("%d of 3000 refused", refused)
		}
		x.Close()
		if b.Used() != 0 {
			t.Fatalf("%d bytes are left", b.Used())
		}
	}
}

// TestSweep: a key goes after the window, and none inside it; without a window
// none goes at all.
func TestSweep(t *testing.T) {
	b := rowdedup.NewBudget(1 << 20)
	x := rowdedup.New("", b)
	for i := range int64(100) {
		if !x.Admit(1, 0) {
			t.Fatal("no room")
		}
		x.AddAll([]rowdedup.Print{print(uint64(i))}, 1000+i)
	}
	for _, c := range []struct {
		window, now int64
		left        int
	}{{0, 1 << 60, 100}, {160, 1160, 100}, {160, 1169, 100}, {160, 1170, 90}, {160, 1220, 40}, {160, 1400, 0}} {
		x.Sweep(c.window, c.now)
		if x.Len() != c.left {
			t.Errorf("window %d at %d: %d keys are left, want %d", c.window, c.now, x.Len(), c.left)
		}
		for i := range int64(100) {
			floor := rowdedup.Floor(c.window, c.now)
			if want := 1000+i >= floor; x.Has(print(uint64(i)), floor) != want {
				t.Errorf("window %d at %d: key %d: known %v", c.window, c.now, i, !want)
			}
		}
	}
	if b.Used() != 0 {
		t.Errorf("an empty index holds %d bytes", b.Used())
	}
}

// TestRefusedChangesNothing: an index that gets no room keeps its keys and memory.
func TestRefusedChangesNothing(t *testing.T) {
	b := rowdedup.NewBudget(10 * rowdedup.KeyBytes)
	x, y := rowdedup.New("x", b), rowdedup.New("y", b)
	if !x.Reserve(6) || y.Reserve(5) || !y.Reserve(4) {
		t.Fatal("not the room there is")
	}
	x.AddAll([]rowdedup.Print{print(1)}, 5)
	y.AddAll(nil, 5)
	if b.Used() != rowdedup.KeyBytes {
		t.Errorf("%d bytes are held for one key", b.Used())
	}
	if x.Admit(10, 5) || !x.Has(print(1), 5) || b.Used() != rowdedup.KeyBytes {
		t.Error("a refusal changed the index")
	}
	if !x.Admit(10, 6) { // the key counts no more
		t.Error("no room although all keys have gone")
	}
}
