package sql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"quern/sql"
)

// modelSession is what a session's transaction should be: the rows that it
// sees, its savepoints, its status.
type modelSession struct {
	status sql.TxStatus
	base   []int // the snapshot of the block; nil before its first statement
	mine   []int
	saves  map[string]int
	order  []string
}

// TestRandomTransactions runs random statements of three sessions and compares
// counts and status with a model of PostgreSQL's REPEATABLE READ.
func TestRandomTransactions(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t)
		w.query("admin", "CREATE TABLE t (a int)")
		rng := rand.New(rand.NewPCG(seed, 7))
		committed := []int{}
		sessions := map[string]*modelSession{}
		var log []string
		for n := range 120 {
			name := fmt.Sprintf("admin#%d", rng.IntN(3))
			m := sessions[name]
			if m == nil {
				m = &modelSession{status: sql.TxIdle}
				sessions[name] = m
			}
			stmt := []string{"BEGIN", "COMMIT", "ROLLBACK", "INSERT", "INSERT", "SELECT", "SELECT", "SAVEPOINT", "ROLLBACK TO", "RELEASE",
				"ERROR", "PAIR", "FLUSH"}[rng.IntN(13)]
			sp := string(rune('a' + rng.IntN(2)))
			text, want := m.step(stmt, sp, n, &committed)
			if stmt == "FLUSH" && name != "" {
				name = "admin#flush"
			}
			got := w.query(name, text)
			log = append(log, name+"> "+text+" => "+got)
			last := got[strings.LastIndexByte(got, '\n')+1:]
			if !strings.HasPrefix(last, want) && !strings.HasPrefix(got, want) {
				t.Fatalf("seed %d: want %q\n%s", seed, want, strings.Join(log, "\n"))
			}
			if st := w.as(name).TxStatus(); stmt != "FLUSH" && st != m.status {
				t.Fatalf("seed %d: status %c, want %c\n%s", seed, st, m.status, strings.Join(log, "\n"))
			}
		}
	}
}

// step is one statement: its text, and what the answer must contain.
func (m *modelSession) step(stmt, sp string, n int, committed *[]int) (text, want string) {
	failed := m.status == sql.TxFailed
	const aborted = "ERROR 25P02"
	end := func() { *m = modelSession{status: sql.TxIdle} }
	see := func() {
		if m.base == nil {
			m.base = append([]int{}, *committed...)
		}
	}
	switch stmt {
	case "BEGIN":
		if failed {
			return stmt, aborted
		}
		m.status = sql.TxBlock
		if m.saves == nil {
			m.saves = map[string]int{}
		}
		return stmt, "BEGIN"
	case "COMMIT":
		if failed {
			end()
			return stmt, "ROLLBACK"
		}
		*committed = append(*committed, m.mine...)
		end()
		return stmt, "COMMIT"
	case "ROLLBACK":
		end()
		return stmt, "ROLLBACK"
	case "INSERT":
		if failed {
			return "INSERT INTO t VALUES (1)", aborted
		}
		text = fmt.Sprintf("INSERT INTO t VALUES (%d), (%d)", n, n)
		if m.status == sql.TxBlock {
			see()
			m.mine = append(m.mine, n, n)
		} else {
			*committed = append(*committed, n, n)
		}
		return text, "INSERT 0 2"
	case "SELECT":
		text = "SELECT count(*) FROM t"
		if failed {
			return text, aborted
		}
		if m.status == sql.TxIdle {
			return text, fmt.Sprintf("%d\n", len(*committed))
		}
		see()
		return text, fmt.Sprintf("%d\n", len(m.base)+len(m.mine))
	case "PAIR":
		text = fmt.Sprintf("INSERT INTO t VALUES (%d); SELECT 1/0", n)
		if failed {
			return text, aborted
		}
		if m.status == sql.TxBlock {
			m.status = sql.TxFailed
		}
		return text, "ERROR 22012"
	case "ERROR":
		if failed {
			return "SELECT nope", aborted
		}
		if m.status == sql.TxBlock {
			m.status = sql.TxFailed
		}
		return "SELECT nope", "ERROR 42703"
	case "FLUSH":
		return "CHECKPOINT", "CHECKPOINT"
	}
	return m.savepoints(stmt, sp)
}

func (m *modelSession) savepoints(stmt, sp string) (text, want string) {
	text = stmt + " " + sp
	switch {
	case m.status == sql.TxFailed && stmt != "ROLLBACK TO":
		return text, "ERROR 25P02"
	case m.status == sql.TxIdle:
		return text, "ERROR 25P01"
	}
	i := -1
	for k, s := range m.order {
		if s == sp {
			i = k
		}
	}
	if stmt == "SAVEPOINT" {
		m.order = append(m.order, sp)
		m.saves[fmt.Sprint(len(m.order)-1)] = len(m.mine)
		return text, "SAVEPOINT"
	}
	if i < 0 {
		m.status = sql.TxFailed
		return text, "ERROR 3B001"
	}
	if stmt == "RELEASE" {
		m.order = m.order[:i]
		return text, "RELEASE"
	}
	m.mine = m.mine[:m.saves[fmt.Sprint(i)]]
	m.order = m.order[:i+1]
	m.status = sql.TxBlock
	return text, "ROLLBACK"
}
