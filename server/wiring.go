package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"quern/ingest"
	"quern/server/internal/httpapi"
	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/policy"
)

// routes wires the HTTP port.
func (s *Server) routes() httpapi.Options {
	return httpapi.Options{
		Auth: s.auth, Log: s.o.Log, Ready: s.ready, DefaultRole: "admin", Append: s.append, Replay: s.ing.Replay,
		Principal: s.principal, Batch: s.batch, MayMonitor: s.mayMonitor, Backup: s.store.Backup, Metrics: s.metrics(),
		NewSession: func(role string, settings []sql.Setting) (httpapi.Session, error) {
			sess, err := s.db.NewSession(role, settings)
			if err != nil {
				return nil, err
			}
			return sess, nil
		},
	}
}

// append takes one request of either ingest route.
func (s *Server) append(ctx context.Context, r *ingest.Request) (*ingest.Answer, error) {
	if r.Table == "" {
		return s.ing.AppendMulti(ctx, r)
	}
	return s.ing.Append(ctx, r)
}

func (s *Server) principal(role string) (policy.Principal, error) {
	r := s.store.Catalog().RoleByName(role)
	if r == nil {
		return policy.Principal{}, errs.New(errs.InvalidAuthorization, "role %q does not exist", role)
	}
	return policy.Principal{RoleID: r.ID, SessionID: r.ID, Superuser: r.Superuser, Name: r.Name}, nil
}

// batch looks a key up in the caller's own name space: keys of other roles
// cannot be seen.
func (s *Server) batch(p policy.Principal, table, key string) (storage.Outcome, string, error) {
	k := &storage.BatchKey{Principal: p.RoleID, Key: key}
	if table != "" {
		schema, name, ok := strings.Cut(table, ".")
		if !ok {
			schema, name = "public", table
		}
		cat := s.store.Catalog()
		ns := cat.SchemaByName(schema)
		if ns == nil {
			return storage.Outcome{}, "unknown", nil
		}
		t := cat.TableByName(ns.ID, name)
		if t == nil {
			return storage.Outcome{}, "unknown", nil
		}
		k.Table = t.ID
	}
	busy := s.store.KeyInFlight(k) // before the look: a commit may end between
	if out, ok := s.store.LookupKey(k); ok {
		return out, "committed", nil
	}
	if busy {
		return storage.Outcome{}, "in_flight", nil
	}
	return storage.Outcome{}, "unknown", nil
}

// mayMonitor tells whether a role is superuser or a member of "monitor".
func (s *Server) mayMonitor(role string) bool {
	cat := s.store.Catalog()
	r := cat.RoleByName(role)
	if r == nil {
		return false
	}
	if r.Superuser || r.Name == "monitor" {
		return true
	}
	seen := map[uint32]bool{}
	queue := r.MemberOf
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		g := cat.Role(id)
		if g == nil || seen[id] {
			continue
		}
		if g.Name == "monitor" {
			return true
		}
		seen[id] = true
		queue = append(queue, g.MemberOf...)
	}
	return false
}

// cpuClasses are the runtime's accounts of CPU time: the collector's share.
var cpuClasses = regexp.MustCompile("^/cpu/classes/(gc/total|idle|total):")

// metrics makes the registry of /metrics.
func (s *Server) metrics() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: cpuClasses})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quern_connections",
			Help: "Sessions of the PostgreSQL port."}, func() float64 {
			if s.pg == nil {
				return 0
			}
			return float64(s.pg.Connections())
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quern_ready",
			Help: "1 while commits can be made."}, func() float64 {
			if s.ready() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quern_query_memory_bytes",
			Help: "Memory that running queries account for."}, func() float64 { return float64(s.shared.MemoryUsed()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quern_query_spill_bytes",
			Help: "Size of the spill files of running queries."}, func() float64 { return float64(s.shared.SpillUsed()) }),
		ingestCollector{s.store}, compactionCollector{s.store},
	)
	return reg
}

// ingestCollector exports the store's durable ingest statistics: the identity
// received = accepted + duplicates + quarantined + refused can be checked on
// them.
type ingestCollector struct{ store *storage.Store }

var ingestRows = prometheus.NewDesc("quern_ingest_rows_total",
	"Rows by what became of them, since the data folder was made.", []string{"table", "source", "outcome"}, nil)

// Describe implements prometheus.Collector.
func (ingestCollector) Describe(ch chan<- *prometheus.Desc) { ch <- ingestRows }

// Collect implements prometheus.Collector.
func (c ingestCollector) Collect(ch chan<- prometheus.Metric) {
	cat := c.store.Catalog()
	for _, n := range c.store.Stats() {
		name := strconv.FormatUint(uint64(n.Table), 10)
		if t := cat.Table(n.Table); t != nil {
			name = t.Name + "#" + name
		}
		for _, o := range []struct {
			outcome string
			n       int64
		}{{"received", n.Received}, {"accepted", n.Accepted}, {"duplicate", n.Duplicates},
			{"quarantined", n.Quarantined}, {"refused", n.Refused}} {
			ch <- prometheus.MustNewConstMetric(ingestRows, prometheus.CounterValue, float64(o.n), name, n.Source, o.outcome)
		}
	}
}

// compactionCollector exports what merges of segments did.
type compactionCollector struct{ store *storage.Store }

var (
	mergeJobs    = prometheus.NewDesc("quern_merges_total", "Merges of segments since the start, by how they ended.", []string{"outcome"}, nil)
	mergeRows    = prometheus.NewDesc("quern_merge_rows_total", "Rows that merges read.", nil, nil)
	mergeBytes   = prometheus.NewDesc("quern_merge_bytes_total", "Bytes of segments that merges read and wrote.", []string{"direction"}, nil)
	writeAmp     = prometheus.NewDesc("quern_write_amplification", "Bytes written to segments per byte flushed, since the start.", nil, nil)
	partSegments = prometheus.NewDesc("quern_partition_segments_max", "Segments of the partition that has most.", nil, nil)
	slowedTables = prometheus.NewDesc("quern_slowed_tables", "Tables whose ingest is slowed because merges are behind.", nil, nil)
)

// Describe implements prometheus.Collector.
func (compactionCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{mergeJobs, mergeRows, mergeBytes, writeAmp, partSegments, slowedTables} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c compactionCollector) Collect(ch chan<- prometheus.Metric) {
	i := c.store.Compaction()
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	count(mergeJobs, i.Jobs, "done")
	count(mergeJobs, i.Failed, "failed")
	count(mergeRows, i.Rows)
	count(mergeBytes, i.BytesIn, "read")
	count(mergeBytes, i.BytesOut, "written")
	for d, v := range map[*prometheus.Desc]float64{writeAmp: i.Amplification, partSegments: float64(i.Most), slowedTables: float64(i.Slowed)} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
}

// certificate is the server's, replaced by load.
type certificate struct {
	certFile, keyFile string
	cur               atomic.Pointer[tls.Certificate]
}

// loadCertificate reads a pair of PEM files; nil if none is given.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil //nolint:nilnil // no TLS
	}
	if certFile == "" || keyFile == "" {
		return nil, fmt.Errorf("--tls-cert and --tls-key must be given together")
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	return c, c.load()
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load TLS certificate: %w", err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return fmt.Errorf("load TLS certificate: %w", err)
		}
	}
	c.cur.Store(&pair)
	return nil
}

func (c *certificate) current() *tls.Certificate { return c.cur.Load() }

// config is for the HTTP port; nil without TLS.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }}
}

// passwordLetters leaves out what is easily misread.
const passwordLetters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// randomPassword is 24 random characters.
func randomPassword() string {
	b := make([]byte, 24)
	for i := range b {
		b[i] = passwordLetters[randomBelow(len(passwordLetters))]
	}
	return string(b)
}

// randomBelow is uniform in [0, n): bytes beyond the last multiple are drawn
// again.
func randomBelow(n int) int {
	var b [1]byte
	for {
		_, _ = rand.Read(b[:]) // never fails; it ends the process instead
		if int(b[0]) < 256/n*n {
			return int(b[0]) % n
		}
	}
}

// quietLog sends net/http's own lines (broken clients) to debug.
func quietLog(l *slog.Logger) *log.Logger {
	return slog.NewLogLogger(l.Handler(), slog.LevelDebug)
}
