package fn

import (
	"quern/engine/internal/picture"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// formatFuncs are to_char, to_date, to_timestamp and to_number.
func formatFuncs() []*Func {
	return []*Func{
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return picture.AppendStamp(dst, string(args[1].BytesAt(i)), argOf[int64](args[0]).at(i), nil)
		}), tTs, tText).raises(),
		def("to_char", tText, toCharZoned, tTstz, tText).raises().stable(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return picture.AppendInterval(dst, string(args[1].BytesAt(i)), argOf[interval](args[0]).at(i))
		}), tIv, tText).raises(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return picture.AppendNumber(dst, string(args[1].BytesAt(i)), types.NumFromInt(int64(argOf[int32](args[0]).at(i))))
		}), tI4, tText).raises(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return picture.AppendNumber(dst, string(args[1].BytesAt(i)), types.NumFromInt(argOf[int64](args[0]).at(i)))
		}), tI8, tText).raises(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return picture.AppendNumber(dst, string(args[1].BytesAt(i)), argOf[types.Num](args[0]).at(i))
		}), tNum, tText).raises(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			n, err := types.NumFromFloat(argOf[float64](args[0]).at(i), 64)
			if err != nil {
				return dst, err
			}
			return picture.AppendNumber(dst, string(args[1].BytesAt(i)), n)
		}), tF8, tText).raises(),
		def("to_char", tText, text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			n, err := types.NumFromFloat(float64(argOf[float32](args[0]).at(i)), 32)
			if err != nil {
				return dst, err
			}
			return picture.AppendNumber(dst, string(args[1].BytesAt(i)), n)
		}), tF4, tText).raises(),
		def("to_date", tDate, toDate, tText, tText).raises(),
		def("to_timestamp", tTstz, toTimestamp, tText, tText).raises().stable(),
		def("to_number", tNum, toNumber, tText, tText).raises(),
	}
}

func toCharZoned(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z, a, w := types.NewZone(env.Format), argOf[int64](args[0]), newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.begin()
		b, err := picture.AppendStamp(w.buf, string(args[1].BytesAt(i)), a.at(i), &z)
		w.buf = b
		w.end(i)
		return err
	})
}

func toDate(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		us, _, err := picture.ParseStamp(string(args[0].BytesAt(i)), string(args[1].BytesAt(i)))
		o[i] = types.TimestampToDate(us)
		return err
	})
}

func toTimestamp(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z, o := types.NewZone(env.Format), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		us, off, err := picture.ParseStamp(string(args[0].BytesAt(i)), string(args[1].BytesAt(i)))
		if err != nil {
			return err
		}
		if off != picture.NoOffset {
			o[i] = us - off*1_000_000
			return nil
		}
		o[i], err = z.Instant(us)
		return err
	})
}

// toNumber reads the digits, point and sign of a number and skips the rest.
func toNumber(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[types.Num](out)
	return rows(env, sel, n, func(i int) error {
		var b []byte
		neg := false
		for _, c := range args[0].BytesAt(i) {
			switch {
			case c-'0' <= 9 || c == '.':
				b = append(b, c)
			case c == '-' || c == '<':
				neg = true
			}
		}
		v, err := types.ParseNum(string(b))
		if err != nil {
			return errs.New(errs.InvalidText, "invalid input syntax for type numeric: \"%s\"", args[0].BytesAt(i))
		}
		if neg {
			v = v.Neg()
		}
		o[i] = v
		return nil
	})
}
