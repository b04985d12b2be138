// Package pgcopy decodes COPY's text and binary formats. CSV is package csv.
package pgcopy

import (
	"bytes"
	"io"
	"slices"

	"quern/ingest/internal/decode"
)

// TextOptions are COPY … TEXT's.
type TextOptions struct {
	Delimiter byte
	Null      string
	Header    bool // skip the first line
}

// Text decodes the text format: tab-separated, backslash escapes, `\N`, `\.`.
type Text struct {
	opt     TextOptions
	lines   *decode.Lines
	sink    *decode.Sink
	row     int64
	done    bool
	fields  []decode.Field
	scratch []byte
}

// NewText returns a decoder of r.
func NewText(r io.Reader, opt TextOptions, sink *decode.Sink) *Text {
	return &Text{opt: opt, lines: decode.NewLines(r), sink: sink}
}

// Next appends at most limit good rows; io.EOF when the stream is used up.
func (d *Text) Next(limit int) (rows int, err error) {
	for rows < limit {
		if d.done {
			return rows, io.EOF
		}
		offset := d.lines.Offset
		raw, err := d.lines.Row(textComplete)
		if err != nil {
			return rows, err
		}
		if string(raw) == `\.` {
			d.done = true
			continue
		}
		if d.opt.Header {
			d.opt.Header = false
			continue
		}
		d.split(raw)
		good, err := d.sink.AppendFields(decode.Place{Row: d.row, Line: d.lines.Line, Offset: offset, Raw: raw}, d.fields)
		d.row++
		if err != nil {
			return rows, err
		}
		if good {
			rows++
		}
	}
	return rows, nil
}

// textComplete: a backslash before the line end makes it part of the value.
func textComplete(row []byte, atEOF bool) bool {
	n := 0
	for n < len(row) && row[len(row)-1-n] == '\\' {
		n++
	}
	return atEOF || n%2 == 0
}

func (d *Text) split(raw []byte) {
	d.fields = d.fields[:0]
	d.scratch = slices.Grow(d.scratch[:0], len(raw))
	for {
		i := d.fieldEnd(raw)
		d.add(raw[:i])
		if i == len(raw) {
			return
		}
		raw = raw[i+1:]
	}
}

// fieldEnd is the index of the first delimiter that no backslash escapes.
func (d *Text) fieldEnd(raw []byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(raw[i:], d.opt.Delimiter)
		if j < 0 {
			return len(raw)
		}
		j += i
		n := 0
		for n < j && raw[j-1-n] == '\\' {
			n++
		}
		if n%2 == 0 {
			return j
		}
		i = j + 1
	}
}

func (d *Text) add(raw []byte) {
	if string(raw) == d.opt.Null {
		d.fields = append(d.fields, decode.Field{Null: true})
		return
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		d.fields = append(d.fields, decode.Field{B: raw})
		return
	}
	start := len(d.scratch)
	d.scratch = unescape(d.scratch, raw)
	d.fields = append(d.fields, decode.Field{B: d.scratch[start:len(d.scratch):len(d.scratch)]})
}

// unescape appends raw's value; the result is never longer than raw.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'v':
			dst = append(dst, '\v')
		case 'x':
			v, n := number(raw[i+1:], 16, 2)
			if n == 0 {
				dst = append(dst, 'x')
				break
			}
			dst = append(dst, v)
			i += n
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := number(raw[i:], 8, 3)
			dst = append(dst, v)
			i += n - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// number reads up to digits digits of the base; n is how many there were.
func number(b []byte, base, digits int) (v byte, n int) {
	for n < len(b) && n < digits {
		c := int(b[n])
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return v, n
		}
		if c >= base {
			return v, n
		}
		v = byte(int(v)*base + c)
		n++
	}
	return v, n
}
