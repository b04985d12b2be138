package export

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// tableWriter writes results as psql does: aligned columns, numbers to the
// right, and the number of rows. It keeps one result in memory for its widths.
type tableWriter struct {
	o      out
	fields []sql.Field
	f      *types.Format
	cells  [][]string
	has    bool
}

func (w *tableWriter) Start(int) {}

func (w *tableWriter) Begin(fields []sql.Field, f *types.Format) error {
	w.fields, w.f, w.cells, w.has = fields, f, nil, fields != nil
	return nil
}

func (w *tableWriter) Rows(batch *vec.Batch) error {
	return eachRow(batch, func(i int) error {
		row := make([]string, len(batch.Cols))
		for c := range batch.Cols {
			if v := &batch.Cols[c]; !v.Null(i) {
				row[c] = string(bytes.ReplaceAll(appendValue(nil, v, i, w.f), []byte("\n"), []byte("\\n")))
			}
		}
		w.cells = append(w.cells, row)
		return nil
	})
}

func (w *tableWriter) End(tag string) error {
	if !w.has {
		w.o.buf = append(append(w.o.buf, tag...), '\n')
		return w.o.flush()
	}
	widths := make([]int, len(w.fields))
	for i, fd := range w.fields {
		widths[i] = utf8.RuneCountInString(fd.Name)
		for _, row := range w.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for i, fd := range w.fields {
		pad := widths[i] - utf8.RuneCountInString(fd.Name)
		w.cell(i, strings.Repeat(" ", pad/2)+fd.Name, widths[i], false)
	}
	w.line()
	for i, n := range widths {
		if i > 0 {
			w.o.buf = append(w.o.buf, '+')
		}
		w.o.buf = append(w.o.buf, strings.Repeat("-", n+2)...)
	}
	w.o.buf = append(w.o.buf, '\n')
	for _, row := range w.cells {
		for i, s := range row {
			w.cell(i, s, widths[i], rightAligned(w.fields[i].Type))
		}
		w.line()
	}
	w.o.buf = append(append(w.o.buf, '('), strconv.Itoa(len(w.cells))...)
	if len(w.cells) == 1 {
		w.o.buf = append(w.o.buf, " row)\n\n"...)
	} else {
		w.o.buf = append(w.o.buf, " rows)\n\n"...)
	}
	return w.o.flush()
}

func (w *tableWriter) cell(i int, s string, width int, right bool) {
	if i > 0 {
		w.o.buf = append(w.o.buf, '|')
	}
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(s))
	w.o.buf = append(w.o.buf, ' ')
	if right {
		s = pad + s
	} else {
		s += pad
	}
	w.o.buf = append(append(w.o.buf, s...), ' ')
}

// line ends a line without the blanks at its end.
func (w *tableWriter) line() {
	w.o.buf = append(bytes.TrimRight(w.o.buf, " "), '\n')
}

func rightAligned(t types.Type) bool {
	switch t.OID {
	case types.Int2OID, types.Int4OID, types.Int8OID, types.Float4OID, types.Float8OID, types.NumericOID, types.OidOID:
		return true
	}
	return false
}

func (w *tableWriter) Close(error) error { return w.o.flush() }
