//go:build failpoints

package failpoint

import (
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// armed is what QUERN_FAILPOINT asks for, read once at the start of the process.
var armed = parse()

type point struct {
	name string
	left atomic.Int64
}

func parse() *point {
	text, _ := syscall.Getenv("QUERN_FAILPOINT")
	name, count, _ := strings.Cut(text, ":")
	p := &point{name: name}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		n = 1
	}
	p.left.Store(n)
	return p
}

// Hit kills the process if name is the armed place and this is its turn.
func Hit(name string) {
	if armed.name == name && armed.left.Add(-1) == 0 {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // Nothing may run on until the signal arrives.
	}
}
