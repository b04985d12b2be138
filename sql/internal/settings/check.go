package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones do not depend on the machine

	"quern/storage/errs"
)

// cantChange is PostgreSQL's cant_change_runtime_param.
const cantChange errs.Code = "55P02"

// may tells whether a setting may be set at all.
func (d *Def) may(level Level, superuser bool) error {
	switch d.Context {
	case "superuser":
		if !superuser {
			return errs.New(errs.InsufficientPrivilege, "permission denied to set parameter %q", d.Name)
		}
	case "backend", "superuser-backend":
		if level != Startup {
			return errs.New(cantChange, "parameter %q cannot be set after connection start", d.Name)
		}
	case "sighup":
		return errs.New(cantChange, "parameter %q cannot be changed now", d.Name)
	case "postmaster":
		return errs.New(cantChange, "parameter %q cannot be changed without restarting the server", d.Name)
	case "internal":
		return errs.New(cantChange, "parameter %q cannot be changed", d.Name)
	}
	return nil
}

// enums lists the values of the enumerations that act; the rest take any word
// that PostgreSQL's own default resembles.
var enums = map[string][]string{
	"intervalstyle":                 {"postgres", "postgres_verbose", "sql_standard", "iso_8601"},
	"bytea_output":                  {"escape", "hex"},
	"client_min_messages":           {"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error", "debug", "info", "fatal", "panic"},
	"default_transaction_isolation": {"serializable", "repeatable read", "read committed", "read uncommitted"},
	"transaction_isolation":         {"serializable", "repeatable read", "read committed", "read uncommitted"},
	"synchronous_commit":            {"local", "remote_write", "remote_apply", "on", "off"},
	"xmloption":                     {"content", "document"},
	"backslash_quote":               {"safe_encoding", "on", "off"},
	"plan_cache_mode":               {"auto", "force_generic_plan", "force_custom_plan"},
	"constraint_exclusion":          {"partition", "on", "off"},
	"password_encryption":           {"scram-sha-256"},
	"session_replication_role":      {"origin", "replica", "local"},
}

// ranges of the integer settings whose limits clients meet.
var ranges = map[string][2]int64{
	"extra_float_digits":                  {-15, 3},
	"statement_timeout":                   {0, math.MaxInt32},
	"lock_timeout":                        {0, math.MaxInt32},
	"idle_in_transaction_session_timeout": {0, math.MaxInt32},
	"idle_session_timeout":                {0, math.MaxInt32},
	"work_mem":                            {64, math.MaxInt32},
}

func (d *Def) normalize(s string) (string, error) {
	switch strings.ToLower(d.Name) {
	case "timezone":
		_, name, err := ParseZone(s)
		return name, err
	case "datestyle":
		return normalizeDateStyle(s)
	case "client_encoding":
		return normalizeEncoding(s)
	case "standard_conforming_strings":
		b, ok := parseBool(s)
		if ok && !b {
			return "", errs.New(errs.FeatureNotSupported, "standard_conforming_strings = off is not supported")
		}
	}
	switch d.VarType {
	case "bool":
		b, ok := parseBool(s)
		if !ok {
			return "", errs.New(errs.InvalidParameterValue, "parameter %q requires a Boolean value", d.Name)
		}
		if b {
			return "on", nil
		}
		return "off", nil
	case "integer":
		return d.normalizeNumber(s, true)
	case "real":
		return d.normalizeNumber(s, false)
	case "enum":
		return d.normalizeEnum(s)
	}
	return s, nil
}

func (d *Def) bad(s string) *errs.Error {
	return errs.New(errs.InvalidParameterValue, "invalid value for parameter %q: %q", d.Name, s)
}

func (d *Def) normalizeEnum(s string) (string, error) {
	low := strings.ToLower(s)
	list, known := enums[strings.ToLower(d.Name)]
	if !known {
		return low, nil
	}
	for _, e := range list {
		if e == low {
			return low, nil
		}
	}
	// Boolean words are taken where on and off are values.
	if b, ok := parseBool(low); ok && strings.Contains(strings.Join(list, " ")+" ", "on off ") {
		return map[bool]string{true: "on", false: "off"}[b], nil
	}
	return "", d.bad(s).WithHint("Available values: %s.", strings.Join(list, ", "))
}

// units in the base of their kind: milliseconds and bytes.
var units = map[string]float64{
	"us": 0.001, "ms": 1, "s": 1000, "min": 60e3, "h": 3600e3, "d": 86400e3,
	"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40,
}

const timeUnits = " us ms s min h d "

func (d *Def) normalizeNumber(s string, integer bool) (string, error) {
	t := strings.TrimSpace(s)
	end := len(t)
	for end > 0 && (t[end-1] >= 'a' && t[end-1] <= 'z' || t[end-1] >= 'A' && t[end-1] <= 'Z') {
		end--
	}
	unit := t[end:]
	x, err := strconv.ParseFloat(strings.TrimSpace(t[:end]), 64)
	if err != nil {
		return "", d.bad(s)
	}
	if unit != "" {
		from, ok := units[unit]
		isTime := strings.Contains(timeUnits, " "+d.Unit+" ")
		if d.Unit == "" || !ok || isTime != strings.Contains(timeUnits, " "+unit+" ") {
			hint := `Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`
			if isTime {
				hint = `Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`
			}
			e := d.bad(s)
			if d.Unit != "" {
				e.Hint = hint
			}
			return "", e
		}
		x = x * from / units[d.Unit]
	}
	if !integer {
		return strconv.FormatFloat(x, 'g', -1, 64), nil
	}
	n := int64(math.RoundToEven(x))
	if r, ok := ranges[strings.ToLower(d.Name)]; ok && (n < r[0] || n > r[1]) {
		u := ""
		if d.Unit != "" {
			u = " " + d.Unit
		}
		return "", errs.New(errs.InvalidParameterValue, "%d%s is outside the valid range for parameter %q (%d .. %d)",
			n, u, d.Name, r[0], r[1])
	}
	return strconv.FormatInt(n, 10), nil
}

// withUnit prints a number with the largest unit that divides it.
func withUnit(s, unit string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return s
	}
	chain := []string{"TB", "GB", "MB", "kB", "B"}
	if strings.Contains(timeUnits, " "+unit+" ") {
		chain = []string{"d", "h", "min", "s", "ms"}
	}
	base := int64(units[unit])
	for _, u := range chain {
		if m := int64(units[u]); m >= base && n*base%m == 0 {
			return fmt.Sprintf("%d%s", n*base/m, u)
		}
	}
	return s + unit
}

func parseBool(s string) (val, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return false, false
	}
	for _, w := range []string{"true", "yes"} {
		if strings.HasPrefix(w, s) {
			return true, true
		}
	}
	for _, w := range []string{"false", "no"} {
		if strings.HasPrefix(w, s) {
			return false, true
		}
	}
	switch s {
	case "on", "1":
		return true, true
	case "off", "of", "0":
		return false, true
	}
	return false, false
}

func normalizeEncoding(s string) (string, error) {
	key := strings.ToUpper(strings.NewReplacer("-", "", "_", "", "'", "", `"`, "", " ", "").Replace(s))
	switch key {
	case "UTF8", "UNICODE":
		return "UTF8", nil
	case "LATIN1", "ISO88591":
		return "LATIN1", nil
	case "SQLASCII":
		return "SQL_ASCII", nil
	}
	return "", errs.New(errs.InvalidParameterValue, "invalid value for parameter %q: %q", "client_encoding", s)
}

// normalizeDateStyle completes a partial list with ISO and MDY.
func normalizeDateStyle(s string) (string, error) {
	style, order := "ISO", "MDY"
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		switch low := strings.ToLower(w); low {
		case "iso":
			style = "ISO"
		case "sql":
			style = "SQL"
		case "german":
			style = "German"
			order = "DMY"
		case "mdy", "us", "noneuro", "noneuropean":
			order = "MDY"
		case "dmy", "euro", "european":
			order = "DMY"
		case "ymd":
			order = "YMD"
		case "default":
		default:
			if !strings.HasPrefix(low, "postgres") {
				return "", errs.New(errs.InvalidParameterValue, "invalid value for parameter %q: %q", "DateStyle", s).
					WithDetail("Unrecognized key word: %q.", low)
			}
			style = "Postgres"
		}
	}
	return style + ", " + order, nil
}

// ParseZone reads a TimeZone value: a name, an offset in hours (east positive)
// or ±hh:mm. It also gives the canonical spelling.
func ParseZone(s string) (*time.Location, string, error) {
	t := strings.TrimSpace(s)
	if h, err := strconv.ParseFloat(t, 64); err == nil && math.Abs(h) <= 168 {
		return fixedZone(int(h * 3600))
	}
	if len(t) > 0 && (t[0] == '+' || t[0] == '-') {
		var h, m int
		if n, err := fmt.Sscanf(t[1:], "%d:%d", &h, &m); err == nil && n == 2 && h < 168 && m < 60 {
			sec := h*3600 + m*60
			if t[0] == '+' {
				sec = -sec // POSIX: west is positive
			}
			loc, _, err := fixedZone(sec)
			return loc, t, err
		}
	}
	for _, name := range []string{t, strings.ToUpper(t), zoneCase(t)} {
		if name == "" || strings.EqualFold(name, "local") {
			continue
		}
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, name, nil
		}
	}
	if loc := posixZone(t); loc != nil {
		return loc, strings.ToUpper(t), nil
	}
	return nil, "", errs.New(errs.InvalidParameterValue, "invalid value for parameter %q: %q", "TimeZone", s)
}

// posixZone reads UTC+3, a name of letters and hours west.
func posixZone(s string) *time.Location {
	i := 0
	for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
		i++
	}
	if i < 3 || i == len(s) {
		return nil
	}
	h, err := strconv.Atoi(s[i:])
	if err != nil || h < -24 || h > 24 {
		return nil
	}
	return time.FixedZone(strings.ToUpper(s[:i]), -h*3600)
}

// zoneCase spells europe/berlin as the zone files do.
func zoneCase(s string) string {
	b := []byte(strings.ToLower(s))
	for i := range b {
		if (i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// fixedZone names an offset as PostgreSQL does: <-07>+07.
func fixedZone(sec int) (*time.Location, string, error) {
	abs := sec
	sign, other := "+", "-"
	if sec < 0 {
		abs, sign, other = -sec, "-", "+"
	}
	text := fmt.Sprintf("%02d", abs/3600)
	if r := abs % 3600; r != 0 {
		text += fmt.Sprintf(":%02d", r/60)
	}
	return time.FixedZone(sign+text, sec), "<" + sign + text + ">" + other + text, nil
}

// Print prints a raw value of a setting with that unit as SHOW does.
func Print(raw, unit string) string {
	if unit == "" {
		return raw
	}
	return withUnit(raw, unit)
}
