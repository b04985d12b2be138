package ingest_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"quern/ingest"
	"quern/storage/errs"
)

// TestArrow loads a stream, sniffed by its first bytes, in memory and as a load.
func TestArrow(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int32}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for i := range 20_000 {
		b.Field(0).(*array.Int32Builder).Append(int32(i))
		b.Field(1).(*array.StringBuilder).Append("a text of more than twelve bytes")
	}
	rec := b.NewRecord()
	defer rec.Release()
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema), ipc.WithZstd())
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{64 << 20, 100 << 10} {
		s, g, _ := openSmall(t, size)
		send := func(body []byte) (*ingest.Answer, error) {
			return g.Append(context.Background(), &ingest.Request{Principal: admin, Table: "t", Source: "http", Create: true, Key: "k", Body: bytes.NewReader(body)})
		}
		a, err := send(buf.Bytes())
		if err != nil || a.Accepted != 20_000 {
			t.Fatal(counts(a), err)
		}
		if got := dump(t, s, "public", "t", "n", "s"); strings.Count(got, "\n") != 20_000 || !strings.Contains(got, "19999|a text of more than twelve bytes\n") {
			t.Errorf("%d rows", strings.Count(got, "\n"))
		}
		if _, err := send(buf.Bytes()[:buf.Len()/2]); errs.CodeOf(err) != errs.BadCopyFormat {
			t.Errorf("half a stream: %v", err)
		}
	}
}
