package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// tailItem opens ORDER BY or writes a comma.
func (w *Walker) tailItem(tl *tail) {
	if tl.opened {
		w.b.raw(w.Cur().Start, ",")
		return
	}
	tl.opened = true
	w.b.raw(w.Cur().Start, " ORDER BY ")
}

// queryTail takes ORDER BY, LIMIT, OFFSET, FETCH and FOR, in PostgreSQL's
// freedom of order.
func (w *Walker) queryTail(tl *tail) error {
	if t := w.Cur(); t.Is("order") {
		w.P++
		if err := w.ExpectWord("by"); err != nil {
			return err
		}
		if tl.sorted {
			return errs.New(errs.Syntax, "multiple ORDER BY clauses not allowed").WithPos(int(w.Cur().Start) + 1)
		}
		tl.sorted = true
		if err := w.orderBy(tl); err != nil {
			return err
		}
	}
	here := tail{}
	for {
		t := w.Cur()
		var err error
		switch {
		case t.Is("limit"):
			err = w.limit(tl, &here)
		case t.Is("offset"):
			err = w.offset(tl, &here)
		case t.Is("fetch"):
			err = w.fetch(tl, &here)
		case t.Is("for"):
			err = w.locks(tl)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeTail closes the query with its limit mark.
func (w *Walker) writeTail(tl *tail) {
	if tl.mark == nil {
		return
	}
	if len(tl.mark.Locks) > 0 {
		w.tailItem(tl)
		w.b.ident(w.Cur().Start, MarkTail)
		w.b.numbered(w.Cur().Start, "(", w.b.add(&TailMark{Locks: tl.mark.Locks}))
		w.b.raw(w.Cur().Start, ")")
	}
}

func (w *Walker) orderBy(tl *tail) error {
	for {
		t := w.Cur()
		w.tailItem(tl)
		start := len(w.b.pieces)
		if err := w.ordinal(func() error { _, err := w.expr(precMin, false); return err }); err != nil {
			return err
		}
		it := &ast.SortItem{At: At(t)}
		if err := w.SortTail(it); err != nil {
			return err
		}
		switch {
		case it.Nulls != ast.NullsUnset || it.Using != "":
			w.b.wrap(start, t.Start, "`"+MarkSort+"`(", w.b.add(it))
			w.b.raw(t.Start, ")")
		case it.Desc:
			w.b.raw(t.Start, " DESC")
		}
		if !w.Punct(",") {
			return nil
		}
	}
}

// ordinal takes an item that may be the number of a target. A bare number gets
// brackets: without them the grammar loses its position.
func (w *Walker) ordinal(item func() error) error {
	t, p, start := w.Cur(), w.P, len(w.b.pieces)
	if err := item(); err != nil {
		return err
	}
	if t.Kind == Int && w.P == p+1 {
		w.b.wrap(start, t.Start, "(", -1)
		w.b.raw(t.Start, ")")
	}
	return nil
}

func multipleLimit(name string, t *Token) error {
	return errs.New(errs.Syntax, "multiple %s clauses not allowed", name).WithPos(int(t.Start) + 1)
}

// limitMark writes the mark of a limit or an offset; the operand follows.
func (w *Walker) limitMark(tl *tail, t *Token, m *TailMark) {
	w.tailItem(tl)
	w.b.ident(t.Start, MarkTail)
	w.b.numbered(t.Start, "(", w.b.add(m))
}

func (w *Walker) limit(tl, here *tail) error {
	t := w.Next()
	switch {
	case here.limit:
		return w.ErrAt(t)
	case tl.limit:
		return multipleLimit("LIMIT", w.Cur())
	}
	tl.limit, here.limit = true, true
	if w.Word("all") {
		return nil
	}
	w.limitMark(tl, t, &TailMark{HasLimit: true})
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if k := w.Cur(); k.Punct(",") && tl.opened {
		return errs.New(errs.Syntax, "LIMIT #,# syntax is not supported").WithPos(int(t.Start) + 1).
			WithHint("Use separate LIMIT and OFFSET clauses.")
	}
	return nil
}

func (w *Walker) offset(tl, here *tail) error {
	t := w.Next()
	switch {
	case here.offset:
		return w.ErrAt(t)
	case tl.offset:
		return multipleLimit("OFFSET", w.Cur())
	}
	tl.offset, here.offset = true, true
	w.limitMark(tl, t, &TailMark{HasOffset: true})
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if !w.Word("row") {
		w.Word("rows")
	}
	return nil
}

// fetch takes FETCH FIRST|NEXT [n] ROW|ROWS ONLY|WITH TIES.
func (w *Walker) fetch(tl, here *tail) error {
	t := w.Next()
	switch {
	case here.limit:
		return w.ErrAt(t)
	case tl.limit:
		return multipleLimit("LIMIT", w.Cur())
	}
	tl.limit, here.limit = true, true
	if !w.Word("first") && !w.Word("next") {
		return w.Err()
	}
	m := &TailMark{HasLimit: true}
	w.limitMark(tl, t, m)
	w.b.raw(t.Start, ",")
	if w.Cur().Is("row") || w.Cur().Is("rows") {
		w.b.raw(t.Start, "1")
	} else {
		start := len(w.b.pieces)
		sign := w.Cur()
		signed := sign.Op("+") || sign.Op("-")
		if signed {
			w.P++
			w.b.raw(sign.Start, " "+sign.Text)
			if k := w.Cur().Kind; k != Int && k != Number {
				return w.Err()
			}
		}
		if lv, err := w.primary(); err != nil {
			return err
		} else if !signed {
			w.parens(start, lv, levelOr)
		}
	}
	w.b.raw(t.Start, ")")
	if !w.Word("row") && !w.Word("rows") {
		return w.Err()
	}
	switch {
	case w.Word("only"):
	case w.Words("with", "ties"):
		m.WithTies = true
	default:
		return w.Err()
	}
	return nil
}

// locks takes FOR UPDATE and its weaker forms.
func (w *Walker) locks(tl *tail) error {
	t := w.Next()
	l := ast.Lock{At: At(t)}
	switch {
	case w.Word("update"):
	case w.Words("no", "key", "update"):
		l.Strength = ast.LockNoKeyUpdate
	case w.Word("share"):
		l.Strength = ast.LockShare
	case w.Words("key", "share"):
		l.Strength = ast.LockKeyShare
	case w.Words("read", "only"):
		return nil
	default:
		return w.Err()
	}
	if w.Word("of") {
		for {
			n, err := w.Qualified()
			if err != nil {
				return err
			}
			l.Of = append(l.Of, n)
			if !w.Punct(",") {
				break
			}
		}
	}
	switch {
	case w.Word("nowait"):
		l.NoWait = true
	case w.Words("skip", "locked"):
		l.SkipLocked = true
	}
	if tl.mark == nil {
		tl.mark = &TailMark{}
	}
	tl.mark.Locks = append(tl.mark.Locks, l)
	return nil
}
