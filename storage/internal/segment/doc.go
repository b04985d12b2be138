package segment

// The file, little-endian; every byte lies under a crc32c:
//
//	0        header, 64 B
//	64       pages and sections, each at a 64-byte boundary, zero-padded to 64,
//	         without gaps
//	...      directory: 32-byte entries sorted by (column id, kind)
//	end-64   trailer
//
//	header   "QSEG0001", u16 major 1, u16 minor 1, u32 flags, u64 segment id,
//	         16 B uuid, u32 table id, u32 schema version, u64 schema fingerprint,
//	         u32 0, u32 crc32c of 0..59
//	         flags: 2 pages or dictionaries may be compressed
//	entry    u32 column id (0xFFFFFFFF = segment), u16 kind, u16 flags (1 compressed), u64 offset,
//	         u32 length with padding, u32 raw length, u32 crc32c, u32 0
//	trailer  u64 file length, u64 directory offset, u32 directory length,
//	         u32 directory crc32c, u64 rows, u64 seq min, u64 seq max,
//	         u32 row groups, u32 crc32c of 0..51, "QSEGEND1"
//
// Sections (numbers left out are reserved):
//
//	1 PAGES          per row group 32 B: u64 offset, u32 length with padding, u32 raw
//	                 length, u32 crc32c, u32 rows, u32 nulls, u8 encoding, u8 codec (1 s2),
//	                 u16 0
//	2 ZONES_GROUP    per row group 48 B: u8 flags, u8[3] 0, u32 nulls, u64 rows,
//	                 16 B min, 16 B max; keys as in encoding.Zone; codes if DICT exists
//	3 ZONES_GRANULE  u32 granules, u8 width, u8 null width, u16 0; u8 flags each, pad to 8;
//	                 mins, maxs (width 1, 2, 4, 8 integers or 16 prefixes), nulls
//	4 DICT           u32 count, u32 flags (1 sorted, 2 ascii, 4 fsst, 8 hashes, 16 front,
//	                 32 packed), u64 bytes, u64 0; u32 offsets[count+1], bytes; dictpack.go
//	                 if packed
//	7 SUMS           integers: per row group i128 sum, u32 non-null count, u32 0
//	16 SCHEMA        u32 columns; per column u32 id, u32 oid, i32 typmod, u8 physical
//	                 type, u8 flags (1 unsigned), u16 length, name
//	17 GROUPS        per row group 72 B: u32 rows, u32 0, u64 seq min, max, i64 event time
//	                 min, max, _received_at min, max, effective time min, max
//	19 ORIGIN        u16 length, writer; u16 length, reason
//
// crc32c of pages and sections covers the stored bytes and then 16 suffix bytes
// (u64 segment id, u32 column id, u32 row group or kind): a page that is intact
// but in the wrong place fails. Pages and sections are verified at first touch.
//
// Compressed pages and sections are u32 length, s2 block; the raw length is that of
// what was compressed (of others: length without padding). Only cold segments have them.
//
// There is no SORTKEY section (18 is reserved): every key column has bounds per granule,
// exact for fixed widths and codes, which tell as much as the first key of each granule.
// There is no FILTER section (5 is reserved): a look-up of few values asks the distinct
// values that dictionary, run and sparse pages hold anyway (encoding.Page.Lacks), and
// identifiers are compared as they are packed (encoding.Page.EqualText).
//
// Hidden columns are stored like others, under catalog's ids.
