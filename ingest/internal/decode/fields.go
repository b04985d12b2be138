package decode

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Field is one field of a text row; Null fields are SQL NULL.
type Field struct {
	B    []byte
	Null bool
}

// Place is where a row lies in its input.
type Place struct {
	Row    int64 // 0-based data row
	Line   int64 // 1-based line of the input
	Offset int64
	Raw    []byte
}

// AppendFields converts the fields of one row in the types' text form and
// appends them, one field per column. A bad row is rejected and leaves no
// trace. Field counts are judged as COPY does (22P04).
func (s *Sink) AppendFields(p Place, fields []Field) (good bool, err error) {
	if len(fields) != len(s.Columns) {
		return false, s.Reject(s.countReject(p, len(fields)))
	}
	before := 0
	if len(s.Builders) > 0 {
		before = s.Builders[0].Len()
	}
	for i, b := range s.Builders {
		f := &fields[i]
		if f.Null {
			b.Null()
			continue
		}
		if err := AppendText(b, f.B, s.Format); err != nil {
			s.Truncate(before)
			return false, s.Reject(s.valueReject(p, i, f.B, err))
		}
	}
	if s.Row != nil {
		return true, s.Row(p.Offset, p.Raw)
	}
	return true, nil
}

// AppendText appends the value that text stands for.
func AppendText(b *vec.Builder, text []byte, f *types.Format) error {
	t := b.Type()
	if t.OID == types.TextOID {
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return errs.New(errs.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
		}
		b.AppendBytes(text)
		return nil
	}
	var d types.Datum
	if err := types.ParseBytes(t, text, f, &d); err != nil {
		return err
	}
	b.Append(&d)
	return nil
}

func (s *Sink) countReject(p Place, n int) Reject {
	r := Reject{Row: p.Row, Offset: p.Offset, Raw: p.Raw, Kind: "row", Code: string(errs.BadCopyFormat), Line: p.Line}
	if n > len(s.Columns) {
		r.Message = fmt.Sprintf("line %d: extra data after last expected column", p.Line)
		r.Err = errs.New(errs.BadCopyFormat, "extra data after last expected column")
		return r
	}
	r.Column = s.Columns[n].Name
	r.Message = fmt.Sprintf("line %d: missing data for column %q", p.Line, r.Column)
	r.Err = errs.New(errs.BadCopyFormat, "missing data for column %q", r.Column)
	return r
}

func (s *Sink) valueReject(p Place, col int, value []byte, err error) Reject {
	c := s.Columns[col]
	return Reject{Row: p.Row, Offset: p.Offset, Raw: p.Raw, Kind: "row", Code: string(errs.CodeOf(err)), Column: c.Name,
		Message: fmt.Sprintf("line %d, column %s: the value is not valid for type %s", p.Line, c.Name, c.Type), Err: err, Line: p.Line, Value: value}
}
