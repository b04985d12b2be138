package pgwire

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// portal is what the connection keeps of a protocol portal between Executes.
type portal struct {
	pt    sql.Portal
	enc   *encoder // nil until the first Execute, or without columns
	batch vec.Batch
	at    int  // rows of batch already sent
	live  int  // rows of batch
	done  bool // Next gave 0
}

// extended handles P, B, D, E, C and H. An error is sent at once and the rest
// is discarded up to Sync.
func (c *conn) extended(typ byte, body []byte) error {
	if typ == 'H' {
		return c.out.flush()
	}
	c.begin("")
	var err error
	switch typ {
	case 'P':
		err = c.parse(body)
	case 'B':
		err = c.bind(body)
	case 'D':
		err = c.describe(body)
	case 'E':
		err = c.execute(body)
	case 'C':
		err = c.closeObject(body)
	}
	c.running.Store(false)
	if c.closed {
		return nil
	}
	if err != nil {
		// At once: the client may wait for it behind a Flush, which is skipped.
		c.fail(err)
		c.skip = true
		return c.out.flush()
	}
	return c.out.flushFull()
}

// sync ends the implicit transaction of the messages before it.
func (c *conn) sync() error {
	c.endExtended()
	c.skip = false
	if c.closed {
		return nil
	}
	c.ready()
	return c.out.flush()
}

func (c *conn) endExtended() {
	if c.gen != nil && !c.failed {
		c.running.Store(true)
		if err := c.sess.EndImplicit(c.gen, nil); err != nil {
			c.fail(err)
		} else {
			c.notices()
		}
	}
	c.endGeneration()
	c.text = ""
}

func badMessage(err error) error {
	return &errs.Error{Code: errs.ProtocolViolation, Msg: "invalid message format", Err: err}
}

func (c *conn) parse(body []byte) error {
	var m pgproto3.Parse
	if err := m.Decode(body); err != nil {
		return badMessage(err)
	}
	if len(m.Query) > textMax {
		return errs.New(errs.ProgramLimit, "statement text is longer than %d bytes", textMax)
	}
	if !utf8.ValidString(m.Query) {
		return badUTF8([]byte(m.Query))
	}
	c.text = m.Query
	oids := make([]types.OID, len(m.ParameterOIDs))
	for i, o := range m.ParameterOIDs {
		oids[i] = types.OID(o)
	}
	if err := c.sess.PrepareNamed(c.gen, m.Name, m.Query, oids); err != nil {
		return err
	}
	c.notices()
	c.out.raw('1')
	return nil
}

func (c *conn) bind(body []byte) error {
	var m pgproto3.Bind
	if err := m.Decode(body); err != nil {
		return badMessage(err)
	}
	p, err := c.sess.PreparedByName(m.PreparedStatement)
	if err != nil {
		return err
	}
	params, err := decodeParams(m.PreparedStatement, p.ParamTypes(), m.ParameterFormatCodes, m.Parameters, c.sess.Format())
	if err != nil {
		return err
	}
	if err := checkFormats(m.ResultFormatCodes); err != nil {
		return err
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(p.Fields()) {
		return errs.New(errs.ProtocolViolation,
			"bind message has %d result formats but query has %d columns", n, len(p.Fields()))
	}
	pt, err := c.sess.BindNamed(c.gen, m.DestinationPortal, p, params, m.ResultFormatCodes)
	if err != nil {
		return err
	}
	c.portals[m.DestinationPortal] = &portal{pt: pt}
	c.out.raw('2')
	return nil
}

// portal finds a portal or SQL cursor and what is kept of it.
func (c *conn) portal(name string) (*portal, error) {
	pt, err := c.sess.PortalByName(name)
	if err != nil {
		return nil, err
	}
	p := c.portals[name]
	if p == nil || p.pt != pt {
		p = &portal{pt: pt}
		c.portals[name] = p
	}
	return p, nil
}

// object reads the kind and the name of Describe and Close.
func object(body []byte) (kind byte, name string, err error) {
	if len(body) < 2 {
		return 0, "", badMessage(nil)
	}
	name, _, err = cstring(body[1:])
	if err != nil {
		return 0, "", badMessage(err)
	}
	if body[0] != 'S' && body[0] != 'P' {
		return 0, "", errs.New(errs.ProtocolViolation, "invalid DESCRIBE or CLOSE message subtype %d", body[0])
	}
	return body[0], name, nil
}

func (c *conn) describe(body []byte) error {
	kind, name, err := object(body)
	if err != nil {
		return err
	}
	var fields []sql.Field
	var formats []int16
	if kind == 'S' {
		p, err := c.sess.PreparedByName(name)
		if err != nil {
			return err
		}
		fields = p.Fields()
		if err := c.checkFailed(fields); err != nil {
			return err
		}
		c.parameterDescription(p.ParamTypes())
	} else {
		p, err := c.portal(name)
		if err != nil {
			return err
		}
		fields, formats = p.pt.Fields(), p.pt.Formats()
		if p.pt.CopyOut() != nil {
			fields = nil
		}
		if err := c.checkFailed(fields); err != nil {
			return err
		}
	}
	if fields == nil {
		c.out.raw('n')
		return nil
	}
	c.rowDescription(fields, formats)
	return nil
}

// checkFailed refuses to describe rows in a failed block, as PostgreSQL does.
func (c *conn) checkFailed(fields []sql.Field) error {
	if fields != nil && c.sess.TxStatus() == sql.TxFailed {
		return errs.New(errs.InFailedTransaction,
			"current transaction is aborted, commands ignored until end of transaction block")
	}
	return nil
}

func (c *conn) closeObject(body []byte) error {
	kind, name, err := object(body)
	if err != nil {
		return err
	}
	if kind == 'S' {
		c.sess.ClosePrepared(name)
	} else {
		c.sess.ClosePortal(name)
		delete(c.portals, name)
	}
	c.out.raw('3')
	return nil
}

func (c *conn) execute(body []byte) error {
	name, rest, err := cstring(body)
	if err != nil || len(rest) < 4 {
		return badMessage(err)
	}
	limit := int64(int32(binary.BigEndian.Uint32(rest)))
	p, err := c.portal(name)
	if err != nil {
		return err
	}
	pt := p.pt
	var tag string
	switch {
	case pt.CopyIn() != nil || pt.CopyOut() != nil:
		if p.done {
			return errs.New(errs.ObjectNotInState, "portal %q cannot be run", name)
		}
		p.done = true
		tag, err = c.runAll(pt)
	case pt.Fields() == nil:
		if p.done {
			return errs.New(errs.ObjectNotInState, "portal %q cannot be run", name)
		}
		p.done = true
		if _, err = c.next(c.gen, pt, &p.batch); err == nil {
			tag = pt.Tag()
		}
	default:
		return c.executeRows(p, limit)
	}
	if err != nil || c.closed {
		return err
	}
	c.notices()
	c.complete(tag)
	return nil
}

// executeRows sends up to limit rows (≤ 0 = all) of a portal.
func (c *conn) executeRows(p *portal, limit int64) error {
	if p.enc == nil {
		e, err := newEncoder(p.pt.Fields(), p.pt.Formats(), c.sess.Format())
		if err != nil {
			return err
		}
		p.enc = e
	}
	if !p.pt.Suspendable() || limit <= 0 {
		limit = -1
	}
	first := !p.done && p.live == 0
	sent := int64(0)
	for limit < 0 || sent < limit {
		if p.at == p.live {
			if p.done {
				break
			}
			n, err := c.next(c.gen, p.pt, &p.batch)
			if err != nil {
				return err
			}
			p.at, p.live = 0, n
			if n == 0 {
				p.done = true
				break
			}
		}
		hi := p.live
		if limit >= 0 {
			hi = int(min(int64(hi), int64(p.at)+limit-sent))
		}
		if err := p.enc.rows(&c.out, &p.batch, p.at, hi, tagDataRow); err != nil {
			return err
		}
		sent += int64(hi - p.at)
		p.at = hi
	}
	c.notices()
	if limit >= 0 && sent == limit {
		c.out.raw('s')
		return nil
	}
	if first {
		c.complete(p.pt.Tag())
	} else {
		c.complete(verbTag(p.pt, sent))
	}
	return nil
}

func (c *conn) parameterDescription(ts []types.Type) {
	oids := make([]uint32, len(ts))
	for i, t := range ts {
		oids[i] = uint32(t.OID)
	}
	c.out.send(&pgproto3.ParameterDescription{ParameterOIDs: oids})
}

// rowDescription appends T without going through pgproto3's allocations.
func (c *conn) rowDescription(fields []sql.Field, formats []int16) {
	be := binary.BigEndian
	b := c.out.buf
	start := len(b)
	b = append(b, 'T', 0, 0, 0, 0)
	b = be.AppendUint16(b, uint16(len(fields)))
	for i := range fields {
		f := &fields[i]
		b = append(append(b, f.Name...), 0)
		b = be.AppendUint32(b, f.TableOID)
		b = be.AppendUint16(b, uint16(f.AttNum))
		b = be.AppendUint32(b, uint32(f.Type.OID))
		b = be.AppendUint16(b, uint16(f.Type.Len()))
		b = be.AppendUint32(b, uint32(f.Type.Mod))
		b = be.AppendUint16(b, uint16(formatAt(formats, i)))
	}
	be.PutUint32(b[start+1:], uint32(len(b)-start-1))
	c.out.buf = b
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
