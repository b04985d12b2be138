package pgwire

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// someDatum draws a value of t, often an edge.
func someDatum(r *rand.Rand, t types.Type) types.Datum {
	if r.IntN(6) == 0 {
		return types.NullDatum
	}
	i := r.Int64() >> r.IntN(64)
	if r.IntN(2) == 0 {
		i = -i
	}
	switch t.OID {
	case types.BoolOID:
		return types.Datum{I: i & 1}
	case types.Int2OID:
		return types.Datum{I: int64(int16(i))}
	case types.Int4OID, types.DateOID:
		return types.Datum{I: int64(int32(i))}
	case types.OidOID:
		return types.Datum{I: int64(uint32(i))}
	case types.TimestampOID, types.TimestamptzOID:
		switch r.IntN(8) {
		case 0:
			return types.Datum{I: types.TimePosInf}
		case 1:
			return types.Datum{I: types.TimeNegInf}
		case 2: // whole seconds: no fraction
			return types.Datum{I: (r.Int64N(4e9) - 2e9) * usSecond}
		}
		return types.Datum{I: r.Int64N(5e17) - 25e16} // some years before Christ and after 9999
	case types.TimeOID:
		return types.Datum{I: r.Int64N(usDay + 1)}
	case types.Float4OID:
		return types.Datum{F: float64(float32(someFloat(r)))}
	case types.Float8OID:
		return types.Datum{F: someFloat(r)}
	case types.NumericOID:
		return types.Datum{N: types.Num{Lo: uint64(i), Hi: i >> 63, Scale: int16(r.IntN(20))}}
	case types.IntervalOID:
		return types.Datum{Iv: types.IntervalVal{Micros: i, Days: int32(r.IntN(50) - 25), Months: int32(r.IntN(50) - 25)}}
	case types.UUIDOID:
		var u [16]byte
		binary.BigEndian.PutUint64(u[:], r.Uint64())
		return types.Datum{U: u}
	case types.JSONBOID, types.JSONOID:
		return types.Datum{S: `{"a": 1}`}
	}
	s := make([]byte, r.IntN(30))
	for k := range s {
		s[k] = "ab\t\n\\,\"é'\x01"[r.IntN(10)]
	}
	return types.Datum{S: string(s)}
}

func someFloat(r *rand.Rand) float64 {
	switch r.IntN(8) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*r.IntN(2))
	case 2:
		return math.Copysign(0, -1)
	case 3:
		return math.Pow(10, float64(r.IntN(40)-20))
	case 4:
		return float64(r.IntN(2000)) / 8
	case 5:
		return -float64(r.Int64())
	}
	return math.Float64frombits(r.Uint64())
}

// someVector makes n rows of t in a random form.
func someVector(r *rand.Rand, t types.Type, n int) vec.Vector {
	switch r.IntN(3) {
	case 0:
		d := someDatum(r, t)
		return vec.ConstVector(t, &d, n)
	case 1:
		return someDict(r, t, n)
	}
	b := vec.NewBuilder(t, n)
	noNull := r.IntN(2) == 0
	for range n {
		d := someDatum(r, t)
		for noNull && d.Null {
			d = someDatum(r, t)
		}
		b.Append(&d)
	}
	return b.Finish()
}

func someDict(r *rand.Rand, t types.Type, n int) vec.Vector {
	entries := 1 + r.IntN(5)
	b := vec.NewBuilder(t, entries)
	for b.Len() < entries {
		if d := someDatum(r, t); !d.Null {
			b.Append(&d)
		}
	}
	v := vec.Vector{Type: t, Form: vec.Dict, Len: n, Fixed: vec.AlignedBytes(4 * n),
		Dict: &vec.Dictionary{Values: b.Finish()}}
	for i, codes := 0, v.Codes(); i < n; i++ {
		codes[i] = uint32(r.IntN(entries))
		if r.IntN(5) == 0 {
			v.SetNull(i)
		}
	}
	return v
}

var encodeTypes = []types.Type{types.Bool, types.Int2, types.Int4, types.Int8, types.Oid, types.Float4, types.Float8,
	types.Numeric, types.Text, types.Varchar, types.Bytea, types.Date, types.Time, types.Timestamp, types.Timestamptz,
	types.Interval, types.UUID, types.JSON, types.JSONB, types.Name}

// want encodes one value the plain way.
func wantValue(t *testing.T, typ types.Type, format int16, d types.Datum, f *types.Format) []byte {
	t.Helper()
	if format == 1 {
		b, err := types.AppendBinary(nil, typ, &d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return types.AppendText(nil, typ, &d, f)
}

// TestEncoders compares every encoder, in every vector form, with selections
// and NULLs, with package types' plain conversion, cell by cell.
func TestEncoders(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kolkata, stockholm := time.FixedZone("", 19800), mustZone(t, "Europe/Stockholm")
	formats := []*types.Format{types.DefaultFormat, {Location: kolkata, ExtraFloatDigits: 1},
		{Location: stockholm, ExtraFloatDigits: 0, ByteaEscape: true},
		{Location: mustZone(t, "America/St_Johns"), DateStyle: types.DateGerman, ExtraFloatDigits: 3}}
	for round := range 400 {
		n := 1 + r.IntN(40)
		f := formats[round%len(formats)]
		var fields []sql.Field
		var codes []int16
		b := &vec.Batch{Len: n}
		for range 1 + r.IntN(4) {
			typ := encodeTypes[r.IntN(len(encodeTypes))]
			fields = append(fields, sql.Field{Type: typ})
			codes = append(codes, int16(r.IntN(2)))
			b.Cols = append(b.Cols, someVector(r, typ, n))
		}
		if r.IntN(2) == 0 {
			b.Sel = vec.Selection{}
			for i := range n {
				if r.IntN(3) > 0 {
					b.Sel = append(b.Sel, uint16(i))
				}
			}
		}
		e, err := newEncoder(fields, codes, f)
		if err != nil {
			t.Fatal(err)
		}
		var o out
		if err := e.rows(&o, b, 0, b.Rows(), tagDataRow); err != nil {
			t.Fatal(err)
		}
		checkRows(t, o.buf, b, fields, codes, f)
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func checkRows(t *testing.T, got []byte, b *vec.Batch, fields []sql.Field, codes []int16, f *types.Format) {
	t.Helper()
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		if len(got) < 7 || got[0] != 'D' {
			t.Fatalf("row %d: no DataRow at %q", k, got)
		}
		size := int(binary.BigEndian.Uint32(got[1:])) + 1
		row := got[7:size]
		got = got[size:]
		for c := range fields {
			d := b.Cols[c].Datum(i)
			n := int32(binary.BigEndian.Uint32(row))
			row = row[4:]
			if d.Null != (n < 0) {
				t.Fatalf("row %d column %d: null %v, length %d", k, c, d.Null, n)
			}
			if d.Null {
				continue
			}
			if want := wantValue(t, fields[c].Type, codes[c], d, f); !bytes.Equal(row[:n], want) {
				t.Fatalf("%s format %d: got %q, want %q", fields[c].Type, codes[c], row[:n], want)
			}
			row = row[n:]
		}
		if len(row) != 0 {
			t.Fatalf("row %d: %d bytes too many", k, len(row))
		}
	}
	if len(got) != 0 {
		t.Fatalf("%d bytes behind the last row", len(got))
	}
}

// TestWideRows: rows larger than a chunk go out one by one and the buffer
// stays bounded.
func TestWideRows(t *testing.T) {
	server, client := net.Pipe()
	defer server.Close()
	total := make(chan int, 1)
	go func() { //nolint:gosec // ends with the pipe
		buf, n := make([]byte, 1<<20), 0
		for {
			k, err := client.Read(buf)
			n += k
			if err != nil {
				total <- n
				return
			}
		}
	}()
	const rows, width = 64, 100_000
	vb := vec.NewBuilder(types.Text, rows)
	for range rows {
		vb.AppendBytes(make([]byte, width))
	}
	b := &vec.Batch{Len: rows, Cols: []vec.Vector{vb.Finish()}}
	e, err := newEncoder([]sql.Field{{Type: types.Text}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := out{conn: server}
	if err := e.rows(&o, b, 0, rows, tagDataRow); err != nil {
		t.Fatal(err)
	}
	if cap(o.buf) > 4*outBytes {
		t.Errorf("the buffer grew to %d bytes", cap(o.buf))
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	if n := <-total; n != rows*(width+11) {
		t.Errorf("%d bytes sent", n)
	}
}

func TestCopyText(t *testing.T) {
	fields := []sql.Field{{Name: "a", Type: types.Text}, {Name: "b,", Type: types.Text}}
	var b vec.Batch
	rows := [][2]types.Datum{{{S: "x\ty\\z\n"}, {Null: true}}, {{S: ""}, {S: `\N`}}, {{S: "q\"q"}, {S: "a,b"}}, {{S: "\r\b\f\v"}, {S: `\.`}}}
	for c := range fields {
		vb := vec.NewBuilder(types.Text, len(rows))
		for r := range rows {
			vb.Append(&rows[r][c])
		}
		b.Cols = append(b.Cols, vb.Finish())
	}
	b.Len = len(rows)
	for _, c := range []struct {
		o    sql.CopyOptions
		want []string
	}{
		{sql.CopyOptions{Format: "text", Delimiter: '\t', Null: `\N`},
			[]string{"a\tb,\n", "x\\ty\\\\z\\n\t\\N\n", "\t\\\\N\n", "q\"q\ta,b\n", "\\r\\b\\f\\v\t\\\\.\n"}},
		{sql.CopyOptions{Format: "csv", Delimiter: ',', Quote: '"', Escape: '"'},
			[]string{"a,\"b,\"\n", "\"x\ty\\z\n\",\n", "\"\",\\N\n", "\"q\"\"q\",\"a,b\"\n", "\"\r\b\f\v\",\\.\n"}},
		{sql.CopyOptions{Format: "csv", Delimiter: ';', Null: "-", Quote: '\'', Escape: '\\', ForceQuote: map[string]bool{"a": true}},
			[]string{"a;b,\n", "'x\ty\\\\z\n';-\n", "'';\\N\n", "'q\"q';a,b\n", "'\r\b\f\v';\\.\n"}},
	} {
		e, err := newEncoder(fields, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newCopyText(c.o, fields)
		got := []string{string(w.header(nil, fields))}
		var o out
		if err := w.rows(&o, e, &b); err != nil {
			t.Fatal(err)
		}
		for buf := o.buf; len(buf) > 0; {
			n := int(binary.BigEndian.Uint32(buf[1:])) + 1
			got = append(got, string(buf[5:n]))
			buf = buf[n:]
		}
		if len(got) != len(c.want) {
			t.Fatalf("%q", got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s line %d: %q, want %q", c.o.Format, i, got[i], c.want[i])
			}
		}
	}
}
