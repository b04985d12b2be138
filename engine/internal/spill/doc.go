// Package spill keeps on disk what a query's operators cannot keep in memory.
//
//	Disk   one per process: folder, key, limits
//	Space  one per query: counts its bytes, ends its files
//	File   append-only; written by all workers of an operator, at once
//	Writer one worker's stream of rows into a File ──Finish──► Run ──► Reader
//
// A File is a sequence of blocks, each one batch of rows of one stream:
//
//	u32 length of the rest | u32 crc32c of the rest | u32 rows | columns …, padded to 16 B
//
//	column  u8 flags (1: validity words follow) | validity | values
//	values  integers     i64 least | u8 width 0, 1, 2, 4, 8 | offsets from the least
//	        numeric      u8 1 | u16 scale | its digits as integers, if all share a
//	                     scale and fit 64 bits; else u8 0 | as in memory
//	        bytes        lengths as integers | the bytes one after the other
//	        others       as in memory
//
// Where blocks lie is known to Runs only, in memory: a file means nothing to
// another process. It is encrypted with a key of this process (AES-CTR, the
// counter is file number and offset), readable by its owner only, and has no
// name as soon as it exists; where the system cannot remove an open file, it is
// removed at Close and by the next start.
//
// A full disk is 53100, a limit 53400, a block that is not what was written
// XX001; each ends the query. What it deliberately does not do: it never syncs.
package spill
