package types

import (
	"net/netip"
	"strconv"
	"strings"

	"quern/storage/errs"
)

// parseInet normalises an inet or cidr value. It is kept as text: 10.0.0.1,
// 10.0.0.0/8, ::1.
func parseInet(t Type, s string) (string, error) {
	addr, bits, hasBits := strings.Cut(s, "/")
	if t.OID == CidrOID {
		// cidr may leave out trailing octets.
		for strings.Count(addr, ".") < 3 && !strings.Contains(addr, ":") && addr != "" {
			if !hasBits {
				bits, hasBits = strconv.Itoa(8*(strings.Count(addr, ".")+1)), true
			}
			addr += ".0"
		}
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return "", badText(t, s)
	}
	n := a.BitLen()
	if hasBits {
		v, st := parseInt(bits)
		if st != intOK || v < 0 || int(v) > n || strings.TrimLeft(bits, "0123456789") != "" {
			return "", badText(t, s)
		}
		n = int(v)
	}
	if t.OID == CidrOID {
		if p := netip.PrefixFrom(a, n).Masked(); p.Addr() != a {
			return "", badCidr(s)
		}
		return formatAddr(a) + "/" + strconv.Itoa(n), nil
	}
	if n == a.BitLen() {
		return formatAddr(a), nil
	}
	return formatAddr(a) + "/" + strconv.Itoa(n), nil
}

func formatAddr(a netip.Addr) string { return a.String() }

func badCidr(s string) error {
	return errs.New(errs.InvalidText, "invalid cidr value: \"%s\"", s).WithDetail("Value has bits set to right of mask.")
}
