package fn

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// Canonical is the function by which values of a types.Spelled type are hashed:
// equal values give equal bytes. It has no name in SQL.
func Canonical(t types.Type) *Func {
	return &Func{Name: "canonical", Args: []types.OID{t.OID}, Ret: t.OID, Leakproof: true,
		Kernel: text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
			return types.AppendCanonical(dst, t, args[0].BytesAt(i)), nil
		})}
}
