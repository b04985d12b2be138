package server

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/storage/types"
)

// recorded is one statement of the corpus of recorded clients.
type recorded struct {
	text     string
	extended bool
	types    []uint32
	formats  []int16
	params   []*string
	results  []int16
	max      uint32
	mark     string
	columns  [][][2]string // per result
	expect   []string
}

// TestCorpus replays the statements of recorded clients, one connection per
// client, and reports per client how many gave no unexpected error and the
// right shape. It runs when QUERN_CORPUS names the folder with seed.sql and
// corpus/; QUERN_CORPUS_SHOW=client prints that client's differences.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("QUERN_CORPUS")
	if dir == "" {
		t.Skip("skipped: QUERN_CORPUS is not set")
	}
	s := startTest(t, nil)
	seedCorpus(t, s, filepath.Join(dir, "seed.sql"))
	files, _ := filepath.Glob(filepath.Join(dir, "corpus", "*.sql"))
	slices.Sort(files)
	all, okAll, shapeAll := 0, 0, 0
	for _, file := range files {
		client := strings.TrimSuffix(filepath.Base(file), ".sql")
		n, ok, shape := replayClient(t, s, client, readCorpus(t, file))
		t.Logf("%-14s %4d statements, no unexpected error %5.1f %%, shape equal %5.1f %%", client, n,
			100*float64(ok)/float64(max(1, n)), 100*float64(shape)/float64(max(1, n)))
		if client != "pgdump" && client != "pgbench" && client != "sqlsmith" {
			all, okAll, shapeAll = all+n, okAll+ok, shapeAll+shape
		}
	}
	t.Logf("all but pgdump, pgbench, sqlsmith: %d statements, no unexpected error %.1f %%, shape equal %.1f %%", all,
		100*float64(okAll)/float64(all), 100*float64(shapeAll)/float64(all))
}

func seedCorpus(t *testing.T, s *Server, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("analytics.plan", "text", "create type text as enum('free','pro','team');", "").Replace(string(data))
	c := dialWire(t, s)
	defer c.nc.Close()
	for st := range strings.SplitSeq(text, ";\n") {
		_ = c.nc.SetDeadline(time.Now().Add(20 * time.Second))
		c.send(&pgproto3.Query{String: st})
		for _, m := range c.read(func(m string) bool { return m[0] == 'Z' || m[0] == 'c' }) {
			if strings.HasPrefix(m, "Error") {
				t.Logf("seed: %s: %.100s", m, strings.TrimSpace(st))
			}
		}
	}
}

// typeOID is a recorded parameter type: 0 for the server to infer, or a name.
func typeOID(v any) uint32 {
	name, ok := v.(string)
	if !ok {
		return 0
	}
	typ, ok := types.ByName(strings.TrimSuffix(name, "[]"))
	switch {
	case !ok:
		return 0
	case strings.HasSuffix(name, "[]"):
		return uint32(typ.Array().OID)
	}
	return uint32(typ.OID)
}

// jsonAfter reads the JSON value behind key= in a header line.
func jsonAfter(line, key string, v any) {
	if i := strings.Index(line, key+"="); i >= 0 {
		_ = json.NewDecoder(strings.NewReader(line[i+len(key)+1:])).Decode(v)
	}
}

func readCorpus(t *testing.T, file string) []recorded {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	var cur *recorded
	var text []string
	for line := range strings.SplitSeq(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, "-- [") && cur == nil:
			cur, text = &recorded{}, nil
			cur.extended = strings.Contains(line, "protocol=P")
			var names []any
			jsonAfter(line, "param_types", &names)
			for _, n := range names {
				cur.types = append(cur.types, typeOID(n))
			}
			jsonAfter(line, "param_formats", &cur.formats)
			jsonAfter(line, "result_formats", &cur.results)
			jsonAfter(line, "execute_max", &cur.max)
			jsonAfter(line, " params", &cur.params)
			if _, m, ok := strings.Cut(line, "replay="); ok {
				cur.mark = strings.Fields(m)[0]
			}
		case cur == nil:
		case strings.HasPrefix(line, "-- columns: ") && text == nil:
			var cols [][2]string
			_ = json.Unmarshal([]byte(line[12:]), &cols)
			for len(cur.columns) <= len(cur.expect) {
				cur.columns = append(cur.columns, nil)
			}
			cur.columns[len(cur.expect)] = cols
		case strings.HasPrefix(line, "-- expect: ") && text == nil:
			cur.expect = append(cur.expect, line[11:])
		case line == ";;":
			cur.text = strings.Join(text, "\n")
			out = append(out, *cur)
			cur = nil
		default:
			text = append(text, line)
		}
	}
	return out
}

func replayClient(t *testing.T, s *Server, client string, list []recorded) (n, ok, shape int) {
	t.Helper()
	show := os.Getenv("QUERN_CORPUS_SHOW")
	c := dialWire(t, s, "search_path", "analytics,public")
	for i := range list {
		r := &list[i]
		_ = c.nc.SetDeadline(time.Now().Add(5 * time.Second))
		start := time.Now()
		got := c.replay(r)
		if d := time.Since(start); show != "" && d > 300*time.Millisecond {
			t.Logf("%s [%d] took %v: %.200s", client, i, d, r.text)
		}
		if strings.HasPrefix(got[len(got)-1], "closed") {
			_ = c.nc.Close()
			c = dialWire(t, s, "search_path", "analytics,public")
		} else if got[len(got)-1] == "Z E" {
			c.send(&pgproto3.Query{String: "rollback"})
			c.read(func(m string) bool { return m[0] == 'Z' || strings.HasPrefix(m, "closed") })
		}
		if r.mark != "ok" {
			continue
		}
		n++
		e, sh := r.judge(got)
		if e {
			ok++
		}
		if sh {
			shape++
		}
		if show == client || show == "all" {
			if !sh {
				t.Logf("%s [%d] error ok %v\n  %.300s\n  want %v %v\n  got %.400v", client, i, e, r.text, r.columns, r.expect, got)
			}
		}
	}
	_ = c.nc.Close()
	return n, ok, shape
}

func (c *wireClient) replay(r *recorded) []string {
	text := strings.ReplaceAll(r.text, "'demo'", "'quern'")
	if !r.extended {
		c.send(&pgproto3.Query{String: text})
	} else {
		b := &pgproto3.Bind{ParameterFormatCodes: r.formats, ResultFormatCodes: r.results}
		for _, p := range r.params {
			switch {
			case p == nil:
				b.Parameters = append(b.Parameters, nil)
			case strings.HasPrefix(*p, "0x"):
				raw, _ := hex.DecodeString((*p)[2:])
				b.Parameters = append(b.Parameters, raw)
			default:
				b.Parameters = append(b.Parameters, []byte(*p))
			}
		}
		c.send(&pgproto3.Parse{Query: text, ParameterOIDs: r.types}, b, &pgproto3.Describe{ObjectType: 'P'},
			&pgproto3.Execute{MaxRows: r.max}, &pgproto3.Sync{})
	}
	return c.read(func(m string) bool {
		if strings.HasSuffix(m, "CopyInResponse") {
			c.send(&pgproto3.CopyDone{})
			if r.extended {
				c.send(&pgproto3.Sync{})
			}
		}
		return m[0] == 'Z' || strings.HasPrefix(m, "closed")
	})
}

// judge compares errors and column names and types.
func (r *recorded) judge(got []string) (errorOK, shape bool) {
	wantErr, gotErr := "", ""
	for _, e := range r.expect {
		if strings.HasPrefix(e, "ERROR ") {
			wantErr = strings.Fields(e)[1]
		}
	}
	var descs []string
	for _, m := range got {
		switch {
		case strings.HasPrefix(m, "Error "):
			gotErr = strings.Fields(m)[2]
		case strings.HasPrefix(m, "closed"):
			gotErr = "closed"
		case strings.HasPrefix(m, "T"):
			descs = append(descs, m)
		}
	}
	if gotErr != wantErr {
		return gotErr == "", false
	}
	k := 0
	for _, cols := range r.columns {
		if cols == nil {
			continue
		}
		if k >= len(descs) {
			return true, false
		}
		want := "T"
		for _, c := range cols {
			want += fmt.Sprintf(" %s:%s/", c[0], c[1])
		}
		if !sameNames(descs[k], cols) {
			return true, false
		}
		k++
	}
	return true, true
}

// sameNames compares a printed description with recorded columns by name and,
// for built-in types, by OID.
func sameNames(desc string, cols [][2]string) bool {
	rest := strings.TrimPrefix(desc, "T")
	for _, c := range cols {
		rest = strings.TrimPrefix(rest, " ")
		if !strings.HasPrefix(rest, c[0]+":") {
			return false
		}
		rest = rest[len(c[0])+1:]
		oid, tail, _ := strings.Cut(rest, "/")
		if want, ok := corpusOIDs[c[1]]; ok && want != oid {
			return false
		}
		i := strings.Index(tail, " tbl")
		if i < 0 {
			return false
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(tail[i:], " tbltrue"), " tblfalse")
	}
	return rest == ""
}

var corpusOIDs = map[string]string{"bool": "16", "bytea": "17", "char": "18", "name": "19", "int8": "20", "int2": "21",
	"int4": "23", "text": "25", "oid": "26", "json": "114", "float4": "700", "float8": "701", "varchar": "1043",
	"date": "1082", "timestamp": "1114", "timestamptz": "1184", "interval": "1186", "numeric": "1700", "uuid": "2950",
	"jsonb": "3802", "text[]": "1009", "_text": "1009", "regclass": "2205", "regtype": "2206"}
