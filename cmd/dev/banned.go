package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// osFileCalls are reached through storage/vfs only, so that every fault can be
// produced in tests. Commands may read their own arguments' files.
var osFileCalls = map[string]bool{
	"Open": true, "OpenFile": true, "Create": true, "CreateTemp": true, "Rename": true, "Remove": true,
	"RemoveAll": true, "Mkdir": true, "MkdirAll": true, "MkdirTemp": true, "ReadFile": true, "WriteFile": true,
	"ReadDir": true, "Stat": true, "Lstat": true, "Truncate": true, "Link": true, "Symlink": true, "Chmod": true,
}

// osAllowed may call os file functions.
var osAllowed = []string{"storage/vfs", "cmd", "testdata"}

// plantedGo is what the self-test must find: two banned calls.
const plantedGo = `package p
import "os"
func f() { go f(); os.Open("x") }`

func checkBanned(root string) ([]string, error) {
	fset := token.NewFileSet()
	planted, err := parser.ParseFile(fset, "planted.go", plantedGo, 0)
	if err != nil {
		return nil, err
	}
	if n := len(bannedIn(fset, planted, "engine/planted.go")); n != 2 {
		return nil, fmt.Errorf("self-test failed: %d of 2 planted calls found", n)
	}
	files, err := goFiles(root, false)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		parsed, err := parser.ParseFile(fset, filepath.Join(root, f), nil, 0)
		if err != nil {
			return nil, err
		}
		found = append(found, bannedIn(fset, parsed, f)...)
	}
	return found, nil
}

// bannedIn lists bare go statements and os file calls of one file.
func bannedIn(fset *token.FileSet, f *ast.File, name string) []string {
	var found []string
	say := func(pos token.Pos, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s:%d: ", name, fset.Position(pos).Line)+fmt.Sprintf(format, args...))
	}
	osOK := false
	for _, a := range osAllowed {
		osOK = osOK || strings.HasPrefix(name, a+"/")
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n.Pos(), "bare go statement: use sync.WaitGroup.Go or an owner that waits")
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || osOK {
				break
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && osFileCalls[sel.Sel.Name] {
				say(n.Pos(), "os.%s: files are reached through storage/vfs", sel.Sel.Name)
			}
		}
		return true
	})
	return found
}
