package fn

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

func errEncoding(name string) error {
	return errs.New(errs.InvalidParameterValue, "unrecognized encoding: \"%s\"", name)
}

func encode(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	b, name := args[0].BytesAt(i), string(args[1].BytesAt(i))
	switch strings.ToLower(name) {
	case "hex":
		return hex.AppendEncode(dst, b), nil
	case "base64": // lines of 76 characters
		s := base64.StdEncoding.EncodeToString(b)
		for len(s) > 76 {
			dst = append(append(dst, s[:76]...), '\n')
			s = s[76:]
		}
		return append(dst, s...), nil
	case "escape":
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				dst = append(dst, '\\', '\\')
			default:
				dst = append(dst, c)
			}
		}
		return dst, nil
	}
	return dst, errEncoding(name)
}

func decode(env *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, name := string(args[0].BytesAt(i)), string(args[1].BytesAt(i))
	switch strings.ToLower(name) {
	case "hex":
		d, err := types.ParseText(types.Bytea, `\x`+s, env.Format)
		return append(dst, d.S...), err
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n", r) {
				return -1
			}
			return r
		}, s)
		b, err := base64.StdEncoding.DecodeString(clean)
		if err == nil {
			return append(dst, b...), nil
		}
		for _, r := range clean {
			if r > 127 || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", r) {
				return dst, errs.New(errs.InvalidParameterValue, "invalid symbol \"%c\" found while decoding base64 sequence", r)
			}
		}
		return dst, errs.New(errs.InvalidParameterValue, "invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	case "escape":
		d, err := types.ParseText(types.Bytea, s, env.Format)
		if strings.HasPrefix(s, `\x`) { // not an escape, here
			err = errs.New(errs.InvalidText, "invalid input syntax for type bytea")
		}
		return append(dst, d.S...), err
	}
	return dst, errEncoding(name)
}

// utf8Name tells whether an encoding name means UTF-8.
func utf8Name(s string) bool {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) {
	case "utf8", "unicode":
		return true
	}
	return false
}

func convertFrom(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	b, name := args[0].BytesAt(i), string(args[1].BytesAt(i))
	switch {
	case utf8Name(name):
		d, err := types.ParseText(types.Text, string(b), nil)
		return append(dst, d.S...), err
	case strings.EqualFold(name, "latin1"), strings.EqualFold(name, "iso88591"):
		for _, c := range b {
			dst = utf8.AppendRune(dst, rune(c))
		}
		return dst, nil
	}
	return dst, errs.New(errs.InvalidParameterValue, "invalid source encoding name \"%s\"", name)
}

func convertTo(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	if name := string(args[1].BytesAt(i)); !utf8Name(name) {
		return dst, errs.New(errs.InvalidParameterValue, "invalid destination encoding name \"%s\"", name)
	}
	return append(dst, args[0].BytesAt(i)...), nil
}
