package pgwire

import (
	"context"
	"strings"
	"unicode/utf8"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/vec"
)

// simpleQuery runs a Q: all its statements in one implicit transaction, one
// ReadyForQuery at the end.
func (c *conn) simpleQuery(body []byte) error {
	text, _, err := cstring(body)
	if c.gen != nil { // a Q inside an unfinished extended sequence ends it
		c.endExtended()
	}
	c.skip, c.simple = false, true
	c.begin(text)
	c.sess.DropUnnamed()
	delete(c.portals, "")
	if err != nil {
		err = errs.New(errs.ProtocolViolation, "invalid message format")
	} else if !utf8.ValidString(text) {
		err = badUTF8([]byte(text))
	} else if len(text) > textMax {
		err = errs.New(errs.ProgramLimit, "statement text is longer than %d bytes", textMax)
	}
	if err == nil {
		err = c.script(text)
	}
	if err != nil && !c.closed {
		c.fail(err)
	}
	c.text, c.simple = "", false
	c.endGeneration()
	if c.closed {
		return nil
	}
	c.ready()
	return c.out.flush()
}

// textMax is the longest statement text.
const textMax = 16 << 20

// script runs the statements of a Q in turn.
func (c *conn) script(text string) error {
	stmts, err := c.sess.Script(text)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		if err := c.sess.EndImplicit(c.gen, nil); err != nil {
			return err
		}
		c.complete("")
		return nil
	}
	for i, st := range stmts {
		c.sess.BeginImplicit()
		if err := c.statement(st, i == len(stmts)-1); err != nil {
			return err
		}
		if c.closed {
			return nil
		}
	}
	return nil
}

// statement runs one statement of a Q and sends its result. The last one's
// completion waits for the commit.
func (c *conn) statement(st sql.Statement, last bool) error {
	p, err := c.sess.Prepare(c.gen, st, nil)
	if err != nil {
		return err
	}
	pt, err := c.sess.Bind(c.gen, p, nil)
	if err != nil {
		return err
	}
	tag, err := c.runAll(pt)
	if closeErr := pt.Close(); err == nil {
		err = closeErr
	}
	if err == nil && last {
		err = c.sess.EndImplicit(c.gen, nil)
	}
	if err != nil {
		return err
	}
	if c.closed {
		return nil
	}
	c.notices()
	c.complete(tag)
	return c.out.flushFull()
}

// runAll runs a portal of the simple protocol to its end and returns its tag.
func (c *conn) runAll(pt sql.Portal) (string, error) {
	switch {
	case pt.CopyIn() != nil:
		return c.copyIn(pt)
	case pt.CopyOut() != nil:
		return c.copyOut(pt)
	}
	// The description waits for the first batch: a statement that fails at once
	// (1/0, SHOW of an unknown setting) is answered by its error alone.
	var b vec.Batch
	n, err := c.next(c.gen, pt, &b)
	if err != nil {
		return "", err
	}
	fields, formats := pt.Fields(), pt.Formats()
	if fields == nil {
		if n > 0 {
			return "", errs.New(errs.Internal, "rows from a statement without columns")
		}
		return pt.Tag(), nil
	}
	enc, err := newEncoder(fields, formats, c.sess.Format())
	if err != nil {
		return "", err
	}
	c.rowDescription(fields, formats)
	for n > 0 {
		if err := enc.rows(&c.out, &b, 0, b.Rows(), tagDataRow); err != nil {
			return "", err
		}
		if n, err = c.next(c.gen, pt, &b); err != nil {
			return "", err
		}
	}
	return pt.Tag(), nil
}

// next asks for a batch; what is buffered may go out meanwhile.
func (c *conn) next(ctx context.Context, pt sql.Portal, b *vec.Batch) (int, error) {
	c.out.arm()
	defer c.out.disarm()
	return pt.Next(ctx, b)
}

// verbTag builds the tag of a statement whose rows were limited.
func verbTag(pt sql.Portal, rows int64) string {
	tag := pt.Verb()
	if strings.ContainsRune(tag, ' ') || tag == "SELECT" || tag == "FETCH" || tag == "COPY" {
		return tag + " " + itoa(rows)
	}
	return pt.Tag()
}
