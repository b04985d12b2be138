package fn

import (
	"quern/engine/internal/picture"
	"quern/storage/types"
	"quern/storage/vec"
)

// formatFuncs are to_char, to_date, to_timestamp and to_number.
func formatFuncs() []*Func {
	return []*Func{
		def("to_char", tText, toCharStamp((*picture.Stamp).AppendLocal), tTs, tText).raises(),
		def("to_char", tText, toCharStamp((*picture.Stamp).AppendStamp), tTstz, tText).raises().stable(),
		def("to_char", tText, toCharStamp((*picture.Stamp).AppendInterval), tIv, tText).raises(),
		def("to_char", tText, toCharNumber((*picture.Number).AppendInt4), tI4, tText).raises(),
		def("to_char", tText, toCharNumber((*picture.Number).AppendInt8), tI8, tText).raises(),
		def("to_char", tText, toCharNumber((*picture.Number).AppendNumeric), tNum, tText).raises(),
		def("to_char", tText, toCharNumber((*picture.Number).AppendFloat8), tF8, tText).raises(),
		def("to_char", tText, toCharNumber((*picture.Number).AppendFloat4), tF4, tText).raises(),
		def("to_date", tDate, toDate, tText, tText).raises(),
		def("to_timestamp", tTstz, toTimestamp, tText, tText).raises().stable(),
		def("to_number", tNum, toNumber, tText, tText).raises(),
	}
}

func toCharStamp[T vec.Fixedwidth](put func(p *picture.Stamp, dst []byte, v T, z *types.Zone) ([]byte, bool, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z, a, w, template := types.NewZone(env.Format), argOf[T](args[0]), newWriter(out), picture.Stamps{}
		defer w.finish()
		return w.rows(env, sel, n, func(i int) error {
			w.begin()
			b, ok, err := put(template.Of(args[1].BytesAt(i)), w.buf, a.at(i), &z)
			if err != nil || !ok {
				out.SetNull(i)
				return err
			}
			w.buf = b
			w.end(i)
			return nil
		})
	}
}

func toCharNumber[T vec.Fixedwidth](put func(p *picture.Number, dst []byte, v T) ([]byte, error)) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		template, a := picture.Numbers{}, argOf[T](args[0])
		return text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			p, err := template.Of(args[1].BytesAt(i))
			if err != nil {
				return dst, err
			}
			return put(p, dst, a.at(i))
		})(env, args, sel, n, out)
	}
}

func toDate(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o, template := vec.Values[int32](out), picture.Stamps{}
	return rows(env, sel, n, func(i int) (err error) {
		o[i], err = template.Of(args[1].BytesAt(i)).ReadDate(string(args[0].BytesAt(i)))
		return err
	})
}

func toTimestamp(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z, o, template := types.NewZone(env.Format), vec.Values[int64](out), picture.Stamps{}
	return rows(env, sel, n, func(i int) (err error) {
		o[i], err = template.Of(args[1].BytesAt(i)).ReadTimestamp(string(args[0].BytesAt(i)), &z)
		return err
	})
}

func toNumber(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o, template := vec.Values[types.Num](out), picture.Numbers{}
	return rows(env, sel, n, func(i int) error {
		p, err := template.Of(args[1].BytesAt(i))
		if err != nil {
			return err
		}
		v, ok, err := p.Read(string(args[0].BytesAt(i)))
		if !ok && err == nil {
			out.SetNull(i)
		}
		o[i] = v
		return err
	})
}
