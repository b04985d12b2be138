package pgcatalog

import (
	"strconv"
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// rows builds the rows of one relation.
type rows struct {
	rel     *Relation
	at      map[string]int
	neutral []types.Datum
	cols    []*vec.Builder
	n       int
	out     []*vec.Batch
	err     error
}

func newRows(r *Relation) *rows {
	w := &rows{rel: r, at: map[string]int{}, neutral: make([]types.Datum, len(r.Cols))}
	for i := range r.Cols {
		w.at[r.Cols[i].Name] = i
		w.neutral[i] = neutral(&r.Cols[i])
	}
	w.start()
	return w
}

func (w *rows) start() {
	w.cols = make([]*vec.Builder, len(w.rel.Cols))
	for i := range w.rel.Cols {
		w.cols[i] = vec.NewBuilder(w.rel.Cols[i].Type, 64)
	}
	w.n = 0
}

// neutral is what a column shows that a generator does not name: NULL, or for
// NOT NULL columns zero, false and the empty string or array.
func neutral(c *Column) types.Datum {
	if !c.NotNull {
		return types.NullDatum
	}
	if c.Type.Phys() == types.PhysBytes && c.Type.IsArray() {
		return arrayDatum(c.Type, "{}")
	}
	return types.Datum{}
}

func arrayDatum(t types.Type, text string) types.Datum {
	if (t.OID == types.Int2VectorOID || t.OID == types.OidVectorOID) && strings.HasPrefix(text, "{") {
		text = strings.ReplaceAll(strings.Trim(text, "{}"), ",", " ")
	}
	d, err := types.ParseText(t, text, types.DefaultFormat)
	if err != nil {
		return types.NullDatum
	}
	return d
}

// add appends a row of the pairs (column, value); a nil value is NULL, an array
// is given in text form.
func (w *rows) add(pairs ...any) {
	row := append([]types.Datum(nil), w.neutral...)
	for i := 0; i+1 < len(pairs); i += 2 {
		k, ok := w.at[pairs[i].(string)]
		if !ok {
			w.err = errs.New(errs.Internal, "%s has no column %v", w.rel.Name, pairs[i])
			return
		}
		d, ok := datum(w.rel.Cols[k].Type, pairs[i+1])
		if !ok {
			w.err = errs.New(errs.Internal, "%s.%v cannot hold %T", w.rel.Name, pairs[i], pairs[i+1])
			return
		}
		row[k] = d
	}
	for i := range row {
		w.cols[i].Append(&row[i])
	}
	if w.n++; w.n == vec.BatchRows {
		w.flush()
	}
}

func (w *rows) flush() {
	if w.n == 0 {
		return
	}
	b := &vec.Batch{Len: w.n, Cols: make([]vec.Vector, len(w.cols))}
	for i := range w.cols {
		b.Cols[i] = w.cols[i].Finish()
	}
	w.out = append(w.out, b)
	w.start()
}

func (w *rows) finish() ([]*vec.Batch, error) {
	w.flush()
	return w.out, w.err
}

// datum converts a Go value to a column's type.
func datum(t types.Type, v any) (types.Datum, bool) {
	switch x := v.(type) {
	case nil:
		return types.NullDatum, true
	case types.Datum:
		return x, true
	case bool:
		if t.Phys() == types.PhysBytes { // yes_or_no
			return types.Datum{S: map[bool]string{true: "YES", false: "NO"}[x]}, true
		}
		if x {
			return types.Datum{I: 1}, true
		}
		return types.Datum{}, true
	case int:
		return number(t, int64(x))
	case int16:
		return number(t, int64(x))
	case int32:
		return number(t, int64(x))
	case int64:
		return number(t, x)
	case uint32:
		return number(t, int64(x))
	case types.OID:
		return number(t, int64(x))
	case byte:
		return types.Datum{S: string(rune(x))}, true
	case string:
		if t.IsArray() {
			return arrayDatum(t, x), true
		}
		return types.Datum{S: x}, t.Phys() == types.PhysBytes
	}
	return types.Datum{}, false
}

func number(t types.Type, n int64) (types.Datum, bool) {
	switch t.Phys() {
	case types.PhysF32, types.PhysF64:
		return types.Datum{F: float64(n)}, true
	case types.PhysBytes:
		return types.Datum{S: strconv.FormatInt(n, 10)}, true
	}
	return types.Datum{I: n}, true
}

// array is the text form of an array of plain values.
func array[T uint32 | int | string](vals []T) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range vals {
		if i > 0 {
			b.WriteByte(',')
		}
		switch v := any(v).(type) {
		case uint32:
			b.WriteString(strconv.FormatUint(uint64(v), 10))
		case int:
			b.WriteString(strconv.Itoa(v))
		case string:
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`)
		}
	}
	b.WriteByte('}')
	return b.String()
}

// opt is NULL for the empty string.
func opt(s string) any {
	if s == "" {
		return nil
	}
	return s
}
