package ingest

import (
	"strings"

	"quern/storage/catalog"
)

// findColumn meets a field with a column: by exact name first, then
// case-insensitively.
func findColumn(t *catalog.Table, name string) *catalog.Column {
	if c := t.Column(name); c != nil {
		return c
	}
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name || strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
