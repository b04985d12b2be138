package exec

import (
	"quern/engine/fn"
	"quern/engine/internal/sketch"
	"quern/storage/vec"
)

// sketches by kind of aggregate.
var sketches = map[fn.AggKind]func() sketch.Sketch{
	fn.AggApproxDistinct:   func() sketch.Sketch { return &sketch.Distinct{} },
	fn.AggApproxPercentile: func() sketch.Sketch { return &sketch.Quantiles{} },
}

func (m *aggMerge) sketch(ref uint64) sketch.Sketch {
	return m.stores[ref>>refBits].sketches[ref&(1<<refBits-1)-1]
}

func (a *collectAgg) updateSketch(u *aggInput) error {
	var hashes []uint64
	if a.kind == fn.AggApproxDistinct {
		hashes = make([]uint64, len(u.pos))
		vec.HashFixed(hashes, &u.args[0], u.pos)
	}
	for i, at := range u.at {
		w := u.rows[int(at)+u.off:]
		if w[2] == 0 {
			u.store.sketches = append(u.store.sketches, a.sketch())
			w[0] = u.store.id<<refBits | uint64(len(u.store.sketches))
			w[1] = w[0]
		}
		w[2]++
		s := u.store.sketches[w[0]&(1<<refBits-1)-1]
		was := s.Size()
		switch s := s.(type) {
		case *sketch.Distinct:
			s.Add(hashes[i])
		case *sketch.Quantiles:
			r := int(u.pos[i])
			s.Add(vec.Values[float64](&u.args[0])[r])
			if !u.args[1].Null(r) {
				s.P, s.HasP = vec.Values[float64](&u.args[1])[r], true
			}
		}
		u.store.sketchSize += s.Size() - was
	}
	return nil
}

func (a *collectAgg) finalSketch(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 3)
		if w[2] == 0 {
			if a.kind == fn.AggApproxPercentile {
				f.null(i)
			} else {
				vec.Values[int64](f.out)[i] = 0
			}
			continue
		}
		switch s := f.stores[w[0]>>refBits].sketches[w[0]&(1<<refBits-1)-1].(type) {
		case *sketch.Distinct:
			vec.Values[int64](f.out)[i] = s.Count()
		case *sketch.Quantiles:
			if !s.HasP {
				f.null(i)
				continue
			}
			if err := checkPercentile(s.P); err != nil {
				return err
			}
			vec.Values[float64](f.out)[i] = s.Quantile(s.P)
		}
	}
	return nil
}
