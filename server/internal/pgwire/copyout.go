package pgwire

import (
	"encoding/binary"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// binaryHeader begins COPY's binary form: signature, flags, extension length.
const binaryHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// copyOut sends the rows of COPY TO STDOUT, one per CopyData, and returns the
// command's tag.
func (c *conn) copyOut(pt sql.Portal) (string, error) {
	o, fields := pt.CopyOut().Options, pt.Fields()
	format := copyFormat(o.Format)
	codes := make([]uint16, len(fields))
	for i := range codes {
		codes[i] = uint16(format)
	}
	enc, err := newEncoder(fields, []int16{int16(format)}, c.sess.Format())
	if err != nil {
		return "", err
	}
	w := newCopyText(o, fields)
	// The first batch is made before the answer, so that a statement that
	// fails at once is a plain error, as the client of COPY expects.
	var b vec.Batch
	n, err := c.next(c.gen, pt, &b)
	if err != nil {
		return "", err
	}
	c.out.send(&pgproto3.CopyOutResponse{OverallFormat: format, ColumnFormatCodes: codes})
	switch {
	case format == 1:
		c.copyData([]byte(binaryHeader))
	case o.Header != "":
		c.copyData(w.header(nil, fields))
	}
	for n > 0 {
		if format == 1 {
			err = enc.rows(&c.out, &b, 0, b.Rows(), tagCopyData)
		} else {
			err = w.rows(&c.out, enc, &b)
		}
		if err != nil {
			return "", err
		}
		if n, err = c.next(c.gen, pt, &b); err != nil {
			return "", err
		}
	}
	if format == 1 {
		c.copyData([]byte{0xFF, 0xFF})
	}
	c.out.raw('c')
	return pt.Tag(), nil
}

func (c *conn) copyData(b []byte) { c.out.send(&pgproto3.CopyData{Data: b}) }

// copyText writes rows in COPY's text or csv form.
type copyText struct {
	csv        bool
	delim      byte
	null       string
	quote, esc byte
	force      []bool // csv: always quoted
	plain      []bool // values that need neither quotes nor escapes
	special    [256]bool
}

func newCopyText(o sql.CopyOptions, fields []sql.Field) *copyText {
	w := &copyText{csv: o.Format == "csv", delim: o.Delimiter, null: o.Null, quote: o.Quote, esc: o.Escape,
		force: make([]bool, len(fields)), plain: make([]bool, len(fields))}
	usual := strings.IndexByte("\t,;|", o.Delimiter) >= 0 && (o.Null == "" || o.Null == `\N`)
	for i, f := range fields {
		w.force[i] = o.ForceQuote["*"] || o.ForceQuote[f.Name]
		w.plain[i] = usual && !w.force[i] && plainText(f.Type)
	}
	w.special[w.delim] = true
	if w.csv {
		for _, c := range []byte{'\n', '\r', w.quote} {
			w.special[c] = true
		}
		return w
	}
	for _, c := range []byte("\\\b\f\n\r\t\v") {
		w.special[c] = true
	}
	return w
}

// plainText tells types whose text holds only digits, letters and "+-.: ".
// NB: dates do not count, DateStyle can put a comma into them one day.
func plainText(t types.Type) bool {
	switch t.OID {
	case types.BoolOID, types.Int2OID, types.Int4OID, types.Int8OID, types.OidOID, types.Float4OID, types.Float8OID,
		types.NumericOID, types.UUIDOID:
		return true
	}
	return false
}

// header is the line of column names.
func (w *copyText) header(dst []byte, fields []sql.Field) []byte {
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, w.delim)
		}
		dst = w.field(dst, []byte(f.Name), false, false)
	}
	return append(dst, '\n')
}

// rows appends all live rows of b.
func (w *copyText) rows(o *out, e *encoder, b *vec.Batch) error {
	o.reserve()
	for lo, hi := 0, b.Rows(); lo < hi; {
		n := e.fit(b, lo, hi)
		if err := e.encode(b, lo, lo+n); err != nil {
			return err
		}
		o.buf = w.stitch(o.buf, e.cols, n)
		if err := o.flushFull(); err != nil {
			return err
		}
		lo += n
	}
	return nil
}

func (w *copyText) stitch(dst []byte, cols []*column, n int) []byte {
	for r := range n {
		start := len(dst)
		dst = append(dst, tagCopyData, 0, 0, 0, 0)
		for i, c := range cols {
			if i > 0 {
				dst = append(dst, w.delim)
			}
			end := c.ends[r]
			if end < 0 {
				dst = append(dst, w.null...)
				continue
			}
			if w.plain[i] {
				dst = append(dst, c.buf[c.pos:end]...)
			} else {
				dst = w.field(dst, c.buf[c.pos:end], w.force[i], len(cols) == 1)
			}
			c.pos = end
		}
		dst = append(dst, '\n')
		binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	}
	return dst
}

// field appends one value, escaped or quoted as needed. alone tells that it is
// the only one of its line: `\.` would end the data there.
func (w *copyText) field(dst, b []byte, force, alone bool) []byte {
	if w.csv {
		return w.csvField(dst, b, force, alone)
	}
	from := 0
	for i, c := range b {
		if !w.special[c] {
			continue
		}
		dst = append(append(dst, b[from:i]...), '\\')
		from = i + 1
		switch c {
		case '\b':
			c = 'b'
		case '\f':
			c = 'f'
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case '\t':
			c = 't'
		case '\v':
			c = 'v'
		}
		dst = append(dst, c)
	}
	return append(dst, b[from:]...)
}

func (w *copyText) csvField(dst, b []byte, force, alone bool) []byte {
	quote := force || string(b) == w.null || alone && string(b) == `\.`
	for i := 0; i < len(b) && !quote; i++ {
		quote = w.special[b[i]]
	}
	if !quote {
		return append(dst, b...)
	}
	dst = append(dst, w.quote)
	for _, c := range b {
		if c == w.quote || c == w.esc {
			dst = append(dst, w.esc)
		}
		dst = append(dst, c)
	}
	return append(dst, w.quote)
}
