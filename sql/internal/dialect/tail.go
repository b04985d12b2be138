package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// tailItem opens ORDER BY or writes a comma.
func (w *walker) tailItem(tl *tail) {
	if tl.opened {
		w.b.raw(w.cur().Start, ",")
		return
	}
	tl.opened = true
	w.b.raw(w.cur().Start, " ORDER BY ")
}

// queryTail takes ORDER BY, LIMIT, OFFSET, FETCH and FOR, in PostgreSQL's
// freedom of order.
func (w *walker) queryTail(tl *tail) error {
	if t := w.cur(); t.is("order") {
		w.p++
		if err := w.expectWord("by"); err != nil {
			return err
		}
		if tl.sorted {
			return errs.New(errs.Syntax, "multiple ORDER BY clauses not allowed").WithPos(int(w.cur().Start) + 1)
		}
		tl.sorted = true
		if err := w.orderBy(tl); err != nil {
			return err
		}
	}
	here := tail{}
	for {
		t := w.cur()
		var err error
		switch {
		case t.is("limit"):
			err = w.limit(tl, &here)
		case t.is("offset"):
			err = w.offset(tl, &here)
		case t.is("fetch"):
			err = w.fetch(tl, &here)
		case t.is("for"):
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
func (w *walker) writeTail(tl *tail) {
	if tl.mark == nil {
		return
	}
	if len(tl.mark.Locks) > 0 {
		w.tailItem(tl)
		w.b.ident(w.cur().Start, MarkTail)
		w.b.numbered(w.cur().Start, "(", w.b.add(&TailMark{Locks: tl.mark.Locks}))
		w.b.raw(w.cur().Start, ")")
	}
}

func (w *walker) orderBy(tl *tail) error {
	for {
		t := w.cur()
		w.tailItem(tl)
		start := len(w.b.pieces)
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		it := &ast.SortItem{At: at(t)}
		if err := w.sortTail(it); err != nil {
			return err
		}
		switch {
		case it.Nulls != ast.NullsUnset || it.Using != "":
			w.b.wrap(start, t.Start, "`"+MarkSort+"`(", w.b.add(it))
			w.b.raw(t.Start, ")")
		case it.Desc:
			w.b.raw(t.Start, " DESC")
		}
		if !w.punct(",") {
			return nil
		}
	}
}

func multipleLimit(name string, t *Token) error {
	return errs.New(errs.Syntax, "multiple %s clauses not allowed", name).WithPos(int(t.Start) + 1)
}

// limitMark writes the mark of a limit or an offset; the operand follows.
func (w *walker) limitMark(tl *tail, t *Token, m *TailMark) {
	w.tailItem(tl)
	w.b.ident(t.Start, MarkTail)
	w.b.numbered(t.Start, "(", w.b.add(m))
}

func (w *walker) limit(tl, here *tail) error {
	t := w.next()
	switch {
	case here.limit:
		return w.errAt(t)
	case tl.limit:
		return multipleLimit("LIMIT", w.cur())
	}
	tl.limit, here.limit = true, true
	if w.word("all") {
		return nil
	}
	w.limitMark(tl, t, &TailMark{HasLimit: true})
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if k := w.cur(); k.punct(",") && tl.opened {
		return errs.New(errs.Syntax, "LIMIT #,# syntax is not supported").WithPos(int(t.Start) + 1).
			WithHint("Use separate LIMIT and OFFSET clauses.")
	}
	return nil
}

func (w *walker) offset(tl, here *tail) error {
	t := w.next()
	switch {
	case here.offset:
		return w.errAt(t)
	case tl.offset:
		return multipleLimit("OFFSET", w.cur())
	}
	tl.offset, here.offset = true, true
	w.limitMark(tl, t, &TailMark{HasOffset: true})
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if !w.word("row") {
		w.word("rows")
	}
	return nil
}

// fetch takes FETCH FIRST|NEXT [n] ROW|ROWS ONLY|WITH TIES.
func (w *walker) fetch(tl, here *tail) error {
	t := w.next()
	switch {
	case here.limit:
		return w.errAt(t)
	case tl.limit:
		return multipleLimit("LIMIT", w.cur())
	}
	tl.limit, here.limit = true, true
	if !w.word("first") && !w.word("next") {
		return w.err()
	}
	m := &TailMark{HasLimit: true}
	w.limitMark(tl, t, m)
	w.b.raw(t.Start, ",")
	if w.cur().is("row") || w.cur().is("rows") {
		w.b.raw(t.Start, "1")
	} else {
		start := len(w.b.pieces)
		sign := w.cur()
		signed := sign.op("+") || sign.op("-")
		if signed {
			w.p++
			w.b.raw(sign.Start, " "+sign.Text)
			if k := w.cur().Kind; k != Int && k != Number {
				return w.err()
			}
		}
		if lv, err := w.primary(); err != nil {
			return err
		} else if !signed {
			w.parens(start, lv, levelOr)
		}
	}
	w.b.raw(t.Start, ")")
	if !w.word("row") && !w.word("rows") {
		return w.err()
	}
	switch {
	case w.word("only"):
	case w.words("with", "ties"):
		m.WithTies = true
	default:
		return w.err()
	}
	return nil
}

// locks takes FOR UPDATE and its weaker forms.
func (w *walker) locks(tl *tail) error {
	t := w.next()
	l := ast.Lock{At: at(t)}
	switch {
	case w.word("update"):
	case w.words("no", "key", "update"):
		l.Strength = ast.LockNoKeyUpdate
	case w.word("share"):
		l.Strength = ast.LockShare
	case w.words("key", "share"):
		l.Strength = ast.LockKeyShare
	case w.words("read", "only"):
		return nil
	default:
		return w.err()
	}
	if w.word("of") {
		for {
			n, err := w.qualified()
			if err != nil {
				return err
			}
			l.Of = append(l.Of, n)
			if !w.punct(",") {
				break
			}
		}
	}
	switch {
	case w.word("nowait"):
		l.NoWait = true
	case w.words("skip", "locked"):
		l.SkipLocked = true
	}
	if tl.mark == nil {
		tl.mark = &TailMark{}
	}
	tl.mark.Locks = append(tl.mark.Locks, l)
	return nil
}
