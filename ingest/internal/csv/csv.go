// Package csv decodes CSV as PostgreSQL's COPY does, for COPY and for HTTP
// bodies alike: a quote may open anywhere in a field, quoted text is never
// NULL, an unquoted field equal to the NULL string is NULL. Rows without a
// quote are cut by IndexByte; others go through a state machine.
package csv

import (
	"bytes"
	"io"
	"slices"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
)

// Options are COPY's.
type Options struct {
	Delimiter, Quote, Escape byte
	Null                     string
	Header                   string // "", "true" (skip), "match" (names must equal the columns)
	ForceNotNull, ForceNull  []bool // per column, nil = none
	// EndMark: a line `\.` ends the data (COPY).
	EndMark bool
}

// Default are the options of COPY … CSV without any.
var Default = Options{Delimiter: ',', Quote: '"', Escape: '"'}

// Decoder decodes one stream.
type Decoder struct {
	opt    Options
	lines  *decode.Lines
	sink   *decode.Sink
	row    int64
	header bool // still to be read
	done   bool

	fields  []decode.Field
	scratch []byte
}

// New returns a decoder.
func New(r io.Reader, opt Options, sink *decode.Sink) *Decoder {
	return &Decoder{opt: opt, lines: decode.NewLines(r), sink: sink, header: opt.Header != ""}
}

// Next appends at most limit good rows; io.EOF when the stream is used up.
func (d *Decoder) Next(limit int) (rows int, err error) {
	for rows < limit {
		if d.done {
			return rows, io.EOF
		}
		offset := d.lines.Offset
		raw, err := d.lines.Row(d.complete)
		if err != nil {
			return rows, err
		}
		if d.opt.EndMark && string(raw) == `\.` {
			d.done = true
			continue
		}
		place := decode.Place{Row: d.row, Line: d.lines.Line, Offset: offset, Raw: raw}
		ok := d.split(raw)
		if d.header {
			d.header = false
			if err := d.checkHeader(); err != nil {
				return rows, err
			}
			continue
		}
		d.row++
		if !ok {
			err := errs.New(errs.BadCopyFormat, "unterminated CSV quoted field")
			err2 := d.sink.Reject(decode.Reject{Row: place.Row, Offset: offset, Raw: raw, Kind: "payload",
				Code: string(errs.BadCopyFormat), Message: err.Msg, Err: err, Line: place.Line})
			return rows, cmpErr(err2, io.EOF)
		}
		good, err := d.sink.AppendFields(place, d.fields)
		if err != nil {
			return rows, err
		}
		if good {
			rows++
		}
	}
	return rows, nil
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Header reads the first row's fields as names; for inference.
func (d *Decoder) Header() ([]string, error) {
	raw, err := d.lines.Row(d.complete)
	if err != nil {
		return nil, err
	}
	d.split(raw)
	var names []string
	for _, f := range d.fields {
		names = append(names, string(f.B))
	}
	return names, nil
}

// Fields reads the next row's fields; for inference. They are valid until the
// next call.
func (d *Decoder) Fields() ([]decode.Field, error) {
	raw, err := d.lines.Row(d.complete)
	if err != nil {
		return nil, err
	}
	d.split(raw)
	return d.fields, nil
}

func (d *Decoder) checkHeader() error {
	if d.opt.Header != "match" {
		return nil
	}
	if len(d.fields) != len(d.sink.Columns) {
		return errs.New(errs.BadCopyFormat, "wrong number of fields in header line: got %d, expected %d", len(d.fields), len(d.sink.Columns))
	}
	for i, f := range d.fields {
		if string(f.B) != d.sink.Columns[i].Name {
			return errs.New(errs.BadCopyFormat, "column name mismatch in header line field %d: got %q, expected %q", i+1, f.B, d.sink.Columns[i].Name)
		}
	}
	return nil
}

// complete tells whether a line end closes the row: not inside quotes.
func (d *Decoder) complete(row []byte, atEOF bool) bool {
	if atEOF || bytes.IndexByte(row, d.opt.Quote) < 0 {
		return true
	}
	return !d.openQuote(row)
}

// openQuote tells whether row ends inside a quoted section.
func (d *Decoder) openQuote(row []byte) bool {
	in := false
	for i := 0; i < len(row); i++ {
		switch c := row[i]; {
		case in && c == d.opt.Escape && i+1 < len(row) && (row[i+1] == d.opt.Quote || row[i+1] == d.opt.Escape):
			i++
		case c == d.opt.Quote:
			in = !in
		}
	}
	return in
}

// split cuts raw into d.fields; false if a quote is never closed.
func (d *Decoder) split(raw []byte) bool {
	d.fields = d.fields[:0]
	if bytes.IndexByte(raw, d.opt.Quote) < 0 {
		for {
			i := bytes.IndexByte(raw, d.opt.Delimiter)
			if i < 0 {
				d.add(raw, false)
				return true
			}
			d.add(raw[:i], false)
			raw = raw[i+1:]
		}
	}
	return d.splitQuoted(raw)
}

func (d *Decoder) splitQuoted(raw []byte) bool {
	// One scratch for the whole row: fields are slices of it, so it must not
	// grow while they are made.
	d.scratch = slices.Grow(d.scratch[:0], len(raw))
	start, in, quoted := 0, false, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case in && c == d.opt.Escape && i+1 < len(raw) && (raw[i+1] == d.opt.Quote || raw[i+1] == d.opt.Escape):
			i++
			d.scratch = append(d.scratch, raw[i])
		case c == d.opt.Quote:
			in, quoted = !in, true
		case !in && c == d.opt.Delimiter:
			d.add(d.scratch[start:], quoted)
			start, quoted = len(d.scratch), false
		default:
			d.scratch = append(d.scratch, c)
		}
	}
	d.add(d.scratch[start:], quoted)
	return !in
}

func (d *Decoder) add(b []byte, quoted bool) {
	null := !quoted && string(b) == d.opt.Null
	if i := len(d.fields); null && i < len(d.opt.ForceNotNull) && d.opt.ForceNotNull[i] {
		null = false
	} else if quoted && i < len(d.opt.ForceNull) && d.opt.ForceNull[i] && string(b) == d.opt.Null {
		null = true
	}
	d.fields = append(d.fields, decode.Field{B: b[:len(b):len(b)], Null: null})
}

// Offset is where the next row begins in the input.
func (d *Decoder) Offset() int64 { return d.lines.Offset }
