package bind

import (
	"strings"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// column is a column as names see it.
type column struct {
	logical.Column
	hidden   bool // found by name, not by *
	renamed  bool // by an alias list
	tableOID uint32
	attNum   int16
	rel      *relation
	// use marks the column as used, for privileges and pruning; nil if there
	// is nothing to mark.
	use *tableUse
	// field is the column's id in its table.
	field uint32
}

// relation is an item of FROM that names can qualify.
type relation struct {
	schema, alias string
	cols          []*column
	// table says that schema.alias is a stored or virtual relation without alias.
	table bool
	// scalar is the column that the relation's own name stands for: the value of
	// a function in FROM whose column has another name.
	scalar *column
	// padded says that an outer join may fill the columns with NULLs.
	padded bool
	// stored is the table or view that it is, nil for others.
	stored *catalog.Table
}

// scope is one query level's namespace.
type scope struct {
	parent *scope
	rels   []*relation
	// cols are what unqualified names and * see, in order.
	cols []*column
	// via is the expression of parent's query that this one stands in, nil if
	// parent is of the same query or this one stands in no expression.
	via *exprCtx
	// ctes are the WITH queries visible here.
	ctes map[string]*cte
}

type cte struct {
	def *ast.CTE
	// scope is what the definition sees.
	scope *scope
	// recursive marks that the definition refers to itself; self is set for
	// what it refers to then.
	recursive bool
	self      *selfRef
	// noSelf is where the definition stands, for recursive references in it.
	noSelf notHere
}

func (s *scope) findCTE(name string) *cte {
	for ; s != nil; s = s.parent {
		if c := s.ctes[name]; c != nil {
			return c
		}
	}
	return nil
}

// column resolves a column reference of one to four parts. It returns the
// level: 0 for this query, 1 for the next outer one.
func (b *binder) column(s *scope, c *ast.Column) (*column, int, error) {
	name := c.Parts[len(c.Parts)-1]
	if len(c.Parts) == 1 {
		level := 0
		for x := s; x != nil; x = x.parent {
			col, err := x.unqualified(name)
			if err != nil {
				return nil, 0, at(err, c)
			}
			if col != nil {
				return col, level, nil
			}
			level++
		}
		return nil, 0, at(undefinedColumn(s, "", name), c)
	}
	rel, level, err := s.relation(c.Parts[:len(c.Parts)-1])
	if err != nil {
		return nil, 0, at(err, c)
	}
	if rel == nil {
		return nil, 0, at(missingRelation(s, c.Parts[:len(c.Parts)-1]), c)
	}
	var found *column
	for _, col := range rel.cols {
		if col.Name == name {
			if found != nil {
				return nil, 0, at(errs.New(errs.AmbiguousColumn, "column reference %q is ambiguous", name), c)
			}
			found = col
		}
	}
	if found == nil {
		return nil, 0, at(undefinedColumn(s, rel.alias, name), c)
	}
	return found, level, nil
}

func (s *scope) unqualified(name string) (*column, error) {
	var found *column
	for _, c := range s.cols {
		if c.Name != name {
			continue
		}
		if found != nil && found != c {
			return nil, errs.New(errs.AmbiguousColumn, "column reference %q is ambiguous", name)
		}
		found = c
	}
	if found == nil {
		for _, r := range s.rels {
			if r.scalar != nil && r.alias == name {
				return r.scalar, nil
			}
		}
	}
	return found, nil
}

// relation finds a FROM item by alias or schema.name, outward.
func (s *scope) relation(parts []string) (*relation, int, error) {
	name := parts[len(parts)-1]
	schema := ""
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	level := 0
	for x := s; x != nil; x = x.parent {
		var found *relation
		for _, r := range x.rels {
			if r.alias != name || schema != "" && (!r.table || r.schema != schema) {
				continue
			}
			if found != nil {
				return nil, 0, errs.New(errs.DuplicateAlias, "table reference %q is ambiguous", name)
			}
			found = r
		}
		if found != nil {
			return found, level, nil
		}
		level++
	}
	return nil, 0, nil
}

func missingRelation(s *scope, parts []string) *errs.Error {
	name := parts[len(parts)-1]
	// An alias that hides the table's name deserves its hint.
	for x := s; x != nil; x = x.parent {
		for _, r := range x.rels {
			if r.table || len(parts) > 1 {
				continue
			}
			for _, c := range r.cols {
				if c.use != nil && c.use.table.Name == name && r.alias != name {
					return errs.New(errs.UndefinedTable, "invalid reference to FROM-clause entry for table %q", name).
						WithHint("Perhaps you meant to reference the table alias %q.", r.alias)
				}
			}
		}
	}
	return errs.New(errs.UndefinedTable, "missing FROM-clause entry for table %q", name)
}

func undefinedColumn(s *scope, rel, name string) *errs.Error {
	full := name
	e := errs.New(errs.UndefinedColumn, "column %q does not exist", name)
	if rel != "" {
		full = rel + "." + name
		e = errs.New(errs.UndefinedColumn, "column %s does not exist", full)
	}
	if hint := suggest(s, rel, name); hint != "" {
		_ = e.WithHint("Perhaps you meant to reference the column %q.", hint)
	}
	return e
}

// suggest finds the one column that is spelled most like name, as PostgreSQL
// does: at most half of the name may differ.
func suggest(s *scope, relName, name string) string {
	best, bestDist, ties := "", len(name)/2+1, 0
	for x := s; x != nil; x = x.parent {
		for _, r := range x.rels {
			penalty := 0
			if relName != "" && r.alias != relName {
				penalty = literal.Distance(r.alias, relName)
			}
			for _, c := range r.cols {
				if c.hidden || c.use != nil && !c.use.mayRead(c.field) {
					continue
				}
				d := literal.Distance(c.Name, name) + penalty
				if d > 3 || d >= len(name) {
					continue
				}
				switch {
				case d < bestDist:
					best, bestDist, ties = r.alias+"."+c.Name, d, 1
				case d == bestDist:
					ties++
				}
			}
		}
		if best != "" {
			break
		}
	}
	if ties > 1 {
		return ""
	}
	return best
}

// star expands * or t.*.
func (b *binder) star(s *scope, parts []string, n ast.Node) ([]*column, error) {
	var out []*column
	if len(parts) == 0 {
		if len(s.rels) == 0 && len(s.cols) == 0 {
			return nil, at(errs.New(errs.Syntax, "SELECT * with no tables specified is not valid"), n)
		}
		for _, c := range s.cols {
			if !c.hidden {
				out = append(out, c)
			}
		}
		return out, nil
	}
	rel, _, err := s.relation(parts)
	if err != nil {
		return nil, at(err, n)
	}
	if rel == nil {
		return nil, at(missingRelation(s, parts), n)
	}
	for _, c := range rel.cols {
		if !c.hidden {
			out = append(out, c)
		}
	}
	return out, nil
}

// ref is the expression of a column and marks it used.
func (b *binder) ref(c *column) plan.Expr {
	if c.use != nil {
		c.use.mark(c.field)
	}
	return c.Col()
}

// newID numbers a new column.
func (b *binder) newID() int { b.lastID++; return b.lastID }

func (b *binder) newCol(name string, t types.Type) logical.Column {
	return logical.Column{ID: b.newID(), Name: name, Type: t}
}

// at gives an error the position of a node unless it has one.
func at(err error, n ast.Node) error {
	if err == nil || n == nil {
		return err
	}
	if e, ok := err.(*errs.Error); ok && e.Pos == 0 && n.Position() >= 0 {
		e.Pos = n.Position() + 1
	}
	return err
}

func quoteName(parts []string) string { return strings.Join(parts, ".") }
