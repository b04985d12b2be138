package dialect

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// call takes the arguments of a function call, and FILTER, WITHIN GROUP and
// OVER behind them. A call without modifiers of a one-part name travels as
// itself, any other as a node.
func (w *walker) call(t *Token, name []string) (level, error) {
	if err := w.enter(); err != nil {
		return 0, err
	}
	defer w.leave()
	w.p++ // the bracket
	m := &CallMark{Call: &ast.Call{At: at(t), Name: name}}
	head := len(w.b.pieces)
	w.b.ident(t.Start, name[len(name)-1])
	w.b.raw(t.Start, "(")
	if err := w.callArgs(m); err != nil {
		return 0, err
	}
	if err := w.callTail(m); err != nil {
		return 0, err
	}
	w.b.raw(t.Start, ")")
	c := m.Call
	if len(name) == 1 && !c.Star && !c.Variadic && !c.Distinct && c.Order == nil && !m.Filter && c.Over == nil {
		return levelPrimary, nil
	}
	w.callHead(head, m)
	return levelPrimary, nil
}

// callHead turns the head of a plain call, written at head, into a node's.
func (w *walker) callHead(head int, m *CallMark) {
	p := &w.b.pieces[head]
	*p = piece{text: nodeOpen, src: p.src, pre: p.pre, n: int32(w.b.add(m)), mode: pieceInt}
	if w.b.pieces[head+1].text = ","; operands(m) == 0 {
		w.b.pieces[head+1].text = ""
	}
}

// operands is how many operands the node of m has.
func operands(m *CallMark) int {
	n := m.Args + len(m.Call.Order)
	if m.Filter {
		n++
	}
	if o := m.Call.Over; o != nil {
		n += len(o.Partition) + len(o.Order)
		if o.Frame != nil {
			n += frameOperands(o.Frame)
		}
	}
	return n
}

func frameOperands(f *ast.Frame) int {
	n := 0
	if f.Start.Offset != nil {
		n++
	}
	if f.End.Offset != nil {
		n++
	}
	return n
}

// comma writes one before every operand but the first, which stands behind the
// head's.
func (w *walker) comma(m *CallMark) {
	if operands(m) > 0 {
		w.b.raw(w.cur().Start, ",")
	}
}

// callArgs takes what stands between the brackets.
func (w *walker) callArgs(m *CallMark) error {
	if w.punct(")") {
		return nil
	}
	if w.op("*") {
		m.Call.Star = true
		return w.expect(")")
	}
	switch {
	case w.word("distinct"):
		m.Call.Distinct = true
	case w.word("all"):
	}
	named := false
	for {
		t := w.cur()
		if w.word("variadic") {
			m.Call.Variadic = true
		}
		w.comma(m)
		if n := w.peek(1); (n.punct("=>") || n.punct(":=")) && isFuncName(w.cur()) {
			name, err := w.name(w.next())
			if err != nil {
				return err
			}
			w.p++
			named = true
			w.open(t.Start, &ast.NamedArg{At: at(t), Name: name})
			w.b.raw(t.Start, ",")
			if _, err := w.expr(precMin, false); err != nil {
				return err
			}
			w.b.raw(t.Start, ")")
		} else {
			if _, err := w.expr(precMin, false); err != nil {
				return err
			}
			if named {
				return errs.New(errs.Syntax, "positional argument cannot follow named argument").WithPos(int(t.Start) + 1)
			}
		}
		m.Args++
		if m.Call.Variadic || !w.punct(",") {
			break
		}
	}
	if w.words("order", "by") {
		if err := w.sortItems(&m.Call.Order, func() { w.b.raw(w.cur().Start, ",") }); err != nil {
			return err
		}
	}
	return w.expect(")")
}

// sortItems takes sort items, writing each expression as an operand behind what
// before writes, and keeping the rest in list.
func (w *walker) sortItems(list *[]*ast.SortItem, before func()) error {
	for {
		before()
		it := &ast.SortItem{At: at(w.cur())}
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.sortTail(it); err != nil {
			return err
		}
		*list = append(*list, it)
		if !w.punct(",") {
			return nil
		}
	}
}

// sortTail takes ASC, DESC, USING op and NULLS FIRST|LAST.
func (w *walker) sortTail(it *ast.SortItem) error {
	switch {
	case w.word("asc"):
	case w.word("desc"):
		it.Desc = true
	case w.word("using"):
		if w.cur().Kind != Op && !w.cur().is("operator") {
			return w.err()
		}
		schema, name, err := w.anyOperator()
		if err != nil {
			return err
		}
		it.Using = name
		if schema != "" {
			it.Using = schema + "." + name
		}
	}
	switch {
	case w.words("nulls", "first"):
		it.Nulls = ast.NullsFirst
	case w.words("nulls", "last"):
		it.Nulls = ast.NullsLast
	}
	return nil
}

// callTail takes WITHIN GROUP, FILTER, IGNORE NULLS and OVER behind a call.
func (w *walker) callTail(m *CallMark) error {
	c := m.Call
	if t := w.cur(); w.word("within") {
		if err := w.expectWord("group"); err != nil {
			return err
		}
		switch {
		case c.Order != nil:
			return errs.New(errs.Syntax, "cannot use multiple ORDER BY clauses with WITHIN GROUP").WithPos(int(t.Start) + 1)
		case c.Distinct:
			return errs.New(errs.Syntax, "cannot use DISTINCT with WITHIN GROUP").WithPos(int(t.Start) + 1)
		case c.Variadic:
			return errs.New(errs.Syntax, "cannot use VARIADIC with WITHIN GROUP").WithPos(int(t.Start) + 1)
		}
		if err := w.expect("("); err != nil {
			return err
		}
		if err := w.expectWords("order", "by"); err != nil {
			return err
		}
		c.WithinGroup = true
		if err := w.sortItems(&c.Order, func() { w.comma(m) }); err != nil {
			return err
		}
		if err := w.expect(")"); err != nil {
			return err
		}
	}
	if w.word("filter") {
		if err := w.expect("("); err != nil {
			return err
		}
		if err := w.expectWord("where"); err != nil {
			return err
		}
		w.comma(m)
		m.Filter = true
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.expect(")"); err != nil {
			return err
		}
	}
	if t := w.cur(); (t.is("ignore") || t.is("respect")) && w.peek(1).is("nulls") && w.peek(2).is("over") {
		w.p += 2
		c.Nulls = ast.NullsRespect
		if t.Text == "ignore" {
			c.Nulls = ast.NullsIgnore
		}
	}
	if t := w.cur(); w.word("over") {
		return w.over(m, t)
	}
	return nil
}

// over takes the window of a call.
func (w *walker) over(m *CallMark, t *Token) error {
	win := &ast.Window{At: at(t)}
	if !w.cur().punct("(") {
		n, err := w.colID()
		if err != nil {
			return err
		}
		win.Name = n
		m.Call.Over = win
		return nil
	}
	had := operands(m)
	m.Call.Over = win
	return w.windowSpec(win, func() {
		if had > 0 || operands(m) > 0 {
			w.b.raw(w.cur().Start, ",")
		}
		had++
	})
}

// windowSpec takes ([ref] PARTITION BY … ORDER BY … frame); before is called
// ahead of each operand written.
func (w *walker) windowSpec(win *ast.Window, before func()) error {
	if err := w.expect("("); err != nil {
		return err
	}
	win.Inline = true
	if t := w.cur(); isColID(t) && !isWindowWord(t, w.peek(1)) {
		win.Ref, _ = w.colID()
	}
	if w.words("partition", "by") {
		for {
			before()
			if _, err := w.expr(precMin, false); err != nil {
				return err
			}
			win.Partition = append(win.Partition, placeholder)
			if !w.punct(",") {
				break
			}
		}
	}
	if w.words("order", "by") {
		if err := w.sortItems(&win.Order, before); err != nil {
			return err
		}
	}
	if t := w.cur(); t.is("rows") || t.is("range") || t.is("groups") {
		if err := w.frame(win, before); err != nil {
			return err
		}
	}
	return w.expect(")")
}

// isWindowWord reports whether t begins a clause of a window rather than naming
// the window it builds upon.
func isWindowWord(t, n *Token) bool {
	switch {
	case t.is("partition"):
		return n.is("by")
	case t.is("rows"), t.is("range"), t.is("groups"):
		return !n.punct(")") && !n.is("partition") && !n.is("order")
	}
	return false
}

// frame takes ROWS|RANGE|GROUPS with its bounds and EXCLUDE.
func (w *walker) frame(win *ast.Window, before func()) error {
	t := w.next()
	f := &ast.Frame{At: at(t), End: ast.Bound{Kind: ast.CurrentRow}}
	switch t.Text {
	case "range":
		f.Mode = ast.FrameRange
	case "groups":
		f.Mode = ast.FrameGroups
	}
	var err error
	start := w.cur()
	end := start
	if w.word("between") {
		start = w.cur()
		if f.Start, err = w.frameBound(before); err != nil {
			return err
		}
		if err = w.expectWord("and"); err != nil {
			return err
		}
		end = w.cur()
		if f.End, err = w.frameBound(before); err != nil {
			return err
		}
	} else if f.Start, err = w.frameBound(before); err != nil {
		return err
	}
	if err := checkFrame(f, start, end); err != nil {
		return err
	}
	if w.word("exclude") {
		switch {
		case w.words("no", "others"):
		case w.words("current", "row"):
			f.Exclude = ast.ExcludeCurrentRow
		case w.word("group"):
			f.Exclude = ast.ExcludeGroup
		case w.word("ties"):
			f.Exclude = ast.ExcludeTies
		default:
			return w.err()
		}
	}
	win.Frame = f
	return nil
}

func checkFrame(f *ast.Frame, start, end *Token) error {
	bad := func(msg string) error {
		return errs.New(errs.Windowing, "%s", msg).WithPos(int(end.Start) + 1)
	}
	switch {
	case f.Start.Kind == ast.UnboundedFollowing:
		end = start
		return bad("frame start cannot be UNBOUNDED FOLLOWING")
	case f.End.Kind == ast.UnboundedPreceding:
		return bad("frame end cannot be UNBOUNDED PRECEDING")
	case f.Start.Kind == ast.CurrentRow && f.End.Kind == ast.Preceding:
		return bad("frame starting from current row cannot have preceding rows")
	case f.Start.Kind == ast.Following && (f.End.Kind == ast.Preceding || f.End.Kind == ast.CurrentRow):
		return bad("frame starting from following row cannot have preceding rows")
	}
	return nil
}

func (w *walker) frameBound(before func()) (ast.Bound, error) {
	switch {
	case w.words("unbounded", "preceding"):
		return ast.Bound{Kind: ast.UnboundedPreceding}, nil
	case w.words("unbounded", "following"):
		return ast.Bound{Kind: ast.UnboundedFollowing}, nil
	case w.words("current", "row"):
		return ast.Bound{Kind: ast.CurrentRow}, nil
	}
	before()
	if _, err := w.expr(precMin, false); err != nil {
		return ast.Bound{}, err
	}
	b := ast.Bound{Kind: ast.Preceding, Offset: placeholder}
	switch {
	case w.word("preceding"):
	case w.word("following"):
		b.Kind = ast.Following
	default:
		return b, w.err()
	}
	return b, nil
}

// specialCall takes the constructs with key words inside their brackets.
func (w *walker) specialCall(t *Token) (level, error) {
	if err := w.enter(); err != nil {
		return 0, err
	}
	defer w.leave()
	w.p++
	switch t.Text {
	case "exists":
		w.open(t.Start, &ast.Exists{At: at(t)})
		w.b.raw(t.Start, ",")
		if err := w.subquery(); err != nil {
			return 0, err
		}
		w.b.raw(t.Start, ")")
		return levelPrimary, nil
	case "row":
		return w.rowCall(t)
	case "coalesce", "greatest", "least", "nullif", "grouping":
		return levelPrimary, w.builtin(t)
	case "extract", "position", "substring", "overlay", "trim", "normalize":
		return levelPrimary, w.keywordCall(t)
	case "treat":
		return 0, refuse("TREAT", t)
	}
	if strings.HasPrefix(t.Text, "xml") {
		return 0, refuse("XML", t)
	}
	return 0, w.err()
}

func (w *walker) rowCall(t *Token) (level, error) {
	start := len(w.b.pieces)
	w.open(t.Start, &ast.Row{At: at(t), Explicit: true})
	w.p++
	n := 0
	for !w.punct(")") {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return 0, err
		}
		n++
		if !w.punct(",") {
			if err := w.expect(")"); err != nil {
				return 0, err
			}
			break
		}
		if w.cur().punct(")") {
			return 0, w.err()
		}
	}
	w.b.raw(t.Start, ")")
	if w.cur().is("overlaps") {
		return levelPrimary, w.overlaps(start, n)
	}
	return levelPrimary, nil
}

func (w *walker) builtin(t *Token) error {
	n := &ast.Builtin{At: at(t)}
	switch t.Text {
	case "greatest":
		n.Kind = ast.Greatest
	case "least":
		n.Kind = ast.Least
	case "nullif":
		n.Kind = ast.NullIf
	case "grouping":
		n.Kind = ast.Grouping
	}
	w.open(t.Start, n)
	w.p++
	count := 0
	for {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		count++
		if n.Kind == ast.NullIf && count == 2 && w.cur().punct(",") {
			return w.err()
		}
		if !w.punct(",") {
			break
		}
	}
	w.b.raw(t.Start, ")")
	if n.Kind == ast.NullIf && count == 1 {
		return w.err()
	}
	return w.expect(")")
}
