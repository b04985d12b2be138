package types

import "strconv"

// AbbrevPrefix6 shows the words of an IPv6 network that its prefix covers, at
// least two, with the longest run of zeros left out: 2001:db8/32.
func AbbrevPrefix6(b [16]byte, bits int) string {
	width := "/" + strconv.Itoa(bits)
	if bits == 0 {
		return "::" + width
	}
	words := max((bits+15)/16, 2)
	start, length := 0, 0
	for i, run := 0, 0; i < words; i++ {
		if b[2*i]|b[2*i+1] != 0 {
			run = 0
			continue
		}
		if run++; run > length {
			start, length = i-run+1, run
		}
	}
	out := ""
	for i := range words {
		switch {
		case length > 0 && i >= start && i < start+length:
			if i == start {
				out += ":"
			}
			if i == words-1 {
				out += ":"
			}
			continue
		case out != "":
			out += ":"
		}
		out += strconv.FormatInt(int64(b[2*i])<<8|int64(b[2*i+1]), 16)
	}
	return out + width
}
