package pgwire

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// CopyRequest is one COPY … FROM STDIN to be decoded.
type CopyRequest struct {
	Spec      *sql.CopyIn
	Principal policy.Principal
	Format    *types.Format
	Client    string // address
	Body      io.Reader
	Appender  sql.Appender
}

// CopyDecoder reads the body to its end, hands the rows to the appender as one
// batch, and returns how many were stored and how many were kept aside as
// rejects. It stops at the first error of Body and returns it.
type CopyDecoder func(ctx context.Context, r CopyRequest) (rows, rejected int64, err error)

// copyIn takes the bytes of COPY FROM STDIN and returns the command's tag.
func (c *conn) copyIn(pt sql.Portal) (string, error) {
	spec := pt.CopyIn()
	if c.srv.Copy == nil {
		return "", errs.NotSupported("COPY FROM STDIN")
	}
	format := copyFormat(spec.Options.Format)
	codes := make([]uint16, len(spec.Cols))
	for i := range codes {
		codes[i] = uint16(format)
	}
	c.out.send(&pgproto3.CopyInResponse{OverallFormat: format, ColumnFormatCodes: codes})
	if err := c.out.flush(); err != nil {
		c.closed = true
		return "", nil
	}
	c.running.Store(false) // the socket is being read: a hang-up is seen there
	body := &copyReader{c: c, ctx: c.gen}
	// A cancelled COPY must not wait for the client's next bytes.
	stop := context.AfterFunc(c.gen, c.wake)
	rows, rejected, err := c.srv.Copy(c.gen, CopyRequest{Spec: spec, Principal: c.sess.Principal(),
		Format: c.sess.Format(), Client: c.addr.String(), Body: body, Appender: c.sess})
	if !stop() {
		_ = c.bare.SetReadDeadline(time.Time{})
	}
	c.running.Store(true)
	switch {
	case body.gone:
		c.closed = true
		return "", nil
	case body.err != nil: // what ended the stream is the reason, not what the decoder made of it
		return "", body.err
	case err != nil:
		return "", err
	}
	if err := body.drain(); err != nil {
		return "", err
	}
	if c.closed {
		return "", nil
	}
	if rejected > 0 {
		c.out.send(noticeResponse(sql.Notice{Severity: "NOTICE", Code: string(errs.Success),
			Msg: itoa(rejected) + " rows were not stored; they are kept in system.quarantine"}))
	}
	pt.FinishCopyIn(rows)
	return pt.Tag(), nil
}

func copyFormat(format string) byte {
	if format == "binary" {
		return 1
	}
	return 0
}

// copyReader is the client's CopyData messages as one stream. CopyDone is its
// end; CopyFail, an unexpected message and a cancelled statement are errors.
type copyReader struct {
	c    *conn
	ctx  context.Context //nolint:containedctx // of the one statement that reads
	rest []byte          // of the message at hand
	done bool
	err  error
	gone bool // the connection is lost
}

func (r *copyReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.done {
			return 0, io.EOF
		}
		r.message()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// message reads the next one.
func (r *copyReader) message() {
	typ, body, err := r.c.in.next()
	if err != nil {
		r.failed(err)
		return
	}
	switch typ {
	case 'd':
		r.rest = body
	case 'c':
		r.done = true
	case 'f':
		msg, _, _ := cstring(body)
		r.err = errs.New(errs.QueryCanceled, "COPY from stdin failed: %s", msg)
	case 'H', 'S':
		// Ignored: clients that send ahead put them here.
	case 'X':
		r.gone = true
		r.err = errs.New(errs.ConnectionFailure, "unexpected EOF on client connection with an open transaction")
	default:
		r.err = errs.New(errs.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ)
	}
}

func (r *copyReader) failed(err error) {
	c := r.c
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if r.ctx.Err() != nil {
			r.err = clientError(r.ctx, r.ctx.Err())
			return
		}
		// Shutdown woke the connection: a running COPY may end in its time.
		_ = c.bare.SetReadDeadline(time.Time{})
		return
	}
	var fe *frameError
	if errors.As(err, &fe) {
		c.fatal(fe.err)
	}
	r.gone = true
	r.err = errs.New(errs.ConnectionFailure, "unexpected EOF on client connection with an open transaction")
}

// drain reads what the client sends after the end that the decoder saw (the
// line \. or a binary trailer), up to CopyDone.
func (r *copyReader) drain() error {
	for !r.done && r.err == nil {
		r.rest = nil
		r.message()
	}
	if r.gone {
		r.c.closed = true
		return nil
	}
	return r.err
}
