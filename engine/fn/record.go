package fn

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// RecordOf is ROW(…) and a whole-row reference: it takes fields of the given
// types and names and gives a record.
func RecordOf(fields []types.Type, names []string) *Func {
	f := &Func{Name: "row", NotStrict: true, Ret: types.RecordOID, Kernel: constructRecord(fields, names)}
	for _, t := range fields {
		f.Args = append(f.Args, t.OID)
	}
	return f
}

func constructRecord(fields []types.Type, names []string) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		w := newWriter(out)
		defer w.finish()
		var buf []byte
		return w.rows(env, sel, n, func(i int) error {
			buf = buf[:0]
			for k, a := range args {
				x := types.RecordField{Name: names[k], Type: fields[k], Val: a.Datum(i)}
				var err error
				if buf, err = types.AppendRecord(buf, &x); err != nil {
					return err
				}
			}
			w.put(i, buf)
			return nil
		})
	}
}
