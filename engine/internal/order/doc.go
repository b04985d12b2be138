// Package order puts rows in the order of sort keys.
//
//	Sorter  rows of materialised columns: a word per row, monotone in the key,
//	        sorted by radix; ties by deeper bytes and keys; stable
//	Split   ranges of the first key, for several workers
//	Runs    sorted runs on disk ──Merge──► rows in order, range by range
//
// Rows that meet in a merge come from different workers, so their place in the
// input is the last key of a run: the order is total and repeatable.
package order
