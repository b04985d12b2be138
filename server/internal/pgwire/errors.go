package pgwire

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/sql"
	"quern/storage/errs"
)

// Severities of ErrorResponse.
const (
	sevError = "ERROR"
	sevFatal = "FATAL"
)

// clientError is what the client may see of err. An ended context is told by
// its cause: a cancel request, a timeout, the end of the session.
func clientError(ctx context.Context, err error) *errs.Error {
	var own *errs.Error
	if !errors.As(err, &own) && ctx != nil && ctx.Err() != nil &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		var cause *errs.Error
		if errors.As(context.Cause(ctx), &cause) {
			return cause
		}
		return errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	return errs.As(err)
}

// errorResponse makes the message for e. text is what the client sent: e.Pos
// counts its bytes, the client wants characters.
func errorResponse(severity string, e *errs.Error, text string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity:            severity,
		SeverityUnlocalized: severity,
		Code:                string(e.Code),
		Message:             e.Msg,
		Detail:              e.Detail,
		Hint:                e.Hint,
		Position:            charPos(text, e.Pos),
		Where:               e.Where,
		SchemaName:          e.Schema,
		TableName:           e.Table,
		ColumnName:          e.Column,
		DataTypeName:        e.Type,
		ConstraintName:      e.Constraint,
	}
}

// charPos turns a 1-based byte offset into a 1-based count of characters.
func charPos(text string, pos int) int32 {
	if pos <= 0 {
		return 0
	}
	return int32(utf8.RuneCountInString(text[:min(pos-1, len(text))])) + 1
}

func noticeResponse(n sql.Notice) *pgproto3.NoticeResponse {
	return &pgproto3.NoticeResponse{
		Severity:            n.Severity,
		SeverityUnlocalized: n.Severity,
		Code:                n.Code,
		Message:             n.Msg,
		Detail:              n.Detail,
		Hint:                n.Hint,
	}
}
