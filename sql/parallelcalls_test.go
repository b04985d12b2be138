package sql_test

import (
	"testing"
	"time"

	"quern/sql"
)

// TestCallsOfWorkers: functions that change the session may run for rows of
// several workers at once.
func TestCallsOfWorkers(t *testing.T) {
	w := newWorld(t)
	w.db = sql.New(w.store, sql.Options{Version: "0.1.0", Threads: 4, Now: func() time.Time { return w.now }})
	w.script([][3]string{
		{"admin", "CREATE TABLE c (n bigserial, v int8)", "CREATE TABLE"},
		{"admin", "CREATE TABLE rows AS SELECT g AS a FROM generate_series(1, 200000) g; CHECKPOINT", "SELECT 200000\nCHECKPOINT"},
		{"admin", "SELECT count(DISTINCT n), min(n), max(n) FROM (SELECT nextval('c_n_seq') AS n FROM rows OFFSET 0) x", "200000|1|200000\nSELECT 1"},
		{"admin", "SELECT count(setval('c_n_seq', 7)) FROM (SELECT a FROM rows WHERE a % 100 = 0 OFFSET 0) x", "2000\nSELECT 1"},
		{"admin", "SELECT nextval('c_n_seq'), lastval(), currval('c_n_seq')", "8|8|8\nSELECT 1"},
		{"admin", "SELECT count(set_config('application_name', 'x' || a, false)) FROM rows", "200000\nSELECT 1"},
	}...)
}
