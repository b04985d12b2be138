package ndjson

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/types/jsonb"
	"quern/storage/vec"
)

// Decoder decodes one body. Not for concurrent use.
type Decoder struct {
	body  []byte
	pos   int
	row   int64
	array bool
	open  bool // the array's bracket was read
	more  bool // body is a window: a row that does not end in it goes on
	sink  *decode.Sink

	exact  map[string]int
	folded map[string]int
	memo   []int  // columns in the order of the previous row's keys, -1 unknown
	spans  []span // per column, this row's value
	stamp  uint32

	scratch []byte
	jsonb   jsonb.Writer
	normal  []byte // jsonb of the row's containers, in normal form
	isJSONB []bool // by column
}

// span is where a column's value lies in the row, or in Decoder.normal, valid if
// stamp is the row's.
type span struct {
	start, end int
	stamp      uint32
	normal     bool
}

// New returns a decoder of body: lines, or one array of objects.
func New(body []byte, array bool, sink *decode.Sink) *Decoder {
	d := &Decoder{body: body, array: array}
	d.SetSink(sink)
	return d
}

// Sink is where rows go.
func (d *Decoder) Sink() *decode.Sink { return d.sink }

// SetSink sends the next rows elsewhere, with other columns.
func (d *Decoder) SetSink(sink *decode.Sink) {
	d.sink, d.memo, d.stamp = sink, nil, 0
	d.exact, d.folded, d.spans = map[string]int{}, map[string]int{}, make([]span, len(sink.Columns))
	d.isJSONB = make([]bool, len(sink.Columns))
	for i, c := range sink.Columns {
		d.exact[c.Name] = i
		d.isJSONB[i] = c.Type.OID == types.JSONBOID
		if _, dup := d.folded[strings.ToLower(c.Name)]; !dup {
			d.folded[strings.ToLower(c.Name)] = i
		}
	}
}

// Reset gives the decoder the next window of its input. more says that others
// follow: Next stops before a row that may go on there, and the next window must
// begin at Pos.
func (d *Decoder) Reset(body []byte, more bool) { d.body, d.pos, d.more = body, 0, more }

// Pos is how far the window was used.
func (d *Decoder) Pos() int { return d.pos }

// Rows is the number of rows seen so far, bad ones included.
func (d *Decoder) Rows() int64 { return d.row }

// Next appends at most limit good rows to the sink's builders and returns how
// many, with io.EOF when the body is used up.
func (d *Decoder) Next(limit int) (rows int, err error) {
	for rows < limit {
		raw, start, err := d.nextRow()
		if err != nil {
			return rows, err
		}
		good, err := d.decodeRow(raw, start)
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

// nextRow finds the next row's text, without judging it.
func (d *Decoder) nextRow() (raw []byte, start int, err error) {
	if d.array {
		return d.nextElement()
	}
	for d.pos < len(d.body) {
		start = d.pos
		end := bytes.IndexByte(d.body[start:], '\n')
		if end < 0 && d.more {
			return nil, 0, io.EOF
		}
		if end < 0 {
			end = len(d.body)
			d.pos = end
		} else {
			end += start
			d.pos = end + 1
		}
		line := d.body[start:end]
		for len(line) > 0 && (line[0] == ' ' || line[0] == '\t' || line[0] == '\r') {
			line, start = line[1:], start+1
		}
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > 0 {
			return line, start, nil
		}
	}
	return nil, 0, io.EOF
}

// nextElement cuts the next element out of the array. A syntax error keeps the
// rest of the body as one payload reject; in a window that others follow, the
// element may only be cut off.
func (d *Decoder) nextElement() (raw []byte, start int, err error) {
	pos, open, array := d.pos, d.open, d.array
	s := scanner{b: d.body, pos: d.pos}
	raw, start, bad := d.element(&s)
	cut := raw == nil || d.pos == len(d.body) && raw[len(raw)-1] != '}' && raw[len(raw)-1] != ']'
	switch {
	case d.more && cut:
		d.pos, d.open, d.array = pos, open, array
		return nil, 0, io.EOF
	case bad && d.pos < len(d.body):
		return nil, 0, d.payload(s.msg)
	case raw == nil:
		return nil, 0, io.EOF
	}
	return raw, start, nil
}

// element scans one element. No element and not bad is the end of the body.
func (d *Decoder) element(s *scanner) (raw []byte, start int, bad bool) {
	s.space()
	if !d.open {
		if s.pos == len(s.b) || s.b[s.pos] != '[' && s.b[s.pos] != '{' {
			return nil, 0, s.pos < len(s.b)
		}
		d.open = true
		if s.b[s.pos] == '{' { // one object is a row of its own
			d.array = false
			start = s.pos
			if !s.value(0) {
				return nil, 0, true
			}
			d.pos = s.pos
			return d.body[start:s.pos], start, false
		}
		s.pos++
		s.space()
		if s.pos < len(s.b) && s.b[s.pos] == ']' {
			s.pos++
			return nil, 0, d.trailing(s)
		}
	} else if done, good := s.next(']'); !good {
		return nil, 0, true
	} else if done {
		return nil, 0, d.trailing(s)
	}
	s.space()
	start = s.pos
	if !s.value(1) {
		return nil, 0, true
	}
	d.pos = s.pos
	return d.body[start:s.pos], start, false
}

// trailing tells whether anything follows the array.
func (d *Decoder) trailing(s *scanner) bool {
	s.space()
	d.pos = s.pos
	s.msg = "trailing characters after the array"
	return d.pos < len(d.body)
}

func (d *Decoder) payload(msg string) error {
	start := d.pos
	d.pos = len(d.body)
	d.row++
	if err := d.sink.Reject(decode.Reject{Row: d.row - 1, Offset: int64(start), Raw: d.body[start:],
		Kind: "payload", Code: string(errs.InvalidText), Message: "invalid JSON: " + msg}); err != nil {
		return err
	}
	return io.EOF
}

// decodeRow decodes one object into the builders. good is false when the row
// went to Reject.
func (d *Decoder) decodeRow(raw []byte, start int) (good bool, err error) {
	r := decode.Reject{Row: d.row, Offset: int64(start), Raw: raw, Kind: "row"}
	if bad := d.locate(raw, &r); bad {
		return false, d.sink.Reject(r)
	}
	before := 0
	if len(d.sink.Builders) > 0 {
		before = d.sink.Builders[0].Len()
	}
	for i, b := range d.sink.Builders {
		sp := d.spans[i]
		if sp.stamp != d.stamp {
			b.Null()
			continue
		}
		if sp.normal {
			b.AppendBytes(d.normal[sp.start:sp.end])
			continue
		}
		if err := d.convert(b, raw[sp.start:sp.end]); err != nil {
			d.sink.Truncate(before)
			r.Code, r.Column = string(errs.CodeOf(err)), d.sink.Columns[i].Name
			r.Message = "column " + r.Column + ": the value is not valid for type " + d.sink.Columns[i].Type.String()
			return false, d.sink.Reject(r)
		}
	}
	if d.sink.Row != nil {
		return true, d.sink.Row(int64(start), raw)
	}
	return true, nil
}

// locate walks the object and notes each column's span. It reports whether the
// row is bad, with the reason in r.
func (d *Decoder) locate(raw []byte, r *decode.Reject) (bad bool) {
	d.stamp++
	d.normal = d.normal[:0]
	s := scanner{b: raw}
	if !d.fields(&s, r) {
		if r.Code == "" {
			r.Code, r.Message = string(errs.InvalidText), "invalid JSON: "+s.msg
		}
		return true
	}
	s.space()
	if s.pos != len(raw) {
		r.Code, r.Message = string(errs.InvalidText), "invalid JSON: trailing characters"
		return true
	}
	return false
}

func (d *Decoder) fields(s *scanner, r *decode.Reject) bool {
	if s.pos >= len(s.b) || s.b[s.pos] != '{' {
		return s.fail("expected an object")
	}
	s.pos++
	s.space()
	if s.pos < len(s.b) && s.b[s.pos] == '}' {
		s.pos++
		return true
	}
	for nth := 0; ; nth++ {
		s.space()
		if s.pos >= len(s.b) || s.b[s.pos] != '"' {
			return s.fail("expected a key")
		}
		key, escaped, ok := s.str()
		if !ok || !s.colon() {
			return false
		}
		if escaped {
			key = unescape(nil, key)
		}
		start, col := s.pos, d.column(key, nth)
		if col >= 0 && d.isJSONB[col] && d.normalize(s, col) {
			if done, ok := s.next('}'); !ok || done {
				return ok
			}
			continue
		}
		if !s.value(1) {
			return false
		}
		if col >= 0 {
			d.spans[col] = span{start: start, end: s.pos, stamp: d.stamp}
		} else if d.sink.Unknown == nil || !d.sink.Unknown(string(key), s.b[start:s.pos]) {
			r.Code, r.Column, r.Message = "unknown_column", string(key), "the table has no such column"
			return false
		}
		if done, ok := s.next('}'); !ok || done {
			return ok
		}
	}
}

// normalize reads the container at the scanner's place and writes its normal form,
// in one pass; false, and nothing happened, if there is none or it is not plain.
func (d *Decoder) normalize(s *scanner, col int) bool {
	if s.pos >= len(s.b) || s.b[s.pos] != '{' && s.b[s.pos] != '[' {
		return false
	}
	from := len(d.normal)
	out, n, ok := d.jsonb.AppendFirst(d.normal, s.b[s.pos:])
	if !ok {
		return false
	}
	d.normal = out
	s.pos += n
	d.spans[col] = span{start: from, end: len(out), stamp: d.stamp, normal: true}
	return true
}

// column finds the column of the nth key of a row, -1 if none.
func (d *Decoder) column(key []byte, nth int) int {
	if nth < len(d.memo) {
		if c := d.memo[nth]; c >= 0 && d.sink.Columns[c].Name == text(key) {
			return c
		}
	}
	c, ok := d.exact[text(key)]
	if !ok {
		if c, ok = d.folded[strings.ToLower(string(key))]; !ok {
			c = -1
		}
	}
	if nth < len(d.memo) {
		d.memo[nth] = c
	} else if nth == len(d.memo) && nth < 4096 {
		d.memo = append(d.memo, c)
	}
	return c
}

var errMismatch = errors.New("JSON type does not fit the column")

// convert appends one JSON value to a builder. Strings are read by the type's
// text form, as COPY does; numbers and booleans only where they fit.
func (d *Decoder) convert(b *vec.Builder, raw []byte) error {
	t := b.Type()
	switch raw[0] {
	case 'n':
		b.Null()
		return nil
	case '"':
		s := raw[1 : len(raw)-1]
		if bytes.IndexByte(s, '\\') >= 0 {
			d.scratch = unescape(d.scratch[:0], s)
			s = d.scratch
		}
		if t.OID == types.TextOID {
			b.AppendBytes(s)
			return nil
		}
		if t.OID == types.JSONBOID || t.OID == types.JSONOID {
			return d.parse(b, t, raw)
		}
		return d.parse(b, t, s)
	case '{', '[':
		if t.OID == types.TextOID {
			b.AppendBytes(raw)
			return nil
		}
		if t.OID != types.JSONBOID && t.OID != types.JSONOID {
			return errs.New(errs.InvalidText, "%v", errMismatch)
		}
		if t.OID == types.JSONBOID {
			if out, ok := d.jsonb.Append(d.scratch[:0], raw); ok {
				d.scratch = out
				b.AppendBytes(out)
				return nil
			}
		}
		return d.parse(b, t, raw)
	case 't', 'f':
		return d.boolean(b, t, raw)
	}
	return d.number(b, t, raw)
}

func (d *Decoder) boolean(b *vec.Builder, t types.Type, raw []byte) error {
	switch t.OID {
	case types.BoolOID, types.TextOID, types.VarcharOID, types.BpcharOID, types.JSONOID, types.JSONBOID:
		return d.parse(b, t, raw)
	}
	return errs.New(errs.InvalidText, "%v", errMismatch)
}

func (d *Decoder) number(b *vec.Builder, t types.Type, raw []byte) error {
	switch t.OID {
	case types.Int8OID:
		if n, ok := shortInt(raw); ok {
			vec.AppendFixed(b, n)
			return nil
		}
	case types.Int2OID, types.Int4OID, types.Float4OID, types.Float8OID, types.NumericOID, types.OidOID,
		types.TextOID, types.VarcharOID, types.BpcharOID, types.JSONOID, types.JSONBOID:
	default:
		return errs.New(errs.InvalidText, "%v", errMismatch)
	}
	return d.parse(b, t, raw)
}

// shortInt parses up to 18 digits; anything else takes the general path.
func shortInt(raw []byte) (int64, bool) {
	i, neg := 0, raw[0] == '-'
	if neg {
		i = 1
	}
	if len(raw)-i > 18 {
		return 0, false
	}
	var n int64
	for _, c := range raw[i:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

func (d *Decoder) parse(b *vec.Builder, t types.Type, s []byte) error {
	var v types.Datum
	if err := types.ParseBytes(t, s, d.sink.Format, &v); err != nil {
		return err
	}
	b.Append(&v)
	return nil
}
