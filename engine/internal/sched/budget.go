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
		for {
			p := x.peak.Load()
			if now <= p || x.peak.CompareAndSwap(p, now) {
				break
			}
		}
	}
	return nil
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
	Budget  *Budget
	granted int64
}

// Set says that the owner now holds n bytes in all. 53200 if the budget refuses.
func (a *Account) Set(n int64) error {
	if n <= a.granted || a.Budget == nil {
		return nil
	}
	more := (n - a.granted + accountStep - 1) / accountStep * accountStep
	if err := a.Budget.reserve(more); err != nil {
		return err
	}
	a.granted += more
	return nil
}

// Close gives everything back.
func (a *Account) Close() {
	if a.granted > 0 {
		a.Budget.release(a.granted)
		a.granted = 0
	}
}
