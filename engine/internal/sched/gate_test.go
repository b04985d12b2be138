package sched

import (
	"context"
	"testing"
	"time"

	"quern/storage/errs"
)

func TestGate(t *testing.T) {
	g := NewGate(1, time.Hour)
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
