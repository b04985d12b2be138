package export

import (
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// arrowWriter writes one result as an Arrow IPC stream or a Parquet file. Live
// rows are copied into Arrow's builders value by value: nothing of a row that
// the role may not see can travel along in a shared buffer.
type arrowWriter struct {
	w       io.Writer
	parquet bool
	f       *types.Format
	fields  []sql.Field
	schema  *arrow.Schema
	record  *array.RecordBuilder
	sink    recordSink
	text    []byte
}

// recordSink is what the IPC and the Parquet writer have in common.
type recordSink interface {
	Write(arrow.Record) error
	Close() error
}

func (w *arrowWriter) Start(int) {}

func (w *arrowWriter) Begin(fields []sql.Field, f *types.Format) error {
	if fields == nil {
		return nil
	}
	if w.sink != nil {
		return errs.NotSupported("more than one result in an Arrow stream or a Parquet file")
	}
	w.f, w.fields = f, fields
	var fs []arrow.Field
	for _, fd := range fields {
		fs = append(fs, arrow.Field{Name: fd.Name, Type: arrowType(fd.Type), Nullable: true})
	}
	w.schema = arrow.NewSchema(fs, nil)
	w.record = array.NewRecordBuilder(memory.DefaultAllocator, w.schema)
	if !w.parquet {
		w.sink = ipc.NewWriter(w.w, ipc.WithSchema(w.schema))
		return nil
	}
	pw, err := pqarrow.NewFileWriter(w.schema, keepOpen{w.w},
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.DefaultWriterProps())
	w.sink = pw
	return err
}

// keepOpen hides Close: the caller's writer is not ours to close.
type keepOpen struct{ io.Writer }

// arrowType is the Arrow type of a result column. Types without one, and
// numeric without a fixed scale, travel as text.
func arrowType(t types.Type) arrow.DataType {
	switch t.OID {
	case types.BoolOID:
		return arrow.FixedWidthTypes.Boolean
	case types.Int2OID:
		return arrow.PrimitiveTypes.Int16
	case types.Int4OID:
		return arrow.PrimitiveTypes.Int32
	case types.Int8OID:
		return arrow.PrimitiveTypes.Int64
	case types.OidOID:
		return arrow.PrimitiveTypes.Uint32
	case types.Float4OID:
		return arrow.PrimitiveTypes.Float32
	case types.Float8OID:
		return arrow.PrimitiveTypes.Float64
	case types.ByteaOID:
		return arrow.BinaryTypes.Binary
	case types.DateOID:
		return arrow.FixedWidthTypes.Date32
	case types.TimestampOID:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case types.TimestamptzOID:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case types.TimeOID:
		return arrow.FixedWidthTypes.Time64us
	case types.NumericOID:
		if t.Mod >= 4 {
			precision, scale := (t.Mod-4)>>16, (t.Mod-4)&0xffff
			if precision <= 38 && scale <= precision {
				return &arrow.Decimal128Type{Precision: precision, Scale: scale}
			}
		}
	}
	return arrow.BinaryTypes.String
}

func (w *arrowWriter) Rows(b *vec.Batch) error {
	for c := range b.Cols {
		v, to := &b.Cols[c], w.record.Field(c)
		err := eachRow(b, func(i int) error {
			if v.Null(i) {
				to.AppendNull()
				return nil
			}
			d := v.Datum(i)
			return w.append(to, v.Type, &d)
		})
		if err != nil {
			return err
		}
	}
	rec := w.record.NewRecord()
	defer rec.Release()
	return w.sink.Write(rec)
}

func (w *arrowWriter) append(to array.Builder, t types.Type, d *types.Datum) error {
	switch b := to.(type) {
	case *array.BooleanBuilder:
		b.Append(d.I != 0)
	case *array.Int16Builder:
		b.Append(int16(d.I))
	case *array.Int32Builder:
		b.Append(int32(d.I))
	case *array.Int64Builder:
		b.Append(d.I)
	case *array.Uint32Builder:
		b.Append(uint32(d.I))
	case *array.Float32Builder:
		b.Append(float32(d.F))
	case *array.Float64Builder:
		b.Append(d.F)
	case *array.BinaryBuilder:
		b.Append([]byte(d.S))
	case *array.Date32Builder:
		b.Append(arrow.Date32(d.I))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(d.I))
	case *array.Time64Builder:
		b.Append(arrow.Time64(d.I))
	case *array.Decimal128Builder:
		return appendDecimal(b, d)
	case *array.StringBuilder:
		w.text = types.AppendText(w.text[:0], t, d, w.f)
		b.Append(string(w.text))
	default:
		return errs.New(errs.Internal, "no Arrow form of type %s", t)
	}
	return nil
}

// appendDecimal brings the coefficient to the column's scale, which its type
// modifier guarantees to be possible; NaN and infinities have no Arrow form.
func appendDecimal(b *array.Decimal128Builder, d *types.Datum) error {
	if d.N.Kind != types.NumFinite {
		b.AppendNull()
		return nil
	}
	n := decimal128.New(d.N.Hi, d.N.Lo)
	want := b.Type().(*arrow.Decimal128Type).Scale
	if have := int32(d.N.Scale); have != want {
		moved, err := n.Rescale(have, want)
		if err != nil {
			return errs.New(errs.NumericOutOfRange, "numeric value does not fit its column's scale")
		}
		n = moved
	}
	b.Append(n)
	return nil
}

func (w *arrowWriter) End(string) error { return nil }

// Close ends the stream. After an error it is left without its end, so that a
// reader sees that it is not whole.
func (w *arrowWriter) Close(err error) error {
	if w.record != nil {
		defer w.record.Release()
	}
	if err != nil || w.sink == nil {
		return nil
	}
	return w.sink.Close()
}
