package exec

import (
	"quern/engine/internal/keyset"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// joinFilter is what the build side of a join knows of the rows of a probe scan
// that can match: the bounds of the keys, as predicates that prune by zone maps,
// and a set of them. It acts on what the scan may show, behind its policies, so
// that nothing of hidden rows takes part.
type joinFilter struct {
	col int // of the scan
	set *keyset.Set
}

const (
	// filterList is the most keys that are compared one by one.
	filterList     = 8
	filterUselessN = 8 // a set that keeps more than n−1 rows of n is not asked any more
	filterTrial    = 16 * vec.BatchRows
)

// filterProbe gives the scans below the probe side what the build side knows.
// The build side is complete, the probe side not prepared.
func (s *joinStage) filterProbe() {
	if s.side == nil || s.side.table == nil || !s.dropsProbe() {
		return
	}
	for i, k := range s.probeKeys {
		if k.col < 0 || s.nullAware() || s.buildKeys[i].typ.OID != k.typ.OID {
			continue
		}
		switch k.typ.Phys() {
		case types.PhysI16, types.PhysI32, types.PhysI64:
		default:
			continue
		}
		if scan, col := scanColumn(s.probe, k.col); scan != nil {
			scan.addJoinFilter(col, &s.side.keyCols[i], s.side.set.rows)
		}
	}
}

// dropsProbe tells whether a probe row without match has no part in the result.
func (s *joinStage) dropsProbe() bool {
	switch s.kind {
	case plan.Inner, plan.Right, plan.Semi:
		return true
	case plan.Anti:
		return s.swapped
	}
	return false
}

// scanColumn finds the scan that a column of s comes from, through operators
// for which it is the same to drop rows below or above them.
func scanColumn(s stage, col int) (*scanStage, int) {
	switch s := s.(type) {
	case *countStage:
		return scanColumn(s.in, col)
	case *scanStage:
		return s, col
	case *filterStage:
		return scanColumn(s.stage, col)
	case *projectStage:
		if c := s.exprs[col].col; c >= 0 {
			return scanColumn(s.stage, c)
		}
	case *aggStage:
		if col < len(s.keys) && s.keys[col].col >= 0 {
			return scanColumn(s.in, s.keys[col].col)
		}
	case *joinStage:
		return s.sideColumn(col)
	}
	return nil, 0
}

// sideColumn is scanColumn for a join that is not prepared.
func (s *joinStage) sideColumn(col int) (*scanStage, int) {
	if s.side != nil || s.spilled != nil {
		return nil, 0
	}
	left, right, nleft := s.probe, s.build, len(s.probeTyps)
	if s.swapped {
		left, right, nleft = right, left, len(s.buildTyps)
	}
	switch s.kind {
	case plan.Inner:
	case plan.Right:
		if !s.swapped && col < nleft {
			return nil, 0
		}
	case plan.Left, plan.Semi, plan.Anti, plan.AntiNull, plan.Mark, plan.Single:
		if col >= nleft {
			return nil, 0
		}
	default:
		return nil, 0
	}
	if col < nleft {
		return scanColumn(left, col)
	}
	return scanColumn(right, col-nleft)
}

// addJoinFilter lets only rows pass whose column col is one of keys.
func (s *scanStage) addJoinFilter(col int, keys *vec.Vector, rows int) {
	vals := keyset.Values(keys, rows)
	s.closeScan() // it was opened to estimate its rows
	if len(vals) <= filterList {
		p := storage.Pred{Col: col, Op: storage.PredIn}
		for _, v := range vals {
			p.Vals = append(p.Vals, types.Datum{I: v})
		}
		s.spec.Preds = append(s.spec.Preds, p)
		return
	}
	lo, hi := vals[0], vals[0]
	for _, v := range vals {
		lo, hi = min(lo, v), max(hi, v)
	}
	s.spec.Preds = append(s.spec.Preds,
		storage.Pred{Col: col, Op: storage.PredGe, Val: types.Datum{I: lo}},
		storage.Pred{Col: col, Op: storage.PredLe, Val: types.Datum{I: hi}})
	if set := keyset.New(vals, lo, hi); set != nil {
		s.filters = append(s.filters, joinFilter{col: col, set: set})
	}
}

// filterRun is a joinFilter in use by one worker.
type filterRun struct {
	*joinFilter
	in, out int
	off     bool
	sel     vec.Selection
}

// apply shortens sel (nil = all rows) by the filter.
func (f *filterRun) apply(v *vec.Vector, sel vec.Selection) vec.Selection {
	n := v.Len
	if sel != nil {
		n = len(sel)
	}
	if cap(f.sel) < n {
		f.sel = make(vec.Selection, max(n, vec.BatchRows))
	}
	out := f.set.Pick(f.sel[:n], v, sel)
	f.in += n
	f.out += len(out)
	if f.in >= filterTrial && f.out > f.in-f.in/filterUselessN {
		f.off = true
	}
	return out
}
