package ingest

import (
	"context"
	"fmt"

	"quern/ingest/internal/decode"
	"quern/ingest/internal/parquet"
	"quern/storage/errs"
	"quern/storage/vec"
)

// parquetBudget bounds what decoding one Parquet body may hold at a time.
const parquetBudget = 1 << 30

// openParquet opens the body once per attempt.
func (b *batch) openParquet(body []byte) (*parquet.File, error) {
	f, err := parquet.Open(body, &parquet.Budget{Left: parquetBudget})
	if err != nil {
		return nil, err
	}
	if n := f.Nested(); n != "" && b.req.Columns == nil {
		return nil, errs.NotSupported(fmt.Sprintf("nested Parquet column %q", n)).
			WithHint("Name the columns to load with the parameter columns.")
	}
	return f, nil
}

func (b *batch) inferParquet(body []byte) ([]decode.Column, error) {
	f, err := b.openParquet(body)
	if err != nil {
		return nil, err
	}
	var cols []decode.Column
	for _, c := range f.Columns() {
		if b.req.Columns == nil || contains(b.req.Columns, c.Name) {
			cols = append(cols, c)
		}
	}
	return cols, nil
}

// decodeParquet reads row group by row group; columns of the file that the
// table lacks are an error, since no row of it could be stored as asked.
func (b *batch) decodeParquet(ctx context.Context, body []byte) error {
	f, err := b.openParquet(body)
	if err != nil {
		return err
	}
	var names []decode.Column
	b.cols, b.columns = nil, nil
	for _, c := range f.Columns() {
		if b.req.Columns != nil && !contains(b.req.Columns, c.Name) {
			continue
		}
		t := findColumn(b.table, c.Name)
		if t == nil {
			return errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", c.Name, b.table.Name)
		}
		b.cols = append(b.cols, t.ID)
		b.columns = append(b.columns, decode.Column{Name: t.Name, Type: t.Type})
		names = append(names, decode.Column{Name: c.Name, Type: t.Type})
	}
	base := int64(0)
	for g := range f.Groups() {
		if ctx.Err() != nil {
			return errs.New(errs.QueryCanceled, "the request was cancelled")
		}
		cols, bad, err := f.ReadGroup(g, names)
		if err != nil {
			return err
		}
		if err := b.parquetGroup(ctx, cols, bad, base, int(f.GroupRows(g))); err != nil {
			return err
		}
		base += f.GroupRows(g)
	}
	return nil
}

// parquetGroup cuts a row group into batches without its bad rows.
func (b *batch) parquetGroup(ctx context.Context, cols []vec.Vector, bad []parquet.Bad, base int64, rows int) error {
	spoilt := map[int]bool{}
	for _, r := range bad {
		if spoilt[r.Row] {
			continue
		}
		spoilt[r.Row] = true
		if err := b.reject(decode.Reject{Row: base + int64(r.Row), Kind: "row", Code: string(r.Code), Column: r.Column,
			Message: fmt.Sprintf("row %d, column %s: the value is not valid for type %s", base+int64(r.Row)+1, r.Column, r.Type)}); err != nil {
			return err
		}
	}
	for start := 0; start < rows; start += vec.MaxBatchRows {
		n := min(vec.MaxBatchRows, rows-start)
		out := &vec.Batch{Len: n}
		for i := range cols {
			out.Cols = append(out.Cols, slice(&cols[i], start, n))
		}
		if len(spoilt) > 0 {
			out.Sel = vec.Selection{}
			for i := range n {
				if !spoilt[start+i] {
					out.Sel = append(out.Sel, uint16(i))
				}
			}
		}
		if out.Rows() > 0 {
			if err := b.keep(ctx, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// slice is rows [start, start+n) of a flat vector; start is a multiple of 64.
func slice(v *vec.Vector, start, n int) vec.Vector {
	out := vec.Vector{Type: v.Type, Len: n, Bufs: v.Bufs}
	if size := v.Type.Phys().Size(); size > 0 {
		out.Fixed = v.Fixed[start*size : (start+n)*size]
	} else {
		out.Views = v.Views[start : start+n]
	}
	if v.Valid != nil {
		out.Valid = append([]uint64(nil), v.Valid[start/64:(start+n+63)/64]...)
		if r := n & 63; r != 0 {
			out.Valid[len(out.Valid)-1] &= 1<<r - 1
		}
	}
	return out
}
