// Package errs holds the error kinds of Quern, each with the SQLSTATE that
// PostgreSQL 15 uses for it. Every layer returns these (wrapped with what the
// layer was doing); only server/internal/pgwire and server/internal/httpapi
// turn them into bytes for a client.
//
// Start reading at Error and Code. What it deliberately does not do: it knows
// no log, no stack traces and no HTTP status.
package errs

import (
	"errors"
	"fmt"
)

// Code is a five-character SQLSTATE.
type Code string

// SQLSTATEs in use. Names follow PostgreSQL's errcodes.
const (
	Success                  Code = "00000"
	Warning                  Code = "01000"
	ConnectionFailure        Code = "08006"
	ProtocolViolation        Code = "08P01"
	FeatureNotSupported      Code = "0A000"
	CardinalityViolation     Code = "21000"
	StringTruncation         Code = "22001"
	NumericOutOfRange        Code = "22003"
	NullNotAllowed           Code = "22004"
	InvalidDatetimeFormat    Code = "22007"
	DatetimeOverflow         Code = "22008"
	SubstringError           Code = "22011"
	DivisionByZero           Code = "22012"
	InvalidFrame             Code = "22013"
	InvalidNtile             Code = "22014"
	InvalidNthValue          Code = "22016"
	IntervalOverflow         Code = "22015"
	InvalidArgumentForLog    Code = "2201E"
	InvalidArgumentForPower  Code = "2201F"
	InvalidArgumentForWidth  Code = "2201G"
	InvalidRegexp            Code = "2201B"
	InvalidLimit             Code = "2201W"
	InvalidOffset            Code = "2201X"
	InvalidEscape            Code = "22025"
	CharacterNotInRepertoire Code = "22021"
	InvalidParameterValue    Code = "22023"
	InvalidText              Code = "22P02"
	InvalidBinary            Code = "22P03"
	BadCopyFormat            Code = "22P04"
	UntranslatableCharacter  Code = "22P05"
	NotNullViolation         Code = "23502"
	ActiveTransaction        Code = "25001"
	ReadOnlyTransaction      Code = "25006"
	NoActiveTransaction      Code = "25P01"
	InFailedTransaction      Code = "25P02"
	IdleInTransactionTimeout Code = "25P03"
	InvalidStatementName     Code = "26000"
	InvalidAuthorization     Code = "28000"
	InvalidPassword          Code = "28P01"
	DependentObjects         Code = "2BP01"
	InvalidCursorName        Code = "34000"
	InvalidSavepoint         Code = "3B001"
	InvalidCatalogName       Code = "3D000"
	InvalidSchemaName        Code = "3F000"
	SerializationFailure     Code = "40001"
	InsufficientPrivilege    Code = "42501"
	Syntax                   Code = "42601"
	InvalidName              Code = "42602"
	InvalidColumnDefinition  Code = "42611"
	NameTooLong              Code = "42622"
	ReservedName             Code = "42939"
	DuplicateColumn          Code = "42701"
	AmbiguousColumn          Code = "42702"
	UndefinedColumn          Code = "42703"
	UndefinedObject          Code = "42704"
	DuplicateObject          Code = "42710"
	DuplicateAlias           Code = "42712"
	AmbiguousFunction        Code = "42725"
	Grouping                 Code = "42803"
	DatatypeMismatch         Code = "42804"
	WrongObjectType          Code = "42809"
	CannotCoerce             Code = "42846"
	UndefinedFunction        Code = "42883"
	UndefinedTable           Code = "42P01"
	UndefinedParameter       Code = "42P02"
	DuplicateCursor          Code = "42P03"
	DuplicatePrepared        Code = "42P05"
	DuplicateSchema          Code = "42P06"
	DuplicateTable           Code = "42P07"
	AmbiguousParameter       Code = "42P08"
	InvalidColumnReference   Code = "42P10"
	InvalidTableDefinition   Code = "42P16"
	InvalidObjectDefinition  Code = "42P17"
	IndeterminateDatatype    Code = "42P18"
	InvalidRecursion         Code = "42P19"
	Windowing                Code = "42P20"
	CollationMismatch        Code = "42P21"
	DiskFull                 Code = "53100"
	OutOfMemory              Code = "53200"
	TooManyConnections       Code = "53300"
	ConfigurationLimit       Code = "53400"
	ProgramLimit             Code = "54000"
	TooComplex               Code = "54001"
	TooManyColumns           Code = "54011"
	ObjectNotInState         Code = "55000"
	UndefinedFile            Code = "58P01"
	ObjectInUse              Code = "55006"
	LockNotAvailable         Code = "55P03"
	QueryCanceled            Code = "57014"
	AdminShutdown            Code = "57P01"
	CannotConnectNow         Code = "57P03"
	IO                       Code = "58030"
	Internal                 Code = "XX000"
	DataCorrupted            Code = "XX001"
)

// Error is one error as a client sees it.
type Error struct {
	Code   Code
	Msg    string
	Detail string
	Hint   string
	// Where is PostgreSQL's CONTEXT line.
	Where string
	// Pos is the 1-based byte offset into the statement's text, 0 if unknown.
	// The wire turns it into characters.
	Pos int
	// Names of the objects concerned, empty if none.
	Schema, Table, Column, Type, Constraint string
	// Err is the cause, for logs only; it never reaches a client.
	Err error
}

func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// NotSupported is 0A000; construct names what is refused.
func NotSupported(construct string) *Error {
	return New(FeatureNotSupported, "%s is not supported", construct)
}

// WithPos sets the 1-based byte offset and returns e.
func (e *Error) WithPos(pos int) *Error { e.Pos = pos; return e }

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the detail and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// As finds the Error or Corrupt in err's chain and returns what a client may
// see of it; any other error becomes XX000 with its own text.
func As(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	if c := (*Corrupt)(nil); errors.As(err, &c) {
		return &Error{Code: DataCorrupted, Msg: c.Error(), Err: err}
	}
	return &Error{Code: Internal, Msg: err.Error(), Err: err}
}

// CodeOf is As(err).Code, or Success for nil.
func CodeOf(err error) Code {
	if err == nil {
		return Success
	}
	return As(err).Code
}

// Corrupt says that bytes read back are not what was written.
type Corrupt struct {
	File   string
	Offset int64
	Reason string
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("damaged file %s at offset %d: %s", c.File, c.Offset, c.Reason)
}
