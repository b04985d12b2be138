package exec

import (
	"bytes"
	"math"

	"quern/engine/fn"
	"quern/engine/internal/hash"
	"quern/engine/internal/kernel"
	"quern/storage/types"
	"quern/storage/types/orderkey"
	"quern/storage/vec"
)

// newExtreme is min, max or any_value (the first value seen).
func newExtreme(kind fn.AggKind, t types.Type) aggregator {
	switch t.Phys() {
	case types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64, types.PhysF32, types.PhysF64:
		return wordExtreme{kind, t}
	}
	return wideExtreme{kind, t}
}

// wordExtreme keeps one word. State: value, n.
type wordExtreme struct {
	kind fn.AggKind
	typ  types.Type
}

func (wordExtreme) words() int { return 2 }

func (a wordExtreme) update(u *aggInput) error {
	v := &u.args[0]
	switch a.typ.Phys() {
	case types.PhysBool:
		extremeInts(a.kind, u, v.Fixed)
	case types.PhysI16:
		extremeInts(a.kind, u, vec.Values[int16](v))
	case types.PhysI32:
		if a.typ.Unsigned() {
			extremeInts(a.kind, u, vec.Values[uint32](v))
		} else {
			extremeInts(a.kind, u, vec.Values[int32](v))
		}
	case types.PhysI64:
		extremeInts(a.kind, u, vec.Values[int64](v))
	case types.PhysF32:
		extremeFloats(a.kind, u, vec.Values[float32](v))
	default:
		extremeFloats(a.kind, u, vec.Values[float64](v))
	}
	return nil
}

func extremeInts[T kernel.Int](kind fn.AggKind, u *aggInput, vals []T) {
	switch {
	case kind == fn.AggAnyValue:
		for i, at := range u.at {
			w := u.rows[int(at)+u.off:]
			if w[1] == 0 {
				w[0], w[1] = uint64(int64(vals[u.pos[i]])), 1
			}
		}
	case u.one && len(u.at) > 0:
		lo, hi := kernel.MinMaxIntOne(vals[:u.args[0].Len], u.values())
		x := int64(lo)
		if kind == fn.AggMax {
			x = int64(hi)
		}
		w := u.rows[int(u.at[0])+u.off:]
		if w[1] == 0 || kind == fn.AggMin && x < int64(w[0]) || kind == fn.AggMax && x > int64(w[0]) {
			w[0] = uint64(x)
		}
		w[1] += uint64(len(u.at))
	case kind == fn.AggMin:
		kernel.MinInt(u.rows, u.at, u.off, vals, u.pos)
	default:
		kernel.MaxInt(u.rows, u.at, u.off, vals, u.pos)
	}
}

func extremeFloats[T kernel.Float](kind fn.AggKind, u *aggInput, vals []T) {
	switch kind {
	case fn.AggMin:
		kernel.MinFloat(u.rows, u.at, u.off, vals, u.pos)
	case fn.AggMax:
		kernel.MaxFloat(u.rows, u.at, u.off, vals, u.pos)
	default:
		for i, at := range u.at {
			w := u.rows[int(at)+u.off:]
			if w[1] == 0 {
				w[0], w[1] = math.Float64bits(float64(vals[u.pos[i]])), 1
			}
		}
	}
}

func (a wordExtreme) isFloat() bool {
	return a.typ.Phys() == types.PhysF32 || a.typ.Phys() == types.PhysF64
}

// better tells whether word x replaces word y.
func (a wordExtreme) better(x, y uint64) bool {
	if a.kind == fn.AggMax {
		x, y = y, x
	}
	if a.isFloat() {
		return kernel.FloatLess(math.Float64frombits(x), math.Float64frombits(y))
	}
	return int64(x) < int64(y)
}

func (a wordExtreme) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[1] == 0 {
			continue
		}
		if dst[1] == 0 || a.kind != fn.AggAnyValue && a.better(src[0], dst[0]) {
			dst[0] = src[0]
		}
		dst[1] += src[1]
	}
	return nil
}

func (a wordExtreme) final(f *aggOutput) error { return finalWord(f) }

// putWord writes an integer-like or float value from a state word.
func putWord(out *vec.Vector, i int, w uint64) {
	switch out.Type.Phys() {
	case types.PhysBool:
		out.Fixed[i] = uint8(w)
	case types.PhysI16:
		vec.Values[int16](out)[i] = int16(w)
	case types.PhysI32:
		vec.Values[int32](out)[i] = int32(w)
	case types.PhysF32:
		vec.Values[float32](out)[i] = float32(math.Float64frombits(w))
	default: // int64 and float64 bits
		vec.Values[int64](out)[i] = int64(w)
	}
}

// wideExtreme keeps a value of several words. State: 3 words of value, n.
//
//	numeric   low, high, scale and kind
//	interval  micros, days and months, 0
//	uuid      16 bytes, 0
//	bytes     a view whose long bytes lie in the worker's arena, 0
type wideExtreme struct {
	kind fn.AggKind
	typ  types.Type
}

func (wideExtreme) words() int { return 4 }

func (a wideExtreme) update(u *aggInput) error {
	v := &u.args[0]
	if a.typ.Phys() == types.PhysBytes {
		return a.updateBytes(u, v)
	}
	for i, at := range u.at {
		w := u.rows[int(at)+u.off : int(at)+u.off+4]
		var x [3]uint64
		switch r := u.pos[i]; a.typ.Phys() {
		case types.PhysNum:
			putNum(x[:], vec.Values[types.Num](v)[r])
		case types.PhysInterval:
			iv := vec.Values[types.IntervalVal](v)[r]
			x[0], x[1] = uint64(iv.Micros), uint64(uint32(iv.Days))|uint64(uint32(iv.Months))<<32
		default:
			b := vec.CastSlice[uint64](v.Fixed)
			x[0], x[1] = b[2*int(r)], b[2*int(r)+1]
		}
		if w[3] == 0 || a.better(a.compare(x[:], w, nil)) {
			copy(w[:3], x[:])
		}
		w[3]++
	}
	return nil
}

func (a wideExtreme) updateBytes(u *aggInput, v *vec.Vector) error {
	chunks := u.arena.All.Chunks()
	for i, at := range u.at {
		w := u.rows[int(at)+u.off : int(at)+u.off+4]
		b := v.Views[u.pos[i]].Bytes(v.Bufs)
		if w[3] != 0 {
			if int(uint32(w[1])) >= len(chunks) && uint32(w[0]) > hash.InlineMax {
				chunks = u.arena.All.Chunks()
			}
			if a.kind == fn.AggAnyValue || !a.better(compareText(a.typ, b, hash.Bytes(w, chunks))) {
				w[3]++
				continue
			}
		}
		w[0], w[1] = u.arena.Put(b)
		w[3]++
	}
	return nil
}

func compareText(t types.Type, x, y []byte) int {
	if t.OID == types.BpcharOID {
		x, y = bytes.TrimRight(x, " "), bytes.TrimRight(y, " ")
	}
	if t.HasOrderKey() {
		x, y = orderkey.Append(nil, t, x), orderkey.Append(nil, t, y)
	}
	return bytes.Compare(x, y)
}

// better tells whether a new value that compares so with the old one replaces it.
func (a wideExtreme) better(c int) bool {
	return a.kind == fn.AggMin && c < 0 || a.kind == fn.AggMax && c > 0
}

func (a wideExtreme) compare(x, y []uint64, chunks [][]byte) int {
	switch a.typ.Phys() {
	case types.PhysNum:
		return vec.CompareNum(numOf(x), numOf(y))
	case types.PhysInterval:
		return vec.CompareInterval(ivalOf(x), ivalOf(y))
	case types.PhysUUID:
		return bytes.Compare(vec.BytesOf(x[:2]), vec.BytesOf(y[:2]))
	}
	return compareText(a.typ, hash.Bytes(x, chunks), hash.Bytes(y, chunks))
}

func ivalOf(w []uint64) types.IntervalVal {
	return types.IntervalVal{Micros: int64(w[0]), Days: int32(w[1]), Months: int32(w[1] >> 32)}
}

func (a wideExtreme) merge(m *aggMerge) error {
	var chunks [][]byte
	if a.typ.Phys() == types.PhysBytes {
		chunks = m.arena.All.Chunks()
	}
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[3] == 0 {
			continue
		}
		if dst[3] == 0 || a.better(a.compare(src, dst, chunks)) {
			copy(dst[:3], src[:3])
		}
		dst[3] += src[3]
	}
	return nil
}

func (a wideExtreme) final(f *aggOutput) error {
	f.out.Bufs = f.chunks
	for i := range f.n {
		w := f.state(i, 4)
		if w[3] == 0 {
			f.null(i)
			continue
		}
		switch a.typ.Phys() {
		case types.PhysNum:
			vec.Values[types.Num](f.out)[i] = numOf(w)
		case types.PhysInterval:
			vec.Values[types.IntervalVal](f.out)[i] = ivalOf(w)
		case types.PhysUUID:
			b := vec.CastSlice[uint64](f.out.Fixed)
			b[2*i], b[2*i+1] = w[0], w[1]
		default:
			f.out.Views[i] = hash.ViewOf(w[0], w[1])
		}
	}
	return nil
}
