package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"quern/ingest"
	"quern/server/internal/export"
	"quern/storage/errs"
	"quern/storage/types"
)

// quarantineShown is how many rows GET /v1/quarantine gives without a limit.
const quarantineShown = 100

// quarantine answers GET /v1/quarantine?table=t&limit=n: the newest rows that the
// caller may see, in any format of /v1/query.
func (a *api) quarantine(w http.ResponseWriter, r *http.Request) {
	role, err := a.login(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	limit := quarantineShown
	if l := r.URL.Query().Get("limit"); l != "" {
		if limit, err = strconv.Atoi(l); err != nil || limit < 0 {
			fail(w, http.StatusBadRequest, errs.New(errs.InvalidParameterValue, "invalid value for limit: %q", l))
			return
		}
	}
	text, params := "SELECT * FROM system.quarantine ORDER BY received_at DESC LIMIT "+strconv.Itoa(limit), []export.Param(nil)
	if t := r.URL.Query().Get("table"); t != "" {
		text = "SELECT * FROM system.quarantine WHERE table_name = $1 ORDER BY received_at DESC LIMIT " + strconv.Itoa(limit)
		params = []export.Param{&t}
	}
	a.answer(w, r, role, text, params)
}

// replay answers POST /v1/quarantine:replay. The predicate runs with the caller's
// rights, so that nothing can be learned or stored through it.
func (a *api) replay(w http.ResponseWriter, r *http.Request) {
	p, ok := a.principal(w, r)
	if !ok {
		return
	}
	var q struct {
		Table, Where string
		Limit        int
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, queryBytesMax)).Decode(&q); err != nil || q.Table == "" || q.Limit < 0 {
		fail(w, http.StatusBadRequest, errs.New(errs.InvalidText, "expected a JSON object").
			WithHint(`Send {"table":"t","where":"error_code='22P02'","limit":1000}.`))
		return
	}
	if q.Where == "" {
		q.Where = "true"
	}
	if q.Limit == 0 || q.Limit > ingest.ReplayRowsMax {
		q.Limit = ingest.ReplayRowsMax
	}
	schema, table := splitTable(q.Table)
	// A parameter makes it one statement of the extended protocol.
	text := "SELECT id FROM system.quarantine WHERE table_name = $1 AND state = 'new' AND kind = 'row' AND NOT raw_truncated AND (" +
		q.Where + "\n) ORDER BY received_at, row_number LIMIT " + strconv.Itoa(q.Limit)
	ids, err := a.quarantineIDs(r, p.Name, text, table)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	ans, err := a.Replay(r.Context(), &ingest.ReplayRequest{Principal: p, Schema: schema, Table: table, IDs: ids})
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(ans) // the client may be gone
}

// quarantineIDs runs a query for ids.
func (a *api) quarantineIDs(r *http.Request, role, text, table string) (ids [][16]byte, err error) {
	var out bytes.Buffer
	ew, err := export.NewWriter("csv", &out)
	if err != nil {
		return nil, err
	}
	s, err := a.NewSession(role, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := export.Run(r.Context(), s, text, []export.Param{&table}, ew); err != nil {
		return nil, err
	}
	if err := ew.Close(nil); err != nil {
		return nil, err
	}
	for i, line := range bytes.Fields(out.Bytes()) {
		if i == 0 {
			continue // the column's name
		}
		d, err := types.ParseText(types.UUID, string(line), types.DefaultFormat)
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.U)
	}
	return ids, nil
}
