package catalog

import (
	"encoding/json"
	"maps"
	"slices"

	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// Snapshot is an immutable catalog version.
type Snapshot struct {
	version  uint64 // raised by every change
	epoch    uint64 // raised by every change that policies depend on
	nextOID  uint32
	schemas  map[uint32]*Schema
	tables   map[uint32]*Table
	roles    map[uint32]*policy.Role
	maskings map[uint32]*policy.Masking
	byName   map[tableName]uint32
}

type tableName struct {
	schema uint32
	name   string
}

// Change puts (field set) or drops (Drop and ID set) one object.
type Change struct {
	Schema  *Schema         `json:"schema,omitempty"`
	Table   *Table          `json:"table,omitempty"`
	Role    *policy.Role    `json:"role,omitempty"`
	Masking *policy.Masking `json:"masking,omitempty"`
	Drop    string          `json:"drop,omitempty"` // "schema" "table" "role" "masking"
	ID      uint32          `json:"id,omitempty"`
	// Create says that the object must not exist yet: a second creator of the
	// same name, who raced with this one, gets 42P07/42710 from Apply.
	Create bool `json:"create,omitempty"`
}

// New is the catalog of an empty data folder.
func New() *Snapshot {
	s := &Snapshot{
		version: 1, epoch: 1, nextOID: FirstOID,
		schemas: map[uint32]*Schema{}, tables: map[uint32]*Table{},
		roles: map[uint32]*policy.Role{}, maskings: map[uint32]*policy.Masking{},
		byName: map[tableName]uint32{},
	}
	for id, name := range map[uint32]string{
		SchemaCatalog: "pg_catalog", SchemaPublic: "public",
		SchemaInfo: "information_schema", SchemaSystem: "system",
	} {
		s.schemas[id] = &Schema{ID: id, Name: name, Owner: RoleAdmin,
			Grants: []policy.Grant{{Role: 0, Grantor: RoleAdmin, Priv: policy.Usage}}}
	}
	s.roles[RoleAdmin] = &policy.Role{ID: RoleAdmin, Name: "admin", Superuser: true, Login: true,
		Inherit: true, CreateRole: true, CreateDB: true, BypassRLS: true}
	for id, name := range builtinRoles {
		s.roles[id] = &policy.Role{ID: id, Name: name, Inherit: true}
	}
	s.putTable(quarantineTable())
	return s
}

// Version is raised by every change.
func (s *Snapshot) Version() uint64 { return s.version }

// PolicyEpoch is raised by every governance change.
func (s *Snapshot) PolicyEpoch() uint64 { return s.epoch }

// NextOID is the OID that the next created object should take.
func (s *Snapshot) NextOID() uint32 { return s.nextOID }

// Role returns a role by id, nil if none.
func (s *Snapshot) Role(id uint32) *policy.Role { return s.roles[id] }

// RoleByName returns a role by name, nil if none.
func (s *Snapshot) RoleByName(name string) *policy.Role {
	for _, r := range s.roles {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// MaskingPolicy returns a masking policy by id, nil if none.
func (s *Snapshot) MaskingPolicy(id uint32) *policy.Masking { return s.maskings[id] }

// MaskingByName returns a masking policy by name, nil if none.
func (s *Snapshot) MaskingByName(name string) *policy.Masking {
	for _, m := range s.maskings {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// SchemaByName returns a schema, nil if none.
func (s *Snapshot) SchemaByName(name string) *Schema {
	for _, x := range s.schemas {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// SchemaByID returns a schema, nil if none.
func (s *Snapshot) SchemaByID(id uint32) *Schema { return s.schemas[id] }

// Table returns a table by id, nil if none.
func (s *Snapshot) Table(id uint32) *Table { return s.tables[id] }

// TableByName returns a table, nil if none.
func (s *Snapshot) TableByName(schema uint32, name string) *Table {
	return s.tables[s.byName[tableName{schema, name}]]
}

// Tables lists all tables by id.
func (s *Snapshot) Tables() []*Table { return sorted(s.tables) }

// Roles lists all roles by id.
func (s *Snapshot) Roles() []*policy.Role { return sorted(s.roles) }

// Schemas lists all schemas by id.
func (s *Snapshot) Schemas() []*Schema { return sorted(s.schemas) }

// Maskings lists all masking policies by id.
func (s *Snapshot) Maskings() []*policy.Masking { return sorted(s.maskings) }

func sorted[T any](m map[uint32]T) []T {
	out := make([]T, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[id])
	}
	return out
}

// Apply returns the catalog after changes, or an error and no change.
func (s *Snapshot) Apply(changes []Change) (*Snapshot, error) {
	n := *s
	n.version++
	n.schemas, n.tables = maps.Clone(s.schemas), maps.Clone(s.tables)
	n.roles, n.maskings = maps.Clone(s.roles), maps.Clone(s.maskings)
	n.byName = maps.Clone(s.byName)
	n.epoch++
	for i := range changes {
		if err := n.apply(&changes[i]); err != nil {
			return nil, err
		}
	}
	return &n, nil
}

func (s *Snapshot) apply(c *Change) error {
	switch {
	case c.Drop != "":
		return s.drop(c.Drop, c.ID)
	case c.Table != nil:
		if err := s.checkTable(c.Table, c.Create); err != nil {
			return err
		}
		s.putTable(c.Table)
		s.seen(c.Table.ID)
	case c.Schema != nil:
		if o := s.SchemaByName(c.Schema.Name); o != nil && o.ID != c.Schema.ID {
			return errs.New(errs.DuplicateSchema, "schema %q already exists", c.Schema.Name)
		}
		s.schemas[c.Schema.ID] = c.Schema
		s.seen(c.Schema.ID)
	case c.Role != nil:
		if o := s.RoleByName(c.Role.Name); o != nil && o.ID != c.Role.ID {
			return errs.New(errs.DuplicateObject, "role %q already exists", c.Role.Name)
		}
		s.roles[c.Role.ID] = c.Role
		s.seen(c.Role.ID)
	case c.Masking != nil:
		if o := s.MaskingByName(c.Masking.Name); o != nil && o.ID != c.Masking.ID {
			return errs.New(errs.DuplicateObject, "masking policy %q already exists", c.Masking.Name)
		}
		s.maskings[c.Masking.ID] = c.Masking
		s.seen(c.Masking.ID)
	}
	return nil
}

func (s *Snapshot) seen(id uint32) {
	if id >= s.nextOID {
		s.nextOID = id + 1
	}
}

func (s *Snapshot) checkTable(t *Table, create bool) error {
	if s.schemas[t.Schema] == nil {
		return errs.New(errs.InvalidSchemaName, "schema of table %q does not exist", t.Name)
	}
	if id, ok := s.byName[tableName{t.Schema, t.Name}]; ok && id != t.ID {
		return errs.New(errs.DuplicateTable, "relation %q already exists", t.Name)
	}
	if create && s.tables[t.ID] != nil {
		return errs.New(errs.SerializationFailure, "catalog changed while relation %q was created", t.Name)
	}
	if old := s.tables[t.ID]; old == nil && !create {
		return errs.New(errs.UndefinedTable, "relation %q does not exist", t.Name)
	}
	return nil
}

func (s *Snapshot) putTable(t *Table) {
	if old := s.tables[t.ID]; old != nil {
		delete(s.byName, tableName{old.Schema, old.Name})
	}
	s.tables[t.ID] = t
	s.byName[tableName{t.Schema, t.Name}] = t.ID
}

func (s *Snapshot) drop(kind string, id uint32) error {
	switch kind {
	case "table":
		t := s.tables[id]
		if t == nil {
			return errs.New(errs.UndefinedTable, "table with OID %d does not exist", id)
		}
		delete(s.byName, tableName{t.Schema, t.Name})
		delete(s.tables, id)
	case "schema":
		delete(s.schemas, id)
	case "role":
		delete(s.roles, id)
	case "masking":
		delete(s.maskings, id)
	}
	return nil
}

// PolicyTable implements policy.Source.
func (s *Snapshot) PolicyTable(id uint32) (policy.TableInfo, bool) {
	t := s.tables[id]
	if t == nil {
		return policy.TableInfo{}, false
	}
	info := policy.TableInfo{ID: id, Name: t.Name, Owner: t.Owner, Grants: t.Grants,
		Retention: t.Options.Retention, Floor: t.Floor}
	if c := t.TimeColumn(); c != nil {
		info.TimeCol = c.ID
	}
	for _, c := range t.Columns {
		info.Columns = append(info.Columns, policy.ColumnInfo{ID: c.ID, Name: c.Name, Type: c.Type, Masking: c.Masking})
	}
	return info, true
}

// blob is the stored form of a whole catalog.
type blob struct {
	Version  uint64            `json:"version"`
	Epoch    uint64            `json:"epoch"`
	NextOID  uint32            `json:"nextoid"`
	Schemas  []*Schema         `json:"schemas"`
	Tables   []*Table          `json:"tables"`
	Roles    []*policy.Role    `json:"roles"`
	Maskings []*policy.Masking `json:"maskings"`
}

// Marshal gives the whole catalog as JSON, for the manifest.
func (s *Snapshot) Marshal() ([]byte, error) {
	return json.Marshal(blob{s.version, s.epoch, s.nextOID, s.Schemas(), s.Tables(), s.Roles(), s.Maskings()})
}

// Unmarshal reads what Marshal wrote.
func Unmarshal(data []byte) (*Snapshot, error) {
	var b blob
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, &errs.Corrupt{File: "catalog", Reason: err.Error()}
	}
	s := New()
	s.version, s.epoch, s.nextOID = b.Version, b.Epoch, b.NextOID
	s.schemas, s.roles = map[uint32]*Schema{}, map[uint32]*policy.Role{}
	s.tables, s.byName = map[uint32]*Table{}, map[tableName]uint32{}
	for _, x := range b.Schemas {
		s.schemas[x.ID] = x
	}
	for _, x := range b.Roles {
		s.roles[x.ID] = x
	}
	for _, x := range b.Maskings {
		s.maskings[x.ID] = x
	}
	for _, x := range b.Tables {
		s.putTable(x)
	}
	return s, nil
}

// quarantineTable is system.quarantine (INGEST.md §7): a stored table that
// commits fill with rejects; views over it hide raw bytes from bound roles.
func quarantineTable() *Table {
	t := &Table{ID: TableQuarantine, Schema: SchemaSystem, Name: "quarantine", Owner: RoleAdmin, Version: 1}
	for i, c := range []struct {
		name string
		typ  types.Type
	}{
		{"id", types.UUID}, {"received_at", types.Timestamptz}, {"table_name", types.Text},
		{"source", types.Text}, {"client", types.Text}, {"batch_key", types.Text},
		{"row_number", types.Int8}, {"byte_offset", types.Int8}, {"format", types.Text},
		{"kind", types.Text}, {"raw", types.Bytea}, {"raw_truncated", types.Bool},
		{"error_code", types.Text}, {"error_column", types.Text}, {"error_message", types.Text},
		{"schema_version", types.Int4}, {"state", types.Text},
	} {
		t.Columns = append(t.Columns, Column{ID: uint32(i + 1), Name: c.name, Type: c.typ})
	}
	t.NextCol = uint32(len(t.Columns) + 1)
	t.Options = Options{TimeColumn: "received_at", Retention: 30 * 24 * 3600 * 1e6, RetentionText: "30 days"}
	return t
}
