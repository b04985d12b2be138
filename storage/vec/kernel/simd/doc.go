// Package simd is the only home of assembly: twins of hot kernels for amd64
// with AVX2. storage/vec/kernel and engine/internal/kernel choose: they call a
// twin if Enabled, else their Go form, which is the oracle of a fuzz test and
// what other machines run.
//
// A call takes less than 10 µs, because assembly cannot be preempted. Callers
// have checked all lengths: a twin checks nothing. QUERN_SIMD=off in the
// environment switches the twins off.
package simd
