package fn

import (
	"crypto/rand"
	"time"

	"quern/storage/types"
	"quern/storage/vec"
)

// systemFuncs tell about the session and the server.
func systemFuncs() []*Func {
	str := func(name string, ret types.OID, f func(*Env) string) *Func {
		return def(name, ret, func(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			w, s := newWriter(out), f(env)
			defer w.finish()
			return w.rows(env, sel, n, func(i int) error { w.putString(i, s); return nil })
		}).stable()
	}
	user := func(env *Env) string { return env.User }
	return []*Func{
		str("current_user", tName, user), str("current_role", tName, user), str("user", tName, user),
		str("session_user", tName, func(env *Env) string { return env.SessionUser }),
		str("current_database", tName, func(env *Env) string { return env.Database }),
		str("current_catalog", tName, func(env *Env) string { return env.Database }),
		str("current_schema", tName, func(env *Env) string { return env.Schema }),
		str("getdatabaseencoding", tName, func(*Env) string { return "UTF8" }),
		str("pg_client_encoding", tName, func(*Env) string { return "UTF8" }),
		def("current_schemas", types.OID(1003), currentSchemas, tBool).stable(),
		def("pg_backend_pid", tI4, constKernel(func(env *Env) int32 { return int32(env.PID) })).stable(),
		def("pg_sleep", types.VoidOID, sleep, tF8).volatile().raises(),
		def("pg_typeof", types.RegtypeOID, pgTypeof, tAny).seesNull().stable(),
		def("gen_random_uuid", tUUID, randomUUID).volatile(),
		def("pg_size_pretty", tText, text(sizePretty), tI8),
		def("num_nulls", tI4, numNulls(true), tAny).variadic().seesNull(),
		def("num_nonnulls", tI4, numNulls(false), tAny).variadic().seesNull(),
		def("pg_column_size", tI4, func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			o, size := vec.Values[int32](out), int32(args[0].Type.Phys().Size())
			return rows(env, sel, n, func(i int) error {
				if o[i] = size; size == 0 {
					o[i] = int32(len(args[0].BytesAt(i))) + 4
				}
				return nil
			})
		}, tAny).stable(),
		def("inet_server_addr", tInet, nullKernel).seesNull().stable(), def("inet_client_addr", tInet, nullKernel).seesNull().stable(),
		def("inet_server_port", tI4, nullKernel).seesNull().stable(), def("inet_client_port", tI4, nullKernel).seesNull().stable(),
	}
}

func nullKernel(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	return rows(env, sel, n, func(i int) error { setNull(out, i); return nil })
}

func currentSchemas(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w, all := newWriter(out), argOf[uint8](args[0])
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		b := types.ArrayBuilder{Elem: types.Name}
		if all.at(i) != 0 {
			b.Append(&types.Datum{S: "pg_catalog"})
		}
		for _, s := range env.SearchPath {
			if s != "pg_catalog" || all.at(i) == 0 {
				b.Append(&types.Datum{S: s})
			}
		}
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return nil
	})
}

// sleep waits; cancelling the statement ends it.
func sleep(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a := argOf[float64](args[0])
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		w.put(i, nil)
		d := a.at(i)
		if !(d > 0) {
			return ctxErr(env.Ctx)
		}
		t := time.NewTimer(time.Duration(min(d, 1e9) * float64(time.Second)))
		defer t.Stop()
		if env.Ctx == nil {
			<-t.C
			return nil
		}
		select {
		case <-t.C:
			return nil
		case <-env.Ctx.Done():
			return ctxErr(env.Ctx)
		}
	})
}

func pgTypeof(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[uint32](out)
	return rows(env, sel, n, func(i int) error { o[i] = uint32(args[0].Type.OID); return nil })
}

func randomUUID(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[[16]byte](out)
	return rows(env, sel, n, func(i int) error {
		if _, err := rand.Read(o[i][:]); err != nil {
			return err
		}
		o[i][6] = o[i][6]&0x0F | 0x40 // version 4
		o[i][8] = o[i][8]&0x3F | 0x80 // variant 1
		return nil
	})
}

// sizePretty shows a size with the largest unit that keeps five digits.
func sizePretty(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	v := argOf[int64](args[0]).at(i)
	units := [...]string{" bytes", " kB", " MB", " GB", " TB", " PB"}
	k, abs := 0, max(v, -v)
	limit := int64(10 * 1024)
	if abs >= limit {
		limit = 20*1024 - 1
		v >>= 9 // keep one bit for rounding
		for k = 1; k < len(units)-1 && max(v, -v) >= limit; k++ {
			v >>= 10
		}
		if v >= 0 {
			v = (v + 1) / 2
		} else {
			v = (v - 1) / 2
		}
	}
	return append(types.NumFromInt(v).AppendText(dst), units[k]...), nil
}

func numNulls(null bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		o := vec.Values[int32](out)
		return rows(env, sel, n, func(i int) error {
			o[i] = 0
			for _, a := range args {
				if a.Null(i) == null {
					o[i]++
				}
			}
			return nil
		})
	}
}
