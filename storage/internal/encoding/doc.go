// Package encoding turns a column of up to 131,072 rows into a page payload and
// reads it back by batches.
//
//	Column ──Encoder.Page──► page bytes ──Open──► Page ──Fixed / Codes / Views──► vectors
//
// A page is a 16-byte header, arrays that start at 64-byte boundaries, zeros
// between them:
//
//	0  u8 encoding, u8 flags, u8 0, u8 scale, u32 rows, u32 nulls, u32 validity offset
//	64 body
//	   PLAIN fixed   values
//	   PLAIN bytes   u32 length of nested page, u32 0, u64 bytes; u32 start per unit;
//	                 nested FOR/CONST page of lengths; bytes
//	   CONST         fixed: one value; bytes: u32 length, value
//	   BITMAP        bits, LSB first (bool)
//	   FOR           per unit of 1,024 values 16 B {i64 base, u32 offset/64, u8 width,
//	                 u8 exceptions, u16 0}; per unit the packed words (kernel.Pack32 for
//	                 values of ≤ 32 bits, kernel.Pack64 else; width with bit 7 set: plain
//	                 u8, u16, u32 in row order), u16 positions, i64 values of exceptions
//	   DELTA         as FOR over the differences within a unit; entries are 24 B {i64
//	                 first value, entry of FOR}
//	   RLE           u32 runs, u32 length of values, u32 length of ends; u32 first run per
//	                 unit; nested page of values; nested page of ends (row behind the run)
//	   SPARSE        i64 default, u32 exceptions, u32 length of values; u32 first exception
//	                 per 8,192 rows and their number; u16 positions in them; nested values
//	   DICT          u8 scope, u8[3] 0, u32 length of codes, u32 entries, u32 length of
//	                 entries; scope 0 (bytes): nested page of codes into the segment's
//	                 dictionary; scope 1, integers: entries as u32 or i64, nested page of
//	                 codes; scope 1, bytes: nested page of codes, nested page of entries
//	   FSST          u32 length of nested page, u32 length of table, u64 stored bytes; u32
//	                 start and u32 decoded bytes per unit; nested page of stored lengths;
//	                 symbol table (fsst.go); bytes
//	   ALP, ALPRD    floats as integers: alp.go
//	   CHARS         texts of one length with few different characters: chars.go
//	   TEMPLATE      JSON as templates and one nested page per path: template.go
//	validity bitmap, LSB first, if some rows but not all are NULL
//
// Encoded values exist at every row, so that positions need no mapping: a NULL
// row repeats the value before it in integer encodings and is zero elsewhere.
//
// FOR, DELTA, RLE, SPARSE and DICT of scope 1 hold integers: values of narrow types
// (also the bits of float4) as 32 bits, of wide ones (bits of float8) as 64. A
// numeric page holds 64-bit coefficients of one scale; a page of 64-bit integers
// holds them divided by ten to the power of the header's scale, 0, 3 or 6 (whole
// seconds of timestamps). Nested pages hold such integers, without NULLs: values,
// ends and lengths as FOR or CONST; codes also as DELTA, RLE or SPARSE. The values of
// a TEMPLATE's paths are pages of any kind but TEMPLATE, integers of floats of any kind.
//
// Minor version 1 of the segment format added ALP, ALPRD, CHARS, TEMPLATE and scope 1
// of bytes.
//
// What is written is chosen in choose.go: a sample says what may pay, the cheapest
// of what was tried stays.
//
// Any bytes are safe to open and to read: what is not a valid page is
// *errs.Corrupt. The caller has checked its crc; this is for what a crc cannot
// tell, a page that was written wrong.
package encoding
