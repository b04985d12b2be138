package settings

import (
	"testing"

	"quern/storage/errs"
)

func TestSetAndShow(t *testing.T) {
	for _, c := range []struct{ name, in, show, code string }{
		{"statement_timeout", "5s", "5s", ""},
		{"statement_timeout", "1500", "1500ms", ""},
		{"statement_timeout", "2min", "2min", ""},
		{"statement_timeout", "-1", "", "22023"},
		{"statement_timeout", "5MB", "", "22023"},
		{"work_mem", "64MB", "64MB", ""},
		{"work_mem", "4097", "4097kB", ""},
		{"TIMEZONE", "Europe/Berlin", "Europe/Berlin", ""},
		{"TimeZone", "europe/berlin", "Europe/Berlin", ""},
		{"TimeZone", "-7", "<-07>+07", ""},
		{"TimeZone", "5.5", "<+05:30>-05:30", ""},
		{"TimeZone", "utc+3", "UTC+3", ""},
		{"TimeZone", "Mars/Olympus", "", "22023"},
		{"DateStyle", "german", "German, DMY", ""},
		{"DateStyle", "SQL, dmy", "SQL, DMY", ""},
		{"datestyle", "iso", "ISO, MDY", ""},
		{"datestyle", "julian", "", "22023"},
		{"client_encoding", "'utf-8'", "UTF8", ""},
		{"client_encoding", "EUC_JP", "", "22023"},
		{"extra_float_digits", "3", "3", ""},
		{"extra_float_digits", "4", "", "22023"},
		{"intervalstyle", "ISO_8601", "iso_8601", ""},
		{"intervalstyle", "martian", "", "22023"},
		{"jit", "0", "off", ""},
		{"jit", "maybe", "", "22023"},
		{"standard_conforming_strings", "off", "", "0A000"},
		{"app.user", "x", "x", ""},
		{"nope", "x", "", "42704"},
		{"max_connections", "5", "", "55P02"},
		{"server_version", "9", "", "55P02"},
		{"log_statement", "all", "", "42501"},
	} {
		v := NewValues()
		err := v.Set(c.name, c.in, Session, false)
		if got := string(errs.CodeOf(err)); c.code != "" && got != c.code || c.code == "" && err != nil {
			t.Errorf("set %s=%q: %v, want %q", c.name, c.in, err, c.code)
			continue
		}
		if c.code != "" {
			continue
		}
		if got, _ := v.Show(c.name); got != c.show {
			t.Errorf("show %s after %q = %q, want %q", c.name, c.in, got, c.show)
		}
	}
}

func TestTransactionScopes(t *testing.T) {
	v := NewValues()
	show := func(want string) {
		t.Helper()
		if got, _ := v.Show("work_mem"); got != want {
			t.Errorf("work_mem = %s, want %s", got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(v.Set("work_mem", "1MB", Startup, false))
	show("1MB")
	begin := v.Mark()
	must(v.Set("work_mem", "2MB", Local, false))
	show("2MB")
	sp := v.Mark()
	must(v.Set("work_mem", "3MB", Session, false))
	show("3MB")
	v.Restore(sp)
	show("2MB")
	v.EndLocal()
	show("1MB")
	must(v.Set("work_mem", "4MB", Session, false))
	v.Restore(begin)
	show("1MB")
	must(v.Set("work_mem", "4MB", Session, false))
	must(v.Reset("work_mem"))
	show("1MB")
	if _, ok := v.Show("no_such"); ok {
		t.Error("unknown setting has a value")
	}
}
