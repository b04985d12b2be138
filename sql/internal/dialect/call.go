package dialect

import (
	"strings"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// call takes the arguments of a function call, and FILTER, WITHIN GROUP and
// OVER behind them. A call without modifiers of a one-part name travels as
// itself, any other as a node.
func (w *Walker) call(t *Token, name []string) (level, error) {
	if err := w.Enter(); err != nil {
		return 0, err
	}
	defer w.Leave()
	w.P++ // the bracket
	m := &CallMark{Call: &ast.Call{At: At(t), Name: name}}
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
func (w *Walker) callHead(head int, m *CallMark) {
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
func (w *Walker) comma(m *CallMark) {
	if operands(m) > 0 {
		w.b.raw(w.Cur().Start, ",")
	}
}

// callArgs takes what stands between the brackets.
func (w *Walker) callArgs(m *CallMark) error {
	if w.Punct(")") {
		return nil
	}
	if w.Op("*") {
		m.Call.Star = true
		return w.Expect(")")
	}
	switch {
	case w.Word("distinct"):
		m.Call.Distinct = true
	case w.Word("all"):
	}
	named := false
	for {
		t := w.Cur()
		if w.Word("variadic") {
			m.Call.Variadic = true
		}
		w.comma(m)
		if n := w.Peek(1); (n.Punct("=>") || n.Punct(":=")) && isFuncName(w.Cur()) {
			name, err := w.Name(w.Next())
			if err != nil {
				return err
			}
			w.P++
			named = true
			w.open(t.Start, &ast.NamedArg{At: At(t), Name: name})
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
		if m.Call.Variadic || !w.Punct(",") {
			break
		}
	}
	if w.Words("order", "by") {
		if err := w.sortItems(&m.Call.Order, func() { w.b.raw(w.Cur().Start, ",") }); err != nil {
			return err
		}
	}
	return w.Expect(")")
}

// sortItems takes sort items, writing each expression as an operand behind what
// before writes, and keeping the rest in list.
func (w *Walker) sortItems(list *[]*ast.SortItem, before func()) error {
	for {
		before()
		it := &ast.SortItem{At: At(w.Cur())}
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.SortTail(it); err != nil {
			return err
		}
		*list = append(*list, it)
		if !w.Punct(",") {
			return nil
		}
	}
}

// SortTail takes ASC, DESC, USING op and NULLS FIRST|LAST.
func (w *Walker) SortTail(it *ast.SortItem) error {
	switch {
	case w.Word("asc"):
	case w.Word("desc"):
		it.Desc = true
	case w.Word("using"):
		if w.Cur().Kind != Op && !w.Cur().Is("operator") {
			return w.Err()
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
	case w.Words("nulls", "first"):
		it.Nulls = ast.NullsFirst
	case w.Words("nulls", "last"):
		it.Nulls = ast.NullsLast
	}
	return nil
}

// callTail takes WITHIN GROUP, FILTER, IGNORE NULLS and OVER behind a call.
func (w *Walker) callTail(m *CallMark) error {
	c := m.Call
	if t := w.Cur(); w.Word("within") {
		if err := w.ExpectWord("group"); err != nil {
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
		if err := w.Expect("("); err != nil {
			return err
		}
		if err := w.ExpectWords("order", "by"); err != nil {
			return err
		}
		c.WithinGroup = true
		if err := w.sortItems(&c.Order, func() { w.comma(m) }); err != nil {
			return err
		}
		if err := w.Expect(")"); err != nil {
			return err
		}
	}
	if w.Word("filter") {
		if err := w.Expect("("); err != nil {
			return err
		}
		if err := w.ExpectWord("where"); err != nil {
			return err
		}
		w.comma(m)
		m.Filter = true
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.Expect(")"); err != nil {
			return err
		}
	}
	if t := w.Cur(); (t.Is("ignore") || t.Is("respect")) && w.Peek(1).Is("nulls") && w.Peek(2).Is("over") {
		w.P += 2
		c.Nulls = ast.NullsRespect
		if t.Text == "ignore" {
			c.Nulls = ast.NullsIgnore
		}
	}
	if t := w.Cur(); w.Word("over") {
		return w.over(m, t)
	}
	return nil
}

// over takes the window of a call.
func (w *Walker) over(m *CallMark, t *Token) error {
	win := &ast.Window{At: At(w.Cur())}
	if !w.Cur().Punct("(") {
		n, err := w.ColID()
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
			w.b.raw(w.Cur().Start, ",")
		}
		had++
	})
}

// windowSpec takes ([ref] PARTITION BY … ORDER BY … frame); before is called
// ahead of each operand written.
func (w *Walker) windowSpec(win *ast.Window, before func()) error {
	if err := w.Expect("("); err != nil {
		return err
	}
	win.Inline = true
	if t := w.Cur(); IsColID(t) && !isWindowWord(t, w.Peek(1)) {
		win.Ref, _ = w.ColID()
	}
	if w.Words("partition", "by") {
		for {
			before()
			if _, err := w.expr(precMin, false); err != nil {
				return err
			}
			win.Partition = append(win.Partition, placeholder)
			if !w.Punct(",") {
				break
			}
		}
	}
	if w.Words("order", "by") {
		if err := w.sortItems(&win.Order, before); err != nil {
			return err
		}
	}
	if t := w.Cur(); t.Is("rows") || t.Is("range") || t.Is("groups") {
		if err := w.frame(win, before); err != nil {
			return err
		}
	}
	return w.Expect(")")
}

// isWindowWord reports whether t begins a clause of a window rather than naming
// the window it builds upon.
func isWindowWord(t, n *Token) bool {
	switch {
	case t.Is("partition"):
		return n.Is("by")
	case t.Is("rows"), t.Is("range"), t.Is("groups"):
		return !n.Punct(")") && !n.Is("partition") && !n.Is("order")
	}
	return false
}

// frame takes ROWS|RANGE|GROUPS with its bounds and EXCLUDE.
func (w *Walker) frame(win *ast.Window, before func()) error {
	t := w.Next()
	f := &ast.Frame{At: At(t), End: ast.Bound{Kind: ast.CurrentRow}}
	switch t.Text {
	case "range":
		f.Mode = ast.FrameRange
	case "groups":
		f.Mode = ast.FrameGroups
	}
	var err error
	start := w.Cur()
	end := start
	if w.Word("between") {
		start = w.Cur()
		if f.Start, err = w.frameBound(before); err != nil {
			return err
		}
		if err = w.ExpectWord("and"); err != nil {
			return err
		}
		end = w.Cur()
		if f.End, err = w.frameBound(before); err != nil {
			return err
		}
	} else if f.Start, err = w.frameBound(before); err != nil {
		return err
	}
	if err := checkFrame(f, start, end); err != nil {
		return err
	}
	if w.Word("exclude") {
		switch {
		case w.Words("no", "others"):
		case w.Words("current", "row"):
			f.Exclude = ast.ExcludeCurrentRow
		case w.Word("group"):
			f.Exclude = ast.ExcludeGroup
		case w.Word("ties"):
			f.Exclude = ast.ExcludeTies
		default:
			return w.Err()
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

func (w *Walker) frameBound(before func()) (ast.Bound, error) {
	switch {
	case w.Words("unbounded", "preceding"):
		return ast.Bound{Kind: ast.UnboundedPreceding}, nil
	case w.Words("unbounded", "following"):
		return ast.Bound{Kind: ast.UnboundedFollowing}, nil
	case w.Words("current", "row"):
		return ast.Bound{Kind: ast.CurrentRow}, nil
	}
	before()
	if _, err := w.expr(precMin, false); err != nil {
		return ast.Bound{}, err
	}
	b := ast.Bound{Kind: ast.Preceding, Offset: placeholder}
	switch {
	case w.Word("preceding"):
	case w.Word("following"):
		b.Kind = ast.Following
	default:
		return b, w.Err()
	}
	return b, nil
}

// specialCall takes the constructs with key words inside their brackets.
func (w *Walker) specialCall(t *Token) (level, error) {
	if err := w.Enter(); err != nil {
		return 0, err
	}
	defer w.Leave()
	w.P++
	switch t.Text {
	case "exists":
		w.open(t.Start, &ast.Exists{At: At(t)})
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
		return 0, Refuse("TREAT", t)
	}
	if strings.HasPrefix(t.Text, "xml") {
		return 0, Refuse("XML", t)
	}
	return 0, w.Err()
}

func (w *Walker) rowCall(t *Token) (level, error) {
	start := len(w.b.pieces)
	w.open(t.Start, &ast.Row{At: At(t), Explicit: true})
	w.P++
	n := 0
	for !w.Punct(")") {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return 0, err
		}
		n++
		if !w.Punct(",") {
			if err := w.Expect(")"); err != nil {
				return 0, err
			}
			break
		}
		if w.Cur().Punct(")") {
			return 0, w.Err()
		}
	}
	w.b.raw(t.Start, ")")
	if w.Cur().Is("overlaps") {
		return levelPrimary, w.overlaps(start, n)
	}
	return levelPrimary, nil
}

func (w *Walker) builtin(t *Token) error {
	n := &ast.Builtin{At: At(t)}
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
	w.P++
	count := 0
	for {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		count++
		if n.Kind == ast.NullIf && count == 2 && w.Cur().Punct(",") {
			return w.Err()
		}
		if !w.Punct(",") {
			break
		}
	}
	w.b.raw(t.Start, ")")
	if n.Kind == ast.NullIf && count == 1 {
		return w.Err()
	}
	return w.Expect(")")
}
