package encoding

import "quern/storage/types"

// Column is one column in memory in slab layout: what slabs hold and what page
// encoders take. It is plain slices; nothing in it points to a value.
type Column struct {
	Phys     types.Phys
	Unsigned bool   // 32-bit values are unsigned (oid and its kin)
	N        int    // rows
	Valid    []byte // one byte per row, 1 = not NULL; nil = no NULL
	Fixed    []byte // fixed widths: N values, little-endian, aligned to 8; bool one byte
	Offs     []uint32
	Bytes    []byte // PhysBytes: value i is Bytes[Offs[i]:Offs[i+1]]
}

// Null tells whether row i is NULL.
func (c *Column) Null(i int) bool { return c.Valid != nil && c.Valid[i] == 0 }

// Value returns the bytes of row i of a PhysBytes column; they alias c.
func (c *Column) Value(i int) []byte { return c.Bytes[c.Offs[i]:c.Offs[i+1]:c.Offs[i+1]] }
