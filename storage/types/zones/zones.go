// Package zones finds time zones by the names that PostgreSQL takes.
package zones

import (
	"strings"
	"time"
)

// ByName finds a zone by IANA name in any case or by abbreviation, nil if there is
// none.
func ByName(name string) *time.Location {
	up := strings.ToUpper(name)
	switch up {
	case "":
		return nil
	case "UTC", "GMT", "Z", "ZULU", "ETC/UTC", "UCT":
		return time.UTC
	case "LOCAL":
		return nil
	}
	if off, ok := Abbrevs[up]; ok {
		return time.FixedZone(up, off)
	}
	if strings.ContainsAny(name, `\.`) {
		return nil
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	// IANA names are written Area/Name_With_Caps.
	b := []byte(strings.ToLower(name))
	start := true
	for i, c := range b {
		if start && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
		start = c == '/' || c == '_' || c == '-'
	}
	if loc, err := time.LoadLocation(string(b)); err == nil {
		return loc
	}
	if loc, err := time.LoadLocation(up); err == nil {
		return loc
	}
	return nil
}

// Abbrevs are the abbreviations of PostgreSQL's default set that appear in
// practice, seconds east of UTC.
var Abbrevs = map[string]int{
	"EST": -5 * 3600, "EDT": -4 * 3600, "CST": -6 * 3600, "CDT": -5 * 3600, "MST": -7 * 3600, "MDT": -6 * 3600,
	"PST": -8 * 3600, "PDT": -7 * 3600, "AKST": -9 * 3600, "AKDT": -8 * 3600, "HST": -10 * 3600,
	"WET": 0, "WEST": 3600, "CET": 3600, "CEST": 2 * 3600, "MET": 3600, "MEST": 2 * 3600, "EET": 2 * 3600, "EEST": 3 * 3600,
	"BST": 3600, "MSK": 3 * 3600, "MSD": 4 * 3600, "IST": 2 * 3600, "JST": 9 * 3600, "KST": 9 * 3600,
	"AEST": 10 * 3600, "AEDT": 11 * 3600, "ACST": 34200, "ACDT": 37800, "AWST": 8 * 3600, "NZST": 12 * 3600, "NZDT": 13 * 3600,
	"SAST": 2 * 3600, "BRT": -3 * 3600, "ART": -3 * 3600, "SGT": 8 * 3600, "HKT": 8 * 3600, "PKT": 5 * 3600,
}
