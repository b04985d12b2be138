package ndjson

import (
	"bytes"

	"quern/storage/errs"
)

// Lines calls f with every non-empty line of body, its 0-based number among
// them and its byte offset.
func Lines(body []byte, f func(row int64, offset int, line []byte) error) error {
	row := int64(0)
	for pos := 0; pos < len(body); {
		end := bytes.IndexByte(body[pos:], '\n')
		if end < 0 {
			end = len(body) - pos
		}
		if line := bytes.TrimSpace(body[pos : pos+end]); len(line) > 0 {
			if err := f(row, pos, line); err != nil {
				return err
			}
			row++
		}
		pos += end + 1
	}
	return nil
}

// Envelope reads a line {"table":"t","row":{…}} of the multi-table route.
func Envelope(line []byte) (table string, row []byte, err error) {
	s := scanner{b: line}
	bad := func() (string, []byte, error) {
		if s.msg == "" {
			s.msg = `expected {"table":"…","row":{…}}`
		}
		return "", nil, errs.New(errs.InvalidText, "invalid JSON: %s", s.msg)
	}
	if len(line) == 0 || line[0] != '{' {
		return bad()
	}
	s.pos = 1
	for {
		s.space()
		if s.pos >= len(line) || line[s.pos] != '"' {
			return bad()
		}
		key, _, ok := s.str()
		if !ok || !s.colon() {
			return bad()
		}
		start := s.pos
		if !s.value(0) {
			return bad()
		}
		switch v := line[start:s.pos]; {
		case string(key) == "table" && v[0] == '"':
			table = string(unescape(nil, v[1:len(v)-1]))
		case string(key) == "row" && v[0] == '{':
			row = v
		default:
			return bad()
		}
		done, ok := s.next('}')
		if !ok {
			return bad()
		}
		if done {
			break
		}
	}
	if s.space(); s.pos != len(line) || table == "" || row == nil {
		return bad()
	}
	return table, row, nil
}
