package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"quern/storage/internal/encoding"
)

func testDictionary(values []string) *dictionary {
	slices.Sort(values)
	d := &dictionary{offs: []uint32{0}}
	for _, v := range slices.Compact(values) {
		d.bytes = append(d.bytes, v...)
		d.offs = append(d.offs, uint32(len(d.bytes)))
	}
	return d
}

// readSection reads what section made.
func readSection(b []byte) (flags uint32, offs []uint32, data []byte, err error) {
	n, flags, size := int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
	if flags&dictPacked == 0 {
		offs, data, _ = plainDict(b, n, size)
		return flags, offs, data, nil
	}
	offs, data, err = unpack(b, n, flags, size)
	return flags, offs, data, err
}

// TestPackedDictionaries: entries come back, and are packed in the way that pays.
func TestPackedDictionaries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		name  string
		n     int
		draw  func(k int) string
		flags uint32
	}{
		{"urls", 5000, func(int) string {
			return fmt.Sprintf("https://example.com/a/long/path/%d?x=%x", rng.IntN(90), rng.Uint64())
		}, dictFSST | dictFront},
		{"hex", 3000, func(int) string { return fmt.Sprintf("%x%x", rng.Uint64(), rng.Uint64()) }, dictFSST},
		{"few", 5, func(k int) string { return fmt.Sprint(k) }, 0},
		{"one empty", 1, func(k int) string { return "" }, 0},
		{"prefixes", 400, func(k int) string { return string(bytes.Repeat([]byte{0}, k)) }, dictFront},
		{"more than a page", 140_000, func(k int) string { return fmt.Sprintf("%06d", k) }, dictFront},
		{"random", 2000, func(int) string {
			return string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, rng.Uint64()), rng.Uint64()))
		}, 0},
	} {
		values := make([]string, c.n)
		for k := range values {
			values[k] = c.draw(k)
		}
		d := testDictionary(values)
		flags, offs, data, err := readSection(d.section(new(encoding.Encoder)))
		if err != nil || !slices.Equal(offs, d.offs) || !bytes.Equal(data, d.bytes) {
			t.Fatalf("%s: entries differ (%v)", c.name, err)
		}
		if got := flags & (dictFSST | dictFront); c.name != "random" && c.name != "more than a page" && got != c.flags {
			t.Errorf("%s: flags %d, want %d", c.name, got, c.flags)
		}
	}
}

// TestDamagedPackedDictionary: any damage is an error or gives some entries.
func TestDamagedPackedDictionary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]string, 500)
	for k := range values {
		values[k] = fmt.Sprintf("https://example.com/%d/%x", k%9, rng.Uint64())
	}
	section := testDictionary(values).section(new(encoding.Encoder))
	refused := 0
	for range 4000 {
		bad := bytes.Clone(section)
		for range 1 + rng.IntN(3) {
			bad[8+rng.IntN(len(bad)-8)%(8+rng.IntN(len(bad)))] = byte(rng.Uint32())
		}
		if rng.IntN(8) == 0 {
			bad = bad[:packHead+rng.IntN(len(bad)-packHead)]
		}
		if binary.LittleEndian.Uint32(bad) > 1<<16 {
			continue // the caller's bound
		}
		flags, offs, data, err := readSection(bad)
		if err != nil {
			refused++
		} else if flags&dictFront != 0 && int(offs[len(offs)-1]) != len(data) {
			t.Fatal("offsets end elsewhere than the bytes")
		}
	}
	if refused < 500 {
		t.Fatalf("only %d of 4000 damaged sections were refused", refused)
	}
}
