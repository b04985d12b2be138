// Package settings is the one table of run-time settings and a session's
// values of them.
//
//	settings.txt ─► Lookup(name) ─► *Def         name, unit, context, type, default
//	Values: session values over the reset values (startup, ALTER ROLE … SET) over defaults
//	        + LOCAL values that die with the transaction
//
// Values knows transactions only as Mark and Restore: a block's ROLLBACK
// restores the mark of its BEGIN, ROLLBACK TO that of its savepoint. What a
// setting does is the business of whoever reads it; what a text may be is
// decided in check.go. Names with a dot are free, as in PostgreSQL.
//
// Start reading at Values.Set.
package settings

import (
	_ "embed" // the table is a text file
	"maps"
	"slices"
	"strings"
	"sync"

	"quern/storage/errs"
)

// Def is one setting.
type Def struct {
	Name    string // canonical spelling, as SHOW ALL gives it
	Unit    string // ms, s, min, kB, 8kB, B or empty
	Context string // user, superuser, sighup, postmaster, internal, backend
	VarType string // bool, integer, real, enum, string
	Default string // in the unit
}

//go:embed settings.txt
var settingsText string

var table = sync.OnceValue(func() map[string]*Def {
	out := map[string]*Def{}
	for line := range strings.Lines(settingsText) {
		f := strings.Split(strings.TrimRight(line, "\n"), "|")
		if len(f) != 5 || f[0][0] == '#' {
			continue
		}
		out[strings.ToLower(f[0])] = &Def{Name: f[0], Default: f[1], Unit: f[2], Context: f[3], VarType: f[4]}
	}
	return out
})

var order = sync.OnceValue(func() []*Def {
	return slices.SortedFunc(maps.Values(table()), func(a, b *Def) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
})

// aliases are other spellings that PostgreSQL takes in SET and SHOW.
var aliases = map[string]string{
	"time_zone": "timezone", "sort_mem": "work_mem", "vacuum_mem": "maintenance_work_mem",
}

// Lookup finds a setting by name in any case, nil if unknown.
func Lookup(name string) *Def {
	name = strings.ToLower(name)
	if a, ok := aliases[name]; ok {
		name = a
	}
	return table()[name]
}

// All lists the settings in the order of SHOW ALL.
func All() []*Def { return order() }

// Reported are the settings of ParameterStatus in the order of session start.
var Reported = []string{
	"application_name", "client_encoding", "DateStyle", "default_transaction_read_only",
	"in_hot_standby", "integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding",
	"server_version", "session_authorization", "standard_conforming_strings", "TimeZone",
}

// Values are one session's values. Keys are lower case.
type Values struct {
	fixed   map[string]string // computed by the session: is_superuser, …
	reset   map[string]string
	session map[string]string
	local   map[string]string
}

// NewValues are the values of a fresh session.
func NewValues() *Values {
	return &Values{fixed: map[string]string{}, reset: map[string]string{},
		session: map[string]string{}, local: map[string]string{}}
}

// Fix sets a value that only the session itself changes; it does not depend on
// transactions.
func (v *Values) Fix(name, value string) { v.fixed[strings.ToLower(name)] = value }

// Raw is a setting's value in its unit.
func (v *Values) Raw(name string) (string, bool) {
	d := Lookup(name)
	key := strings.ToLower(name)
	if d != nil {
		key = strings.ToLower(d.Name)
	}
	for _, m := range []map[string]string{v.fixed, v.local, v.session, v.reset} {
		if x, ok := m[key]; ok {
			return x, true
		}
	}
	if d != nil {
		return d.Default, true
	}
	return "", false
}

// Show is a setting's value as SHOW and current_setting print it: with the
// largest unit that keeps it whole.
func (v *Values) Show(name string) (string, bool) {
	x, ok := v.Raw(name)
	if d := Lookup(name); ok && d != nil && d.Unit != "" {
		x = withUnit(x, d.Unit)
	}
	return x, ok
}

// Source is pg_settings.source.
func (v *Values) Source(name string) string {
	key := strings.ToLower(name)
	if _, ok := v.local[key]; ok {
		return "session"
	}
	if _, ok := v.session[key]; ok {
		return "session"
	}
	if _, ok := v.reset[key]; ok {
		return "client"
	}
	return "default"
}

// Level says where Set puts a value.
type Level uint8

// Levels.
const (
	Session Level = iota
	Local
	Startup // startup packet and ALTER ROLE … SET: what RESET goes back to
)

// Set checks a value and stores it. superuser opens the settings of that
// context. Unknown names are 42704, bad values 22023.
func (v *Values) Set(name, value string, level Level, superuser bool) error {
	key, value, err := Check(name, value, level, superuser)
	if err != nil {
		return err
	}
	switch level {
	case Local:
		v.local[key] = value
	case Startup:
		v.reset[key] = value
	default:
		delete(v.local, key)
		v.session[key] = value
	}
	return nil
}

// Check validates a setting without storing it and gives key and value.
func Check(name, value string, level Level, superuser bool) (string, string, error) {
	d := Lookup(name)
	if d == nil {
		if !customName(name) {
			return "", "", unknown(name)
		}
		return strings.ToLower(name), value, nil
	}
	if err := d.may(level, superuser); err != nil {
		return "", "", err
	}
	value, err := d.normalize(value)
	return strings.ToLower(d.Name), value, err
}

// Reset puts a setting back to its reset value.
func (v *Values) Reset(name string) error {
	d := Lookup(name)
	key := strings.ToLower(name)
	if d == nil && !customName(name) {
		return unknown(name)
	}
	if d != nil {
		key = strings.ToLower(d.Name)
		if err := d.may(Session, true); err != nil {
			return err
		}
	}
	delete(v.local, key)
	delete(v.session, key)
	return nil
}

// ResetAll is RESET ALL.
func (v *Values) ResetAll() {
	clear(v.local)
	clear(v.session)
}

// Mark is what Restore goes back to.
type Mark struct{ session, local map[string]string }

// Mark remembers the values.
func (v *Values) Mark() Mark { return Mark{maps.Clone(v.session), maps.Clone(v.local)} }

// Restore goes back to a mark, which stays usable.
func (v *Values) Restore(m Mark) {
	v.session, v.local = maps.Clone(m.session), maps.Clone(m.local)
}

// EndLocal drops the LOCAL values: the transaction ended.
func (v *Values) EndLocal() { clear(v.local) }

func unknown(name string) error {
	return errs.New(errs.UndefinedObject, "unrecognized configuration parameter %q", name)
}

func customName(name string) bool {
	head, tail, ok := strings.Cut(name, ".")
	return ok && head != "" && tail != ""
}
