package types

import (
	"encoding/binary"

	"quern/storage/errs"
)

// A record's Datum holds its fields one after the other, each as
//
//	u32 oid · u32 typmod · u32 length of the name · name · u32 length+1 (0 = NULL) · binary form
//
// so that it can be printed and sent without knowing where it came from.

// RecordField is one field of a record.
type RecordField struct {
	Name string
	Type Type
	Val  Datum
}

// AppendRecord adds a field to the bytes of a record.
func AppendRecord(dst []byte, f *RecordField) ([]byte, error) {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(f.Type.OID))
	dst = le.AppendUint32(dst, uint32(f.Type.Mod))
	dst = le.AppendUint32(dst, uint32(len(f.Name)))
	dst = append(dst, f.Name...)
	at := len(dst)
	dst = le.AppendUint32(dst, 0)
	if f.Val.Null {
		return dst, nil
	}
	var err error
	if f.Type.OID == RecordOID {
		dst = append(dst, f.Val.S...)
	} else if dst, err = AppendBinary(dst, f.Type, &f.Val); err != nil {
		return nil, err
	}
	le.PutUint32(dst[at:], uint32(len(dst)-at-4)+1)
	return dst, nil
}

// RecordFields reads the fields of a record's Datum.
func RecordFields(s string) ([]RecordField, error) {
	le := binary.LittleEndian
	b := []byte(s)
	broken := errs.New(errs.Internal, "broken record value")
	var out []RecordField
	for len(b) > 0 {
		if len(b) < 12 {
			return nil, broken
		}
		f := RecordField{Type: Type{OID: OID(le.Uint32(b)), Mod: int32(le.Uint32(b[4:]))}}
		n := int(le.Uint32(b[8:]))
		if b = b[12:]; n < 0 || len(b) < n+4 {
			return nil, broken
		}
		f.Name = string(b[:n])
		l := int(le.Uint32(b[n:])) - 1
		b = b[n+4:]
		switch {
		case l < 0:
			f.Val = NullDatum
		case l > len(b):
			return nil, broken
		case f.Type.OID == RecordOID:
			f.Val.S, b = string(b[:l]), b[l:]
		default:
			d, err := ParseBinary(f.Type, b[:l])
			if err != nil {
				return nil, err
			}
			f.Val, b = d, b[l:]
		}
		out = append(out, f)
	}
	return out, nil
}

// appendRecordText prints a record as PostgreSQL does: (1,"a b",).
func appendRecordText(dst []byte, d *Datum, f *Format) []byte {
	fields, err := RecordFields(d.S)
	if err != nil {
		return append(dst, "(?)"...)
	}
	dst = append(dst, '(')
	var text []byte
	for i := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		if fields[i].Val.Null {
			continue
		}
		text = AppendText(text[:0], fields[i].Type, &fields[i].Val, f)
		quote := len(text) == 0
		for _, c := range text {
			switch c {
			case '"', '\\', '(', ')', ',', ' ', '\t', '\n', '\r', '\v', '\f':
				quote = true
			}
		}
		if !quote {
			dst = append(dst, text...)
			continue
		}
		dst = append(dst, '"')
		for _, c := range text {
			if c == '"' || c == '\\' {
				dst = append(dst, c)
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	return append(dst, ')')
}

// appendRecordBinary is record_send: n × (oid, length, bytes).
func appendRecordBinary(dst []byte, d *Datum) ([]byte, error) {
	be := binary.BigEndian
	fields, err := RecordFields(d.S)
	if err != nil {
		return nil, err
	}
	dst = be.AppendUint32(dst, uint32(len(fields)))
	for i := range fields {
		dst = be.AppendUint32(dst, uint32(fields[i].Type.OID))
		if fields[i].Val.Null {
			dst = be.AppendUint32(dst, 0xFFFFFFFF)
			continue
		}
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if dst, err = AppendBinary(dst, fields[i].Type, &fields[i].Val); err != nil {
			return nil, err
		}
		be.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, nil
}
