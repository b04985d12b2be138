package dialect

import "quern/sql/internal/ast"

// createView takes VIEW name [(cols)] [WITH (…)] AS query [WITH CHECK OPTION].
func (w *walker) createView(t *Token, orReplace bool, persist ast.Persistence, recursive bool) (ast.Stmt, error) {
	w.p++
	n := &ast.CreateView{At: at(t), OrReplace: orReplace, Persistence: persist, Recursive: recursive}
	var err error
	if n.Name, err = w.qualified(); err != nil {
		return nil, err
	}
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if recursive && n.Columns == nil {
		return nil, w.err()
	}
	if n.Options, err = w.withOptions(); err != nil {
		return nil, err
	}
	if err := w.expectWord("as"); err != nil {
		return nil, err
	}
	n.QueryStart = int(w.cur().Start)
	if n.Query, err = w.queryOnly(); err != nil {
		return nil, err
	}
	n.QueryEnd = int(w.peek(-1).End)
	switch {
	case w.words("with", "local", "check", "option"):
		n.CheckOption = "local"
	case w.words("with", "cascaded", "check", "option"), w.words("with", "check", "option"):
		n.CheckOption = "cascaded"
	}
	return n, nil
}

// createMatView takes MATERIALIZED VIEW.
func (w *walker) createMatView(t *Token) (ast.Stmt, error) {
	w.p++
	if err := w.expectWord("view"); err != nil {
		return nil, err
	}
	ine := w.ifNotExists()
	name, err := w.qualified()
	if err != nil {
		return nil, err
	}
	s, err := w.createTableAs(t, ast.Permanent, ine, name)
	if err != nil {
		return nil, err
	}
	s.(*ast.CreateTableAs).Materialized = true
	return s, nil
}

// refresh takes REFRESH MATERIALIZED VIEW.
func (w *walker) refresh() (ast.Stmt, error) {
	n := &ast.RefreshMaterializedView{At: at(w.next())}
	if err := w.expectWords("materialized", "view"); err != nil {
		return nil, err
	}
	n.Concurrently = w.word("concurrently")
	var err error
	if n.Name, err = w.qualified(); err != nil {
		return nil, err
	}
	n.WithNoData, err = w.withData()
	return n, err
}

// createSchema takes SCHEMA [IF NOT EXISTS] name [AUTHORIZATION role].
func (w *walker) createSchema(t *Token) (ast.Stmt, error) {
	w.p++
	n := &ast.CreateSchema{At: at(t), IfNotExists: w.ifNotExists()}
	var err error
	if !w.cur().is("authorization") {
		if n.Name, err = w.colID(); err != nil {
			return nil, err
		}
	}
	if w.word("authorization") {
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		n.Owner = &r
	}
	if k := w.cur(); k.is("create") || k.is("grant") {
		return nil, refuse("CREATE SCHEMA with elements", k)
	}
	return n, nil
}
