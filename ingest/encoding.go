package ingest

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"quern/storage/errs"
)

// zstdMemoryMax bounds the window that a zstd frame may ask for.
const zstdMemoryMax = 64 << 20

// readerBytes is what is read of a socket at a time.
const readerBytes = 64 << 10

// contentDecoder undoes one layer of encoding. The magic of gzip, zstd and lz4
// is honoured although the header is missing, as some senders leave it out.
func contentDecoder(br *bufio.Reader, encoding string) (io.Reader, error) {
	head, _ := br.Peek(4)
	name := strings.ToLower(strings.TrimSpace(encoding))
	if name == "" || name == "identity" {
		name = sniffEncoding(head)
	}
	switch name {
	case "":
		return br, nil
	case "gzip", "x-gzip":
		return badEncoding(gzip.NewReader(br))
	case "zstd":
		d, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdMemoryMax))
		if err != nil {
			return badEncoding[io.Reader](nil, err)
		}
		return d.IOReadCloser(), nil
	case "deflate":
		if len(head) >= 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return badEncoding(zlib.NewReader(br))
		}
		return flate.NewReader(br), nil
	case "snappy":
		return snappyReader(br, head)
	case "lz4":
		return lz4.NewReader(br), nil
	}
	return nil, errs.New(errs.FeatureNotSupported, "content encoding %q is not supported", encoding).
		WithHint("Use gzip, zstd, deflate, snappy or lz4.")
}

func sniffEncoding(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	case bytes.HasPrefix(head, []byte{0x04, 0x22, 0x4d, 0x18}):
		return "lz4"
	}
	return ""
}

// snappyReader reads the framed form, or one raw block.
func snappyReader(br *bufio.Reader, head []byte) (io.Reader, error) {
	if bytes.HasPrefix(head, []byte{0xff, 0x06, 0x00, 0x00}) {
		return s2.NewReader(br), nil
	}
	block, err := io.ReadAll(io.LimitReader(br, bodyBytesMax+1))
	if err != nil {
		return nil, err
	}
	if n, err := s2.DecodedLen(block); err != nil || n > bodyBytesMax {
		if err == nil {
			return nil, ErrTooLarge
		}
		return badEncoding[io.Reader](nil, err)
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return badEncoding[io.Reader](nil, err)
	}
	return bytes.NewReader(plain), nil
}

func badEncoding[R io.Reader](r R, err error) (io.Reader, error) {
	if err != nil {
		return nil, &errs.Error{Code: errs.InvalidText, Msg: "the request body does not match its content encoding", Err: err}
	}
	return r, nil
}

// Decompress undoes a file's compression, told by its magic; name decides
// nothing but the error.
func Decompress(r io.Reader, name string) (io.Reader, error) {
	out, err := contentDecoder(bufio.NewReaderSize(r, readerBytes), "")
	if err != nil {
		return nil, &errs.Error{Code: errs.InvalidText, Msg: name + " cannot be decompressed", Err: err}
	}
	return out, nil
}
