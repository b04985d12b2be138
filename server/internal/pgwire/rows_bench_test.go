package pgwire

import (
	"io"
	"net"
	"testing"
	"time"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// sink is a connection that takes everything at once.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return io.Discard.Write(p) }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// eventRows is the shape that WIRE.md §15 measures: timestamptz, int8, text,
// float8, int4.
func eventRows(n int) (*vec.Batch, []sql.Field) {
	ts, id := vec.NewBuilder(types.Timestamptz, n), vec.NewBuilder(types.Int8, n)
	name, f, q := vec.NewBuilder(types.Text, n), vec.NewBuilder(types.Float8, n), vec.NewBuilder(types.Int4, n)
	names := []string{"play", "skip", "pause_and_something_longer"}
	for i := range n {
		vec.AppendFixed(ts, int64(1717200000000000+i*7_120_000))
		vec.AppendFixed(id, int64(i)*7919)
		name.AppendBytes([]byte(names[i%3]))
		vec.AppendFixed(f, float64(i)/3)
		vec.AppendFixed(q, int32(i%100))
	}
	b := &vec.Batch{Len: n}
	var fields []sql.Field
	for _, x := range []*vec.Builder{ts, id, name, f, q} {
		v := x.Finish()
		b.Cols = append(b.Cols, v)
		fields = append(fields, sql.Field{Type: v.Type})
	}
	return b, fields
}

func benchRows(b *testing.B, format int16, drop int) {
	batch, fields := eventRows(vec.BatchRows)
	if drop >= 0 { // without the text column all rows have one size
		batch.Cols = append(batch.Cols[:drop:drop], batch.Cols[drop+1:]...)
		fields = append(fields[:drop:drop], fields[drop+1:]...)
	}
	e, err := newEncoder(fields, []int16{format}, nil)
	if err != nil {
		b.Fatal(err)
	}
	o := out{conn: sink{}}
	o.reserve()
	for b.Loop() {
		if err := e.rows(&o, batch, 0, batch.Len, tagDataRow); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(batch.Len)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkRowsText(b *testing.B)        { benchRows(b, 0, -1) }
func BenchmarkRowsBinary(b *testing.B)      { benchRows(b, 1, -1) }
func BenchmarkRowsBinaryFixed(b *testing.B) { benchRows(b, 1, 2) }

func BenchmarkCopyText(b *testing.B) {
	batch, fields := eventRows(vec.BatchRows)
	e, err := newEncoder(fields, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	w := newCopyText(sql.CopyOptions{Format: "text", Delimiter: '\t', Null: `\N`}, fields)
	o := out{conn: sink{}}
	for b.Loop() {
		if err := w.rows(&o, e, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(batch.Len)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
