package ingest

import (
	"bufio"
	"bytes"
	"io"

	"quern/ingest/internal/parquet"
)

// Piece is a part of an input, cut at row borders, that can be sent as a
// request of its own and repeated.
type Piece struct {
	From, To int64 // bytes of the decoded input, or row group From
	Rows     int64
	Body     []byte
}

// Cut cuts an NDJSON or CSV stream into pieces of about pieceBytes and calls
// send for each, in order. The same input is always cut in the same way. CSV
// (quoted line ends are inside rows) is cut with csv set; header is its first
// line, which is no row, and stands in no piece.
func Cut(r io.Reader, csv, header bool, pieceBytes int, send func(Piece) error) (head []byte, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	c := &cutter{csv: csv}
	if header {
		if head, err = c.row(br); err != nil && err != io.EOF {
			return nil, err
		}
		head = bytes.Clone(head)
	}
	last := 0 // the size of the piece before
	for {
		p := Piece{From: c.offset, Body: make([]byte, 0, min(pieceBytes, last+last/4)+(4<<10))}
		for len(p.Body) < pieceBytes && err == nil {
			var row []byte
			row, err = c.row(br)
			p.Body = append(p.Body, row...)
			if len(bytes.TrimSpace(row)) > 0 || csv && len(row) > 0 {
				p.Rows++
			}
		}
		p.To, last = c.offset, len(p.Body)
		if len(p.Body) > 0 {
			if err := send(p); err != nil {
				return head, err
			}
		}
		if err == io.EOF {
			return head, nil
		}
		if err != nil {
			return head, err
		}
	}
}

type cutter struct {
	csv    bool
	offset int64
	buf    []byte
}

// row reads one row with its line end; valid until the next call.
func (c *cutter) row(br *bufio.Reader) ([]byte, error) {
	c.buf = c.buf[:0]
	quotes := 0
	for {
		part, err := br.ReadSlice('\n')
		c.buf = append(c.buf, part...)
		c.offset += int64(len(part))
		if err == bufio.ErrBufferFull {
			if c.csv {
				quotes += bytes.Count(part, []byte{'"'})
			}
			continue
		}
		if c.csv && err == nil {
			if quotes += bytes.Count(part, []byte{'"'}); quotes%2 == 1 {
				continue
			}
		}
		return c.buf, err
	}
}

// CutParquet calls send for each row group as a Parquet file of its own.
func CutParquet(r io.ReaderAt, size int64, send func(Piece) error) error {
	c, err := parquet.NewCutter(r, size)
	if err != nil {
		return err
	}
	for g := range c.Groups() {
		if c.Rows(g) == 0 {
			continue
		}
		body, err := c.Piece(g)
		if err != nil {
			return err
		}
		if err := send(Piece{From: int64(g), To: int64(g) + 1, Rows: c.Rows(g), Body: body}); err != nil {
			return err
		}
	}
	return nil
}
