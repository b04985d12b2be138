package exec

import (
	rand2 "crypto/rand"
	"fmt"
	"math/rand/v2"
	"testing"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/internal/spill"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vfs"
)

func num(v int64, scale int16) types.Num {
	return types.Num{Lo: uint64(v), Hi: v >> 63, Scale: scale}
}

var allTypes = []types.Type{types.Bool, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8,
	types.Numeric, types.Interval, types.UUID, types.Text, types.Date, types.Timestamp, types.Oid}

// randDatum is one of few values of a type, or NULL.
func randDatum(r *rand.Rand, t types.Type) types.Datum {
	if r.IntN(8) == 0 {
		return types.NullDatum
	}
	var d types.Datum
	switch t.Phys() {
	case types.PhysBool:
		d.I = int64(r.IntN(2))
	case types.PhysF32, types.PhysF64:
		d.F = float64(r.IntN(21)-10) / 4
	case types.PhysNum:
		d.N = num(int64(r.IntN(300)-150), 2)
	case types.PhysInterval:
		d.Iv = types.IntervalVal{Micros: int64(r.IntN(5)) * 3600e6, Days: int32(r.IntN(4)), Months: int32(r.IntN(3))}
	case types.PhysUUID:
		d.U[r.IntN(3)] = byte(r.IntN(3))
	case types.PhysBytes:
		d.S = "some string of a length beyond the inline"[r.IntN(3):][:r.IntN(38)]
	default:
		d.I = int64(r.IntN(30))
		if !t.Unsigned() {
			d.I -= 15
		}
	}
	return d
}

func randTable(seed uint64, rows int, typs ...types.Type) *exectest.Table {
	r := rand.New(rand.NewPCG(seed, 0))
	t := &exectest.Table{Types: typs}
	for range rows {
		row := make([]types.Datum, len(typs))
		for c := range row {
			row[c] = randDatum(r, typs[c])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func scanOf(tables []*exectest.Table, i int) *plan.Scan {
	n := &plan.Scan{Table: fmt.Sprintf("t%d", i), Typs: tables[i].Types}
	for c := range tables[i].Types {
		n.Cols = append(n.Cols, exectest.Cols(i, c)...)
		n.Names = append(n.Names, fmt.Sprintf("c%d", c))
	}
	return n
}

func col(n plan.Node, i int) *plan.Col { return &plan.Col{Index: i, Typ: n.Types()[i]} }

func lit(t types.Type, d types.Datum) *plan.Lit { return &plan.Lit{Val: d, Typ: t} }

func intLit(v int64) *plan.Lit { return lit(types.Int8, types.Datum{I: v}) }

func aggOf(kind fn.AggKind, ret types.Type, args ...plan.Expr) plan.AggCall {
	return plan.AggCall{Agg: &fn.Agg{Name: fmt.Sprintf("agg%d", kind), Kind: kind}, Args: args, Typ: ret}
}

// check runs a plan under all settings, in memory and with every operator that
// can spilling whatever it gets; tune may change the query.
func check(t *testing.T, tables []*exectest.Table, n plan.Node, ordered bool, want []string, tune ...func(*Rows)) {
	t.Helper()
	disk := testDisk(t)
	for _, spilled := range []bool{false, true} {
		if spilled && !spillable(n) {
			return
		}
		settings := exectest.Settings()
		if spilled {
			settings = []exectest.Setting{settings[0], settings[2], settings[4]}
		}
		exectest.RunWith(t, settings, tables, ordered, want, func(src *exectest.Source, threads int) (exectest.Rows, error) {
			cfg := Config{Plan: n, Snap: src, Threads: threads}
			if spilled {
				cfg.Disk, cfg.Memory = disk, 1 // nothing beyond the floor of 0
			}
			r, err := Open(t.Context(), &cfg)
			if err != nil {
				return nil, err
			}
			for _, f := range tune {
				f(r)
			}
			return r, nil
		})
	}
	if n := disk.Used(); n != 0 {
		t.Errorf("%d bytes of spill files are left", n)
	}
}

func testDisk(t testing.TB) *spill.Disk {
	t.Helper()
	d, err := spill.NewDisk(spill.Options{FS: vfs.OS{}, Dir: t.TempDir(), Rand: rand2.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spillable tells whether a plan can do with any memory.
func spillable(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Recursive:
		return false
	case *plan.Aggregate:
		if len(n.Keys) == 0 {
			return false // one group
		}
	}
	for _, in := range n.Inputs() {
		if !spillable(in) {
			return false
		}
	}
	return true
}

// fails runs a plan and wants an error of every setting.
func fails(t *testing.T, tables []*exectest.Table, n plan.Node, cfg Config) (err error) {
	t.Helper()
	for _, set := range exectest.Settings() {
		c := cfg
		c.Plan, c.Snap, c.Threads = n, &exectest.Source{Tables: tables, Setting: set}, set.Threads
		var rows *Rows
		if rows, err = Open(t.Context(), &c); err == nil {
			_, err = exectest.Collect(t.Context(), rows)
		}
		if err == nil {
			t.Fatalf("%+v: no error", set)
		}
	}
	return err
}

func texts(typs []types.Type, rows [][]types.Datum) []string {
	var out []string
	for _, row := range rows {
		s := ""
		for c := range row {
			if c > 0 {
				s += "|"
			}
			s += exectest.Text(typs[c], &row[c])
		}
		out = append(out, s)
	}
	return out
}
