// Package policy decides what a role may see: privileges, masks and retention
// are defined and validated here and resolved into the View of one table for
// one principal.
//
//	Resolve(source, table, principal, now) → *View     the only constructor
//	storage.Snapshot.Scan(ctx, view, …)                the only reader of rows
//
// A View carries, in the order in which the scan applies them, the retention
// floor, the row filter, and one mask per column. Its fields are unexported:
// nothing above storage can make or change one, so no plan can read a table
// without its policies. Filters and masks that are expressions reach storage
// as the interfaces Filter and Mask, implemented by the engine at bind time.
//
// It imports types, errs and vec. It keeps no state: definitions live in
// storage/catalog.
package policy

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// Principal is who asks: the session's role and what acts through it.
type Principal struct {
	RoleID    uint32 // current role (after SET ROLE)
	SessionID uint32 // session_user
	Superuser bool   // current role is superuser
	Name      string // current role's name
	// NoUnmask masks a superuser too (superuser_unmask = off).
	NoUnmask bool
}

// Privilege is a set of table privileges.
type Privilege uint32

// Table privileges, with PostgreSQL's ACL letters.
const (
	Select     Privilege = 1 << iota // r
	Insert                           // a
	Update                           // w
	Delete                           // d
	Truncate                         // D
	References                       // x
	Trigger                          // t
	Usage                            // U (schemas)
	Create                           // C (schemas)
	Unmask                           // Quern: read raw values of masked columns
	AllTable   = Select | Insert | Update | Delete | Truncate | References | Trigger
)

// Grant gives privileges on one object to a role (0 = PUBLIC).
type Grant struct {
	Role    uint32    `json:"role"`
	Grantor uint32    `json:"grantor,omitempty"`
	Priv    Privilege `json:"priv"`
	Option  Privilege `json:"option,omitempty"` // WITH GRANT OPTION
	// Cols limits the grant to columns by id; nil = all.
	Cols []uint32 `json:"cols,omitempty"`
}

// Role is a role or user.
type Role struct {
	ID         uint32            `json:"id"` // also its OID
	Name       string            `json:"name"`
	Superuser  bool              `json:"superuser,omitempty"`
	Login      bool              `json:"login,omitempty"`
	Inherit    bool              `json:"inherit"`
	CreateRole bool              `json:"createrole,omitempty"`
	CreateDB   bool              `json:"createdb,omitempty"`
	BypassRLS  bool              `json:"bypassrls,omitempty"`
	ConnLimit  int               `json:"connlimit,omitempty"`
	ValidUntil int64             `json:"validuntil,omitempty"` // µs since 1970, 0 = never
	Verifier   string            `json:"verifier,omitempty"`   // SCRAM-SHA-256$… as in pg_authid, never a password
	MemberOf   []uint32          `json:"memberof,omitempty"`
	AdminOf    []uint32          `json:"adminof,omitempty"`  // memberships held WITH ADMIN OPTION
	Settings   map[string]string `json:"settings,omitempty"` // ALTER ROLE … SET
	Comment    string            `json:"comment,omitempty"`
}

// MaskKind names a mask function.
type MaskKind string

// Masks that can be computed today; others are refused at CREATE with 0A000.
const (
	MaskNull     MaskKind = "null"
	MaskConstant MaskKind = "constant"
)

// Masking is a masking policy.
type Masking struct {
	ID     uint32   `json:"id"`
	Name   string   `json:"name"`
	Family string   `json:"family"` // text numeric date timestamp bool uuid inet bytea json any
	Kind   MaskKind `json:"kind"`
	Const  string   `json:"const,omitempty"` // CONSTANT's literal in text form
	Owner  uint32   `json:"owner"`
}

// Filter is a compiled row filter: it shortens sel to the rows that pass. It
// must not raise for a row: such a row is dropped.
type Filter interface {
	// Columns are the ids of the columns that Apply's batch must have, in this
	// order, with raw values.
	Columns() []uint32
	Apply(b *vec.Batch, sel vec.Selection) vec.Selection
}

// Mask is a compiled mask: it replaces src's values at sel in dst. Unselected
// rows of dst must not hold raw bytes.
type Mask interface {
	Apply(src *vec.Vector, sel vec.Selection, dst *vec.Vector) error
	// Constant returns the mask's only value, if it has only one.
	Constant() (types.Datum, bool)
}

// Source is what Resolve needs to know; storage/catalog implements it.
type Source interface {
	PolicyEpoch() uint64
	Role(id uint32) *Role
	PolicyTable(id uint32) (TableInfo, bool)
	MaskingPolicy(id uint32) *Masking
}

// TableInfo is the part of a table's definition that policies depend on.
type TableInfo struct {
	ID      uint32
	Name    string // for messages
	Owner   uint32
	Grants  []Grant
	Columns []ColumnInfo
	// TimeCol is the id of the event-time column, 0 if none.
	TimeCol   uint32
	Retention int64 // µs; 0 = none
	// Floor is the persisted retention floor in µs since 1970; it only rises.
	Floor int64
}

// ColumnInfo is one column as policies see it.
type ColumnInfo struct {
	ID      uint32
	Name    string
	Type    types.Type
	Masking uint32 // id of the masking policy, 0 = none
}
