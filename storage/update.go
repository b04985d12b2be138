package storage

import (
	"cmp"
	"context"
	"slices"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/vec"
)

// Updated makes the new versions of rows: columns cols take the values of vals
// (rows in the order of addrs, no selection), all others keep what is stored.
// The copy is made here and from raw values, whatever the caller may see: built
// from what a scan shows, one UPDATE by a masked role would destroy a column.
func (n *Snapshot) Updated(ctx context.Context, table uint32, addrs []int64, cols []uint32, vals []*vec.Batch) (*TableRows, error) {
	t := n.cat.Table(table)
	if t == nil {
		return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", table)
	}
	view, err := policy.Resolve(n.cat, table, policy.Principal{Superuser: true}, 0)
	if err != nil {
		return nil, err
	}
	u := &updater{addrs: addrs, vals: vals, out: &TableRows{Table: table}}
	for i := range t.Columns {
		if id := t.Columns[i].ID; !slices.Contains(cols, id) {
			u.kept = append(u.kept, &t.Columns[i])
			u.out.Cols = append(u.out.Cols, id)
		}
	}
	u.prepare()
	sc, err := n.Scan(ctx, ScanSpec{View: view, Cols: slices.Clone(u.out.Cols)})
	if err != nil {
		return nil, err
	}
	defer sc.Close()
	u.out.Cols = append(u.out.Cols, cols...)
	for m, ts := 0, sc.(*tableScan); m < ts.Morsels() && u.at < len(u.order); m++ {
		if err := u.morsel(ctx, ts, m); err != nil {
			return nil, err
		}
	}
	if u.at < len(u.order) {
		return nil, errRowsMoved
	}
	return u.out, nil
}

// updater walks rows and morsels in the order of addresses.
type updater struct {
	addrs []int64
	vals  []*vec.Batch
	first []int // number of vals' rows before each batch
	order []int // of addrs, ascending
	at    int   // in order
	kept  []*catalog.Column
	out   *TableRows
}

func (u *updater) prepare() {
	u.order = make([]int, len(u.addrs))
	for i := range u.order {
		u.order[i] = i
	}
	slices.SortFunc(u.order, func(a, b int) int { return cmp.Compare(u.addrs[a], u.addrs[b]) })
	n := 0
	for _, b := range u.vals {
		u.first = append(u.first, n)
		n += b.Len
	}
}

func (u *updater) morsel(ctx context.Context, ts *tableScan, m int) error {
	mo := &ts.morsels[m]
	base := int64(mo.place.Unit)<<32 | int64(mo.place.Base)
	if u.addrs[u.order[u.at]] >= base+int64(mo.info.Rows) {
		return nil
	}
	r, err := ts.Open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	for b := range r.Batches() {
		from := base + int64(b)*vec.BatchRows
		if u.at == len(u.order) || u.addrs[u.order[u.at]] >= from+vec.BatchRows {
			continue
		}
		n, _, err := r.Start(ctx, b)
		if err != nil {
			return err
		}
		start := u.at
		var sel vec.Selection
		for ; u.at < len(u.order); u.at++ {
			row := u.addrs[u.order[u.at]] - from
			if row < 0 {
				return errRowsMoved
			}
			if row >= int64(n) {
				break
			}
			sel = append(sel, uint16(row))
		}
		if len(sel) == 0 {
			continue
		}
		if err := u.batch(r, sel, u.order[start:u.at]); err != nil {
			return err
		}
	}
	return nil
}

// batch adds the new versions of one batch's rows sel; rows are their places in
// addrs.
func (u *updater) batch(r GroupReader, sel vec.Selection, rows []int) error {
	nb := &vec.Batch{Len: len(sel)}
	var v vec.Vector
	for k, col := range u.kept {
		if err := r.Load(k, sel, &v); err != nil {
			return err
		}
		bl := vec.NewBuilder(col.Type, len(sel))
		bl.AppendVector(&v, sel)
		nb.Cols = append(nb.Cols, bl.Finish())
	}
	for k := range len(u.out.Cols) - len(u.kept) {
		bl := vec.NewBuilder(u.vals[0].Cols[k].Type, len(sel))
		for _, row := range rows {
			i, found := slices.BinarySearch(u.first, row)
			if !found {
				i--
			}
			for u.vals[i].Len == 0 { // an empty batch starts where the next does
				i++
			}
			d := u.vals[i].Cols[k].Datum(row - u.first[i])
			bl.Append(&d)
		}
		nb.Cols = append(nb.Cols, bl.Finish())
	}
	u.out.Batches = append(u.out.Batches, nb)
	return nil
}
