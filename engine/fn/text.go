package fn

import (
	"bytes"
	le "encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// textFuncs are the functions on text that need no pattern.
func textFuncs() []*Func {
	str := func(name string, f func(dst, s []byte) []byte) *Func { return def(name, tText, text1(f), tText) }
	int4 := func(name string, f func(s []byte) int32, arg types.OID) *Func {
		return def(name, tI4, fromText(f), arg)
	}
	octets := func(s []byte) int32 { return int32(len(s)) }
	bitLen := func(s []byte) int32 { return 8 * int32(len(s)) }
	bpLen := func(s []byte) int32 { return int32(utf8.RuneCount(bytes.TrimRight(s, " "))) }
	out := []*Func{
		def("length", tI4, charLength, tText), int4("length", bpLen, tBpchar), int4("length", octets, tBytea),
		def("char_length", tI4, charLength, tText), int4("char_length", bpLen, tBpchar),
		def("character_length", tI4, charLength, tText), int4("character_length", bpLen, tBpchar),
		int4("octet_length", octets, tText), int4("octet_length", octets, tBytea), int4("octet_length", octets, tBpchar),
		int4("bit_length", bitLen, tText), int4("bit_length", bitLen, tBytea),
		str("lower", AppendLower), str("upper", AppendUpper), str("initcap", appendInitcap), str("reverse", appendReverse),
		def("strpos", tI4, fromText2(position), tText, tText), def("position", tI4, fromText2(position), tText, tText),
		def("position", tI4, fromText2(func(a, b []byte) int32 { return int32(bytes.Index(a, b) + 1) }), tBytea, tBytea),
		def("starts_with", tBool, fromText2(func(a, b []byte) uint8 { return b2u(bytes.HasPrefix(a, b)) }), tText, tText),
		def("^@", tBool, fromText2(func(a, b []byte) uint8 { return b2u(bytes.HasPrefix(a, b)) }), tText, tText),
		int4("ascii", ascii, tText),
		def("chr", tText, text(chr), tI4).raises(),
		def("to_hex", tText, text(toHex(32)), tI4), def("to_hex", tText, text(toHex(64)), tI8),
		def("replace", tText, text(replaceText), tText, tText, tText),
		def("translate", tText, text(translate), tText, tText, tText),
		def("split_part", tText, text(splitPart), tText, tText, tI4).raises(),
		def("repeat", tText, text(repeat), tText, tI4).raises(),
		def("left", tText, sliceKernel(left), tText, tI4), def("right", tText, sliceKernel(right), tText, tI4),
		def("lpad", tText, text(pad(true)), tText, tI4).raises(), def("lpad", tText, text(pad(true)), tText, tI4, tText).raises(),
		def("rpad", tText, text(pad(false)), tText, tI4).raises(), def("rpad", tText, text(pad(false)), tText, tI4, tText).raises(),
		def("concat", tText, concat, tAny).variadic().seesNull().stable(),
		def("concat_ws", tText, concatWs, tText, tAny).variadic().seesNull().stable(),
		def("quote_ident", tText, text1(appendIdent), tText),
		def("quote_literal", tText, text1(appendLiteral), tText),
		def("quote_nullable", tText, quoteNullable, tText).seesNull(),
		def("overlay", tText, text(overlay), tText, tText, tI4).raises(), def("overlay", tText, text(overlay), tText, tText, tI4, tI4).raises(),
		def("encode", tText, text(encode), tBytea, tText).raises(), def("decode", tBytea, text(decode), tText, tText).raises(),
		def("format", tText, format, tText, tAny).variadic().seesNull().stable().raises(),
		def("format", tText, format, tText).seesNull().raises(),
		def("convert_from", tText, text(convertFrom), tBytea, tName).raises(), def("convert_to", tBytea, text(convertTo), tText, tName).raises(),
		def("get_byte", tI4, getByte, tBytea, tI4).raises(), def("set_byte", tBytea, setByte, tBytea, tI4, tI4).raises(),
		def("get_bit", tI4, getBit, tBytea, tI8).raises(), def("set_bit", tBytea, setBit, tBytea, tI8, tI4).raises(),
		def("bit_count", tI8, fromText(bitCount), tBytea),
	}
	for _, name := range []string{"substr", "substring"} {
		out = append(out,
			def(name, tText, sliceKernel(substr), tText, tI4), def(name, tText, sliceKernel(substr), tText, tI4, tI4).raises(),
			def(name, tBytea, sliceKernel(subbytes), tBytea, tI4), def(name, tBytea, sliceKernel(subbytes), tBytea, tI4, tI4).raises())
	}
	for _, t := range []struct {
		name        string
		left, right bool
	}{{"btrim", true, true}, {"ltrim", true, false}, {"rtrim", false, true}} {
		out = append(out, def(t.name, tText, sliceKernel(trim(t.left, t.right)), tText),
			def(t.name, tText, sliceKernel(trim(t.left, t.right)), tText, tText))
	}
	out = append(out, def("btrim", tBytea, sliceKernel(trimBytes(true, true)), tBytea, tBytea),
		def("ltrim", tBytea, sliceKernel(trimBytes(true, false)), tBytea, tBytea),
		def("rtrim", tBytea, sliceKernel(trimBytes(false, true)), tBytea, tBytea))
	// The operator takes text, or text and anything; bytea of its own.
	return append(out,
		def("||", tText, text(concat2), tText, tText),
		def("||", tText, text(concatAny), tText, tNonArr).stable(), def("||", tText, text(concatAny), tNonArr, tText).stable(),
		def("||", tBytea, text(concat2), tBytea, tBytea))
}

// charCount is the number of characters: bytes that do not continue one, eight
// at a time.
func charCount(s []byte) int32 {
	const high = 0x8080808080808080
	n, t := len(s), s
	for len(t) >= 8 {
		w := le.LittleEndian.Uint64(t)
		if w&high != 0 {
			// A continuation byte has its top bits 10.
			n -= bits.OnesCount64(w & ^(w << 1) & high)
		}
		t = t[8:]
	}
	for _, c := range t {
		if c&0xC0 == 0x80 {
			n--
		}
	}
	return int32(n)
}

// charLength needs no bytes of strings that are known to be ASCII.
func charLength(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	v := args[0]
	from := v
	if v.Form == vec.Dict {
		from = &v.Dict.Values
	}
	if !from.ASCII || v.Form == vec.Const {
		return countChars(env, args, sel, n, out)
	}
	o := vec.Values[int32](out)
	if sel != nil {
		n = len(sel)
	}
	if v.Form == vec.Dict {
		codes := v.Codes()
		for k := range n {
			i := k
			if sel != nil {
				i = int(sel[k])
			}
			o[i] = int32(from.Views[codes[i]].Len)
		}
		return nil
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		o[i] = int32(v.Views[i].Len)
	}
	return nil
}

var countChars = fromText(charCount)

func position(s, sub []byte) int32 {
	i := bytes.Index(s, sub)
	if i < 0 {
		return 0
	}
	return int32(utf8.RuneCount(s[:i])) + 1
}

func ascii(s []byte) int32 {
	if len(s) == 0 {
		return 0
	}
	r, _ := utf8.DecodeRune(s)
	return r
}

func chr(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	switch r := argOf[int32](args[0]).at(i); {
	case r < 0:
		return dst, errs.New(errs.InvalidParameterValue, "character number must be positive")
	case r == 0:
		return dst, errs.New(errs.ProgramLimit, "null character not permitted")
	case r > utf8.MaxRune:
		return dst, errs.New(errs.ProgramLimit, "requested character too large for encoding: %d", r)
	case !utf8.ValidRune(r):
		return dst, errs.New(errs.ProgramLimit, "requested character not valid for encoding: %d", r)
	default:
		return utf8.AppendRune(dst, r), nil
	}
}

func toHex(bits int) func(*Env, []*vec.Vector, int, []byte) ([]byte, error) {
	return func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
		if bits == 32 {
			return strconv.AppendUint(dst, uint64(uint32(argOf[int32](args[0]).at(i))), 16), nil
		}
		return strconv.AppendUint(dst, uint64(argOf[int64](args[0]).at(i)), 16), nil
	}
}

// appendInitcap upper-cases the first letter of each word of letters and digits.
func appendInitcap(dst, s []byte) []byte {
	word := false
	for _, c := range s {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case letter && word:
			c |= 0x20
		case letter:
			c &^= 0x20
		}
		word = letter || c-'0' <= 9
		dst = append(dst, c)
	}
	return dst
}

func appendReverse(dst, s []byte) []byte {
	for len(s) > 0 {
		_, n := utf8.DecodeLastRune(s)
		dst = append(dst, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return dst
}

func replaceText(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, from, to := args[0].BytesAt(i), args[1].BytesAt(i), args[2].BytesAt(i)
	if len(from) == 0 {
		return append(dst, s...), nil
	}
	for {
		j := bytes.Index(s, from)
		if j < 0 {
			return append(dst, s...), nil
		}
		dst = append(append(dst, s[:j]...), to...)
		s = s[j+len(from):]
	}
}

func translate(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	from, to := []rune(string(args[1].BytesAt(i))), []rune(string(args[2].BytesAt(i)))
next:
	for _, r := range string(args[0].BytesAt(i)) {
		for k, f := range from {
			if f != r {
				continue
			}
			if k < len(to) {
				dst = utf8.AppendRune(dst, to[k])
			}
			continue next
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, nil
}

func splitPart(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, sep, n := args[0].BytesAt(i), args[1].BytesAt(i), int(argOf[int32](args[2]).at(i))
	if n == 0 {
		return dst, errs.New(errs.InvalidParameterValue, "field position must not be zero")
	}
	if len(sep) == 0 {
		if n == 1 || n == -1 {
			dst = append(dst, s...)
		}
		return dst, nil
	}
	if n < 0 {
		if n += bytes.Count(s, sep) + 2; n < 1 {
			return dst, nil
		}
	}
	for ; n > 1; n-- {
		j := bytes.Index(s, sep)
		if j < 0 {
			return dst, nil
		}
		s = s[j+len(sep):]
	}
	if j := bytes.Index(s, sep); j >= 0 {
		s = s[:j]
	}
	return append(dst, s...), nil
}

func errTooLarge() error { return errs.New(errs.ProgramLimit, "requested length too large") }

func repeat(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, n := args[0].BytesAt(i), int(argOf[int32](args[1]).at(i))
	if n <= 0 || len(s) == 0 {
		return dst, nil
	}
	if n > bytesMax/len(s) {
		return dst, errTooLarge()
	}
	if err := env.room(n * len(s)); err != nil {
		return dst, err
	}
	for range n {
		dst = append(dst, s...)
	}
	return dst, nil
}

// pad is lpad and rpad.
func pad(left bool) func(*Env, []*vec.Vector, int, []byte) ([]byte, error) {
	return func(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
		s, n := args[0].BytesAt(i), int(argOf[int32](args[1]).at(i))
		fill := []byte(" ")
		if len(args) == 3 {
			fill = args[2].BytesAt(i)
		}
		have := utf8.RuneCount(s)
		switch {
		case n <= 0:
			return dst, nil
		case have >= n || len(fill) == 0:
			return append(dst, s[:prefixLen(s, n)]...), nil
		case n > bytesMax/4:
			return dst, errTooLarge()
		}
		if err := env.room(n); err != nil {
			return dst, err
		}
		if !left {
			dst = append(dst, s...)
		}
		for k, p := have, fill; k < n; k++ {
			if len(p) == 0 {
				p = fill
			}
			_, w := utf8.DecodeRune(p)
			dst, p = append(dst, p[:w]...), p[w:]
		}
		if left {
			dst = append(dst, s...)
		}
		return dst, nil
	}
}

// prefixLen is the size of the first n characters of s.
func prefixLen(s []byte, n int) int {
	if n >= len(s) {
		return len(s)
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, w := utf8.DecodeRune(s[at:])
		at += w
	}
	return at
}

// slicer cuts row i's first argument: the result is s[from:to].
type slicer func(args []*vec.Vector, i int, s []byte) (from, to int, err error)

// sliceKernel makes results that share the bytes of the first argument.
func sliceKernel(f slicer) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		src := args[0]
		bufs := src.Bufs
		if src.Form == vec.Dict {
			bufs = src.Dict.Values.Bufs
		}
		out.Bufs = bufs
		return rows(env, sel, n, func(i int) error {
			w := viewAt(src, i)
			s := w.Bytes(bufs)
			from, to, err := f(args, i, s)
			if err != nil {
				return err
			}
			b := s[from:to]
			if len(b) == len(s) {
				out.Views[i] = *w
				return nil
			}
			out.Views[i] = vec.MakeView(b, w.B, w.C+uint32(from))
			return nil
		})
	}
}

// viewAt is the view of row i in any Form.
func viewAt(v *vec.Vector, i int) *vec.View {
	switch v.Form {
	case vec.Const:
		i = 0
	case vec.Dict:
		return &v.Dict.Values.Views[v.Codes()[i]]
	}
	return &v.Views[i]
}

func left(args []*vec.Vector, i int, s []byte) (int, int, error) {
	n := int(argOf[int32](args[1]).at(i))
	if n < 0 {
		n = max(utf8.RuneCount(s)+n, 0)
	}
	return 0, prefixLen(s, n), nil
}

func right(args []*vec.Vector, i int, s []byte) (int, int, error) {
	n := int(argOf[int32](args[1]).at(i))
	switch {
	case n == math.MinInt32:
		n = 0 // PostgreSQL negates it in 32 bits
	case n < 0:
		n = -n
	default:
		n = max(utf8.RuneCount(s)-n, 0)
	}
	return prefixLen(s, n), len(s), nil
}

// window gives the characters [start, start+length) counted from 1, clipped.
func window(args []*vec.Vector, i int) (skip, take int, err error) {
	start := int(argOf[int32](args[1]).at(i))
	if len(args) < 3 {
		return max(start-1, 0), 1 << 40, nil
	}
	n := int(argOf[int32](args[2]).at(i))
	if n < 0 {
		return 0, 0, errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	end := start + n
	start = max(start, 1)
	return start - 1, max(end-start, 0), nil
}

func substr(args []*vec.Vector, i int, s []byte) (int, int, error) {
	skip, take, err := window(args, i)
	if err != nil {
		return 0, 0, err
	}
	from := prefixLen(s, skip)
	return from, from + prefixLen(s[from:], take), nil
}

func subbytes(args []*vec.Vector, i int, s []byte) (int, int, error) {
	skip, take, err := window(args, i)
	if err != nil {
		return 0, 0, err
	}
	from := min(skip, len(s))
	return from, from + min(take, len(s)-from), nil
}

// trim removes the characters of the second argument (blanks by default).
func trim(left, right bool) slicer {
	return func(args []*vec.Vector, i int, s []byte) (int, int, error) {
		set := " "
		if len(args) == 2 {
			set = string(args[1].BytesAt(i))
		}
		t := s
		if left {
			t = bytes.TrimLeft(t, set)
		}
		from := len(s) - len(t)
		if right {
			t = bytes.TrimRight(t, set)
		}
		return from, from + len(t), nil
	}
}

func trimBytes(left, right bool) slicer {
	return func(args []*vec.Vector, i int, s []byte) (int, int, error) {
		set := args[1].BytesAt(i)
		from, to := 0, len(s)
		for left && from < to && bytes.IndexByte(set, s[from]) >= 0 {
			from++
		}
		for right && to > from && bytes.IndexByte(set, s[to-1]) >= 0 {
			to--
		}
		return from, to, nil
	}
}

func concat2(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	return append(append(dst, args[0].BytesAt(i)...), args[1].BytesAt(i)...), nil
}

// concatAny joins values as casts to text write them.
func concatAny(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	for _, a := range args {
		switch a.Type.OID {
		case tBool:
			dst = strconv.AppendBool(dst, argOf[uint8](a).at(i) != 0)
		case tInet:
			dst = appendInetFull(dst, a.BytesAt(i))
		default:
			dst = appendOutput(env, dst, a, i)
		}
	}
	return dst, nil
}

// appendOutput appends row i of v as its output function writes it. Unlike a
// cast, bool is t or f and char(n) keeps its blanks.
func appendOutput(env *Env, dst []byte, v *vec.Vector, i int) []byte {
	if v.Type.Phys() == types.PhysBytes && types.Category(v.Type.OID) == types.CatString {
		return append(dst, v.BytesAt(i)...)
	}
	d := v.Datum(i)
	if v.Type.OID == types.RegclassOID && env.Catalog != nil {
		if name, ok := env.Catalog.RelationName(uint32(d.I)); ok {
			return append(dst, name...)
		}
	}
	return types.AppendText(dst, v.Type, &d, env.Format)
}

func concat(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.begin()
		for _, a := range args {
			if !a.Null(i) {
				w.buf = appendOutput(env, w.buf, a, i)
			}
		}
		w.end(i)
		return w.room(0)
	})
}

func concatWs(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		if args[0].Null(i) {
			setNull(out, i)
			return nil
		}
		w.begin()
		first := true
		for _, a := range args[1:] {
			if a.Null(i) {
				continue
			}
			if !first {
				w.buf = append(w.buf, args[0].BytesAt(i)...)
			}
			w.buf, first = appendOutput(env, w.buf, a, i), false
		}
		w.end(i)
		return w.room(0)
	})
}

// appendIdent quotes an identifier if it needs it.
func appendIdent(dst, s []byte) []byte {
	plain := len(s) > 0 && !(s[0]-'0' <= 9) && !types.ReservedWord(string(s))
	for _, c := range s {
		plain = plain && (c-'a' < 26 || c-'0' <= 9 || c == '_')
	}
	if plain {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func appendLiteral(dst, s []byte) []byte {
	if bytes.IndexByte(s, '\\') >= 0 {
		dst = append(dst, 'E')
	}
	dst = append(dst, '\'')
	for _, c := range s {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

func quoteNullable(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.begin()
		if args[0].Null(i) {
			w.buf = append(w.buf, "NULL"...)
		} else {
			w.buf = appendLiteral(w.buf, args[0].BytesAt(i))
		}
		w.end(i)
		return nil
	})
}

func overlay(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, with, from := args[0].BytesAt(i), args[1].BytesAt(i), int(argOf[int32](args[2]).at(i))
	n := utf8.RuneCount(with)
	if len(args) == 4 {
		n = int(argOf[int32](args[3]).at(i))
	}
	if from <= 0 {
		return dst, errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	if from+n > math.MaxInt32 {
		return dst, types.IntRange(types.Int4)
	}
	dst = append(append(dst, s[:prefixLen(s, from-1)]...), with...)
	return append(dst, s[prefixLen(s, max(from-1+n, 0)):]...), nil
}

// format is format(): %s, %I, %L with optional position, width and flag -.
func format(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		if args[0].Null(i) {
			setNull(out, i)
			return nil
		}
		w.begin()
		b, err := appendFormat(env, w.buf, string(args[0].BytesAt(i)), args[1:], i)
		if err != nil {
			return err
		}
		w.buf = b
		w.end(i)
		return nil
	})
}

func appendFormat(env *Env, dst []byte, f string, args []*vec.Vector, row int) ([]byte, error) {
	next := 0
	for f != "" {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			return append(dst, f...), nil
		}
		dst, f = append(dst, f[:i]...), f[i+1:]
		num := func() int {
			k := 0
			for k < len(f) && f[k]-'0' <= 9 {
				k++
			}
			v, _ := strconv.Atoi(f[:k])
			f = f[k:]
			return v
		}
		if strings.HasPrefix(f, "%") {
			dst, f = append(dst, '%'), f[1:]
			continue
		}
		width, minus := 0, false
		if v := num(); v > 0 && strings.HasPrefix(f, "$") {
			next, f = v-1, f[1:]
			if minus = strings.HasPrefix(f, "-"); minus {
				f = f[1:]
			}
			width = num()
		} else if width = v; v == 0 && strings.HasPrefix(f, "-") {
			minus, f = true, f[1:]
			width = num()
		}
		if f == "" {
			return dst, errs.New(errs.InvalidParameterValue, "unterminated format() type specifier").
				WithHint("For a single \"%%\" use \"%%%%\".")
		}
		kind := f[0]
		f = f[1:]
		if kind != 's' && kind != 'I' && kind != 'L' {
			return dst, errs.New(errs.InvalidParameterValue, "unrecognized format() type specifier \"%c\"", kind).
				WithHint("For a single \"%%\" use \"%%%%\".")
		}
		if next >= len(args) {
			return dst, errs.New(errs.InvalidParameterValue, "too few arguments for format()")
		}
		v, err := formatValue(env, kind, args[next], row)
		if err != nil {
			return dst, err
		}
		next++
		gap := max(width-utf8.RuneCount(v), 0)
		if !minus {
			dst = append(dst, strings.Repeat(" ", gap)...)
		}
		if dst = append(dst, v...); minus {
			dst = append(dst, strings.Repeat(" ", gap)...)
		}
	}
	return dst, nil
}

func formatValue(env *Env, kind byte, v *vec.Vector, row int) ([]byte, error) {
	if v.Null(row) {
		switch kind {
		case 'I':
			return nil, errs.New(errs.NullNotAllowed, "null values cannot be formatted as an SQL identifier")
		case 'L':
			return []byte("NULL"), nil
		}
		return nil, nil
	}
	b := appendOutput(env, nil, v, row)
	switch kind {
	case 'I':
		return appendIdent(nil, b), nil
	case 'L':
		return appendLiteral(nil, b), nil
	}
	return b, nil
}
