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
//	   DICT          u8 scope (0 = segment), u8[3] 0, u32 length; nested page of codes
//	validity bitmap, LSB first, if some rows but not all are NULL
//
// Encoded values exist at every row, so that positions need no mapping: a NULL
// row repeats the value before it in FOR and DICT and is zero elsewhere.
// A numeric page of CONST or FOR holds 64-bit coefficients of one scale.
//
// Any bytes are safe to open and to read: what is not a valid page is
// *errs.Corrupt. The caller has checked its crc; this is for what a crc cannot
// tell, a page that was written wrong.
package encoding
