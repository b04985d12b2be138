package ast

// Secret is a literal that must not be logged. Start and End are its byte
// offsets in the statement's text, quotes included (see dialect.Redact). Null
// is PASSWORD NULL.
type Secret struct {
	At
	Start, End int
	Text       string
	Null       bool
}

// RoleOptions are the options of CREATE and ALTER ROLE; nil pointers are "not
// given".
type RoleOptions struct {
	Login, Superuser, CreateDB, CreateRole *bool
	Inherit, Replication, BypassRLS        *bool
	ConnLimit                              *int
	Password                               *Secret
	ValidUntil                             *string
	InRole, RoleMembers, AdminMembers      []Role
}

// CreateRole is CREATE ROLE, USER (Login defaults to true) or GROUP.
type CreateRole struct {
	At
	Kind    string // "role", "user" or "group"
	Name    string
	Options RoleOptions
}

// AlterRole is ALTER ROLE|USER|GROUP. Exactly one of the forms is set: Options,
// Rename, Setting, Reset, Add/Drop members (ALTER GROUP), Max.
type AlterRole struct {
	At
	Role    Role
	All     bool // ALTER ROLE ALL SET …
	Options *RoleOptions
	Rename  string
	// InDatabase is IN DATABASE of the SET and RESET forms.
	InDatabase string
	Setting    *Set
	Reset      *Reset
	AddUsers   []Role
	DropUsers  []Role
	// Max is SET MAX name = value: a ceiling.
	Max *Set
}

// DropRole is DROP ROLE|USER|GROUP.
type DropRole struct {
	At
	IfExists bool
	Roles    []Role
}

// Privilege is one privilege of GRANT with its columns. Name is lower case:
// "select", …, "all", and ours "unmask" and "declassify".
type Privilege struct {
	At
	Name    string
	Columns []string
}

// Grant is GRANT or REVOKE of privileges on objects.
type Grant struct {
	At
	Revoke         bool
	GrantOptionFor bool
	Privileges     []Privilege
	Kind           ObjectKind
	// Objects are names; with AllInSchema they are schemas.
	Objects     [][]string
	AllInSchema bool
	Roles       []Role
	WithGrant   bool
	GrantedBy   *Role
	Cascade     bool
	// RequireReason is GRANT UNMASK … WITH (REQUIRE REASON).
	RequireReason bool
}

// GrantRole is GRANT a TO b and REVOKE a FROM b.
type GrantRole struct {
	At
	Revoke         bool
	AdminOptionFor bool
	Granted        []Role
	Roles          []Role
	WithAdmin      bool
	GrantedBy      *Role
	Cascade        bool
}

// AlterDefaultPrivileges is ALTER DEFAULT PRIVILEGES. Grant.Objects is empty,
// Grant.Kind the kind of future objects.
type AlterDefaultPrivileges struct {
	At
	ForRoles  []Role
	InSchemas []string
	Grant     *Grant
}

// ReassignOwned is REASSIGN OWNED BY … TO …, or with Drop DROP OWNED BY ….
type ReassignOwned struct {
	At
	Drop    bool
	Roles   []Role
	To      *Role
	Cascade bool
}

// CreatePolicy is CREATE POLICY. Command is "all", "select", "insert",
// "update" or "delete".
type CreatePolicy struct {
	At
	Name       string
	Table      *TableRef
	Permissive bool
	Command    string
	Roles      []Role
	Using      Expr
	Check      Expr
	// UsingText and CheckText are the expressions as printed by Print: what
	// the catalog stores.
	UsingText, CheckText string
}

// AlterPolicy is ALTER POLICY.
type AlterPolicy struct {
	At
	Name                 string
	Table                *TableRef
	Rename               string
	Roles                []Role
	Using                Expr
	Check                Expr
	UsingText, CheckText string
}

// DropPolicy is DROP POLICY [IF EXISTS] p ON t.
type DropPolicy struct {
	At
	IfExists bool
	Name     string
	Table    *TableRef
	Cascade  bool
}

// MaskKind is the kind of a mask.
type MaskKind uint8

// The masks of GOVERNANCE.md §2.2.
const (
	MaskNull MaskKind = iota
	MaskConstant
	MaskEmail
	MaskPartial
	MaskPseudonym
	MaskDateTrunc
	MaskBucket
	MaskRound
	MaskIP
	MaskToken
	MaskExpr
)

// Mask is the body of a masking policy.
type Mask struct {
	At
	Kind MaskKind
	// Expr is the literal of CONSTANT, the step of BUCKET, the expression
	// over VALUE of MaskExpr.
	Expr Expr
	// ExprText is Expr as printed by Print.
	ExprText string
	// KeepLeft, KeepRight, Fixed (-1 if absent) and Pad are of PARTIAL.
	KeepLeft, KeepRight, Fixed int
	Pad                        string
	// Key, Domain and Per are of PSEUDONYM; Key is the vault of TOKEN.
	Key, Domain, Per string
	// Unit is of DATE_TRUNC.
	Unit string
	// Digits is of ROUND; Bits4 and Bits6 of IP.
	Digits, Bits4, Bits6 int
}

// CreateMaskingPolicy is CREATE MASKING POLICY, or with Alter ALTER MASKING
// POLICY p AS mask [WITH (…)] (Family then empty).
type CreateMaskingPolicy struct {
	At
	Alter       bool
	OrReplace   bool
	IfNotExists bool
	Name        string
	// Family is text, numeric, date, timestamp, bool, uuid, inet, bytea,
	// json or any.
	Family  string
	Mask    *Mask
	Options []Option
	// Rename is ALTER MASKING POLICY p RENAME TO q.
	Rename string
}

// DropMaskingPolicy is DROP MASKING POLICY [IF EXISTS] p.
type DropMaskingPolicy struct {
	At
	IfExists bool
	Name     string
}

// ShowMaskingPolicies is SHOW MASKING POLICIES [FOR t].
type ShowMaskingPolicies struct {
	At
	Table []string
}

// SetMaskingPolicy is ALTER COLUMN c SET MASKING POLICY p [USING (…)], and ADD
// MASKING POLICY p TO r WHEN (…) PRIORITY n (Add).
type SetMaskingPolicy struct {
	At
	Column   string
	Policy   string
	Using    []string
	Add      bool
	Roles    []Role
	When     Expr
	WhenText string
	Priority int
}

// UnsetMaskingPolicy is ALTER COLUMN c DROP MASKING POLICY [p].
type UnsetMaskingPolicy struct {
	At
	Column string
	Policy string
}

// SetSubjectKey is ALTER COLUMN c SET SUBJECT KEY k.
type SetSubjectKey struct {
	At
	Column string
	Key    string
}

func (*SetMaskingPolicy) alterNode()   {}
func (*UnsetMaskingPolicy) alterNode() {}
func (*SetSubjectKey) alterNode()      {}

// MaskingKeyAction is what MaskingKey does.
type MaskingKeyAction uint8

// The actions on masking keys.
const (
	KeyCreate MaskingKeyAction = iota
	KeyRotate
	KeyDrop
)

// MaskingKey is CREATE, ALTER … ROTATE and DROP MASKING KEY. FromHex is for
// test builds only.
type MaskingKey struct {
	At
	Action      MaskingKeyAction
	Name        string
	IfNotExists bool
	IfExists    bool
	FromHex     *Secret
}

// Declassify is DECLASSIFY t [(c, …)] REASON '…'.
type Declassify struct {
	At
	Table   *TableRef
	Columns []string
	Reason  string
}

// RetentionAction is what a retention policy does to expired rows.
type RetentionAction struct {
	// Delete is DELETE ROWS; else Set lists columns with their mask.
	Delete bool
	Set    []RetentionSet
}

// RetentionSet is c = NULL | literal | mask.
type RetentionSet struct {
	At
	Column string
	Mask   *Mask
}

// RetentionPolicy is CREATE (or Alter) RETENTION POLICY p ON t …. Interval
// texts are the literal's. Parts not given are empty.
type RetentionPolicy struct {
	At
	Alter  bool
	Name   string
	Table  *TableRef
	Action *RetentionAction
	After  string
	// Column is the time column; "_received_at" for INGEST_TIME.
	Column      string
	Where       Expr
	WhereText   string
	Grace       string
	PurgeWithin string
	OnLate      string
}

// DropRetentionPolicy is DROP RETENTION POLICY [IF EXISTS] p ON t.
type DropRetentionPolicy struct {
	At
	IfExists bool
	Name     string
	Table    *TableRef
}

// ResumeRetention is ALTER SYSTEM RESUME RETENTION.
type ResumeRetention struct{ At }

// ExplainRetention is EXPLAIN RETENTION t [AT ts].
type ExplainRetention struct {
	At
	Table *TableRef
	When  Expr
}

// CreateLegalHold is CREATE LEGAL HOLD.
type CreateLegalHold struct {
	At
	Name      string
	Table     *TableRef
	Where     Expr
	WhereText string
	Until     string
	Reason    string
}

// ReleaseLegalHold is RELEASE LEGAL HOLD h.
type ReleaseLegalHold struct {
	At
	Name string
}

// EraseSubject is ERASE SUBJECT 'v' KEY k [DRY RUN] [WITH (…)].
type EraseSubject struct {
	At
	Subject *Secret
	Key     string
	DryRun  bool
	Options []Option
}

// IngestToken is CREATE, ALTER … SET (…) and DROP INGEST TOKEN.
type IngestToken struct {
	At
	Action   MaskingKeyAction // KeyCreate, KeyRotate for ALTER, KeyDrop
	Name     string
	IfExists bool
	ForRole  string
	Tables   []*TableRef
	Schema   string
	Options  []Option
}

// ShowIngestTokens is SHOW INGEST TOKENS.
type ShowIngestTokens struct{ At }

func (*CreateRole) stmtNode()             {}
func (*AlterRole) stmtNode()              {}
func (*DropRole) stmtNode()               {}
func (*Grant) stmtNode()                  {}
func (*GrantRole) stmtNode()              {}
func (*AlterDefaultPrivileges) stmtNode() {}
func (*ReassignOwned) stmtNode()          {}
func (*CreatePolicy) stmtNode()           {}
func (*AlterPolicy) stmtNode()            {}
func (*DropPolicy) stmtNode()             {}
func (*CreateMaskingPolicy) stmtNode()    {}
func (*DropMaskingPolicy) stmtNode()      {}
func (*ShowMaskingPolicies) stmtNode()    {}
func (*MaskingKey) stmtNode()             {}
func (*Declassify) stmtNode()             {}
func (*RetentionPolicy) stmtNode()        {}
func (*DropRetentionPolicy) stmtNode()    {}
func (*ResumeRetention) stmtNode()        {}
func (*ExplainRetention) stmtNode()       {}
func (*CreateLegalHold) stmtNode()        {}
func (*ReleaseLegalHold) stmtNode()       {}
func (*EraseSubject) stmtNode()           {}
func (*IngestToken) stmtNode()            {}
func (*ShowIngestTokens) stmtNode()       {}
