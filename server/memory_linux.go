package server

import "golang.org/x/sys/unix"

// defaultMemory is 60 % of the machine's memory.
func defaultMemory() int64 {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return fallbackMemory
	}
	return int64(si.Totalram) * int64(si.Unit) / 10 * 6
}
