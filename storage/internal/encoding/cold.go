package encoding

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"

	"quern/storage/vec"
)

// CodecS2 is the number on disk of the block codec of cold segments.
const CodecS2 = 1

// coldGain is how many times smaller a block must become: reading it costs a copy.
const coldGain = 1.3

// squeezeMax is how many times larger than its block the content may be: a few damaged
// bytes must not ask for all memory.
const squeezeMax = 1024

// Squeeze compresses a page or section for cold segments: u32 length, s2 block, padded
// to 64. ok is false if that gains too little, which is so for packed integers.
func Squeeze(b []byte) (out []byte, ok bool) {
	out = make([]byte, 4+s2.MaxEncodedLen(len(b)))
	n := len(s2.EncodeBetter(out[4:], b))
	if n == 0 || len(b)/squeezeMax > n || coldGain*float64(pad(4+n)) > float64(len(b)) {
		return nil, false
	}
	binary.LittleEndian.PutUint32(out, uint32(n))
	clear(out[4+n : min(len(out), pad(4+n))])
	return append(out[:min(len(out), pad(4+n))], make([]byte, max(0, pad(4+n)-len(out)))...), true
}

// Unsqueeze is the reverse; raw is how many bytes there were. The result is aligned
// to 8.
func Unsqueeze(b []byte, raw int) ([]byte, error) {
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, corrupt("short block")
	}
	b = b[4 : 4+binary.LittleEndian.Uint32(b)]
	if n, err := s2.DecodedLen(b); err != nil || n != raw || raw/squeezeMax > len(b) {
		return nil, corrupt("block of another length")
	}
	out, err := s2.Decode(vec.AlignedBytes(raw), b)
	if err != nil || len(out) != raw {
		return nil, corrupt("bad block")
	}
	return out, nil
}
