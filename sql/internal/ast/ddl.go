package ast

// Persistence is TEMP or UNLOGGED of a CREATE.
type Persistence uint8

// The persistences.
const (
	Permanent Persistence = iota
	Temporary
	Unlogged
)

// ConstraintKind is the kind of a key constraint. CHECK and EXCLUDE are refused
// by the parser.
type ConstraintKind uint8

// The constraints.
const (
	PrimaryKey ConstraintKind = iota
	Unique
	ForeignKey
)

// Constraint is a key: metadata, never enforced.
type Constraint struct {
	At
	Kind ConstraintKind
	Name string
	// Columns is empty for a column constraint.
	Columns []string
	// RefTable and RefColumns are of a ForeignKey.
	RefTable           []string
	RefColumns         []string
	OnDelete, OnUpdate string
	Match              string
	Deferrable         bool
	Deferred           bool
	NullsNotDistinct   bool
	Include            []string
	// UsingIndex is ADD CONSTRAINT … USING INDEX name.
	UsingIndex string
	NotValid   bool
}

// Identity is GENERATED … AS IDENTITY.
type Identity struct {
	At
	Always bool
	// Options are sequence options: "start", "increment", ….
	Options []Option
}

// ColumnDef is a column of CREATE TABLE and ADD COLUMN.
type ColumnDef struct {
	At
	Name      string
	Type      *TypeName
	Collation []string
	NotNull   bool
	// Null is an explicit NULL.
	Null     bool
	Default  Expr
	Identity *Identity
	// Keys are the column's constraints.
	Keys        []*Constraint
	Compression string
}

// LikeClause is LIKE table [INCLUDING …].
type LikeClause struct {
	At
	Table     []string
	Including []string // "all", "defaults", …
	Excluding []string
}

// OnCommit is ON COMMIT of a temporary table.
type OnCommit uint8

// The actions.
const (
	OnCommitDefault OnCommit = iota
	OnCommitPreserve
	OnCommitDelete
	OnCommitDrop
)

// CreateTable is CREATE TABLE with columns.
type CreateTable struct {
	At
	Persistence Persistence
	IfNotExists bool
	Name        []string
	Columns     []*ColumnDef
	Constraints []*Constraint
	Likes       []*LikeClause
	// Options is WITH (…).
	Options    []Option
	OnCommit   OnCommit
	Tablespace string
	Using      string
}

// CreateTableAs is CREATE TABLE … AS, SELECT INTO, and CREATE MATERIALIZED
// VIEW (Materialized).
type CreateTableAs struct {
	At
	Materialized bool
	Into         bool
	Persistence  Persistence
	IfNotExists  bool
	Name         []string
	Columns      []string
	Options      []Option
	OnCommit     OnCommit
	Tablespace   string
	Query        *Query
	// Execute is CREATE TABLE … AS EXECUTE; Query is then nil.
	Execute    *Execute
	WithNoData bool
}

// ObjectKind is the kind of object that DROP, COMMENT, RENAME and GRANT name.
type ObjectKind uint8

// The kinds of objects.
const (
	ObjTable ObjectKind = iota
	ObjView
	ObjMaterializedView
	ObjIndex
	ObjSchema
	ObjColumn
	ObjConstraint
	ObjRole
	ObjDatabase
	ObjPolicy
	ObjSequence
	ObjFunction
	ObjType
	ObjMaskingPolicy
	ObjMaskingKey
	ObjRetentionPolicy
	ObjIngestToken
	ObjLegalHold
)

// Drop is DROP of tables, views, materialized views, indexes, schemas.
type Drop struct {
	At
	Kind         ObjectKind
	IfExists     bool
	Names        [][]string
	NamePos      []int
	Cascade      bool
	Concurrently bool
}

// Truncate is TRUNCATE.
type Truncate struct {
	At
	Tables          []*TableRef
	RestartIdentity bool
	Cascade         bool
}

// AlterTable is ALTER TABLE, VIEW, INDEX or MATERIALIZED VIEW (Kind) with its
// actions.
type AlterTable struct {
	At
	Kind     ObjectKind
	IfExists bool
	Table    *TableRef
	Actions  []AlterAction
}

// AlterAction is one action of AlterTable.
type AlterAction interface {
	Node
	alterNode()
}

// AddColumn is ADD [COLUMN] [IF NOT EXISTS].
type AddColumn struct {
	At
	IfNotExists bool
	Column      *ColumnDef
}

// DropColumn is DROP [COLUMN] [IF EXISTS] name [CASCADE].
type DropColumn struct {
	At
	IfExists bool
	Name     string
	Cascade  bool
}

// RenameColumn is RENAME [COLUMN] a TO b.
type RenameColumn struct {
	At
	From, To string
}

// RenameTo is RENAME TO b.
type RenameTo struct {
	At
	To string
}

// RenameConstraint is RENAME CONSTRAINT a TO b.
type RenameConstraint struct {
	At
	From, To string
}

// SetSchema is SET SCHEMA s.
type SetSchema struct {
	At
	Schema string
}

// OwnerTo is OWNER TO r.
type OwnerTo struct {
	At
	Owner Role
}

// AlterColumnType is ALTER COLUMN c [SET DATA] TYPE t [USING e].
type AlterColumnType struct {
	At
	Name      string
	Type      *TypeName
	Collation []string
	Using     Expr
}

// SetColumnDefault is ALTER COLUMN c SET DEFAULT e, or DROP DEFAULT with nil.
type SetColumnDefault struct {
	At
	Name    string
	Default Expr
}

// SetColumnNotNull is ALTER COLUMN c SET|DROP NOT NULL.
type SetColumnNotNull struct {
	At
	Name    string
	NotNull bool
}

// ColumnIdentity is ALTER COLUMN c ADD GENERATED … AS IDENTITY, or with Drop
// DROP IDENTITY [IF EXISTS], or RESTART.
type ColumnIdentity struct {
	At
	Name     string
	Identity *Identity
	// Add is ADD GENERATED; ByDefault and Identity.Always are what SET GENERATED
	// says, if anything.
	Add       bool
	ByDefault bool
	Drop      bool
	IfExists  bool
}

// SetColumnStorage is ALTER COLUMN c SET STATISTICS n, STORAGE or COMPRESSION:
// taken without effect. What names the setting.
type SetColumnStorage struct {
	At
	Name, What, Value string
}

// SetOptions is SET (a = b, …); with Reset RESET (a, …). Column is set for
// ALTER COLUMN c SET (…).
type SetOptions struct {
	At
	Column  string
	Reset   bool
	Options []Option
}

// AddConstraint is ADD [CONSTRAINT c] key.
type AddConstraint struct {
	At
	Constraint *Constraint
}

// DropConstraint is DROP CONSTRAINT [IF EXISTS] c.
type DropConstraint struct {
	At
	IfExists bool
	Name     string
	Cascade  bool
}

// RowSecurity is ENABLE, DISABLE, FORCE or NO FORCE ROW LEVEL SECURITY: Force
// tells the second pair, On the positive form.
type RowSecurity struct {
	At
	Force bool
	On    bool
}

// SetPersistence is SET LOGGED|UNLOGGED: without effect.
type SetPersistence struct {
	At
	Unlogged bool
}

// ClusterOn is CLUSTER ON index (Name) or SET WITHOUT CLUSTER: without effect.
type ClusterOn struct {
	At
	Name string
}

// ReplicaIdentity is REPLICA IDENTITY …: without effect.
type ReplicaIdentity struct {
	At
	Value string
}

func (*AddColumn) alterNode()        {}
func (*DropColumn) alterNode()       {}
func (*RenameColumn) alterNode()     {}
func (*RenameTo) alterNode()         {}
func (*RenameConstraint) alterNode() {}
func (*SetSchema) alterNode()        {}
func (*OwnerTo) alterNode()          {}
func (*AlterColumnType) alterNode()  {}
func (*SetColumnDefault) alterNode() {}
func (*SetColumnNotNull) alterNode() {}
func (*ColumnIdentity) alterNode()   {}
func (*SetColumnStorage) alterNode() {}
func (*SetOptions) alterNode()       {}
func (*AddConstraint) alterNode()    {}
func (*DropConstraint) alterNode()   {}
func (*RowSecurity) alterNode()      {}
func (*SetPersistence) alterNode()   {}
func (*ClusterOn) alterNode()        {}
func (*ReplicaIdentity) alterNode()  {}

// CreateView is CREATE [OR REPLACE] [TEMP] VIEW.
type CreateView struct {
	At
	OrReplace   bool
	Persistence Persistence
	Recursive   bool
	Name        []string
	Columns     []string
	Options     []Option
	Query       *Query
	// QueryStart and QueryEnd cut the query's own text out of the statement.
	QueryStart, QueryEnd int
	// CheckOption is "", "local" or "cascaded".
	CheckOption string
}

// RefreshMaterializedView is REFRESH MATERIALIZED VIEW.
type RefreshMaterializedView struct {
	At
	Concurrently bool
	Name         []string
	WithNoData   bool
}

// CreateSchema is CREATE SCHEMA; Name is empty for CREATE SCHEMA AUTHORIZATION r.
type CreateSchema struct {
	At
	IfNotExists bool
	Name        string
	Owner       *Role
	// Elements are CREATE TABLE, VIEW and INDEX, and GRANT.
	Elements []Stmt
}

// AlterSchema is ALTER SCHEMA s RENAME TO or OWNER TO.
type AlterSchema struct {
	At
	Name   string
	Rename string
	Owner  *Role
}

// IndexItem is a key of CREATE INDEX.
type IndexItem struct {
	At
	// Column is a plain column, else Expr is set.
	Column    string
	Expr      Expr
	Collation []string
	OpClass   []string
	Desc      bool
	Nulls     NullsOrder
}

// CreateIndex is CREATE INDEX with btree or hash: metadata.
type CreateIndex struct {
	At
	Unique           bool
	Concurrently     bool
	IfNotExists      bool
	Name             string
	Table            *TableRef
	Method           string
	Items            []*IndexItem
	Include          []string
	NullsNotDistinct bool
	Options          []Option
	Tablespace       string
	Where            Expr
}

// Comment is COMMENT ON. Text is nil for IS NULL. Name is the object's; for
// columns the last part is the column; for constraints and policies Table is
// what they stand on.
type Comment struct {
	At
	Kind  ObjectKind
	Name  []string
	Table []string
	Text  *string
}

// AlterDatabase is ALTER DATABASE d SET|RESET ….
type AlterDatabase struct {
	At
	Name    string
	Setting *Set
	Reset   *Reset
}

func (*CreateTable) stmtNode()             {}
func (*CreateTableAs) stmtNode()           {}
func (*Drop) stmtNode()                    {}
func (*Truncate) stmtNode()                {}
func (*AlterTable) stmtNode()              {}
func (*CreateView) stmtNode()              {}
func (*RefreshMaterializedView) stmtNode() {}
func (*CreateSchema) stmtNode()            {}
func (*AlterSchema) stmtNode()             {}
func (*CreateIndex) stmtNode()             {}
func (*Comment) stmtNode()                 {}
func (*AlterDatabase) stmtNode()           {}
