package encoding

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"quern/storage/types"
	"quern/storage/vec"
)

// textPages are the pages that a column of texts may become, by name.
func textPages(v *strs) map[string][]byte {
	out := map[string][]byte{}
	page := func(name string, write func(e *Encoder)) {
		e := &Encoder{}
		write(e)
		e.close()
		out[name] = bytes.Clone(e.dst)
	}
	page("plain", func(e *Encoder) { e.plainText(v, 0, 0) })
	if s, ok := new(Encoder).Shrink(v.offs, v.data); ok {
		page("fsst", func(e *Encoder) { e.fsstPage(&s, v.offs, 0, 0) })
	}
	if p, _ := patternOf(v); p != nil {
		page("chars", func(e *Encoder) { e.charsPage(p, v, 0, 0) })
	}
	if entries, codes, ok := textDict(v); ok {
		page("dict", func(e *Encoder) { _ = e.textDictPage(entries, codes, 0, 0) })
	}
	if s := shape(v); s != nil {
		page("template", func(e *Encoder) { _ = e.templatePage(s, 0, 0) })
	}
	return out
}

// cpu is the time that the process has run for, in ns: benchmarks share their machine.
func cpu() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkTexts reads 2,048 texts, and every 64th of them; the constants of text.go
// are what it says of one row, less what a PLAIN page takes.
func BenchmarkTexts(b *testing.B) {
	for _, name := range []string{"urls", "hex", "uuid", "base64", "json", "mixed", "pool"} {
		c := textColumn(65536, false, rand.New(rand.NewPCG(1, 3)), texts[name])
		v := &strs{offs: c.Offs, data: c.Bytes}
		for kind, page := range textPages(v) {
			p, err := Open(page, types.PhysBytes)
			if err != nil {
				b.Fatal(err)
			}
			var s Space
			views := make([]vec.View, vec.BatchRows)
			sel := make([]uint16, 0, 32)
			for i := 0; i < vec.BatchRows; i += 64 {
				sel = append(sel, uint16(i))
			}
			b.Run(fmt.Sprintf("%s/%s", name, kind), func(b *testing.B) {
				b.SetBytes(int64(v.offs[3*vec.BatchRows] - v.offs[2*vec.BatchRows]))
				start := cpu()
				for b.Loop() {
					_, _ = p.Views(views, 2*vec.BatchRows, nil, &s)
				}
				b.ReportMetric(float64(cpu()-start)/float64(b.N)/vec.BatchRows, "cpu-ns/row")
				b.ReportMetric(float64(len(page))/float64(v.rows()), "B/row")
			})
			b.Run(fmt.Sprintf("%s/%s/some", name, kind), func(b *testing.B) {
				for b.Loop() {
					_, _ = p.Views(views, 2*vec.BatchRows, sel, &s)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(sel)), "ns/row")
			})
		}
	}
}
