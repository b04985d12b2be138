package stmt

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// declare takes DECLARE name [options] CURSOR [WITH HOLD] FOR query.
func (w *parser) declare() (ast.Stmt, error) {
	n := &ast.DeclareCursor{At: dialect.At(w.Next())}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	for !w.Cur().Is("cursor") {
		switch {
		case w.Word("binary"):
			n.Binary = true
		case w.Word("insensitive"):
			n.Insensitive = true
		case w.Word("asensitive"):
			n.Asensitive = true
		case w.Word("scroll"):
			n.Scroll = true
		case w.Words("no", "scroll"):
			n.NoScroll = true
		default:
			return nil, w.Err()
		}
	}
	w.P++
	switch {
	case w.Words("with", "hold"):
		n.Hold = true
	case w.Words("without", "hold"):
	}
	if err := w.ExpectWord("for"); err != nil {
		return nil, err
	}
	n.QueryStart = int(w.Cur().Start)
	if n.Query, err = w.queryOnly(); err != nil {
		return nil, err
	}
	n.QueryEnd = int(w.Peek(-1).End)
	return n, nil
}

// queryOnly takes a query and stops at anything else.
func (w *parser) queryOnly() (*ast.Query, error) {
	if !w.Cur().Punct("(") && !w.IsQueryStart(w.P) && !w.Cur().Is("values") {
		return nil, w.Err()
	}
	return w.ParseQuery()
}

// fetchCursor takes FETCH and MOVE.
func (w *parser) fetchCursor() (ast.Stmt, error) {
	t := w.Next()
	n := &ast.Fetch{At: dialect.At(t), Move: t.Text == "move", Count: 1}
	if err := w.fetchDirection(n); err != nil {
		return nil, err
	}
	if !w.Word("from") {
		w.Word("in")
	}
	var err error
	n.Cursor, err = w.ColID()
	return n, err
}

// fetchDirection takes what stands before the cursor's name.
func (w *parser) fetchDirection(n *ast.Fetch) error {
	t := w.Cur()
	// A direction word alone before the end is the cursor's name.
	if w.P+1 == len(w.Toks)-1 && dialect.IsColID(t) {
		return nil
	}
	var err error
	switch {
	case t.Kind == dialect.Int || t.Op("-") || t.Op("+"):
		n.Count, err = w.signedCount()
	case w.Word("next"):
	case w.Word("prior"):
		n.Direction = ast.FetchBackward
	case w.Word("first"):
		n.Direction = ast.FetchAbsolute
	case w.Word("last"):
		n.Direction, n.Count = ast.FetchAbsolute, -1
	case w.Word("absolute"):
		n.Direction = ast.FetchAbsolute
		n.Count, err = w.signedCount()
	case w.Word("relative"):
		n.Direction = ast.FetchRelative
		n.Count, err = w.signedCount()
	case w.Word("all"):
		n.All = true
	case t.Is("forward"), t.Is("backward"):
		w.P++
		if t.Text == "backward" {
			n.Direction = ast.FetchBackward
		}
		switch k := w.Cur(); {
		case w.Word("all"):
			n.All = true
		case k.Kind == dialect.Int || k.Op("-") || k.Op("+"):
			n.Count, err = w.signedCount()
		}
	}
	return err
}

func (w *parser) signedCount() (int64, error) {
	neg := w.Op("-")
	if !neg {
		w.Op("+")
	}
	t := w.Cur()
	if t.Kind != dialect.Int {
		return 0, w.Err()
	}
	v, err := strconv.ParseInt(t.Text, 10, 32)
	if err != nil {
		return 0, w.Err()
	}
	w.P++
	if neg {
		v = -v
	}
	return v, nil
}

func (w *parser) closeCursor() (ast.Stmt, error) {
	t := w.Next()
	if w.Word("all") {
		return &ast.Close{At: dialect.At(t)}, nil
	}
	n, err := w.ColID()
	return &ast.Close{At: dialect.At(t), Name: n}, err
}

// prepare takes PREPARE name [(types)] AS statement.
func (w *parser) prepare() (ast.Stmt, error) {
	t := w.Next()
	if w.Cur().Is("transaction") && w.Peek(1).Kind == dialect.String {
		return nil, dialect.Refuse("two-phase commit", t)
	}
	n := &ast.Prepare{At: dialect.At(t)}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	if w.Punct("(") {
		for {
			tn, err := w.TypeName()
			if err != nil {
				return nil, err
			}
			n.Types = append(n.Types, tn)
			if !w.Punct(",") {
				break
			}
		}
		if err := w.Expect(")"); err != nil {
			return nil, err
		}
	}
	if err := w.ExpectWord("as"); err != nil {
		return nil, err
	}
	k := w.Cur()
	n.StmtStart = int(k.Start)
	if n.Stmt, err = w.statement(); err != nil {
		return nil, err
	}
	switch n.Stmt.(type) {
	case *ast.SelectStmt, *ast.Insert, *ast.Update, *ast.Delete:
	default:
		return nil, w.ErrAt(k)
	}
	n.StmtEnd = int(w.Peek(-1).End)
	return n, nil
}

func (w *parser) execute() (ast.Stmt, error) {
	t := w.Next()
	n := &ast.Execute{At: dialect.At(t)}
	var err error
	if n.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	if w.Punct("(") {
		if n.Args, err = w.ParseExprList(); err != nil {
			return nil, err
		}
		err = w.Expect(")")
	}
	return n, err
}

func (w *parser) deallocate() (ast.Stmt, error) {
	t := w.Next()
	if w.Cur().Is("prepare") && w.P+1 < len(w.Toks)-1 {
		w.P++
	}
	if w.Word("all") {
		return &ast.Deallocate{At: dialect.At(t)}, nil
	}
	n, err := w.ColID()
	return &ast.Deallocate{At: dialect.At(t), Name: n}, err
}
