package export

import (
	"bytes"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// csvWriter writes a header line and rows as PostgreSQL's COPY … CSV HEADER
// does: NULL is nothing, the empty string is "". Results of several statements
// are separated by an empty line.
type csvWriter struct {
	o     out
	f     *types.Format
	count int
	value []byte
}

func (w *csvWriter) Start(int) {}

func (w *csvWriter) Begin(fields []sql.Field, f *types.Format) error {
	w.f = f
	if fields == nil {
		return nil
	}
	if w.count++; w.count > 1 {
		w.o.buf = append(w.o.buf, '\n')
	}
	for i, fd := range fields {
		if i > 0 {
			w.o.buf = append(w.o.buf, ',')
		}
		w.o.buf = appendCSV(w.o.buf, []byte(fd.Name))
	}
	w.o.buf = append(w.o.buf, '\n')
	return nil
}

func (w *csvWriter) Rows(batch *vec.Batch) error {
	return eachRow(batch, func(i int) error {
		for c := range batch.Cols {
			if c > 0 {
				w.o.buf = append(w.o.buf, ',')
			}
			v := &batch.Cols[c]
			if v.Null(i) {
				continue
			}
			w.value = appendValue(w.value[:0], v, i, w.f)
			w.o.buf = appendCSV(w.o.buf, w.value)
		}
		w.o.buf = append(w.o.buf, '\n')
		return w.o.full()
	})
}

func appendCSV(dst, b []byte) []byte {
	if len(b) > 0 && !bytes.ContainsAny(b, ",\"\n\r") && string(b) != `\.` {
		return append(dst, b...)
	}
	dst = append(dst, '"')
	for _, c := range b {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func (w *csvWriter) End(string) error { return nil }

func (w *csvWriter) Close(error) error { return w.o.flush() }
