package dedup

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"quern/storage/errs"
)

func TestClaim(t *testing.T) {
	ctx := context.Background()
	k := New(100, 2)
	key := Key{Principal: 10, Table: 1, Key: "a"}
	if e, err := k.Claim(ctx, key, [16]byte{1}); e != nil || err != nil {
		t.Fatalf("first claim: %v %v", e, err)
	}
	// Many repeats while the first is in flight: one gets it after a release,
	// all others see the outcome.
	var wg sync.WaitGroup
	var mu sync.Mutex
	committed, replayed := 0, 0
	for range 20 {
		wg.Go(func() {
			e, err := k.Claim(ctx, key, [16]byte{1})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case e != nil:
				replayed++
			default:
				committed++
				k.Commit(&Entry{Key: key, Digest: [16]byte{1}, Seq: 5})
				k.Release(key)
			}
		})
	}
	k.Release(key)
	wg.Wait()
	if committed != 1 || replayed != 19 {
		t.Fatalf("committed %d, replayed %d", committed, replayed)
	}
	if _, err := k.Claim(ctx, key, [16]byte{2}); errs.CodeOf(err) != errs.InvalidParameterValue {
		t.Fatalf("other content: %v", err)
	}
	if e, err := k.Claim(ctx, Key{Principal: 11, Table: 1, Key: "a"}, [16]byte{2}); e != nil || err != nil {
		t.Fatalf("another principal: %v %v", e, err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.Claim(done, Key{Principal: 11, Table: 1, Key: "a"}, [16]byte{2}); errs.CodeOf(err) != errs.QueryCanceled {
		t.Fatalf("canceled wait: %v", err)
	}
}

func TestWindowAndManifest(t *testing.T) {
	k := New(100, 3)
	for i := range 10 {
		k.Commit(&Entry{Key: Key{Key: fmt.Sprint(i)}, Seq: uint64(i + 1), At: int64(i * 50), Counts: [5]int64{int64(i)}})
	}
	if k.Len() != 3 || k.Lookup(Key{Key: "6"}) != nil || k.Lookup(Key{Key: "7"}) == nil {
		t.Fatalf("%d keys", k.Len())
	}
	body, n, maxAt := k.Fresh()
	if n != 3 || maxAt != 450 {
		t.Fatalf("fresh %d %d", n, maxAt)
	}
	k.Saved(n)
	if _, n, _ := k.Fresh(); n != 0 {
		t.Fatalf("%d still fresh", n)
	}
	l := New(100, 3)
	if err := l.Load(body); err != nil {
		t.Fatal(err)
	}
	if _, n, _ := l.Fresh(); n != 0 || *l.Lookup(Key{Key: "9"}) != *k.Lookup(Key{Key: "9"}) {
		t.Fatal("loaded entries differ")
	}
	for cut := 1; cut < len(body); cut += 7 {
		if cut%(len(body)/3) == 0 {
			continue
		}
		if err := New(100, 3).Load(body[:cut]); errs.CodeOf(err) != errs.DataCorrupted {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}
