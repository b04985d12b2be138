package ast

// Empty is a statement without tokens: EmptyQueryResponse.
type Empty struct{ At }

// SetScope is SESSION (the default) or LOCAL.
type SetScope uint8

// The scopes.
const (
	ScopeSession SetScope = iota
	ScopeLocal
)

// SettingValue is one value of SET.
type SettingValue struct {
	At
	Kind ValueKind
	Text string
}

// Set is SET name = values. SET TIME ZONE is name "timezone", SET NAMES
// "client_encoding", SET SCHEMA "search_path"; SET SEED, SET XML OPTION likewise.
// Default is TO DEFAULT (and LOCAL for TIME ZONE).
type Set struct {
	At
	Scope   SetScope
	Name    string
	Values  []SettingValue
	Default bool
	// FromCurrent is ALTER ROLE … SET x FROM CURRENT.
	FromCurrent bool
}

// Reset is RESET name, or RESET ALL with an empty name.
type Reset struct {
	At
	Name string
}

// Show is SHOW name: "all" for SHOW ALL, "timezone", "transaction_isolation".
type Show struct {
	At
	Name string
}

// SetRole is SET [LOCAL|SESSION] ROLE. Name is empty with None for SET ROLE
// NONE and RESET ROLE.
type SetRole struct {
	At
	Scope   SetScope
	Name    string
	None    bool
	NoReset bool
}

// SetSessionAuth is SET SESSION AUTHORIZATION.
type SetSessionAuth struct {
	At
	Scope   SetScope
	Name    string
	Default bool
}

// TxModes are the modes of BEGIN, SET TRANSACTION and SET SESSION
// CHARACTERISTICS.
type TxModes struct {
	// Isolation is "", "read uncommitted", "read committed", "repeatable
	// read" or "serializable".
	Isolation  string
	ReadOnly   *bool
	Deferrable *bool
}

// SetTransaction is SET TRANSACTION, or with Session SET SESSION
// CHARACTERISTICS AS TRANSACTION. Snapshot is SET TRANSACTION SNAPSHOT 'id'.
type SetTransaction struct {
	At
	Session  bool
	Modes    TxModes
	Snapshot string
}

// Discard is DISCARD ALL, PLANS, SEQUENCES or TEMP (What, lower case).
type Discard struct {
	At
	What string
}

// Begin is BEGIN or START TRANSACTION (Start).
type Begin struct {
	At
	Start bool
	Modes TxModes
}

// Commit is COMMIT or END.
type Commit struct {
	At
	Chain bool
}

// Rollback is ROLLBACK or ABORT.
type Rollback struct {
	At
	Chain bool
}

// Savepoint is SAVEPOINT name.
type Savepoint struct {
	At
	Name string
}

// ReleaseSavepoint is RELEASE [SAVEPOINT] name.
type ReleaseSavepoint struct {
	At
	Name string
}

// RollbackTo is ROLLBACK TO [SAVEPOINT] name.
type RollbackTo struct {
	At
	Name string
}

// DeclareCursor is DECLARE … CURSOR FOR query.
type DeclareCursor struct {
	At
	Name        string
	Binary      bool
	Insensitive bool
	Asensitive  bool
	Scroll      bool
	NoScroll    bool
	Hold        bool
	Query       *Query
	QueryStart  int
	QueryEnd    int
}

// FetchDirection is where FETCH and MOVE go.
type FetchDirection uint8

// The directions. FIRST is Absolute 1, LAST Absolute -1, NEXT Forward 1, PRIOR
// Backward 1, as in PostgreSQL.
const (
	FetchForward FetchDirection = iota
	FetchBackward
	FetchAbsolute
	FetchRelative
)

// Fetch is FETCH or MOVE. All is FORWARD|BACKWARD ALL.
type Fetch struct {
	At
	Move      bool
	Cursor    string
	Direction FetchDirection
	Count     int64
	All       bool
}

// Close is CLOSE name, or CLOSE ALL with an empty name.
type Close struct {
	At
	Name string
}

// Prepare is PREPARE name [(types)] AS statement.
type Prepare struct {
	At
	Name  string
	Types []*TypeName
	Stmt  Stmt
	// StmtStart and StmtEnd cut the inner statement out of the text.
	StmtStart, StmtEnd int
}

// Execute is EXECUTE name [(args)].
type Execute struct {
	At
	Name string
	Args []Expr
}

// Deallocate is DEALLOCATE name, or ALL with an empty name.
type Deallocate struct {
	At
	Name string
}

// Explain is EXPLAIN. Options are as written, the old form's words included
// ("analyze", "verbose"); the session checks names and values.
type Explain struct {
	At
	Options []Option
	Stmt    Stmt
}

// Copy is COPY. Exactly one of Table and Query is set.
type Copy struct {
	At
	Table   *TableRef
	Columns []InsertColumn
	Query   *Query
	// DML is COPY (INSERT … RETURNING) TO; nil otherwise.
	DML  Stmt
	From bool
	// File is empty for STDIN and STDOUT; Program marks PROGRAM 'command'.
	File    string
	Program bool
	// Options are in the new form's names whichever form was written:
	// format, freeze, delimiter, null, header, quote, escape, force_quote,
	// force_not_null, force_null, encoding, on_error, reject_limit, batch_key.
	Options []Option
	Where   Expr
}

// Vacuum is VACUUM or, with Analyze, ANALYZE.
type Vacuum struct {
	At
	Analyze bool
	Options []Option
	Tables  []VacuumTable
}

// VacuumTable is one relation of Vacuum.
type VacuumTable struct {
	Table   *TableRef
	Columns []string
}

// Checkpoint is CHECKPOINT.
type Checkpoint struct{ At }

// CallStmt is CALL procedure(args).
type CallStmt struct {
	At
	Call *Call
}

// Unlisten is UNLISTEN name or * (empty name): nothing to do.
type Unlisten struct {
	At
	Name string
}

func (*Empty) stmtNode()            {}
func (*Set) stmtNode()              {}
func (*Reset) stmtNode()            {}
func (*Show) stmtNode()             {}
func (*SetRole) stmtNode()          {}
func (*SetSessionAuth) stmtNode()   {}
func (*SetTransaction) stmtNode()   {}
func (*Discard) stmtNode()          {}
func (*Begin) stmtNode()            {}
func (*Commit) stmtNode()           {}
func (*Rollback) stmtNode()         {}
func (*Savepoint) stmtNode()        {}
func (*ReleaseSavepoint) stmtNode() {}
func (*RollbackTo) stmtNode()       {}
func (*DeclareCursor) stmtNode()    {}
func (*Fetch) stmtNode()            {}
func (*Close) stmtNode()            {}
func (*Prepare) stmtNode()          {}
func (*Execute) stmtNode()          {}
func (*Deallocate) stmtNode()       {}
func (*Explain) stmtNode()          {}
func (*Copy) stmtNode()             {}
func (*Vacuum) stmtNode()           {}
func (*Checkpoint) stmtNode()       {}
func (*CallStmt) stmtNode()         {}
func (*Unlisten) stmtNode()         {}
