package exec

import (
	"math"
	"slices"
	"strconv"

	"quern/engine/fn"
	"quern/engine/internal/order"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// directArg is direct argument i of the group that refs belong to; all its rows
// have the same value. An argument that is no constant is NULL without rows.
func (a *collectAgg) directArg(i int, refs []collected) types.Datum {
	at := len(a.args) - a.direct + i
	switch {
	case a.consts[at] != nil:
		return *a.consts[at]
	case len(refs) == 0:
		return types.NullDatum
	}
	return refs[0].datum(at)
}

func (a *collectAgg) hypothetical() bool {
	switch a.kind {
	case fn.AggHypoRank, fn.AggHypoDenseRank, fn.AggHypoPercentRank, fn.AggHypoCumeDist:
		return true
	}
	return false
}

// finishPercentile is percentile_cont and percentile_disc of one fraction or of
// an array of them.
func finishPercentile(a *collectAgg, refs []collected) (types.Datum, error) {
	p := a.directArg(0, refs)
	if p.Null {
		return types.NullDatum, nil
	}
	if !a.args[1].IsArray() {
		if err := checkPercentile(p.F); err != nil {
			return types.NullDatum, err
		}
		if len(refs) == 0 {
			return types.NullDatum, nil
		}
		return a.percentile(p.F, refs)
	}
	if len(refs) == 0 {
		return types.NullDatum, nil
	}
	list := types.OpenArray(types.Float8, p.S)
	dims := slices.Clone(list.Dims)
	out := types.ArrayBuilder{Elem: a.args[0]}
	for {
		x, ok := list.Next()
		if !ok {
			break
		}
		d := types.NullDatum
		if !x.Null {
			err := checkPercentile(x.F)
			if err == nil {
				d, err = a.percentile(x.F, refs)
			}
			if err != nil {
				return types.NullDatum, err
			}
		}
		out.Append(&d)
	}
	return types.Datum{S: string(out.AppendShape(nil, dims))}, nil
}

func checkPercentile(p float64) error {
	if p >= 0 && p <= 1 {
		return nil
	}
	return errs.New(errs.NumericOutOfRange, "percentile value %s is not between 0 and 1", strconv.FormatFloat(p, 'g', -1, 64))
}

func (a *collectAgg) percentile(p float64, refs []collected) (types.Datum, error) {
	n := float64(len(refs))
	if a.kind == fn.AggPercentileDisc {
		return refs[max(int(math.Ceil(p*n))-1, 0)].datum(0), nil
	}
	at := p * (n - 1)
	lo, hi := refs[int(math.Floor(at))].datum(0), refs[int(math.Ceil(at))].datum(0)
	part := at - math.Floor(at)
	if part == 0 {
		return lo, nil
	}
	if a.args[0].OID != types.IntervalOID {
		return types.Datum{F: lo.F + part*(hi.F-lo.F)}, nil
	}
	d, err := hi.Iv.Sub(lo.Iv)
	if err == nil {
		d, err = d.Mul(part)
	}
	if err == nil {
		d, err = d.Add(lo.Iv)
	}
	return types.Datum{Iv: d}, err
}

// finishMode is the most frequent value, the first in order of equals.
func finishMode(_ *collectAgg, refs []collected) (types.Datum, error) {
	best, bestRun := 0, 0
	for i := 0; i < len(refs); {
		j := i + 1
		for j < len(refs) && vec.Compare(&refs[i].s.vals[0], refs[i].r, &refs[j].s.vals[0], refs[j].r) == 0 {
			j++
		}
		if j-i > bestRun {
			best, bestRun = i, j-i
		}
		i = j
	}
	return refs[best].datum(0), nil
}

// finishHypothetical ranks the row of the direct arguments among refs.
func finishHypothetical(a *collectAgg, refs []collected) (types.Datum, error) {
	less, upTo, distinct := 0, 0, 0
	keys := make([]vec.Vector, a.direct)
	for k := range keys {
		d := a.directArg(k, refs)
		keys[k] = vec.ConstVector(a.args[len(a.args)-a.direct+k], &d, 1)
	}
	for i, r := range refs {
		c := 0
		for k := range keys {
			o := &a.order[k]
			if c = order.Compare(&r.s.vals[k], r.r, &keys[k], 0, o.Desc, o.NullsFirst); c != 0 {
				break
			}
		}
		if c > 0 {
			break
		}
		upTo++
		if c < 0 {
			less++
			if i == 0 || !a.equalKeys(refs[i-1], r) {
				distinct++
			}
		}
	}
	n := float64(len(refs))
	switch a.kind {
	case fn.AggHypoRank:
		return types.Datum{I: int64(less) + 1}, nil
	case fn.AggHypoDenseRank:
		return types.Datum{I: int64(distinct) + 1}, nil
	case fn.AggHypoCumeDist:
		return types.Datum{F: float64(upTo+1) / (n + 1)}, nil
	}
	if n == 0 {
		return types.Datum{}, nil
	}
	return types.Datum{F: float64(less) / n}, nil
}

func (a *collectAgg) equalKeys(x, y collected) bool {
	for k := range a.direct {
		if order.Compare(&x.s.vals[k], x.r, &y.s.vals[k], y.r, false, false) != 0 {
			return false
		}
	}
	return true
}
