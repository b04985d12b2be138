// Package kernel holds the loops that storage and engine share: compare to a
// selection, validity, bit-packing, gather. A kernel knows slices and nothing
// of plans, types or policies; it imports the standard library only.
//
// Selections are ascending u16 positions; a nil selection means every position.
// Kernels that select write branch-free: the store always happens and the
// position advances by the outcome, so the cost does not depend on how many
// rows match (a branch costs 3.5 ns a row at 50 %). dst must have room for all
// candidates; dst and sel may be the same slice, because a kernel reads
// position k before it writes one ≤ k.
package kernel
