// Package sched runs work over morsels with several workers and bounds what it
// may use.
//
//	Run     body(worker, morsel) for every morsel; returns when all workers have ended
//	Stream  the same as an ordered stream of batches: results come in morsel
//	        order, workers run ahead by a window
//	Budget  memory of server → query → operator; a refusal is 53200
//	Blocks  reused memory of hash tables and partition buffers
//
// With fewer than two morsels, or one worker, everything runs on the caller's
// goroutine. A panic in a body is recovered here, logged with its stack and
// becomes XX000. Bodies check their context once per batch.
package sched

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"quern/storage/errs"
)

// CheckCancel returns nil, or the error of a context that has ended: its cause
// if that is an error of ours (a timeout, say), else 57014.
func CheckCancel(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if cause == errAbandoned {
		return cause
	}
	if e := (*errs.Error)(nil); errors.As(cause, &e) {
		return cause
	}
	return errs.New(errs.QueryCanceled, "canceling statement due to user request")
}

// guard runs body and turns a panic into XX000.
func guard(body func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("query worker panic", "panic", p, "stack", string(debug.Stack()))
			err = errs.New(errs.Internal, "internal error in query execution")
		}
	}()
	return body()
}
