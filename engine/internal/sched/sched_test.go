package sched

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

func TestRunVisitsEveryMorselOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		for _, morsels := range []int{0, 1, 2, 100} {
			seen := make([]atomic.Int32, morsels)
			err := Run(t.Context(), workers, morsels, func(_ context.Context, w, m int) error {
				if w >= workers {
					t.Errorf("worker %d of %d", w, workers)
				}
				seen[m].Add(1)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for m := range seen {
				if seen[m].Load() != 1 {
					t.Fatalf("morsel %d ran %d times", m, seen[m].Load())
				}
			}
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, workers := range []int{1, 3} {
		err := Run(t.Context(), workers, 50, func(_ context.Context, _, m int) error {
			if m == 7 {
				return errs.New(errs.DivisionByZero, "division by zero")
			}
			return nil
		})
		if errs.CodeOf(err) != errs.DivisionByZero {
			t.Errorf("%d workers: %v", workers, err)
		}
		err = Run(t.Context(), workers, 50, func(_ context.Context, _, m int) error { panic("boom") })
		if errs.CodeOf(err) != errs.Internal || strings.Contains(err.Error(), "boom") {
			t.Errorf("%d workers, panic: %v", workers, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = Run(ctx, workers, 50, func(context.Context, int, int) error { cancel(); return nil })
		if errs.CodeOf(err) != errs.QueryCanceled {
			t.Errorf("%d workers, cancelled: %v", workers, err)
		}
		ctx, cancelCause := context.WithCancelCause(t.Context())
		cancelCause(errs.New(errs.QueryCanceled, "canceling statement due to statement timeout"))
		err = Run(ctx, workers, 50, func(context.Context, int, int) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "statement timeout") {
			t.Errorf("%d workers, timeout: %v", workers, err)
		}
	}
}

// number emits batches of one row: morsel*1000 + i.
func numbers(per int) StreamBody {
	return func(_ context.Context, _, m int, emit Emit) error {
		for i := range per {
			d := types.Datum{I: int64(m*1000 + i)}
			v := vec.ConstVector(types.Int8, &d, 1)
			if err := emit(&vec.Batch{Len: 1, Cols: []vec.Vector{v}}); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestStreamOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		s := NewStream(t.Context(), workers, 40, nil, numbers(50))
		var b vec.Batch
		for m := range 40 {
			for i := range 50 {
				n, err := s.Next(t.Context(), &b)
				if n != 1 || err != nil {
					t.Fatal(n, err)
				}
				if got := b.Cols[0].Datum(0).I; got != int64(m*1000+i) {
					t.Fatalf("got %d, want %d", got, m*1000+i)
				}
			}
		}
		if n, err := s.Next(t.Context(), &b); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		s.Close()
		s.Close()
	}
}

func TestStreamStops(t *testing.T) {
	for _, workers := range []int{1, 3} {
		var b vec.Batch
		s := NewStream(t.Context(), workers, 1000, nil, numbers(100))
		s.Close() // before the first Next
		s = NewStream(t.Context(), workers, 1000, nil, numbers(100))
		if _, err := s.Next(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = NewStream(t.Context(), workers, 30, nil, func(ctx context.Context, w, m int, emit Emit) error {
			if m == 20 {
				return errs.New(errs.DivisionByZero, "division by zero")
			}
			if m == 25 {
				panic("never reported: a lower morsel fails first")
			}
			return numbers(1)(ctx, w, m, emit)
		})
		rows := 0
		var err error
		for n := 1; n > 0 && err == nil; rows += n {
			n, err = s.Next(t.Context(), &b)
		}
		if errs.CodeOf(err) != errs.DivisionByZero || rows != 20 {
			t.Errorf("%d workers: %d rows, %v", workers, rows, err)
		}
		s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		s = NewStream(t.Context(), workers, 1000, nil, numbers(100))
		for {
			_, err := s.Next(ctx, &b)
			if err != nil {
				if errs.CodeOf(err) != errs.QueryCanceled {
					t.Errorf("%d workers: %v", workers, err)
				}
				break
			}
			cancel()
		}
		s.Close()
		cancel()
	}
}

func TestBudget(t *testing.T) {
	root := NewBudget(nil, 10<<20)
	query := NewBudget(root, 8<<20)
	a, b := Account{Budget: query}, Account{Budget: query}
	if err := a.Set(5 << 20); err != nil {
		t.Fatal(err)
	}
	err := b.Set(4 << 20)
	if errs.CodeOf(err) != errs.OutOfMemory || errs.As(err).Detail == "" {
		t.Fatalf("got %v", err)
	}
	if root.Used() != 5<<20 || query.Used() != 5<<20 {
		t.Fatalf("refusal changed usage: %d %d", root.Used(), query.Used())
	}
	a.Close()
	if err := b.Set(8 << 20); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if root.Used() != 0 || root.Peak() != 8<<20 {
		t.Fatalf("used %d, peak %d", root.Used(), root.Peak())
	}
	other := Account{Budget: NewBudget(root, 0)}
	if err := other.Set(11 << 20); !errors.As(err, new(*errs.Error)) {
		t.Fatalf("the root's limit does not bind: %v", err)
	}
}
