package server

import (
	"os"
	"runtime"
)

// fallbackMemory is the default of --memory where the machine does not tell.
const fallbackMemory = 2 << 30

// cores is what the process may use when it starts.
var cores = runtime.GOMAXPROCS(0)

// spareProcessor lets one more goroutine run than queries have workers. While
// all processors run workers, the runtime looks for network events every 10 ms
// only: with a spare one a thread waits for them in the kernel, which then
// shares the cores. A small query beside a large one is answered in a third of
// the time.
func spareProcessor(threads int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), threads+1))
	}
}
