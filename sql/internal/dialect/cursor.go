package dialect

import (
	"strconv"

	"quern/sql/internal/ast"
)

// declare takes DECLARE name [options] CURSOR [WITH HOLD] FOR query.
func (w *walker) declare() (ast.Stmt, error) {
	n := &ast.DeclareCursor{At: at(w.next())}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	for !w.cur().is("cursor") {
		switch {
		case w.word("binary"):
			n.Binary = true
		case w.word("insensitive"):
			n.Insensitive = true
		case w.word("asensitive"):
			n.Asensitive = true
		case w.word("scroll"):
			n.Scroll = true
		case w.words("no", "scroll"):
			n.NoScroll = true
		default:
			return nil, w.err()
		}
	}
	w.p++
	switch {
	case w.words("with", "hold"):
		n.Hold = true
	case w.words("without", "hold"):
	}
	if err := w.expectWord("for"); err != nil {
		return nil, err
	}
	n.QueryStart = int(w.cur().Start)
	if n.Query, err = w.queryOnly(); err != nil {
		return nil, err
	}
	n.QueryEnd = int(w.peek(-1).End)
	return n, nil
}

// queryOnly takes a query and stops at anything else.
func (w *walker) queryOnly() (*ast.Query, error) {
	if !w.cur().punct("(") && !w.isQueryStart(w.p) && !w.cur().is("values") {
		return nil, w.err()
	}
	return w.parseQuery()
}

// fetchCursor takes FETCH and MOVE.
func (w *walker) fetchCursor() (ast.Stmt, error) {
	t := w.next()
	n := &ast.Fetch{At: at(t), Move: t.Text == "move", Count: 1}
	if err := w.fetchDirection(n); err != nil {
		return nil, err
	}
	if !w.word("from") {
		w.word("in")
	}
	var err error
	n.Cursor, err = w.colID()
	return n, err
}

// fetchDirection takes what stands before the cursor's name.
func (w *walker) fetchDirection(n *ast.Fetch) error {
	t := w.cur()
	// A direction word alone before the end is the cursor's name.
	if w.p+1 == len(w.toks)-1 && isColID(t) {
		return nil
	}
	var err error
	switch {
	case t.Kind == Int || t.op("-") || t.op("+"):
		n.Count, err = w.signedCount()
	case w.word("next"):
	case w.word("prior"):
		n.Direction = ast.FetchBackward
	case w.word("first"):
		n.Direction = ast.FetchAbsolute
	case w.word("last"):
		n.Direction, n.Count = ast.FetchAbsolute, -1
	case w.word("absolute"):
		n.Direction = ast.FetchAbsolute
		n.Count, err = w.signedCount()
	case w.word("relative"):
		n.Direction = ast.FetchRelative
		n.Count, err = w.signedCount()
	case w.word("all"):
		n.All = true
	case t.is("forward"), t.is("backward"):
		w.p++
		if t.Text == "backward" {
			n.Direction = ast.FetchBackward
		}
		switch k := w.cur(); {
		case w.word("all"):
			n.All = true
		case k.Kind == Int || k.op("-") || k.op("+"):
			n.Count, err = w.signedCount()
		}
	}
	return err
}

func (w *walker) signedCount() (int64, error) {
	neg := w.op("-")
	if !neg {
		w.op("+")
	}
	t := w.cur()
	if t.Kind != Int {
		return 0, w.err()
	}
	v, err := strconv.ParseInt(t.Text, 10, 32)
	if err != nil {
		return 0, w.err()
	}
	w.p++
	if neg {
		v = -v
	}
	return v, nil
}

func (w *walker) closeCursor() (ast.Stmt, error) {
	t := w.next()
	if w.word("all") {
		return &ast.Close{At: at(t)}, nil
	}
	n, err := w.colID()
	return &ast.Close{At: at(t), Name: n}, err
}

// prepare takes PREPARE name [(types)] AS statement.
func (w *walker) prepare() (ast.Stmt, error) {
	t := w.next()
	if w.cur().is("transaction") && w.peek(1).Kind == String {
		return nil, refuse("two-phase commit", t)
	}
	n := &ast.Prepare{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if w.punct("(") {
		for {
			tn, err := w.typeName()
			if err != nil {
				return nil, err
			}
			n.Types = append(n.Types, tn)
			if !w.punct(",") {
				break
			}
		}
		if err := w.expect(")"); err != nil {
			return nil, err
		}
	}
	if err := w.expectWord("as"); err != nil {
		return nil, err
	}
	k := w.cur()
	n.StmtStart = int(k.Start)
	if n.Stmt, err = w.statement(); err != nil {
		return nil, err
	}
	switch n.Stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete:
	default:
		return nil, w.errAt(k)
	}
	n.StmtEnd = int(w.peek(-1).End)
	return n, nil
}

func (w *walker) execute() (ast.Stmt, error) {
	t := w.next()
	n := &ast.Execute{At: at(t)}
	var err error
	if n.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if w.punct("(") {
		if n.Args, err = w.parseExprList(); err != nil {
			return nil, err
		}
		err = w.expect(")")
	}
	return n, err
}

func (w *walker) deallocate() (ast.Stmt, error) {
	t := w.next()
	if w.cur().is("prepare") && w.p+1 < len(w.toks)-1 {
		w.p++
	}
	if w.word("all") {
		return &ast.Deallocate{At: at(t)}, nil
	}
	n, err := w.colID()
	return &ast.Deallocate{At: at(t), Name: n}, err
}
