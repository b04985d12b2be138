package diff

import "regexp"

// known are differences that testdata/differences.md explains: by what the
// statement holds, or by how the outcomes differ.
var known = []struct{ sql, why *regexp.Regexp }{
	// numeric holds 38 digits.
	{nil, regexp.MustCompile(`^our error is 22003 \(value overflows numeric format\)`)},
	{regexp.MustCompile(`1e-10 \^|pow(er)?\(1e-10|^SELECT (round|trunc)\(.*2147483647`), nil},
	// Infinite and overflowing dates and intervals wrap in PostgreSQL.
	{regexp.MustCompile(`^SELECT (age|make_interval|date_mii)\(|'infinity'::date - `), nil},
	{regexp.MustCompile(`^SELECT date_trunc\(`), regexp.MustCompile(`22023 \(unit .* not recognized`)},
	// Zones that are none are refused for infinite values, too; those of bare
	// digits (123 hours west) always.
	{regexp.MustCompile(`^SELECT (date_trunc|timezone)\(.*infinity'::timestamp`), regexp.MustCompile(`22023 \(time zone .* not recognized`)},
	{regexp.MustCompile(`^SELECT timezone\('123', `), regexp.MustCompile(`22023 \(time zone "123" not recognized`)},
	{regexp.MustCompile(`^SELECT percentile_disc\(`), regexp.MustCompile(`could not find array type`)},
	// A constant that does not fit its column, in an INSERT that finds no row.
	{regexp.MustCompile(`^INSERT INTO `), regexp.MustCompile(`^PostgreSQL's error is 22003 \(numeric field overflow\), we answer 0 rows$`)},
	// The conversion of "".
	{regexp.MustCompile(`^SELECT \(''::"char"\)::char`), nil},
}

// Known tells whether a difference is a documented one.
func Known(sql, why string) bool {
	for _, k := range known {
		if (k.sql == nil || k.sql.MatchString(sql)) && (k.why == nil || k.why.MatchString(why)) {
			return true
		}
	}
	return false
}
