package parquet

import (
	"bytes"
	"hash/crc32"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"quern/storage/errs"
)

// Page types.
const (
	pageData   = 0
	pageIndex  = 1
	pageDict   = 2
	pageDataV2 = 3
)

// pageBytesMax bounds one page, compressed or not.
const pageBytesMax = 256 << 20

// pageHeader is a PageHeader with the header of its kind folded in.
type pageHeader struct {
	typ          int
	raw, stored  int64 // bytes
	values       int64
	nulls, rows  int64
	encoding     int
	defEncoding  int
	defBytes     int64 // v2
	repBytes     int64 // v2
	uncompressed bool  // v2: values are stored plain
	hasBody      bool  // the header of the page's kind was there
	crc          uint32
	hasCRC       bool
}

func readPageHeader(b []byte) (h pageHeader, rest []byte, ok bool) {
	t := &thrift{b: b, ok: true}
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tI32:
			h.typ = int(t.int())
		case id == 2 && typ == tI32:
			h.raw = t.int()
		case id == 3 && typ == tI32:
			h.stored = t.int()
		case id == 4 && typ == tI32:
			h.crc, h.hasCRC = uint32(t.int()), true
		case (id == 5 || id == 7) && typ == tStruct:
			h.hasBody = true
			h.readV1(t)
		case id == 8 && typ == tStruct:
			h.hasBody = true
			h.readV2(t)
		default:
			t.skip(typ, 0)
		}
	})
	return h, t.b, t.ok
}

// readV1 reads DataPageHeader and DictionaryPageHeader, which start alike.
func (h *pageHeader) readV1(t *thrift) {
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tI32:
			h.values = t.int()
		case id == 2 && typ == tI32:
			h.encoding = int(t.int())
		case id == 3 && typ == tI32:
			h.defEncoding = int(t.int())
		default:
			t.skip(typ, 0)
		}
	})
}

func (h *pageHeader) readV2(t *thrift) {
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tI32:
			h.values = t.int()
		case id == 2 && typ == tI32:
			h.nulls = t.int()
		case id == 3 && typ == tI32:
			h.rows = t.int()
		case id == 4 && typ == tI32:
			h.encoding = int(t.int())
		case id == 5 && typ == tI32:
			h.defBytes = t.int()
		case id == 6 && typ == tI32:
			h.repBytes = t.int()
		case id == 7 && typ == tFalse:
			h.uncompressed = true
		default:
			t.skip(typ, 0)
		}
	})
}

// pages walks the pages of one column chunk.
type pages struct {
	f      *File
	leaf   *leaf
	chunk  *chunk
	b      []byte
	values int64 // still to come
	taken  int64 // budget held by decompressed pages
}

func (f *File) pagesOf(l *leaf, c *chunk) *pages {
	return &pages{f: f, leaf: l, chunk: c, b: f.body[c.start : c.start+c.bytes], values: c.numValues}
}

// next gives the next dictionary or data page with its decompressed body, or
// io.EOF when all values were given.
func (p *pages) next() (h pageHeader, body []byte, err error) {
	for {
		if p.values == 0 {
			return h, nil, io.EOF
		}
		var ok bool
		var rest []byte
		h, rest, ok = readPageHeader(p.b)
		if !ok {
			return h, nil, malformed("page header of %s", p.leaf)
		}
		if h.raw < 0 || h.stored < 0 || h.raw > pageBytesMax || h.stored > int64(len(rest)) || h.values < 0 {
			return h, nil, malformed("page sizes of %s", p.leaf)
		}
		stored := rest[:h.stored]
		p.b = rest[h.stored:]
		switch h.typ {
		case pageDict, pageData, pageDataV2:
		default:
			continue // index pages and unknown kinds carry no values
		}
		if !h.hasBody {
			return h, nil, malformed("page of %s without its header", p.leaf)
		}
		if h.typ != pageDict {
			if h.values > p.values {
				return h, nil, malformed("%s: a page claims more values than its chunk has left", p.leaf)
			}
			p.values -= h.values
		}
		if h.hasCRC && crc32.ChecksumIEEE(stored) != h.crc {
			return h, nil, malformed("checksum mismatch in a page of %s", p.leaf)
		}
		body, err = p.body(&h, stored)
		return h, body, err
	}
}

func (p *pages) body(h *pageHeader, stored []byte) ([]byte, error) {
	levels := int64(0)
	if h.typ == pageDataV2 {
		levels = h.defBytes + h.repBytes
		if h.defBytes < 0 || h.repBytes < 0 || levels > int64(len(stored)) || levels > h.raw {
			return nil, malformed("level lengths of %s", p.leaf)
		}
	}
	if p.chunk.codec == 0 || h.typ == pageDataV2 && h.uncompressed || int64(len(stored)) == levels {
		return stored, nil
	}
	if err := p.f.budget.Take(h.raw); err != nil {
		return nil, err
	}
	p.taken += h.raw
	plain, err := p.f.decompress(p.chunk.codec, stored[levels:], int(h.raw-levels))
	if err != nil {
		if errs.CodeOf(err) == errs.FeatureNotSupported {
			return nil, err
		}
		return nil, malformed("a page of %s does not decompress", p.leaf)
	}
	if levels == 0 {
		return plain, nil
	}
	return append(stored[:levels:levels], plain...), nil
}

// done gives the memory of decompressed pages back.
func (p *pages) done() { p.f.budget.Give(p.taken) }

// Codecs of parquet.thrift.
const (
	codecSnappy = 1
	codecGzip   = 2
	codecLZO    = 3
	codecBrotli = 4
	codecLZ4    = 5
	codecZstd   = 6
	codecLZ4Raw = 7
)

// unzstd decompresses a frame of n bytes.
func (f *File) unzstd(stored []byte, n int) ([]byte, error) {
	if f.zstd == nil {
		var err error
		if f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(pageBytesMax)); err != nil {
			return nil, err
		}
	}
	out, err := f.zstd.DecodeAll(stored, make([]byte, 0, n))
	if err == nil && len(out) != n {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// decompress gives exactly n bytes.
func (f *File) decompress(codec int, stored []byte, n int) ([]byte, error) {
	var r io.Reader
	switch codec {
	case codecSnappy:
		if have, err := s2.DecodedLen(stored); err != nil || have != n {
			return nil, io.ErrUnexpectedEOF
		}
		return s2.Decode(make([]byte, n), stored)
	case codecLZ4Raw:
		out := make([]byte, n)
		m, err := lz4.UncompressBlock(stored, out)
		if err == nil && m != n {
			err = io.ErrUnexpectedEOF
		}
		return out, err
	case codecGzip:
		z, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			return nil, err
		}
		r = z
	case codecZstd:
		// A frame that says its size needs no stream.
		var head zstd.Header
		if head.Decode(stored) == nil && head.HasFCS && head.FrameContentSize == uint64(n) {
			return f.unzstd(stored, n)
		}
		z, err := zstd.NewReader(bytes.NewReader(stored), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(pageBytesMax))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case codecBrotli:
		r = brotli.NewReader(bytes.NewReader(stored))
	case codecLZO:
		return nil, errs.NotSupported("Parquet compression LZO")
	case codecLZ4:
		return nil, errs.NotSupported("Parquet compression LZ4 (deprecated framing)")
	default:
		return nil, errs.NotSupported("an unknown Parquet compression")
	}
	// Grow by what arrives, not by what the header claims.
	out, err := io.ReadAll(io.LimitReader(r, int64(n)+1))
	if err == nil && len(out) != n {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}
