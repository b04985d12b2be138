package ingest

import (
	"context"
	"fmt"
	"io"

	"quern/ingest/internal/arrowipc"
	"quern/ingest/internal/decode"
	"quern/ingest/internal/parquet"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// columnarBudget bounds what decoding one Parquet or Arrow body may hold at a time.
const columnarBudget = 1 << 30

// openParquet opens the body once per attempt.
func (b *batch) openParquet(body []byte) (*parquet.File, error) {
	f, err := parquet.Open(body, &parquet.Budget{Left: columnarBudget})
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
	return b.wanted(f.Columns()), nil
}

// decodeParquet reads row group by row group; columns of the file that the
// table lacks are an error, since no row of it could be stored as asked.
func (b *batch) decodeParquet(ctx context.Context, body []byte) error {
	f, err := b.openParquet(body)
	if err != nil {
		return err
	}
	names, err := b.matchColumns(f.Columns())
	if err != nil {
		return err
	}
	base := int64(0)
	for g := range f.Groups() {
		if ctx.Err() != nil {
			return errs.New(errs.QueryCanceled, "the request was cancelled")
		}
		if err := b.parquetGroup(ctx, f, g, names, base); err != nil {
			return err
		}
		base += f.GroupRows(g)
	}
	return nil
}

// matchColumns finds the table's column for each of a columnar body's that is
// wanted, and gives those with the table's types.
func (b *batch) matchColumns(have []decode.Column) (names []decode.Column, err error) {
	b.cols, b.columns = nil, nil
	for _, c := range have {
		if b.req.Columns != nil && !contains(b.req.Columns, c.Name) {
			continue
		}
		t := findColumn(b.table, c.Name)
		if t == nil {
			return nil, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", c.Name, b.table.Name)
		}
		b.cols = append(b.cols, t.ID)
		b.columns = append(b.columns, decode.Column{Name: t.Name, Type: t.Type})
		names = append(names, decode.Column{Name: c.Name, Type: t.Type})
	}
	return names, nil
}

// parquetGroup reads one row group.
func (b *batch) parquetGroup(ctx context.Context, f *parquet.File, g int, names []decode.Column, base int64) error {
	rows, err := f.Rows(g, names)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		cols, bad, n, err := rows.Next(vec.MaxBatchRows)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.columnarBatch(ctx, cols, badValues(bad), base, n); err != nil {
			return err
		}
		base += int64(n)
	}
}

// columnarBatch keeps rows without the bad ones.
func (b *batch) columnarBatch(ctx context.Context, cols []vec.Vector, bad []badValue, base int64, rows int) error {
	if ctx.Err() != nil {
		return errs.New(errs.QueryCanceled, "the request was cancelled")
	}
	out := &vec.Batch{Len: rows, Cols: cols}
	if len(bad) > 0 {
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
		out.Sel = vec.Selection{}
		for i := range rows {
			if !spoilt[i] {
				out.Sel = append(out.Sel, uint16(i))
			}
		}
	}
	if out.Rows() == 0 {
		return nil
	}
	return b.keep(ctx, out)
}

// badValue is a value of a columnar body that does not fit its column.
type badValue struct {
	Row    int
	Code   errs.Code
	Column string
	Type   types.Type
}

func badValues[B parquet.Bad | arrowipc.Bad](list []B) []badValue {
	out := make([]badValue, len(list))
	for i, b := range list {
		out[i] = badValue(b)
	}
	return out
}
