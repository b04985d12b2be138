package sql_test

import "testing"

func TestAdvisoryLocks(t *testing.T) {
	w := newWorld(t)
	timeout := "ERROR 55P03 canceling statement due to lock timeout"
	w.script([][3]string{
		{"admin", "SELECT pg_advisory_lock(7), pg_try_advisory_lock(7)", "|t\nSELECT 1"},
		{"admin#2", "SELECT pg_try_advisory_lock(7), pg_try_advisory_lock_shared(7), pg_try_advisory_lock(0, 7)", "f|f|t\nSELECT 1"},
		{"admin#2", "SET lock_timeout = 20; SELECT pg_advisory_lock(7)", "SET\n" + timeout},
		{"admin", "SELECT pg_advisory_unlock(7), pg_advisory_unlock(7)", "t|t\nSELECT 1"},
		{"admin", "SELECT pg_advisory_unlock(7)", "f\nWARNING: you don't own a lock of type ExclusiveLock\nSELECT 1"},
		{"admin#2", "SELECT 1, pg_advisory_lock_shared(7)", "1|\nSELECT 1"},
		{"admin", "SELECT pg_try_advisory_lock_shared(7), pg_try_advisory_lock(7)", "t|f\nSELECT 1"},
		{"admin#2", "SELECT 1, pg_advisory_unlock_all()", "1|\nSELECT 1"},
		{"admin", "BEGIN; SELECT pg_advisory_xact_lock(9), pg_try_advisory_lock(7)", "BEGIN\n|t\nSELECT 1"},
		{"admin#2", "SELECT pg_try_advisory_xact_lock(9)", "f\nSELECT 1"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin#2", "SELECT pg_try_advisory_xact_lock(9)", "t\nSELECT 1"},
		{"admin", "SELECT pg_try_advisory_lock(9)", "t\nSELECT 1"},
		{"admin", "DISCARD ALL", "DISCARD ALL"},
		{"admin#2", "SELECT pg_try_advisory_lock(9), pg_try_advisory_lock(7)", "t|t\nSELECT 1"},
	}...)
}
