package decode

import (
	"bytes"
	"io"

	"quern/storage/errs"
)

// rowBytesMax bounds one raw row (INGEST.md §3.3).
const rowBytesMax = 16 << 20

// readBytes is how much is read at a time.
const readBytes = 256 << 10

// Lines cuts a stream into lines at LF, CRLF or CR, whichever ends the first
// line. Slices that it returns are valid until the next call.
type Lines struct {
	r      io.Reader
	buf    []byte
	start  int // of the current row in buf
	eof    bool
	err    error
	eol    byte // '\n' or '\r', 0 until the first line end is seen
	Line   int64
	Offset int64 // of buf[start] in the stream
}

// NewLines reads from r.
func NewLines(r io.Reader) *Lines { return &Lines{r: r} }

// fill reads more behind the current row. It reports whether bytes came.
func (l *Lines) fill() bool {
	if l.eof || l.err != nil {
		return false
	}
	if l.start > 0 {
		n := copy(l.buf, l.buf[l.start:])
		l.buf = l.buf[:n]
		l.start = 0
	}
	n := len(l.buf)
	if n >= rowBytesMax {
		l.err = errs.New(errs.ProgramLimit, "line %d is longer than 16 MiB", l.Line+1)
		return false
	}
	if cap(l.buf)-n < readBytes {
		bigger := make([]byte, n, max(2*cap(l.buf), n+readBytes))
		copy(bigger, l.buf)
		l.buf = bigger
	}
	for {
		m, err := l.r.Read(l.buf[n : n+readBytes])
		l.buf = l.buf[:n+m]
		if err == io.EOF {
			l.eof = true
		} else if err != nil {
			l.err = err
		}
		if m > 0 || err != nil {
			return m > 0
		}
	}
}

// Row gives the next row without its line end. more is asked with the bytes
// from the row's start to a line end: it returns false if the row goes on
// (the line end was quoted). io.EOF ends the stream.
func (l *Lines) Row(complete func(row []byte, atEOF bool) bool) ([]byte, error) {
	scanned := 0
	for {
		end, next := l.lineEnd(scanned)
		if end < 0 {
			if l.fill() {
				continue
			}
			if l.err != nil {
				return nil, l.err
			}
			row := l.buf[l.start:]
			if len(row) == 0 {
				return nil, io.EOF
			}
			complete(row, true)
			return l.take(len(row), len(row)), nil
		}
		row := l.buf[l.start : l.start+end]
		if complete(row, false) {
			return l.take(end, next), nil
		}
		l.Line++
		scanned = next
	}
}

func (l *Lines) take(rowBytes, next int) []byte {
	row := l.buf[l.start : l.start+rowBytes]
	l.start += next
	l.Offset += int64(next)
	l.Line++
	return row
}

// lineEnd finds the first line end at or after from (relative to the row's
// start): where the row ends and where the next begins, or -1.
func (l *Lines) lineEnd(from int) (end, next int) {
	b := l.buf[l.start:]
	if l.eol == 0 {
		i := bytes.IndexAny(b[from:], "\r\n")
		if i < 0 {
			return -1, 0
		}
		if i += from; b[i] == '\r' {
			if i+1 == len(b) && !l.eof {
				return -1, 0 // whether LF follows decides
			}
			if i+1 == len(b) || b[i+1] != '\n' {
				l.eol = '\r'
				return i, i + 1
			}
		}
		l.eol = '\n'
	}
	i := bytes.IndexByte(b[from:], l.eol)
	if i < 0 {
		return -1, 0
	}
	end = from + i
	next = end + 1
	if l.eol == '\n' && end > 0 && b[end-1] == '\r' {
		end--
	}
	return end, next
}
