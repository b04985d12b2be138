package fn

import (
	"net/netip"
	"strconv"
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
)

const tCidr = types.CidrOID

// network is an inet value: an address and how many of its bits are the network's.
type network struct {
	addr netip.Addr
	bits int
}

func parseNetwork(s string) network {
	a, bits, has := strings.Cut(s, "/")
	n := network{}
	n.addr, _ = netip.ParseAddr(a)
	n.bits = n.addr.BitLen()
	if has {
		n.bits, _ = strconv.Atoi(bits)
	}
	return n
}

// inetText is the value as inet prints it: without the bits of a whole address.
func (n network) inetText() types.Datum {
	if n.bits == n.addr.BitLen() {
		return str(n.addr.String())
	}
	return str(n.full())
}

func (n network) full() string { return n.addr.String() + "/" + strconv.Itoa(n.bits) }

// masked keeps the network's bits; with fill it sets the others.
func (n network) masked(fill bool) netip.Addr {
	b := n.addr.AsSlice()
	for i := range b {
		keep := min(max(n.bits-8*i, 0), 8)
		m := byte(0xFF) << (8 - keep)
		if b[i] &= m; fill {
			b[i] |= ^m
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// contains tells whether m lies within n, or is n if equal is set.
func (n network) contains(m network, equal bool) bool {
	if n.addr.BitLen() != m.addr.BitLen() || n.bits > m.bits || n.bits == m.bits && !equal {
		return false
	}
	m.bits = n.bits
	return n.masked(false) == m.masked(false)
}

// add moves the address by k; ok is false beyond its ends.
func (n network) add(k int64) (network, bool) {
	b := n.addr.AsSlice()
	carry := int64(0)
	for i := len(b) - 1; i >= 0; i-- {
		x := int64(b[i]) + k&0xFF + carry
		b[i], carry = byte(x), x>>8
		k >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return network{a, n.bits}, k+carry == 0
}

func inet1(ret types.OID, f func(n network) types.Datum) Kernel {
	return byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		return f(parseNetwork(a[0].S)), nil
	})
}

func inet2(f func(a, b network) (types.Datum, error)) Kernel {
	return byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		return f(parseNetwork(a[0].S), parseNetwork(a[1].S))
	})
}

func inetFuncs() []*Func {
	mask := func(fill bool) func(network) types.Datum {
		return func(n network) types.Datum {
			all := make([]byte, n.addr.BitLen()/8)
			for i := range all {
				all[i] = 0xFF
			}
			if fill {
				clear(all)
			}
			a, _ := netip.AddrFromSlice(all)
			return str(network{a, n.bits}.masked(fill).String())
		}
	}
	out := []*Func{
		def("abbrev", tText, inet1(tText, func(n network) types.Datum { return n.inetText() }), tInet),
		def("abbrev", tText, inet1(tText, func(n network) types.Datum { return str(abbrevCidr(n)) }), tCidr),
		def("broadcast", tInet, inet1(tInet, func(n network) types.Datum { return network{n.masked(true), n.bits}.inetText() }), tInet),
		def("family", tI4, inet1(tI4, func(n network) types.Datum {
			if n.addr.Is4() {
				return integer(4)
			}
			return integer(6)
		}), tInet),
		def("host", tText, inet1(tText, func(n network) types.Datum { return str(n.addr.String()) }), tInet),
		def("hostmask", tInet, inet1(tInet, mask(true)), tInet),
		def("netmask", tInet, inet1(tInet, mask(false)), tInet),
		def("network", tCidr, inet1(tCidr, func(n network) types.Datum { return str(network{n.masked(false), n.bits}.full()) }), tInet),
		def("masklen", tI4, inet1(tI4, func(n network) types.Datum { return integer(int64(n.bits)) }), tInet),
		def("inet_same_family", tBool, inet2(func(a, b network) (types.Datum, error) { return truth(a.addr.BitLen() == b.addr.BitLen()), nil }), tInet, tInet),
		def("inet_merge", tCidr, inet2(mergeNetworks), tInet, tInet).raises(),
		def("set_masklen", tInet, setMasklen(false), tInet, tI4).raises(),
		def("set_masklen", tCidr, setMasklen(true), tCidr, tI4).raises(),
		def("~", tInet, inet1(tInet, func(n network) types.Datum {
			b := n.addr.AsSlice()
			for i := range b {
				b[i] = ^b[i]
			}
			a, _ := netip.AddrFromSlice(b)
			return network{a, n.bits}.inetText()
		}), tInet),
		def("&", tInet, inet2(bitwiseInet(func(x, y byte) byte { return x & y }, "AND")), tInet, tInet).raises(),
		def("|", tInet, inet2(bitwiseInet(func(x, y byte) byte { return x | y }, "OR")), tInet, tInet).raises(),
		def("-", tI8, inet2(subtractInet), tInet, tInet).raises(),
		def("+", tInet, moveInet(0, 1, 1), tInet, tI8).raises(),
		def("+", tInet, moveInet(1, 0, 1), tI8, tInet).raises(),
		def("-", tInet, moveInet(0, 1, -1), tInet, tI8).raises(),
	}
	for op, test := range map[string]func(a, b network) bool{
		"<<":  func(a, b network) bool { return b.contains(a, false) },
		"<<=": func(a, b network) bool { return b.contains(a, true) },
		">>":  func(a, b network) bool { return a.contains(b, false) },
		">>=": func(a, b network) bool { return a.contains(b, true) },
		"&&":  func(a, b network) bool { return a.contains(b, true) || b.contains(a, true) },
	} {
		out = append(out, def(op, tBool, inet2(func(a, b network) (types.Datum, error) { return truth(test(a, b)), nil }), tInet, tInet))
	}
	return out
}

// abbrevCidr leaves out the octets behind the network's bits.
func abbrevCidr(n network) string {
	if !n.addr.Is4() {
		return types.AbbrevPrefix6(n.masked(false).As16(), n.bits)
	}
	octets := strings.Split(n.addr.String(), ".")[:max((n.bits+7)/8, 1)]
	return strings.Join(octets, ".") + "/" + strconv.Itoa(n.bits)
}

func mergeNetworks(a, b network) (types.Datum, error) {
	if a.addr.BitLen() != b.addr.BitLen() {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot merge addresses from different families")
	}
	a.bits = min(a.bits, b.bits)
	for a.bits > 0 && (network{a.addr, a.bits}).masked(false) != (network{b.addr, a.bits}).masked(false) {
		a.bits--
	}
	return str(network{a.masked(false), a.bits}.full()), nil
}

func setMasklen(cidr bool) Kernel {
	return byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		n, bits := parseNetwork(a[0].S), int(a[1].I)
		if bits == -1 {
			bits = n.addr.BitLen()
		}
		if bits < 0 || bits > n.addr.BitLen() {
			return types.NullDatum, errs.New(errs.InvalidParameterValue, "invalid mask length: %d", bits)
		}
		n.bits = bits
		if cidr {
			return str(network{n.masked(false), bits}.full()), nil
		}
		return n.inetText(), nil
	})
}

func bitwiseInet(op func(x, y byte) byte, name string) func(a, b network) (types.Datum, error) {
	return func(a, b network) (types.Datum, error) {
		if a.addr.BitLen() != b.addr.BitLen() {
			return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot %s inet values of different sizes", name)
		}
		x, y := a.addr.AsSlice(), b.addr.AsSlice()
		for i := range x {
			x[i] = op(x[i], y[i])
		}
		r, _ := netip.AddrFromSlice(x)
		return network{r, max(a.bits, b.bits)}.inetText(), nil
	}
}

func subtractInet(a, b network) (types.Datum, error) {
	if a.addr.BitLen() != b.addr.BitLen() {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "cannot subtract inet values of different sizes")
	}
	x, y := a.addr.AsSlice(), b.addr.AsSlice()
	var diff uint64
	borrow, high := 0, byte(0)
	fits := true
	for i := len(x) - 1; i >= 0; i-- {
		d := int(x[i]) - int(y[i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		if k := len(x) - 1 - i; k < 8 {
			diff |= uint64(d) << (8 * k)
			high = byte(int8(byte(diff>>(8*min(k, 7)))) >> 7)
		} else if byte(d) != high {
			fits = false
		}
	}
	if len(x) == 4 {
		return integer(int64(int32(diff)) - int64(0) + fourWide(diff, borrow)), nil
	}
	if !fits || (high != 0) != (borrow != 0) {
		return types.NullDatum, errs.New(errs.NumericOutOfRange, "result is out of range")
	}
	return integer(int64(diff)), nil
}

// fourWide corrects a 32-bit difference whose sign is the borrow's.
func fourWide(diff uint64, borrow int) int64 {
	switch low := int32(diff); {
	case borrow == 0 && low < 0:
		return 1 << 32
	case borrow != 0 && low >= 0:
		return -1 << 32
	}
	return 0
}

func moveInet(addr, by int, sign int64) Kernel {
	return byValue(func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		n, ok := parseNetwork(a[addr].S).add(sign * a[by].I)
		if !ok {
			return types.NullDatum, errs.New(errs.NumericOutOfRange, "result is out of range")
		}
		return n.inetText(), nil
	})
}
