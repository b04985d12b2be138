package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// layer is one row of the map of STYLE.md §1: what a package (and those below
// it) may import of ours. The longest matching prefix counts.
type layer struct {
	pkg    string
	allows []string
}

// layers is the arrow cmd → server → {sql, ingest} → engine → storage.
var layers = []layer{
	{"cmd", []string{"cmd", "server", "sql", "ingest", "engine", "storage", "testdata"}},
	{"server", []string{"server", "sql", "ingest", "engine", "storage"}},
	{"server/internal/pgwire", []string{"server/internal", "sql", "storage"}},
	{"server/internal/httpapi", []string{"server/internal", "sql", "ingest", "storage"}},
	{"server/internal/auth", []string{"storage"}},
	{"server/internal/export", []string{"sql", "storage"}},
	{"sql", []string{"sql", "engine", "storage"}},
	{"sql/internal/ast", []string{"storage"}},
	{"sql/internal/dialect", []string{"sql/internal/ast", "storage/errs"}},
	{"sql/internal/dialect/stmt", []string{"sql/internal/ast", "sql/internal/dialect", "storage/errs"}},
	{"sql/internal/parse", []string{"sql/internal/ast", "sql/internal/dialect", "storage/errs"}},
	{"sql/internal/logical", []string{"engine", "storage"}},
	{"sql/internal/optimize", []string{"sql/internal/logical", "engine", "storage"}},
	{"sql/internal/physical", []string{"sql/internal/logical", "engine", "storage"}},
	// bind's front function compiles: it runs the rules over what was bound.
	{"sql/internal/bind", []string{"sql/internal/ast", "sql/internal/logical", "sql/internal/optimize", "sql/internal/physical", "sql/internal/rowfunc", "sql/internal/colname", "sql/internal/insertrules", "sql/internal/literal", "sql/internal/viewdml", "sql/internal/winfunc", "engine", "storage"}},
	{"sql/internal/colname", []string{"sql/internal/ast", "storage/types"}},
	{"sql/internal/literal", []string{"engine/fn", "engine/plan", "storage/types", "storage/errs"}},
	{"sql/internal/winfunc", []string{"sql/internal/ast", "sql/internal/rowfunc", "engine/fn", "engine/plan", "storage/types", "storage/errs"}},
	{"sql/internal/batches", []string{"storage/vec"}},
	{"sql/internal/insertrules", []string{"sql/internal/ast", "storage/catalog", "storage/errs"}},
	{"sql/internal/viewdml", []string{"sql/internal/ast", "sql/internal/logical", "engine/plan"}},
	{"sql/internal/lineage", []string{"sql/internal/logical", "engine/plan", "storage"}},
	{"sql/internal/rowfunc", []string{"engine", "storage"}},
	{"ingest", []string{"ingest", "storage"}},
	{"ingest/internal", []string{"ingest/internal/decode", "storage/errs", "storage/types", "storage/vec"}},
	{"engine", []string{"engine", "storage"}},
	{"engine/plan", []string{"engine/fn", "storage/types", "storage/policy", "storage/vec"}},
	{"engine/fn", []string{"engine/internal/kernel", "engine/internal/are", "engine/internal/picture", "engine/internal/jsonpath", "engine/internal/jsonscan", "engine/internal/keywords", "storage/types", "storage/vec", "storage/errs"}},
	{"engine/internal/kernel", []string{"storage/types"}},
	{"engine/internal/are", []string{"storage/errs"}},
	{"engine/internal/picture", []string{"storage/types", "storage/errs"}},
	{"engine/internal/keywords", nil},
	{"engine/internal/jsonscan", []string{"storage/types"}},
	{"engine/internal/jsonpath", []string{"engine/internal/are", "engine/internal/jsonscan", "storage/types", "storage/errs"}},
	{"engine/internal/sketch", []string{"storage/vec"}},
	{"engine/internal/keyset", []string{"storage/types", "storage/vec"}},
	{"storage", []string{"storage"}},
	{"storage/errs", nil},
	{"storage/types", []string{"storage/errs", "storage/types/zones", "storage/types/jsonb", "storage/types/jsonpath"}},
	{"storage/types/jsonb", nil},
	{"storage/types/jsonpath", []string{"storage/errs"}},
	{"storage/types/zones", nil},
	{"storage/types/canon", []string{"storage/types"}},
	{"storage/types/orderkey", []string{"storage/types"}},
	{"storage/vfs", []string{"storage/vfs", "storage/errs"}},
	{"storage/vec", []string{"storage/vec", "storage/types", "storage/errs"}},
	{"storage/vec/kernel", []string{"storage/vec/kernel"}},
	{"storage/policy", []string{"storage/types", "storage/vec", "storage/errs"}},
	{"storage/catalog", []string{"storage/policy", "storage/types", "storage/errs"}},
	{"storage/internal", []string{"storage/internal", "storage/vec", "storage/vfs", "storage/types", "storage/errs", "storage/catalog", "storage/policy"}},
	{"testdata", nil},
}

// modules says which of our packages may import which third-party module
// (by prefix). Test files are free, except that product rules hold for cmd/dev.
var modules = map[string][]string{
	"github.com/pingcap/":               {"sql/internal/parse"},
	"github.com/jackc/pgx/v5/pgproto3":  {"server/internal/pgwire", "cmd/dev"},
	"github.com/jackc/pgx/v5":           {"server/internal/pgwire", "cmd/dev", "cmd/quern"},
	"github.com/apache/arrow/go/v17":    {"ingest/internal/parquet", "ingest/internal/arrowipc", "server/internal/export", "storage/vec"},
	"github.com/klauspost/compress":     {"storage/internal/encoding", "storage/internal/wal", "ingest"},
	"github.com/pierrec/lz4":            {"ingest"},
	"github.com/andybalholm/brotli":     {"ingest/internal/parquet"},
	"github.com/xdg-go/scram":           {"server/internal/auth"},
	"github.com/xdg-go/stringprep":      {"server/internal/auth", "sql/internal/ddl"},
	"github.com/prometheus/":            {"server"},
	"github.com/peterbourgon/ff":        {"cmd/quern"},
	"github.com/schollz/progressbar":    {"cmd/quern"},
	"github.com/google/uuid":            {"storage", "ingest", "engine/fn", "sql"},
	"github.com/RoaringBitmap/roaring":  {"storage"},
	"github.com/cockroachdb/datadriven": {},
	"golang.org/x/":                     {"storage", "engine", "sql", "server", "ingest", "cmd"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func checkLayering(root string) ([]string, error) {
	// A check that cannot find a planted edge proves nothing.
	for _, bad := range []goPackage{
		{ImportPath: "quern/storage/internal/wal", Imports: []string{"quern/engine"}},
		{ImportPath: "quern/engine/plan", Imports: []string{"github.com/pingcap/tidb/pkg/parser"}},
		{ImportPath: "quern/newroom", Imports: nil},
	} {
		if len(judge(bad)) == 0 {
			return nil, fmt.Errorf("self-test failed: %s → %v was not found", bad.ImportPath, bad.Imports)
		}
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var found []string
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		found = append(found, judge(p)...)
	}
	return found, nil
}

// judge lists the edges of p that the tables forbid.
func judge(p goPackage) []string {
	pkg := strings.TrimPrefix(p.ImportPath, "quern/")
	row := layerOf(pkg)
	if row == nil {
		return []string{pkg + " is not on the map: add it to layers in cmd/dev/layering.go"}
	}
	var found []string
	for _, imp := range p.Imports {
		if ours, ok := strings.CutPrefix(imp, "quern/"); ok {
			if !slices.ContainsFunc(row.allows, func(a string) bool { return under(ours, a) }) {
				found = append(found, fmt.Sprintf("%s may not import %s", pkg, ours))
			}
			continue
		}
		if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
			continue
		}
		if !moduleAllowed(pkg, imp) {
			found = append(found, fmt.Sprintf("%s may not import %s: see modules in cmd/dev/layering.go", pkg, imp))
		}
	}
	return found
}

func layerOf(pkg string) *layer {
	var best *layer
	for i := range layers {
		if under(pkg, layers[i].pkg) && (best == nil || len(layers[i].pkg) > len(best.pkg)) {
			best = &layers[i]
		}
	}
	return best
}

func under(pkg, prefix string) bool {
	return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
}

func moduleAllowed(pkg, imp string) bool {
	best := ""
	for m := range modules {
		if strings.HasPrefix(imp, m) && len(m) > len(best) {
			best = m
		}
	}
	return best != "" && slices.ContainsFunc(modules[best], func(a string) bool { return under(pkg, a) })
}
