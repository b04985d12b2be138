package spill

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"quern/engine/internal/exectest"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/faultfs"
)

var testTypes = []types.Type{types.Bool, types.Int2, types.Int4, types.Oid, types.Int8, types.Float4, types.Float8,
	types.Numeric, types.Interval, types.UUID, types.Text, types.Bpchar, types.Bytea, types.Date, types.Timestamptz}

// zeros is a key source for tests.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func newDisk(t testing.TB, o Options) *Disk {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Rand = zeros{}
	d, err := NewDisk(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// randDatum makes values over the whole range of a type; span bounds integers,
// so that every width occurs.
func randDatum(r *rand.Rand, t types.Type, span uint64, nulls bool) types.Datum {
	if nulls && r.IntN(5) == 0 {
		return types.NullDatum
	}
	var d types.Datum
	n := int64(r.Uint64N(span))
	switch t.Phys() {
	case types.PhysBool:
		d.I = n & 1
	case types.PhysI16:
		d.I = int64(int16(n - 100))
	case types.PhysI32:
		d.I = int64(int32(n - 100))
		if t.Unsigned() {
			d.I = int64(uint32(n))
		}
	case types.PhysI64:
		d.I = n - 100
	case types.PhysF32:
		d.F = float64(float32(n) / 4)
	case types.PhysF64:
		d.F = []float64{float64(n) / 3, math.Inf(-1), math.Copysign(0, -1)}[r.IntN(3)]
	case types.PhysNum:
		d.N = types.Num{Lo: uint64(n), Scale: 2}
		if span > 1<<40 {
			d.N = types.Num{Lo: uint64(n), Hi: int64(r.IntN(9) - 4), Scale: int16(r.IntN(5))}
			if r.IntN(9) == 0 {
				d.N = types.Num{Kind: types.NumNaN}
			}
		}
	case types.PhysInterval:
		d.Iv = types.IntervalVal{Micros: n, Days: int32(n), Months: int32(-n)}
	case types.PhysUUID:
		for i := range d.U {
			d.U[i] = byte(r.Uint32())
		}
	default:
		d.S = strings.Repeat("xy\x00z", int(uint64(n)%40))
	}
	return d
}

func collect(t *testing.T, run *Run) (out []string) {
	t.Helper()
	rd := run.NewReader(0)
	var b vec.Batch
	for {
		n, err := rd.Next(&b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return out
		}
		for i := range n {
			out = append(out, exectest.RowText(&b, i))
		}
	}
}

// Rows of every type and form, from batches of all sizes and selections, come
// back as they were.
func TestRoundTrip(t *testing.T) {
	d := newDisk(t, Options{})
	s := d.NewSpace()
	defer s.Close()
	for seed := range uint64(21) {
		r := rand.New(rand.NewPCG(seed, 1))
		f, err := s.Create()
		if err != nil {
			t.Fatal(err)
		}
		typs := testTypes
		w := f.NewWriter(typs, &Encoder{})
		span := []uint64{1, 2, 200, 60_000, 1 << 30, 1 << 62, math.MaxUint64}[seed%7]
		var want []string
		for range 1 + r.IntN(6) {
			n := 1 + r.IntN([]int{3, 300, vec.BatchRows, vec.MaxBatchRows}[r.IntN(4)])
			b := vec.Batch{Len: n}
			for _, typ := range typs {
				vals := make([]types.Datum, n)
				same := r.IntN(4) == 0
				for i := range vals {
					if vals[i] = randDatum(r, typ, span, seed%3 > 0); same {
						vals[i] = vals[0]
					}
				}
				form := vec.Form(r.IntN(3))
				if typ.Phys() == types.PhysF64 || typ.Phys() == types.PhysNum {
					form = vec.Flat // NaN is no key of a Go map
				}
				b.Cols = append(b.Cols, exectest.Vector(typ, vals, form))
			}
			var sel vec.Selection
			if r.IntN(2) == 0 {
				sel = vec.Selection{}
				for i := range n {
					if r.IntN(3) > 0 {
						sel = append(sel, uint16(i))
					}
				}
			}
			if err := w.Append(&b, sel); err != nil {
				t.Fatal(err)
			}
			b.Sel = sel
			for i := range b.Rows() {
				row := i
				if sel != nil {
					row = int(sel[i])
				}
				want = append(want, exectest.RowText(&b, row))
			}
		}
		run, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, run); !slices.Equal(got, want) || run.Rows != len(want) {
			t.Fatalf("seed %d: %d rows came back as %d (run says %d)", seed, len(want), len(got), run.Rows)
		}
	}
}

// ints writes n rows of one int8 column.
func ints(f *File, n int) (*Run, error) {
	w := f.NewWriter([]types.Type{types.Int8}, &Encoder{})
	b := vec.NewBuilder(types.Int8, n)
	for i := range n {
		vec.AppendFixed(b, int64(i)*1_000_003)
	}
	v := b.Finish()
	for lo := 0; lo < n; lo += vec.BatchRows {
		hi := min(n, lo+vec.BatchRows)
		if err := w.Append(&vec.Batch{Len: hi - lo, Cols: []vec.Vector{vec.Slice(&v, lo, hi)}}, nil); err != nil {
			return nil, err
		}
	}
	return w.Finish()
}

func TestKeptRowsStay(t *testing.T) {
	s := newDisk(t, Options{}).NewSpace()
	defer s.Close()
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	run, err := ints(f, 3*vec.BatchRows)
	if err != nil {
		t.Fatal(err)
	}
	rd := run.NewReader(1)
	var first, second vec.Batch
	if _, err := rd.Next(&first); err != nil {
		t.Fatal(err)
	}
	rd.Keep()
	if n, err := rd.Next(&second); n != vec.BatchRows || err != nil {
		t.Fatal(n, err)
	}
	if got, want := first.Cols[0].Datum(5).I, int64(vec.BatchRows+5)*1_000_003; got != want {
		t.Fatalf("kept row is %d, want %d", got, want)
	}
}

// Every damaged byte is found; nothing of the data lies in the file as it is.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, Options{Dir: dir, FS: keepNames{vfs.OS{}}})
	s := d.NewSpace()
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	run, err := ints(f, 300)
	if err != nil {
		t.Fatal(err)
	}
	size := int(run.blocks[0].size)
	b := make([]byte, size)
	if _, err := f.f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if string(b[size/2:size/2+8]) == "\x00\x00\x00\x00\x00\x00\x00\x00" {
		t.Error("the block is not encrypted")
	}
	for i := range size {
		if _, err := f.f.WriteAt([]byte{b[i] ^ 0x40}, int64(i)); err != nil {
			t.Fatal(err)
		}
		var out vec.Batch
		if _, err := run.NewReader(0).Next(&out); errs.CodeOf(err) != errs.DataCorrupted {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
		if _, err := f.f.WriteAt(b[i:i+1], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	run.blocks[0].size += 16
	var out vec.Batch
	if _, err := run.NewReader(0).Next(&out); errs.CodeOf(err) != errs.DataCorrupted {
		t.Fatalf("short file: %v", err)
	}
	s.Close()
	if names, err := (vfs.OS{}).List(dir); len(names) != 0 || err != nil {
		t.Errorf("left behind: %v %v", names, err)
	}
}

// keepNames is a system that cannot remove open files.
type keepNames struct{ vfs.FS }

// opened are the files that keepNames was asked to remove once.
var opened sync.Map

func (k keepNames) Remove(name string) error {
	if _, open := opened.LoadAndDelete(name); !open {
		opened.Store(name, true)
		return syscall.EBUSY
	}
	return k.FS.Remove(name)
}

func TestNamesAreGoneAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := newDisk(t, Options{Dir: dir}).NewSpace()
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if names, err := (vfs.OS{}).List(dir); len(names) != 0 || err != nil {
		t.Errorf("an open file has a name: %v %v", names, err)
	}
	if _, err := ints(f, 100_000); err != nil {
		t.Fatal(err)
	}
	if s.d.Used() == 0 {
		t.Error("no bytes counted")
	}
	s.Close()
	f.Close()
	if n := s.d.Used(); n != 0 {
		t.Errorf("%d bytes counted after Close", n)
	}
	if _, err := s.Create(); errs.CodeOf(err) != errs.QueryCanceled {
		t.Errorf("create after Close: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for name, o := range map[string]Options{"query": {QueryMax: 1 << 20}, "server": {Max: 1 << 20}} {
		s := newDisk(t, o).NewSpace()
		f, err := s.Create()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ints(f, 1<<20); errs.CodeOf(err) != errs.ConfigurationLimit || !strings.Contains(err.Error(), "temporary file size") {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		if n := s.d.Used(); n != 0 {
			t.Errorf("%s: %d bytes counted after Close", name, n)
		}
	}
	fs := faultfs.New(vfs.OS{})
	s := newDisk(t, Options{FS: fs, Max: 1 << 40}).NewSpace()
	defer s.Close()
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	fs.LimitBytes(100_000)
	if _, err = ints(f, 1<<20); errs.CodeOf(err) != errs.DiskFull {
		t.Errorf("full disk: %v", err)
	}
}

// FuzzDecode: a block of any content is an error or rows, never a panic.
func FuzzDecode(f *testing.F) {
	for _, t := range testTypes {
		b := vec.NewBuilder(t, 0)
		b.Null()
		v := b.Finish()
		f.Add(appendColumn(nil, &v, 1), uint16(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		for _, typ := range testTypes {
			var v vec.Vector
			var s vec.Scratch
			d := decoder{b: b}
			if d.column(&v, &s, typ, int(n%vec.MaxBatchRows)) == nil && v.Len > 0 {
				_ = v.Datum(v.Len - 1)
			}
		}
	})
}
