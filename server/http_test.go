package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

type reply struct {
	status int
	body   string
	header http.Header
}

func call(t *testing.T, s *Server, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.HTTPAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, string(b), res.Header}
}

func TestHTTP(t *testing.T) {
	s := startTest(t, nil)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // substring of the body
	}{
		{"health", "GET", "/healthz", "", nil, 200, "ok"},
		{"ready", "GET", "/readyz", "", nil, 200, "ready"},
		{"metrics", "GET", "/metrics", "", nil, 200, "quern_ready 1"},
		{"no route", "GET", "/nope", "", nil, 404, `"code":"42704"`},
		{"query text", "POST", "/v1/query", "select 1 as a, 'x' as b", nil, 200, `{"columns":["a","b"],"types":["integer","text"],"rows":[[1,"x"]],"tag":"SELECT 1"}`},
		{"query json", "POST", "/v1/query", `{"sql":"select $1::int + 1 as a, $2::text as b","params":[41,null]}`,
			[]string{"Content-Type", "application/json"}, 200, `[[42,null]]`},
		{"csv", "POST", "/v1/query", "select 1 as a, '' as b", []string{"Accept", "text/csv"}, 200, "a,b\n1,\"\"\n"},
		{"ndjson", "POST", "/v1/query", "select true as a", []string{"Accept", "application/x-ndjson"}, 200, `{"a":true}`},
		{"accept", "POST", "/v1/query", "select 1", []string{"Accept", "image/png"}, 406, "22023"},
		{"arrow", "POST", "/v1/query", "select 1 as a", []string{"Accept", "application/vnd.apache.arrow.stream"}, 200, "a"},
		{"two results as arrow", "POST", "/v1/query", "select 1; select 2", []string{"Accept", "application/vnd.apache.arrow.stream"}, 501, "0A000"},
		{"syntax error", "POST", "/v1/query", "selct 1", nil, 400, `"code":"42601","message":"syntax error at or near \"selct\"","position":1`},
		{"no table", "POST", "/v1/query", "select * from nope", nil, 404, "42P01"},
		{"several", "POST", "/v1/query", "select 1 as a; select 2 as b", nil, 200, `{"results":[{"columns":["a"]`},
		{"ingest", "POST", "/v1/ingest/ev?create=true", "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n", nil, 200, `"received":2,"accepted":2`},
		{"seen at once", "POST", "/v1/query", "select count(*) as n, sum(a) as s from ev", nil, 200, `[[2,3]]`},
		{"bad row kept", "POST", "/v1/ingest/ev", "{\"a\":\"zz\",\"b\":\"x\"}\n{\"a\":3}\n", nil, 200, `"accepted":1,"duplicates":0,"quarantined":1`},
		{"bad row aborts", "POST", "/v1/ingest/ev?on_error=abort", "{\"a\":\"zz\"}\n", nil, 422, "22P02"},
		{"no such table", "POST", "/v1/ingest/none", "{\"a\":1}\n", nil, 404, "42P01"},
		{"channel", "POST", "/v1/ingest/ev", "{}", []string{"X-Channel", "c"}, 501, "0A000"},
		{"buffered", "POST", "/v1/ingest/ev?ack=buffered", "{}", nil, 200, `"accepted":1`},
		{"unknown key", "GET", "/v1/batches/k1?table=ev", "", nil, 200, `{"state":"unknown"}`},
		{"keyed", "POST", "/v1/ingest/ev", "{\"a\":9}\n", []string{"Idempotency-Key", "k1"}, 200, `"replayed":false`},
		{"keyed again", "POST", "/v1/ingest/ev", "{\"a\":9}\n", []string{"Idempotency-Key", "k1"}, 200, `"replayed":true`},
		{"known key, schema", "GET", "/v1/batches/k1?table=public.ev", "", nil, 200, `"state":"committed"`},
		{"known key", "GET", "/v1/batches/k1?table=ev", "", nil, 200, `"state":"committed","received":1,"accepted":1`},
		{"once", "POST", "/v1/query", "select count(*) from ev where a = 9", nil, 200, `[[1]]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := call(t, s, c.method, c.path, c.body, c.headers...)
			if r.status != c.status || !strings.Contains(r.body, c.want) {
				t.Errorf("%d %s\nwant %d %s", r.status, r.body, c.status, c.want)
			}
			if c.status >= 400 && !json.Valid([]byte(r.body)) {
				t.Errorf("error is no JSON: %s", r.body)
			}
		})
	}
}

func TestHTTPLogin(t *testing.T) {
	s := startTest(t, func(o *Options) { o.Auth, o.AdminPassword = "scram", "pw" })
	r := call(t, s, "POST", "/v1/query", "select 1")
	if r.status != 401 || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("no credentials: %d %s", r.status, r.body)
	}
	basic := func(user, pw, path string) reply {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.HTTPAddr()+path, strings.NewReader("select 1 as a"))
		if path == "/metrics" {
			req.Method = "GET"
		}
		req.SetBasicAuth(user, pw)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return reply{res.StatusCode, string(b), res.Header}
	}
	for _, c := range []struct {
		user, pw, path string
		status         int
	}{
		{"admin", "pw", "/v1/query", 200}, {"admin", "no", "/v1/query", 401}, {"nobody", "pw", "/v1/query", 401},
		{"admin", "pw", "/metrics", 200}, {"admin", "no", "/metrics", 401},
	} {
		if r := basic(c.user, c.pw, c.path); r.status != c.status {
			t.Errorf("%s/%s %s: %d %s", c.user, c.pw, c.path, r.status, r.body)
		}
	}
}

// TestIngestRoutes: several tables in one batch, buffered acks, and what was kept
// aside.
func TestIngestRoutes(t *testing.T) {
	s := startTest(t, nil)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"two tables", "POST", "/v1/ingest?create=true", "{\"table\":\"ma\",\"row\":{\"x\":1}}\n{\"table\":\"mb\",\"row\":{\"y\":\"z\"}}", 200, `"accepted":2`},
		{"strict", "POST", "/v1/query", "alter table ma set (on_new_column = 'strict')", 200, "ALTER"},
		{"bad rows", "POST", "/v1/ingest/ma?ack=buffered", "{\"x\":2,\"new\":1}\n{\"x\":\"q\"}\n{\"x\":3}", 200, `"quarantined":2`},
		{"read them at once", "POST", "/v1/query", "select count(*) from ma", 200, `[[2]]`},
		{"look", "GET", "/v1/quarantine?table=ma&limit=5", "", 200, `"unknown_column"`},
		{"look at another table", "GET", "/v1/quarantine?table=mb", "", 200, `"rows":[]`},
		{"bad limit", "GET", "/v1/quarantine?limit=x", "", 400, "22023"},
		{"fix", "POST", "/v1/query", "alter table ma add column new int8", 200, "ALTER"},
		{"no predicate", "POST", "/v1/quarantine:replay", `{"table":"ma","where":"nope = 1"}`, 400, "42703"},
		{"two statements", "POST", "/v1/quarantine:replay", `{"table":"ma","where":"true); drop table ma; select (1"}`, 400, ""},
		{"replay", "POST", "/v1/quarantine:replay", `{"table":"ma","where":"error_code = 'unknown_column'"}`, 200, `"replayed":1,"failed":0`},
		{"replay again", "POST", "/v1/quarantine:replay", `{"table":"ma"}`, 200, `"replayed":0,"failed":1`},
		{"all there", "POST", "/v1/query", "select sum(x), sum(new) from ma", 200, `[[6,1]]`},
		{"bad ack", "POST", "/v1/ingest/ma?ack=never", "{}", 400, "22023"},
	} {
		r := call(t, s, c.method, c.path, c.body)
		if r.status != c.status || !strings.Contains(r.body, c.want) {
			t.Errorf("%s: %d %s, wanted %d %s", c.name, r.status, r.body, c.status, c.want)
		}
		if buffered := strings.Contains(c.path, "ack=buffered"); buffered != (r.header.Get("X-Ack") == "buffered") {
			t.Errorf("%s: header %v", c.name, r.header)
		}
	}
}
