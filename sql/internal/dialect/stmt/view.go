package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// createView takes VIEW name [(cols)] [WITH (…)] AS query [WITH CHECK OPTION].
func (w *parser) createView(t *dialect.Token, orReplace bool, persist ast.Persistence, recursive bool) (ast.Stmt, error) {
	w.P++
	n := &ast.CreateView{At: dialect.At(t), OrReplace: orReplace, Persistence: persist, Recursive: recursive}
	var err error
	if n.Name, err = w.Qualified(); err != nil {
		return nil, err
	}
	if n.Columns, err = w.optNames(); err != nil {
		return nil, err
	}
	if recursive && n.Columns == nil {
		return nil, w.Err()
	}
	if n.Options, err = w.withOptions(); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("as"); err != nil {
		return nil, err
	}
	n.QueryStart = int(w.Cur().Start)
	if n.Query, err = w.queryOnly(); err != nil {
		return nil, err
	}
	n.QueryEnd = int(w.Peek(-1).End)
	switch {
	case w.Words("with", "local", "check", "option"):
		n.CheckOption = "local"
	case w.Words("with", "cascaded", "check", "option"), w.Words("with", "check", "option"):
		n.CheckOption = "cascaded"
	}
	return n, nil
}

// createMatView takes MATERIALIZED VIEW.
func (w *parser) createMatView(t *dialect.Token) (ast.Stmt, error) {
	w.P++
	if err := w.ExpectWord("view"); err != nil {
		return nil, err
	}
	ine := w.ifNotExists()
	name, err := w.Qualified()
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
func (w *parser) refresh() (ast.Stmt, error) {
	n := &ast.RefreshMaterializedView{At: dialect.At(w.Next())}
	if err := w.ExpectWords("materialized", "view"); err != nil {
		return nil, err
	}
	n.Concurrently = w.Word("concurrently")
	var err error
	if n.Name, err = w.Qualified(); err != nil {
		return nil, err
	}
	n.WithNoData, err = w.withData()
	return n, err
}

// createSchema takes SCHEMA [IF NOT EXISTS] name [AUTHORIZATION role].
func (w *parser) createSchema(t *dialect.Token) (ast.Stmt, error) {
	w.P++
	n := &ast.CreateSchema{At: dialect.At(t), IfNotExists: w.ifNotExists()}
	var err error
	if !w.Cur().Is("authorization") {
		if n.Name, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	if w.Word("authorization") {
		r, err := w.role()
		if err != nil {
			return nil, err
		}
		n.Owner = &r
	}
	for k := w.Cur(); k.Is("create") || k.Is("grant"); k = w.Cur() {
		if n.IfNotExists {
			return nil, errs.New(errs.FeatureNotSupported, "CREATE SCHEMA IF NOT EXISTS cannot include schema elements").WithPos(int(k.Start) + 1)
		}
		st, err := w.statement()
		if err != nil {
			return nil, err
		}
		switch st.(type) {
		case *ast.CreateTable, *ast.CreateView, *ast.CreateIndex, *ast.Grant:
		default:
			return nil, w.ErrAt(k)
		}
		n.Elements = append(n.Elements, st)
	}
	return n, nil
}
