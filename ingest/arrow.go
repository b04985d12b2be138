package ingest

import (
	"context"
	"io"

	"quern/ingest/internal/arrowipc"
	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/vec"
)

// openArrow opens the body once per attempt.
func (b *batch) openArrow(body []byte) (*arrowipc.File, error) {
	f, err := arrowipc.Open(body, columnarBudget)
	if err != nil {
		return nil, err
	}
	if err := f.Refused(); err != nil && b.req.Columns == nil {
		if e := errs.As(err); e.Hint == "" {
			return nil, e.WithHint("Name the columns to load with the parameter columns.")
		}
		return nil, err
	}
	return f, nil
}

func (b *batch) inferArrow(body []byte) ([]decode.Column, error) {
	f, err := b.openArrow(body)
	if err != nil {
		return nil, err
	}
	return b.wanted(f.Columns()), nil
}

// wanted are the columns that were asked for.
func (b *batch) wanted(have []decode.Column) (out []decode.Column) {
	for _, c := range have {
		if b.req.Columns == nil || contains(b.req.Columns, c.Name) {
			out = append(out, c)
		}
	}
	return out
}

// decodeArrow reads record batch by record batch.
func (b *batch) decodeArrow(ctx context.Context, body []byte) error {
	f, err := b.openArrow(body)
	if err != nil {
		return err
	}
	names, err := b.matchColumns(f.Columns())
	if err != nil {
		return err
	}
	base := int64(0)
	for {
		in, err := f.Next(names)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for {
			cols, bad, n, err := in.Rows(vec.MaxBatchRows)
			if err == io.EOF {
				break
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
}
