package jsonpath

import (
	"bytes"
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
	path "quern/storage/types/jsonpath"
)

// truth is the value of a predicate.
type truth int

const (
	no truth = iota
	yes
	unknown
)

// nested is test with v as @.
func (x *run) nested(n *path.Node, v []byte) (truth, error) {
	save := x.cur
	x.cur = v
	t, err := x.test(n, v)
	x.cur = save
	return t, err
}

// test evaluates a predicate. Errors inside make it unknown, except those that are
// no matter of the data.
func (x *run) test(n *path.Node, v []byte) (truth, error) {
	switch n.Kind {
	case path.And, path.Or:
		stop := no // what decides AND
		if n.Kind == path.Or {
			stop = yes
		}
		l, err := x.test(n.Left, v)
		if err != nil || l == stop {
			return l, err
		}
		r, err := x.test(n.Right, v)
		if err != nil || r == stop || l != unknown {
			return r, err
		}
		return unknown, nil
	case path.Not:
		t, err := x.test(n.Left, v)
		return [...]truth{yes, no, unknown}[t], err
	case path.IsUnknown:
		t, err := x.test(n.Left, v)
		if t == unknown {
			return yes, err
		}
		return no, err
	case path.Exists:
		return x.exists(n, v)
	case path.LikeRegex:
		re := x.q.regs[n]
		return x.compare(n, v, func(l, _ []byte) truth {
			if kind(l) != '"' {
				return unknown
			}
			return truthOf(re.Match(types.UnquoteJSON(nil, l)))
		})
	case path.StartsWith:
		return x.compare(n, v, func(l, r []byte) truth {
			if kind(l) != '"' || kind(r) != '"' {
				return unknown
			}
			return truthOf(bytes.HasPrefix(types.UnquoteJSON(nil, l), types.UnquoteJSON(nil, r)))
		})
	}
	return x.compare(n, v, func(l, r []byte) truth { return compareItems(n.Kind, l, r) })
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// suppressed tells whether an error inside a predicate makes it unknown.
func suppressed(err error) bool { return strings.HasPrefix(string(errs.CodeOf(err)), "22") }

func (x *run) exists(n *path.Node, v []byte) (truth, error) {
	found := false
	_, err := x.exec(n.Left, v, x.lax, func([]byte) bool {
		found = true
		return !x.lax // in strict mode all of it must be without error
	})
	switch {
	case err != nil && suppressed(err):
		return unknown, nil
	case err != nil:
		return unknown, err
	}
	return truthOf(found), nil
}

// compare tries f on every pair of items of both sides. One true pair is enough;
// in strict mode an unknown one spoils all.
func (x *run) compare(n *path.Node, v []byte, f func(l, r []byte) truth) (truth, error) {
	side := func(e *path.Node, unwrap bool) ([][]byte, bool, error) {
		if e == nil {
			return [][]byte{nil}, true, nil
		}
		list, err := x.all(e, v, unwrap)
		if err != nil && suppressed(err) {
			return nil, false, nil
		}
		return list, true, err
	}
	left, ok, err := side(n.Left, true)
	if err != nil || !ok {
		return unknown, err
	}
	right, ok, err := side(n.Right, n.Kind != path.StartsWith)
	if err != nil || !ok {
		return unknown, err
	}
	out := no
	doubt := false
	for _, l := range left {
		for _, r := range right {
			switch f(l, r) {
			case unknown:
				if !x.lax {
					return unknown, nil
				}
				doubt = true
			case yes:
				if x.lax {
					return yes, nil
				}
				out = yes
			}
		}
	}
	if out == no && doubt {
		return unknown, nil
	}
	return out, nil
}

// compareItems compares scalars of one type; null equals only null, and differs
// from everything else.
func compareItems(op path.Kind, l, r []byte) truth {
	lk, rk := kind(l), kind(r)
	if lk != rk && !(isBool(l) && isBool(r)) {
		if lk == 'n' || rk == 'n' {
			return truthOf(op == path.NotEqual)
		}
		return unknown
	}
	c := 0
	switch lk {
	case 'n':
	case 't', 'f':
		if lk != rk {
			c = 1
			if lk == 'f' {
				c = -1
			}
		}
	case '0':
		a, err := types.ParseNum(string(l))
		b, err2 := types.ParseNum(string(r))
		if err != nil || err2 != nil {
			return unknown
		}
		c = a.Cmp(b)
	case '"':
		c = bytes.Compare(types.UnquoteJSON(nil, l), types.UnquoteJSON(nil, r))
	default:
		return unknown
	}
	switch op {
	case path.Equal:
		return truthOf(c == 0)
	case path.NotEqual:
		return truthOf(c != 0)
	case path.Less:
		return truthOf(c < 0)
	case path.LessEqual:
		return truthOf(c <= 0)
	case path.Greater:
		return truthOf(c > 0)
	}
	return truthOf(c >= 0)
}
