package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"quern/storage/types"
	"quern/storage/vfs"
)

// playbackCols are 22 columns of playback events: independent identifiers, which nothing
// shrinks below their digits, names, numbers and flags.
func playbackCols() []formatsCol {
	hex := func(prefix string, digits int) formatsCol {
		return formatsCol{typ: types.Text, draw: func(rng *rand.Rand, _ int) types.Datum {
			s := fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
			return types.Datum{S: prefix + s[:digits]}
		}}
	}
	name := func(values ...string) formatsCol {
		return formatsCol{typ: types.Text, draw: func(rng *rand.Rand, _ int) types.Datum { return types.Datum{S: values[rng.IntN(len(values))]} }}
	}
	number := func(t types.Type, n int64) formatsCol {
		return formatsCol{typ: t, draw: ints(func(rng *rand.Rand, _ int) int64 { return rng.Int64N(n) })}
	}
	flag := formatsCol{typ: types.Bool, draw: ints(func(rng *rand.Rand, _ int) int64 { return rng.Int64N(2) })}
	return []formatsCol{hex("", 32), name("play", "pause", "seek", "page_view", "search"),
		{typ: types.Timestamptz, draw: ints(func(_ *rand.Rand, k int) int64 { return 1_763_856_000_000_000 + int64(k)*3000 })},
		{typ: types.Int8, draw: ints(func(rng *rand.Rand, k int) int64 { return 1_763_856_000_000 + int64(k)*3 + rng.Int64N(5000) })},
		number(types.Int8, 4e8), name("US", "DE", "BR", "ID", "FR", "SE"), flag, number(types.Int4, 8),
		hex("", 16), name("ios", "android", "webplayer", "desktop_osx"), flag, hex("", 24),
		hex("track:", 22), hex("artist:", 22), hex("playlist:", 22), number(types.Int4, 4e5), number(types.Int4, 4e5),
		{typ: types.Float8, draw: func(rng *rand.Rand, _ int) types.Datum { return types.Datum{F: float64(rng.IntN(1000)) / 1000} }},
		flag, name("recommended", "search", "library"), number(types.Int4, 5000),
		{typ: types.Text, draw: func(rng *rand.Rand, _ int) types.Datum {
			return types.Datum{S: fmt.Sprintf("%d.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256))}
		}}}
}

// BenchmarkEvents builds a segment of events; a row's CPU time bounds the ingest rate.
func BenchmarkEvents(b *testing.B) {
	const rows = 60_000
	cols := playbackCols()
	l := formatsList(b, cols, rows)
	dir := b.TempDir()
	spec := formatsSpec(cols)
	spec.TimeCol, spec.Order = 3, []SortKey{{Col: 3}}
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	for b.Loop() {
		if _, err := Build(b.Context(), vfs.OS{}, dir+"/tmp", dir+"/seg", spec, l, nil); err != nil {
			b.Fatal(err)
		}
	}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/float64(b.N*rows), "cpu-ns/row")
	info, _ := vfs.OS{}.Stat(dir + "/seg")
	b.ReportMetric(float64(info.Size)/rows, "B/row")
}
