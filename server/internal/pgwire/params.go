package pgwire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
)

// decodeParams reads the values of Bind, which alias the message, into datums
// that own their bytes.
func decodeParams(stmt string, ts []types.Type, formats []int16, raw [][]byte, f *types.Format) ([]types.Datum, error) {
	if len(formats) > 1 && len(formats) != len(raw) {
		return nil, errs.New(errs.ProtocolViolation,
			"bind message has %d parameter formats but %d parameters", len(formats), len(raw))
	}
	if len(raw) != len(ts) {
		return nil, errs.New(errs.ProtocolViolation,
			"bind message supplies %d parameters, but prepared statement %q requires %d", len(raw), stmt, len(ts))
	}
	if err := checkFormats(formats); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, nil
	}
	out := make([]types.Datum, len(raw))
	for i, b := range raw {
		if b == nil {
			out[i] = types.NullDatum
			continue
		}
		d, err := decodeParam(ts[i], formatAt(formats, i), b, f)
		if err != nil {
			return nil, paramError(err, i)
		}
		out[i] = d
	}
	return out, nil
}

func decodeParam(t types.Type, format int16, b []byte, f *types.Format) (types.Datum, error) {
	if format == 1 {
		return types.ParseBinary(t, b)
	}
	if !utf8.Valid(b) {
		return types.Datum{}, badUTF8(b)
	}
	// A parameter has no modifier of its own: '$1::varchar(3)' truncates.
	return types.ParseText(types.Type{OID: t.OID, Mod: -1}, string(b), f)
}

// paramError adds which parameter it was, as PostgreSQL's CONTEXT.
func paramError(err error, i int) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("parameter $%d: %w", i+1, err)
	}
	c := *e
	c.Where = fmt.Sprintf("unnamed portal parameter $%d", i+1)
	return &c
}

// badUTF8 names the first bad bytes of b: as many as the lead byte announces.
func badUTF8(b []byte) error {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			break
		}
		b = b[n:]
	}
	n := 1
	if len(b) > 0 {
		switch c := b[0]; {
		case c >= 0xF0 && c < 0xF8:
			n = 4
		case c >= 0xE0 && c < 0xF0:
			n = 3
		case c >= 0xC0 && c < 0xE0:
			n = 2
		}
	}
	text := ""
	for _, c := range b[:min(n, len(b))] {
		text += fmt.Sprintf(" 0x%02x", c)
	}
	return errs.New(errs.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\":%s", text)
}
