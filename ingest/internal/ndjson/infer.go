package ndjson

import (
	"strconv"

	"quern/ingest/internal/decode"
	"quern/storage/types"
)

// kind is a point of the inference lattice (INGEST.md §8): null < bool;
// int < float or numeric; timestamptz; text above scalars; jsonb above all.
type kind uint8

const (
	kNull kind = iota
	kBool
	kInt
	kFloat
	kNumeric
	kTime
	kText
	kJSON
)

// field is what inference knows of one key.
type field struct {
	name  string
	kind  kind
	exact bool // every integer so far is within ±2^53
}

// Inference collects the keys and kinds of all rows of a body, in order of
// first appearance.
type Inference struct {
	fields []*field
	byName map[string]*field
}

// Infer looks at every row of body. Rows that are not objects are passed over:
// decoding rejects them.
func Infer(body []byte, array bool) *Inference {
	inf := &Inference{byName: map[string]*field{}}
	d := New(body, array, &decode.Sink{Reject: func(decode.Reject) error { return nil }})
	for {
		raw, _, err := d.nextRow()
		if err != nil {
			return inf
		}
		inf.row(raw)
	}
}

func (inf *Inference) row(raw []byte) {
	s := scanner{b: raw}
	if len(raw) == 0 || raw[0] != '{' || !(&scanner{b: raw}).value(0) {
		return
	}
	s.pos = 1
	for {
		s.space()
		if s.pos >= len(raw) || raw[s.pos] != '"' {
			return
		}
		key, escaped, _ := s.str()
		if escaped {
			key = unescape(nil, key)
		}
		s.colon()
		start := s.pos
		s.value(1)
		inf.Add(text(key), raw[start:s.pos])
		if done, ok := s.next('}'); !ok || done {
			return
		}
	}
}

// Add takes one value of a key into account.
func (inf *Inference) Add(name string, raw []byte) {
	f := inf.byName[name]
	if f == nil {
		f = &field{name: string(append([]byte(nil), name...)), exact: true}
		inf.byName[f.name] = f
		inf.fields = append(inf.fields, f)
	}
	k := kindOf(raw)
	if k == kInt {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		switch {
		case err != nil:
			k = kNumeric
		case n > 1<<53 || n < -(1<<53):
			f.exact = false
		}
	}
	f.kind = join(f.kind, k, f.exact)
}

func kindOf(raw []byte) kind {
	switch raw[0] {
	case 'n':
		return kNull
	case 't', 'f':
		return kBool
	case '"':
		if zonedTime(raw[1 : len(raw)-1]) {
			return kTime
		}
		return kText
	case '{', '[':
		return kJSON
	}
	for _, c := range raw {
		if c == '.' || c|0x20 == 'e' {
			return kFloat
		}
	}
	return kInt
}

func join(a, b kind, exact bool) kind {
	switch {
	case a == b || b == kNull:
		return a
	case a == kNull:
		return b
	case a == kJSON || b == kJSON:
		return kJSON
	}
	if a > b {
		a, b = b, a
	}
	switch {
	case a == kInt && b == kFloat:
		if exact {
			return kFloat
		}
		return kNumeric
	case (a == kInt || a == kFloat) && b == kNumeric:
		return kNumeric
	}
	return kText
}

// zonedTime recognises RFC 3339 with a zone; other date-like text stays text.
func zonedTime(s []byte) bool {
	const shape = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(shape)+1 || len(s) > 40 {
		return false
	}
	for i := range len(shape) {
		switch c := s[i]; shape[i] {
		case 'd':
			if c < '0' || c > '9' {
				return false
			}
		case 'T':
			if c != 'T' && c != ' ' {
				return false
			}
		default:
			if c != shape[i] {
				return false
			}
		}
	}
	rest := s[len(shape):]
	if rest[0] == '.' {
		n := digits(rest, 1)
		if n == 1 || n == len(rest) {
			return false
		}
		rest = rest[n:]
	}
	if len(rest) == 1 {
		return rest[0] == 'Z' || rest[0] == 'z'
	}
	return len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && digits(rest, 1) == 3 &&
		rest[3] == ':' && digits(rest, 4) == 6
}

// Columns are the inferred columns. Keys seen only as null make none.
func (inf *Inference) Columns() []decode.Column {
	var out []decode.Column
	for _, f := range inf.fields {
		t, ok := map[kind]types.Type{kBool: types.Bool, kInt: types.Int8, kFloat: types.Float8,
			kNumeric: types.Numeric, kTime: types.Timestamptz, kText: types.Text, kJSON: types.JSONB}[f.kind]
		if ok {
			out = append(out, decode.Column{Name: f.name, Type: t})
		}
	}
	return out
}
