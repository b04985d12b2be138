package jsonpath

import (
	"strconv"
	"strings"

	"quern/storage/errs"
)

// depthMax bounds nesting.
const depthMax = 1000

type parser struct {
	toks     []token
	p, depth int
	// inFilter and inIndex count what makes @ and last legal here.
	inFilter, inIndex int
}

// Parse is jsonpath_in.
func Parse(s string) (*Path, error) {
	if strings.Trim(s, " \t\n\r\f") == "" {
		return nil, errs.New(errs.InvalidText, "invalid input syntax for type jsonpath: %q", s)
	}
	toks, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks}
	out := &Path{}
	if k := p.cur(); k.kind == tokWord && len(toks) > 2 {
		switch strings.ToLower(k.raw) {
		case "strict":
			out.Strict = true
			p.p++
		case "lax":
			p.p++
		}
	}
	if out.Expr, err = p.or(); err != nil {
		return nil, err
	}
	if p.cur().kind != tokEnd {
		return nil, p.err()
	}
	return out, nil
}

func (p *parser) cur() *token { return &p.toks[p.p] }

func (p *parser) err() error { return syntaxError(p.cur().raw) }

func (p *parser) sign(s string) bool {
	if k := p.cur(); k.kind == tokSign && k.raw == s {
		p.p++
		return true
	}
	return false
}

func (p *parser) word(s string) bool {
	if k := p.cur(); k.kind == tokWord && strings.EqualFold(k.raw, s) {
		p.p++
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	if !p.sign(s) {
		return p.err()
	}
	return nil
}

func (p *parser) or() (*Node, error) {
	if p.depth++; p.depth > depthMax {
		return nil, errs.New(errs.TooComplex, "stack depth limit exceeded")
	}
	defer func() { p.depth-- }()
	return p.logic("||", Or, func() (*Node, error) {
		return p.logic("&&", And, p.comparison)
	})
}

func (p *parser) logic(op string, kind Kind, part func() (*Node, error)) (*Node, error) {
	l, err := part()
	if err != nil {
		return nil, err
	}
	for {
		at := p.p
		if !p.sign(op) {
			return l, nil
		}
		if !l.Predicate() {
			p.p = at
			return nil, p.err()
		}
		r, err := part()
		if err != nil {
			return nil, err
		}
		if !r.Predicate() {
			return nil, p.err()
		}
		l = &Node{Kind: kind, Left: l, Right: r}
	}
}

var comparisons = map[string]Kind{"==": Equal, "!=": NotEqual, "<>": NotEqual, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual}

func (p *parser) comparison() (*Node, error) {
	l, err := p.sum()
	if err != nil || l.Predicate() {
		return l, err
	}
	if kind, ok := comparisons[p.cur().raw]; ok && p.cur().kind == tokSign {
		p.p++
		r, err := p.sum()
		if err != nil {
			return nil, err
		}
		if r.Predicate() {
			return nil, p.err()
		}
		return &Node{Kind: kind, Left: l, Right: r}, nil
	}
	switch {
	case p.word("starts"):
		if !p.word("with") {
			return nil, p.err()
		}
		k := *p.cur()
		p.p++
		switch k.kind {
		case tokString:
			return &Node{Kind: StartsWith, Left: l, Right: &Node{Kind: Text, Text: k.text}}, nil
		case tokVariable:
			return &Node{Kind: StartsWith, Left: l, Right: &Node{Kind: Variable, Text: k.text}}, nil
		}
		p.p--
		return nil, p.err()
	case p.word("like_regex"):
		return p.likeRegex(l)
	}
	return l, nil
}

func (p *parser) likeRegex(l *Node) (*Node, error) {
	n := &Node{Kind: LikeRegex, Left: l, Text: p.cur().text}
	if p.cur().kind != tokString {
		return nil, p.err()
	}
	p.p++
	if !p.word("flag") {
		return n, nil
	}
	if p.cur().kind != tokString {
		return nil, p.err()
	}
	given := p.cur().text
	p.p++
	for _, f := range given {
		switch {
		case !strings.ContainsRune("ismxq", f):
			return nil, errs.New(errs.Syntax, "invalid input syntax for type %s", "jsonpath").
				WithDetail("Unrecognized flag character \"%c\" in LIKE_REGEX predicate.", f)
		case f == 'x' && !strings.ContainsRune(given, 'q'):
			return nil, errs.New(errs.FeatureNotSupported, "XQuery \"x\" flag (expanded regular expressions) is not implemented")
		}
	}
	for _, f := range "ismxq" {
		if strings.ContainsRune(given, f) {
			n.Flags += string(f)
		}
	}
	return n, nil
}

func (p *parser) sum() (*Node, error) {
	return p.arithmetic(map[string]Kind{"+": Add, "-": Sub}, func() (*Node, error) {
		return p.arithmetic(map[string]Kind{"*": Mul, "/": Div, "%": Mod}, p.unary)
	})
}

func (p *parser) arithmetic(ops map[string]Kind, part func() (*Node, error)) (*Node, error) {
	l, err := part()
	if err != nil {
		return nil, err
	}
	for {
		kind, ok := ops[p.cur().raw]
		if !ok || p.cur().kind != tokSign || l.Predicate() {
			return l, nil
		}
		p.p++
		r, err := part()
		if err != nil {
			return nil, err
		}
		if r.Predicate() {
			return nil, p.err()
		}
		l = &Node{Kind: kind, Left: l, Right: r}
	}
}

func (p *parser) unary() (*Node, error) {
	if p.depth++; p.depth > depthMax {
		return nil, errs.New(errs.TooComplex, "stack depth limit exceeded")
	}
	defer func() { p.depth-- }()
	kind := Plus
	switch {
	case p.sign("+"):
	case p.sign("-"):
		kind = Minus
	default:
		return p.accessors()
	}
	x, err := p.unary()
	if err != nil {
		return nil, err
	}
	if x.Predicate() {
		return nil, p.err()
	}
	if x.Kind == Number && x.Next == nil {
		if kind == Minus {
			if text, neg := strings.CutPrefix(x.Text, "-"); neg {
				x.Text = text
			} else {
				x.Text = "-" + x.Text
			}
		}
		return x, nil
	}
	return &Node{Kind: kind, Left: x}, nil
}

// primary takes what accessors apply to; bracketed says that it stood in brackets.
func (p *parser) primary() (n *Node, bracketed bool, err error) {
	k := *p.cur()
	switch {
	case p.sign("("):
		if n, err = p.or(); err != nil {
			return nil, false, err
		}
		if err = p.expect(")"); err != nil {
			return nil, false, err
		}
		if n.Predicate() && p.word("is") {
			if !p.word("unknown") {
				return nil, false, p.err()
			}
			return &Node{Kind: IsUnknown, Left: n}, false, nil
		}
		return n, true, nil
	case p.sign("!"):
		at := p.p
		x, in, err := p.primary()
		if err != nil {
			return nil, false, err
		}
		if !x.Predicate() || !in && x.Kind != Exists {
			p.p = at
			return nil, false, p.err()
		}
		return &Node{Kind: Not, Left: x}, false, nil
	case p.sign("$"):
		return &Node{Kind: Root}, false, nil
	case p.sign("@"):
		if p.inFilter == 0 {
			return nil, false, errs.New(errs.Syntax, "@ is not allowed in root expressions")
		}
		return &Node{Kind: Current}, false, nil
	case k.kind == tokWord:
		return p.wordPrimary(k)
	}
	kinds := map[tokenKind]Kind{tokString: Text, tokVariable: Variable, tokInt: Number, tokNumber: Number}
	kind, ok := kinds[k.kind]
	if !ok {
		return nil, false, p.err()
	}
	p.p++
	return &Node{Kind: kind, Text: k.text}, false, nil
}

func (p *parser) wordPrimary(k token) (*Node, bool, error) {
	p.p++
	switch {
	case k.raw == "null":
		return &Node{Kind: Null, Text: k.raw}, false, nil
	case k.raw == "true", k.raw == "false":
		return &Node{Kind: Bool, Text: k.raw}, false, nil
	case strings.EqualFold(k.raw, "last"):
		if p.inIndex == 0 {
			return nil, false, errs.New(errs.Syntax, "LAST is allowed only in array subscripts")
		}
		return &Node{Kind: Last}, false, nil
	case strings.EqualFold(k.raw, "exists"):
		if err := p.expect("("); err != nil {
			return nil, false, err
		}
		x, err := p.or()
		if err != nil {
			return nil, false, err
		}
		if x.Predicate() {
			return nil, false, p.err()
		}
		return &Node{Kind: Exists, Left: x}, false, p.expect(")")
	}
	p.p--
	return nil, false, p.err()
}

func (p *parser) accessors() (*Node, error) {
	n, bracketed, err := p.primary()
	if err != nil || n.Predicate() && !bracketed {
		return n, err
	}
	if n.Next != nil || bracketed && n.Kind < Plus {
		// (path).key goes on where the path ends.
		tail := n
		for tail.Next != nil {
			tail = tail.Next
		}
		return n, p.chain(tail)
	}
	return n, p.chain(n)
}

// chain takes accessors behind tail.
func (p *parser) chain(tail *Node) error {
	for {
		next, err := p.accessor()
		if err != nil || next == nil {
			return err
		}
		tail.Next, tail = next, next
	}
}

func (p *parser) accessor() (*Node, error) {
	switch {
	case p.sign("."):
		return p.member()
	case p.sign("["):
		return p.index()
	case p.sign("?"):
		if err := p.expect("("); err != nil {
			return nil, err
		}
		p.inFilter++
		x, err := p.or()
		p.inFilter--
		if err != nil {
			return nil, err
		}
		if !x.Predicate() {
			return nil, p.err()
		}
		return &Node{Kind: Filter, Left: x}, p.expect(")")
	}
	return nil, nil
}

func (p *parser) member() (*Node, error) {
	k := *p.cur()
	switch {
	case p.sign("*"):
		return &Node{Kind: AnyKey}, nil
	case p.sign("**"):
		return p.levels()
	case k.kind == tokString:
		p.p++
		return &Node{Kind: Key, Text: k.text}, nil
	case k.kind != tokWord:
		return nil, p.err()
	}
	p.p++
	if !p.sign("(") {
		return &Node{Kind: Key, Text: k.text}, nil
	}
	for kind, name := range methods {
		if !strings.EqualFold(name, k.raw) {
			continue
		}
		n := &Node{Kind: kind}
		if s := p.cur(); kind == Datetime && s.kind == tokString {
			n.Left = &Node{Kind: Text, Text: s.text}
			p.p++
		}
		return n, p.expect(")")
	}
	p.p--
	return nil, p.err()
}

func (p *parser) levels() (*Node, error) {
	n := &Node{Kind: Any, To: Deepest}
	if !p.sign("{") {
		return n, nil
	}
	level := func(at *uint32) error {
		if p.word("last") {
			*at = Deepest
			return nil
		}
		v, err := strconv.ParseUint(p.cur().raw, 10, 32)
		if p.cur().kind != tokInt || err != nil {
			return p.err()
		}
		p.p++
		*at = uint32(v)
		return nil
	}
	if err := level(&n.From); err != nil {
		return nil, err
	}
	n.To = n.From
	if p.word("to") {
		if err := level(&n.To); err != nil {
			return nil, err
		}
	}
	return n, p.expect("}")
}

func (p *parser) index() (*Node, error) {
	if p.sign("*") {
		return &Node{Kind: All}, p.expect("]")
	}
	n := &Node{Kind: Index}
	p.inIndex++
	defer func() { p.inIndex-- }()
	for {
		var s Subscript
		var err error
		if s.From, err = p.sum(); err != nil {
			return nil, err
		}
		if p.word("to") {
			if s.To, err = p.sum(); err != nil {
				return nil, err
			}
		}
		if n.Subs = append(n.Subs, s); !p.sign(",") {
			return n, p.expect("]")
		}
	}
}
