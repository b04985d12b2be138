package sched

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Gate bounds how many queries hold much memory at a time, so that each of them
// has enough to work with: a hundred that spill every megabyte get nowhere.
type Gate struct {
	tickets chan struct{}
	patient time.Duration
	small   int64 // bytes that a query may hold without a ticket
}

// NewGate makes a gate for n queries that hold more than small bytes. One that has waited patient goes through
// without a ticket: a holder may be waiting for its client.
func NewGate(n int, small int64, patient time.Duration) *Gate {
	return &Gate{tickets: make(chan struct{}, n), patient: patient, small: small}
}

// Enter waits for a ticket and tells whether it got one; who did gives it back
// with Leave.
func (g *Gate) Enter(ctx context.Context) (ticket bool, err error) {
	select {
	case g.tickets <- struct{}{}:
		return true, nil
	default:
	}
	t := time.NewTimer(g.patient)
	defer t.Stop()
	select {
	case g.tickets <- struct{}{}:
		return true, nil
	case <-t.C:
		return false, nil
	case <-ctx.Done():
		return false, CheckCancel(ctx)
	}
}

// Leave gives a ticket back.
func (g *Gate) Leave() { <-g.tickets }

// Pass is one query's way through a gate, for all its workers.
type Pass struct {
	gate   *Gate
	passed atomic.Bool
	mu     sync.Mutex
	ticket bool // guarded by mu
}

// NewPass makes the pass of one query.
func (g *Gate) NewPass() *Pass { return &Pass{gate: g} }

// Enter waits at the first call of a query that holds much memory; its other
// workers wait for that.
func (p *Pass) Enter(ctx context.Context, held int64) error {
	if held < p.gate.small || p.passed.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passed.Load() {
		return nil
	}
	var err error
	p.ticket, err = p.gate.Enter(ctx)
	p.passed.Store(true)
	return err
}

// Leave gives the ticket back, if there is one.
func (p *Pass) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticket {
		p.gate.Leave()
		p.ticket = false
	}
}
