package export

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// appendJSON appends row i of v as a JSON value: booleans and numbers as such
// (numeric with all its digits), json as it is, everything else as a string
// in PostgreSQL's text form.
func appendJSON(dst []byte, v *vec.Vector, i int, f *types.Format) []byte {
	if v.Null(i) {
		return append(dst, "null"...)
	}
	d := v.Datum(i)
	switch v.Type.OID {
	case types.BoolOID:
		return strconv.AppendBool(dst, d.I != 0)
	case types.Int2OID, types.Int4OID, types.Int8OID, types.OidOID:
		return strconv.AppendInt(dst, d.I, 10)
	case types.Float4OID, types.Float8OID:
		if !math.IsNaN(d.F) && !math.IsInf(d.F, 0) {
			return types.AppendText(dst, v.Type, &d, types.DefaultFormat)
		}
	case types.NumericOID:
		if d.N.Kind == types.NumFinite {
			return types.AppendText(dst, v.Type, &d, f)
		}
	case types.JSONOID, types.JSONBOID:
		return append(dst, d.S...)
	}
	return appendString(dst, string(types.AppendText(nil, v.Type, &d, f)))
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD: JSON has no others.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}

// ErrorBody is an error as the JSON routes answer it.
type ErrorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Position counts characters of the statement, from 1.
	Position int `json:"position,omitempty"`
}

// ErrorOf is what a client may see of err. text is the statement.
func ErrorOf(err error, text string) ErrorBody {
	e := errs.As(err)
	b := ErrorBody{Code: string(e.Code), Message: e.Msg, Detail: e.Detail, Hint: e.Hint}
	if e.Pos > 0 {
		b.Position = utf8.RuneCountInString(text[:min(e.Pos-1, len(text))]) + 1
	}
	return b
}

func appendError(dst []byte, err error) []byte {
	b, _ := json.Marshal(ErrorOf(err, "")) // strings only: cannot fail
	return append(append(dst, `"error":`...), b...)
}

// jsonWriter writes {"columns":[…],"types":[…],"rows":[[…],…],"tag":"…"} for
// one statement, and for several an array of them as "results". An error after
// the beginning stands as "error" beside what came before.
type jsonWriter struct {
	o     out
	f     *types.Format
	multi bool
	count int  // statements begun
	open  bool // a statement has begun and not ended
	rows  bool // it has a row already
}

func (w *jsonWriter) Start(statements int) {
	if statements > 1 {
		w.multi = true
		w.o.buf = append(w.o.buf, `{"results":[`...)
	}
}

func (w *jsonWriter) Begin(fields []sql.Field, f *types.Format) error {
	w.count++
	w.f, w.rows, w.open = f, false, true
	b := w.o.buf
	if w.count > 1 {
		b = append(b, ',')
	}
	b = append(b, `{"columns":[`...)
	for i, fd := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, fd.Name)
	}
	b = append(b, `],"types":[`...)
	for i, fd := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, fd.Type.String())
	}
	w.o.buf = append(b, `],"rows":[`...)
	return nil
}

func (w *jsonWriter) Rows(batch *vec.Batch) error {
	err := eachRow(batch, func(i int) error {
		b := w.o.buf
		if w.rows {
			b = append(b, ',', '\n')
		}
		w.rows = true
		b = append(b, '[')
		for c := range batch.Cols {
			if c > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, &batch.Cols[c], i, w.f)
		}
		w.o.buf = append(b, ']')
		return w.o.full()
	})
	return err
}

func (w *jsonWriter) End(tag string) error {
	w.open = false
	w.o.buf = appendString(append(w.o.buf, `],"tag":`...), tag)
	w.o.buf = append(w.o.buf, '}')
	return w.o.full()
}

func (w *jsonWriter) Close(err error) error {
	b := w.o.buf
	switch {
	case err != nil && w.open:
		b = append(appendError(append(b, `],`...), err), '}')
	case err != nil && w.multi:
		if w.count > 0 {
			b = append(b, ',')
		}
		b = append(appendError(append(b, '{'), err), '}')
	case err != nil:
		b = append(appendError(append(b, '{'), err), '}')
	case w.count == 0:
		b = append(b, `{"columns":[],"types":[],"rows":[],"tag":""}`...)
	}
	if w.multi {
		b = append(b, `]}`...)
	}
	w.o.buf = append(b, '\n')
	return w.o.flush()
}

// ndjsonWriter writes one object per row, keyed by column name.
type ndjsonWriter struct {
	o      out
	fields []sql.Field
	f      *types.Format
}

func (w *ndjsonWriter) Start(int) {}

func (w *ndjsonWriter) Begin(fields []sql.Field, f *types.Format) error {
	w.fields, w.f = fields, f
	return nil
}

func (w *ndjsonWriter) Rows(batch *vec.Batch) error {
	return eachRow(batch, func(i int) error {
		b := append(w.o.buf, '{')
		for c := range batch.Cols {
			if c > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, w.fields[c].Name), ':')
			b = appendJSON(b, &batch.Cols[c], i, w.f)
		}
		w.o.buf = append(b, '}', '\n')
		return w.o.full()
	})
}

func (w *ndjsonWriter) End(string) error { return nil }

func (w *ndjsonWriter) Close(err error) error {
	if err != nil {
		w.o.buf = append(appendError(append(w.o.buf, '{'), err), '}', '\n')
	}
	return w.o.flush()
}
