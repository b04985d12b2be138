package sched

import (
	"sync/atomic"

	"quern/storage/errs"
)

// Budget bounds the memory of a part of the tree server → query → operator. A
// reservation counts in every level up to the root.
type Budget struct {
	parent *Budget
	limit  int64 // 0 = none
	used   atomic.Int64
	peak   atomic.Int64
}

// NewBudget makes a child of parent (nil = a root) with a limit in bytes.
func NewBudget(parent *Budget, limit int64) *Budget {
	return &Budget{parent: parent, limit: limit}
}

// Limit is the limit in bytes, 0 = none.
func (b *Budget) Limit() int64 { return b.limit }

// Close gives what is still reserved back to the parents.
func (b *Budget) Close() { b.release(b.used.Load()) }

// Used and Peak are the bytes reserved now and at most.
func (b *Budget) Used() int64 { return b.used.Load() }

// Peak is the most that was reserved at one time.
func (b *Budget) Peak() int64 { return b.peak.Load() }

// reserve adds n bytes or returns 53200 and changes nothing.
func (b *Budget) reserve(n int64) error {
	for x := b; x != nil; x = x.parent {
		now := x.used.Add(n)
		if x.limit > 0 && now > x.limit {
			for y := b; ; y = y.parent {
				y.used.Add(-n)
				if y == x {
					break
				}
			}
			return errs.New(errs.OutOfMemory, "out of memory").
				WithDetail("The query needs more than its memory limit of %d MB.", x.limit>>20).
				WithHint("Make the query smaller, or raise the memory limit.")
		}
		x.notePeak(now)
	}
	return nil
}

// add is reserve without limit, for one level.
func (b *Budget) add(n int64) { b.notePeak(b.used.Add(n)) }

func (b *Budget) notePeak(now int64) {
	for {
		p := b.peak.Load()
		if now <= p || b.peak.CompareAndSwap(p, now) {
			return
		}
	}
}

func (b *Budget) release(n int64) {
	for x := b; x != nil; x = x.parent {
		x.used.Add(-n)
	}
}

// accountStep is the granularity of reservations.
const accountStep = 1 << 20

// Account is what one operator of one worker holds of a Budget. Not for
// concurrent use; the zero value with a nil Budget holds without limit.
type Account struct {
	Budget *Budget
	// Floor are bytes that are never refused: an operator that spills needs room
	// to do so, and must not spill a few rows at a time because others hold all.
	Floor   int64
	granted int64
}

// Set says that the owner now holds n bytes in all. 53200 if the budget refuses.
func (a *Account) Set(n int64) error {
	if n <= a.granted || a.Budget == nil {
		return nil
	}
	if n <= a.Floor {
		a.Force(n)
		return nil
	}
	more := (n - a.granted + accountStep - 1) / accountStep * accountStep
	if err := a.Budget.reserve(more); err != nil {
		return err
	}
	a.granted += more
	return nil
}

// Force is Set for memory that is bounded by other means, and held already: it
// counts and is not refused.
func (a *Account) Force(n int64) {
	if n <= a.granted || a.Budget == nil {
		return
	}
	for x := a.Budget; x != nil; x = x.parent {
		x.add(n - a.granted)
	}
	a.granted = n
}

// Shrink says that the owner now holds only n bytes.
func (a *Account) Shrink(n int64) {
	if n < a.granted && a.Budget != nil {
		a.Budget.release(a.granted - n)
		a.granted = n
	}
}

// Close gives everything back.
func (a *Account) Close() { a.Shrink(0) }
