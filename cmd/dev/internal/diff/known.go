package diff

import "regexp"

// known are differences that testdata/differences.md explains: by what the
// statement holds, or by how the outcomes differ.
var known = []struct{ sql, why *regexp.Regexp }{}

// Known tells whether a difference is a documented one.
func Known(sql, why string) bool {
	for _, k := range known {
		if (k.sql == nil || k.sql.MatchString(sql)) && (k.why == nil || k.why.MatchString(why)) {
			return true
		}
	}
	return false
}
