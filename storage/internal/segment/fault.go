package segment

import (
	"runtime/debug"

	"quern/storage/errs"
)

// CatchFault turns a fault of mapped memory (an I/O error, or a file that was cut
// under the mapping) into an error of the function that defers it:
//
//	defer segment.CatchFault(debug.SetPanicOnFault(true), &err)
//
// Any other panic goes on.
func CatchFault(before bool, err *error) {
	debug.SetPanicOnFault(before)
	p := recover()
	if p == nil {
		return
	}
	if _, ok := p.(interface{ Addr() uintptr }); !ok {
		panic(p)
	}
	*err = errs.New(errs.IO, "could not read mapped file: memory fault")
}
