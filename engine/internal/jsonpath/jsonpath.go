// Package jsonpath evaluates PostgreSQL's jsonpath on jsonb texts.
//
//	Compile(text) ─► Query ─ Run(doc, vars, yield) ─► items, one by one
//
// A step takes one item and yields none, one or several to the step behind it
// (exec, next). In lax mode arrays are unwrapped where a step wants their elements
// and missing members are nothing; in strict mode both are errors. Predicates are
// three-valued: an error inside one is unknown.
//
// An item is the normal text of a jsonb value: slices of the document, or new text
// for what was computed.
package jsonpath

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"quern/engine/internal/are"
	"quern/engine/internal/jsonscan"
	"quern/storage/errs"
	"quern/storage/types"
	path "quern/storage/types/jsonpath"
)

// SQLSTATEs of SQL/JSON.
const (
	codeNoArray      errs.Code = "22039"
	codeNoMember     errs.Code = "2203A"
	codeNoNumber     errs.Code = "2203B"
	codeNoObject     errs.Code = "2203C"
	codeNotNumeric   errs.Code = "22036"
	codeNotSingle    errs.Code = "22038"
	codeBadSubscript errs.Code = "22033"
)

// Query is a compiled path. It may be used by one goroutine at a time.
type Query struct {
	path *path.Path
	regs map[*path.Node]*regexp.Regexp
}

// Compile reads a path.
func Compile(text string) (*Query, error) {
	p, err := path.Parse(text)
	if err != nil {
		return nil, err
	}
	q := &Query{path: p, regs: map[*path.Node]*regexp.Regexp{}}
	return q, q.compile(p.Expr)
}

// compile prepares the patterns of like_regex.
func (q *Query) compile(n *path.Node) (err error) {
	for ; n != nil; n = n.Next {
		if n.Kind == path.LikeRegex {
			if q.regs[n], err = pattern(n); err != nil {
				return err
			}
		}
		parts := []*path.Node{n.Left, n.Right}
		for _, s := range n.Subs {
			parts = append(parts, s.From, s.To)
		}
		for _, x := range parts {
			if err := q.compile(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func pattern(n *path.Node) (*regexp.Regexp, error) {
	if strings.Contains(n.Flags, "q") {
		text := regexp.QuoteMeta(n.Text)
		if strings.Contains(n.Flags, "i") {
			text = "(?i)" + text
		}
		return regexp.Compile(text)
	}
	flags := ""
	if strings.Contains(n.Flags, "i") {
		flags += "i"
	}
	switch s, m := strings.Contains(n.Flags, "s"), strings.Contains(n.Flags, "m"); {
	case s && m:
		flags += "w"
	case m:
		flags += "n"
	case !s:
		flags += "p"
	}
	return are.Compile(n.Text, flags)
}

// Run calls yield for every item until it returns false.
func (q *Query) Run(doc, vars []byte, yield func(item []byte) bool) error {
	if kind(vars) != '{' {
		return errs.New(errs.InvalidParameterValue, `"vars" argument is not an object`).
			WithDetail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
	}
	x := &run{q: q, root: doc, vars: vars, lax: !q.path.Strict, forgiving: !q.path.Strict, size: -1}
	_, err := x.exec(q.path.Expr, doc, x.lax, yield)
	return err
}

// Lax tells the mode of the path: in lax mode the first item decides EXISTS.
func (q *Query) Lax() bool { return !q.path.Strict }

type run struct {
	q          *Query
	root, vars []byte
	cur        []byte // @
	lax        bool
	forgiving  bool // structural errors are nothing
	size       int  // of the innermost array that is subscripted, -1 = none
}

type yieldFunc = func([]byte) bool

// kind is what a value is: { [ " t f n or 0.
func kind(v []byte) byte {
	switch v[0] {
	case '{', '[', '"', 't', 'f', 'n':
		return v[0]
	}
	return '0'
}

func isBool(v []byte) bool { return v[0] == 't' || v[0] == 'f' }

// next goes on with what stands behind n.
func (x *run) next(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	if n.Next == nil {
		return yield(v), nil
	}
	return x.exec(n.Next, v, x.lax, yield)
}

// exec runs n and all behind it on v; unwrap says that arrays may be taken apart.
// It returns false when yield did. (One case per kind; longer than usual.)
func (x *run) exec(n *path.Node, v []byte, unwrap bool, yield yieldFunc) (bool, error) {
	k := kind(v)
	switch n.Kind {
	case path.Null, path.Bool, path.Number, path.Text, path.Variable:
		c, err := x.constant(n)
		if err != nil {
			return false, err
		}
		return x.next(n, c, yield)
	case path.Root:
		return x.next(n, x.root, yield)
	case path.Current:
		return x.next(n, x.cur, yield)
	case path.Last:
		return x.next(n, strconv.AppendInt(nil, int64(x.size-1), 10), yield)
	case path.Key:
		switch {
		case k == '{':
			if m, ok := jsonscan.Field(v, []byte(n.Text)); ok {
				return x.next(n, m, yield)
			}
			return true, x.strict(codeNoMember, "JSON object does not contain key %q", n.Text)
		case unwrap && k == '[':
			return x.unwrapped(n, v, yield)
		}
		return true, x.strict(codeNoMember, "jsonpath member accessor can only be applied to an object")
	case path.AnyKey:
		switch {
		case k == '{':
			return x.each(v, func(m []byte) (bool, error) { return x.next(n, m, yield) })
		case unwrap && k == '[':
			return x.unwrapped(n, v, yield)
		}
		return true, x.strict(codeNoObject, "jsonpath wildcard member accessor can only be applied to an object")
	case path.All:
		switch {
		case k == '[':
			return x.each(v, func(m []byte) (bool, error) { return x.next(n, m, yield) })
		case x.lax:
			return x.next(n, v, yield)
		}
		return true, x.strict(codeNoArray, "jsonpath wildcard array accessor can only be applied to an array")
	case path.Index:
		return x.index(n, v, yield)
	case path.Any:
		return x.any(n, v, yield)
	case path.Filter:
		if unwrap && k == '[' {
			return x.unwrapped(n, v, yield)
		}
		ok, err := x.nested(n.Left, v)
		if err != nil || ok != yes {
			return true, err
		}
		return x.next(n, v, yield)
	case path.Add, path.Sub, path.Mul, path.Div, path.Mod:
		return x.binary(n, v, yield)
	case path.Plus, path.Minus:
		return x.unary(n, v, yield)
	case path.Type, path.Size, path.Abs, path.Floor, path.Ceiling, path.Double, path.KeyValue, path.Datetime:
		return x.method(n, v, unwrap, yield)
	}
	ok, err := x.test(n, v)
	if err != nil {
		return false, err
	}
	return x.next(n, [...][]byte{[]byte("false"), []byte("true"), []byte("null")}[ok], yield)
}

// strict is an error, or nothing where the mode forgives.
func (x *run) strict(code errs.Code, format string, args ...any) error {
	if x.forgiving {
		return nil
	}
	return errs.New(code, format, args...)
}

// each calls f for the elements of an array or the values of an object.
func (x *run) each(v []byte, f func([]byte) (bool, error)) (more bool, err error) {
	more = true
	call := func(m []byte) bool {
		more, err = f(m)
		return more && err == nil
	}
	if kind(v) == '[' {
		jsonscan.EachElement(v, call)
	} else {
		jsonscan.EachMember(v, func(_, m []byte) bool { return call(m) })
	}
	return more, err
}

// unwrapped runs n on the elements of an array.
func (x *run) unwrapped(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	return x.each(v, func(m []byte) (bool, error) { return x.exec(n, m, false, yield) })
}

func (x *run) constant(n *path.Node) ([]byte, error) {
	switch n.Kind {
	case path.Text:
		return quoted(n.Text), nil
	case path.Variable:
		v, ok := jsonscan.Field(x.vars, []byte(n.Text))
		if !ok {
			return nil, errs.New(errs.UndefinedObject, "could not find jsonpath variable %q", n.Text)
		}
		return v, nil
	}
	return []byte(n.Text), nil
}

func quoted(s string) []byte {
	var b strings.Builder
	path.Quote(&b, s)
	return []byte(b.String())
}

// any is .** and .**{from to to}.
func (x *run) any(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	more := true
	if n.From == 0 {
		save := x.forgiving
		x.forgiving = true
		var err error
		more, err = x.next(n, v, yield)
		x.forgiving = save
		if err != nil || !more {
			return false, err
		}
	}
	if k := kind(v); k != '{' && k != '[' {
		return true, nil
	}
	return x.levels(n, v, 1, yield)
}

func (x *run) levels(n *path.Node, v []byte, level uint32, yield yieldFunc) (bool, error) {
	if level > n.To {
		return true, nil
	}
	return x.each(v, func(m []byte) (bool, error) {
		k := kind(m)
		inner := k == '{' || k == '['
		if level >= n.From || n.From == path.Deepest && n.To == path.Deepest && !inner {
			save := x.forgiving
			x.forgiving = true
			more, err := x.next(n, m, yield)
			x.forgiving = save
			if err != nil || !more {
				return false, err
			}
		}
		if !inner || level >= n.To {
			return true, nil
		}
		return x.levels(n, m, level+1, yield)
	})
}

func (x *run) index(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	elems := [][]byte{v}
	switch {
	case kind(v) == '[':
		elems = elems[:0]
		jsonscan.EachElement(v, func(m []byte) bool { elems = append(elems, m); return true })
	case !x.lax:
		return true, x.strict(codeNoArray, "jsonpath array accessor can only be applied to an array")
	}
	save := x.size
	defer func() { x.size = save }()
	for _, s := range n.Subs {
		x.size = len(elems)
		from, err := x.subscript(s.From, v)
		if err != nil {
			return false, err
		}
		to := from
		if s.To != nil {
			if to, err = x.subscript(s.To, v); err != nil {
				return false, err
			}
		}
		if !x.forgiving && (from < 0 || from > to || to >= len(elems)) {
			return false, errs.New(codeBadSubscript, "jsonpath array subscript is out of bounds")
		}
		for i := max(from, 0); i <= min(to, len(elems)-1); i++ {
			if more, err := x.next(n, elems[i], yield); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}

func (x *run) subscript(n *path.Node, v []byte) (int, error) {
	var got [][]byte
	if _, err := x.exec(n, v, x.lax, func(m []byte) bool { got = append(got, m); return true }); err != nil {
		return 0, err
	}
	if len(got) != 1 || kind(got[0]) != '0' {
		return 0, errs.New(codeBadSubscript, "jsonpath array subscript is not a single numeric value")
	}
	num, err := types.ParseNum(string(got[0]))
	if err != nil {
		return 0, err
	}
	whole, err := num.Trunc(0)
	if err == nil {
		var i int64
		if i, err = whole.Int64(types.Int4); err == nil {
			return int(i), nil
		}
	}
	return 0, errs.New(codeBadSubscript, "jsonpath array subscript is out of integer range")
}

// all are the items of an operand; in lax mode arrays are taken apart.
func (x *run) all(n *path.Node, v []byte, unwrap bool) (out [][]byte, err error) {
	_, err = x.exec(n, v, x.lax, func(m []byte) bool {
		if unwrap && x.lax && kind(m) == '[' {
			jsonscan.EachElement(m, func(e []byte) bool { out = append(out, e); return true })
			return true
		}
		out = append(out, m)
		return true
	})
	return out, err
}

func (x *run) operand(n *path.Node, v []byte, side, sign string) (types.Num, error) {
	list, err := x.all(n, v, true)
	if err != nil {
		return types.Num{}, err
	}
	if len(list) != 1 || kind(list[0]) != '0' {
		return types.Num{}, errs.New(codeNotSingle, "%s operand of jsonpath operator %s is not a single numeric value", side, sign)
	}
	return types.ParseNum(string(list[0]))
}

func (x *run) binary(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	l, err := x.operand(n.Left, v, "left", n.Kind.Symbol())
	if err != nil {
		return false, err
	}
	r, err := x.operand(n.Right, v, "right", n.Kind.Symbol())
	if err != nil {
		return false, err
	}
	f := map[path.Kind]func(types.Num, types.Num) (types.Num, error){path.Add: types.Num.Add, path.Sub: types.Num.Sub,
		path.Mul: types.Num.Mul, path.Div: types.Num.Div, path.Mod: types.Num.Mod}[n.Kind]
	out, err := f(l, r)
	if err != nil {
		return false, err
	}
	return x.next(n, out.AppendText(nil), yield)
}

func (x *run) unary(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	list, err := x.all(n.Left, v, true)
	if err != nil {
		return false, err
	}
	for _, m := range list {
		if kind(m) != '0' {
			return false, errs.New(codeNoNumber, "operand of unary jsonpath operator %s is not a numeric value", n.Kind.Symbol())
		}
		if n.Kind == path.Minus {
			num, err := types.ParseNum(string(m))
			if err != nil {
				return false, err
			}
			m = num.Neg().AppendText(nil)
		}
		if more, err := x.next(n, m, yield); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (x *run) method(n *path.Node, v []byte, unwrap bool, yield yieldFunc) (bool, error) {
	k := kind(v)
	if unwrap && k == '[' && n.Kind != path.Type && n.Kind != path.Size {
		return x.unwrapped(n, v, yield)
	}
	name := n.Kind.Symbol()
	switch n.Kind {
	case path.Type:
		t := map[byte]string{'{': "object", '[': "array", '"': "string", 't': "boolean", 'f': "boolean", 'n': "null", '0': "number"}[k]
		return x.next(n, quoted(t), yield)
	case path.Size:
		size := 1
		if k == '[' {
			size = 0
			jsonscan.EachElement(v, func([]byte) bool { size++; return true })
		} else if !x.lax {
			if err := x.strict(codeNoArray, "jsonpath item method .%s() can only be applied to an array", name); err != nil {
				return false, err
			}
		}
		return x.next(n, strconv.AppendInt(nil, int64(size), 10), yield)
	case path.Double:
		out, err := double(v, k)
		if err != nil {
			return false, err
		}
		return x.next(n, out, yield)
	case path.KeyValue:
		return x.keyValue(n, v, yield)
	case path.Datetime:
		return false, errs.NotSupported("jsonpath item method .datetime()")
	}
	if k != '0' {
		return false, errs.New(codeNotNumeric, "jsonpath item method .%s() can only be applied to a numeric value", name)
	}
	num, err := types.ParseNum(string(v))
	if err != nil {
		return false, err
	}
	switch n.Kind {
	case path.Abs:
		num = num.Abs()
	case path.Floor:
		num, err = num.Floor()
	default:
		num, err = num.Ceil()
	}
	if err != nil {
		return false, err
	}
	return x.next(n, num.AppendText(nil), yield)
}

// double is .double(): a number or a string as float8.
func double(v []byte, k byte) ([]byte, error) {
	text := string(v)
	switch k {
	case '0':
	case '"':
		text = string(types.UnquoteJSON(nil, v))
	default:
		return nil, errs.New(codeNotNumeric, "jsonpath item method .double() can only be applied to a string or numeric value")
	}
	d, err := types.ParseText(types.Float8, text, types.DefaultFormat)
	switch {
	case err != nil && k == '0':
		return nil, errs.New(codeNotNumeric, "numeric argument of jsonpath item method .double() is out of range for type double precision")
	case err != nil || d.F != d.F || d.F-d.F != 0:
		return nil, errs.New(codeNotNumeric, "string argument of jsonpath item method .double() is not a valid representation of a double precision number")
	}
	// As float8 to numeric: 15 digits.
	num, err := types.ParseNum(strconv.FormatFloat(d.F, 'g', 15, 64))
	if err != nil {
		return nil, err
	}
	return num.AppendText(nil), nil
}

// keyValue is .keyvalue(). NB: PostgreSQL's id is the object's place in the
// document's binary form; ours is its place in the text.
func (x *run) keyValue(n *path.Node, v []byte, yield yieldFunc) (bool, error) {
	if kind(v) != '{' {
		return false, errs.New(codeNoObject, "jsonpath item method .keyvalue() can only be applied to an object")
	}
	id := max(0, bytes.Index(x.root, v))
	more, err := true, error(nil)
	jsonscan.EachMember(v, func(key, m []byte) bool {
		o := append([]byte(`{"id": `), strconv.Itoa(id)...)
		o = append(append(o, `, "key": `...), key...)
		o = append(append(o, `, "value": `...), m...)
		more, err = x.next(n, append(o, '}'), yield)
		return more && err == nil
	})
	return more, err
}
