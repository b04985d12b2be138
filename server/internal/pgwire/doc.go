// Package pgwire speaks PostgreSQL's protocol 3 to clients.
//
//	accept ─ startup (SSL, GSS, cancel, version) ─ authentication ─ session
//	   └─► loop: frame ─┬─ Q ........ simple.go    one implicit transaction, Z
//	                    ├─ P B D E C H S  extended.go  errors skip to Sync
//	                    └─ d c f ..... copyin.go   inside COPY FROM only
//	rows: batch ─ encoders (one per column and portal) ─ scratch ─ stitch ─ out
//
// One goroutine reads and executes a connection, so its statements never
// overlap. Prepared statements, portals, settings and transactions belong to
// the session of package sql; this package only addresses them and keeps, per
// portal, the encoders and what is left of a batch after a row limit.
//
// Frames are cut here and control messages are decoded and encoded by
// pgproto3, which never sees the socket: its reader would read ahead of a TLS
// handshake and its writer keeps no buffer. Everything that is sent goes
// through the out buffer of out.go.
//
// One goroutine per server (Server.watch) looks after all connections: clients
// that went away while their statement runs, sessions ended from outside.
//
// It deliberately knows no SQL. Start reading at conn.serve.
package pgwire
