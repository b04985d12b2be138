package sched

import (
	"context"
	"testing"
	"time"

	"quern/storage/errs"
)

func TestGate(t *testing.T) {
	g := NewGate(1, 10, time.Hour)
	if ok, err := g.Enter(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := g.Enter(ctx); ok || errs.CodeOf(err) != errs.QueryCanceled {
		t.Fatal(ok, err)
	}
	g.Leave()
	if ok, err := g.Enter(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	g.patient = 0
	if ok, err := g.Enter(t.Context()); ok || err != nil {
		t.Fatal("a ticket that is not there", ok, err)
	}
}

func TestPass(t *testing.T) {
	g := NewGate(1, 10, 0) // nobody waits
	a, b := g.NewPass(), g.NewPass()
	for _, held := range []int64{9, 10, 11} {
		if err := a.Enter(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		if got, want := len(g.tickets), int(held/10); got != want {
			t.Fatalf("%d tickets are out with %d bytes, want %d", got, held, want)
		}
	}
	if err := b.Enter(t.Context(), 100); err != nil || len(g.tickets) != 1 {
		t.Fatal(err, len(g.tickets))
	}
	b.Leave()
	a.Leave()
	a.Leave()
	if len(g.tickets) != 0 {
		t.Fatal("a ticket is left")
	}
}
