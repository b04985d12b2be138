package ingest

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"quern/ingest/internal/csv"
	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// csvOptions are those of the media type: text/csv, or tab-separated values.
func (b *batch) csvOptions() csv.Options {
	opt := csv.Default
	if b.format == formatTSV {
		opt.Delimiter = '\t'
	}
	return opt
}

// csvHeader decides whether the first line names columns: as the media type's
// header parameter says, else when every name of it is a column (or, for a new
// table, when none of its fields reads as a number).
func (b *batch) csvHeader(body []byte) ([]string, bool, error) {
	if b.req.Columns != nil {
		return b.req.Columns, strings.Contains(b.req.ContentType, "header=present"), nil
	}
	names, err := csv.New(bytes.NewReader(body), b.csvOptions(), &decode.Sink{}).Header()
	if err == io.EOF {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if strings.Contains(b.req.ContentType, "header=absent") {
		return nil, false, nil
	}
	for _, n := range names {
		known := b.table != nil && findColumn(b.table, n) != nil
		if b.table == nil {
			_, err := strconv.ParseFloat(n, 64)
			known = err != nil && n != ""
		}
		if !known && !strings.Contains(b.req.ContentType, "header=present") {
			return nil, false, nil
		}
	}
	return names, true, nil
}

// csvDecoder orders the target columns as the body has them.
func (b *batch) csvDecoder(body []byte, rest io.Reader, sink *decode.Sink) (decoder, error) {
	names, header, err := b.csvHeader(body)
	if err != nil {
		return nil, err
	}
	if names != nil {
		b.cols, b.columns = nil, nil
		for _, n := range names {
			c := findColumn(b.table, n)
			if c == nil {
				return nil, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", n, b.table.Name)
			}
			for _, id := range b.cols {
				if id == c.ID {
					return nil, errs.New(errs.DuplicateColumn, "column %q specified more than once", n)
				}
			}
			b.cols = append(b.cols, c.ID)
			b.columns = append(b.columns, decode.Column{Name: c.Name, Type: c.Type})
		}
		sink.Columns, sink.Builders = b.columns, b.builders()
	}
	// Raw rows live in the decoder's buffer, which moves on: keep copies.
	if sink.Row != nil {
		sink.Row = func(_ int64, raw []byte) error {
			b.raws = append(b.raws, bytes.Clone(raw))
			return nil
		}
	}
	keep := sink.Reject
	sink.Reject = func(r decode.Reject) error {
		r.Raw = bytes.Clone(r.Raw)
		return keep(r)
	}
	opt := b.csvOptions()
	if header {
		opt.Header = "true"
	}
	in := io.Reader(bytes.NewReader(body))
	if rest != nil {
		in = io.MultiReader(in, rest)
	}
	return csv.New(in, opt, sink), nil
}

// inferCSV looks at every row: the narrowest of bool, int8, float8, numeric,
// timestamptz (with a zone) that all its fields read as, else text.
func (b *batch) inferCSV(body []byte) ([]decode.Column, error) {
	names, header, err := b.csvHeader(body)
	if err != nil {
		return nil, err
	}
	if b.table != nil && names == nil {
		return nil, nil
	}
	d := csv.New(bytes.NewReader(body), b.csvOptions(), &decode.Sink{})
	if header {
		if _, err := d.Header(); err != nil {
			return nil, err
		}
	}
	var kinds []csvKind
	for {
		fields, err := d.Fields()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if b.partial && d.Offset() >= int64(len(body)) {
			break // the window may end inside this row
		}
		for i, f := range fields {
			if i == len(kinds) {
				kinds = append(kinds, csvKind{possible: csvCandidates})
			}
			if !f.Null {
				kinds[i].add(f.B)
			}
		}
	}
	return columnsOf(names, kinds), nil
}

func columnsOf(names []string, kinds []csvKind) []decode.Column {
	var out []decode.Column
	for i := range kinds {
		name := "column" + strconv.Itoa(i+1)
		if i < len(names) {
			name = names[i]
		} else if names != nil {
			break
		}
		out = append(out, decode.Column{Name: name, Type: kinds[i].typ()})
	}
	return out
}

// csvCandidates are tried in this order; the first that fits all wins. Only
// numbers widen: a column that held another kind before becomes text.
var csvCandidates = []types.Type{types.Bool, types.Int8, types.Float8, types.Numeric, types.Timestamptz, types.Timestamp, types.Date, types.UUID}

// csvKind is what one column may still be.
type csvKind struct {
	possible []types.Type
	seen     bool
}

func (k *csvKind) add(field []byte) {
	var d types.Datum
	for len(k.possible) > 0 {
		t := k.possible[0]
		if fits(t, field) && types.ParseBytes(t, field, types.DefaultFormat, &d) == nil {
			break
		}
		k.possible = k.possible[1:]
		if k.seen && (len(k.possible) == 0 || policy.Family(t) != "numeric" || policy.Family(k.possible[0]) != "numeric") {
			k.possible = nil
		}
	}
	k.seen = true
}

// fits keeps spellings that a type accepts but nobody means: 'yes' as a
// boolean, 'now' or a time without zone as an instant.
func fits(t types.Type, field []byte) bool {
	s := string(field)
	switch t.OID {
	case types.BoolOID:
		return strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	case types.Float8OID, types.NumericOID:
		return len(s) > 0 && strings.Trim(s, "0123456789+-.eE") == ""
	case types.TimestamptzOID:
		return len(s) >= 20 && strings.ContainsAny(s[19:], "Zz+-")
	case types.TimestampOID:
		return len(s) >= 19 && s[4] == '-' && s[13] == ':' && !strings.ContainsAny(s[19:], "Zz+-")
	case types.DateOID:
		return len(s) == 10 && s[4] == '-'
	}
	return true
}

func (k *csvKind) typ() types.Type {
	if !k.seen || len(k.possible) == 0 {
		return types.Text
	}
	return k.possible[0]
}
