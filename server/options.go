package server

import (
	"io"
	"log/slog"
	"time"

	"quern/storage"
)

// Version is the product's.
const Version = "0.1.0"

// Options of a Server. The zero value of a field means its default.
type Options struct {
	// Dir is the data folder.
	Dir string
	// PGAddr and HTTPAddr are listen addresses; empty = not served. Port 0
	// takes a free one.
	PGAddr, HTTPAddr string
	// Memory bounds the process; 0 = 60 % of the machine's.
	Memory  int64
	Threads int
	// Auth is scram (default) or trust.
	Auth string
	// TLSCert and TLSKey are PEM files.
	TLSCert, TLSKey string
	// InsecureListen allows a non-loopback address without TLS.
	InsecureListen bool
	MaxConnections int
	// AdminPassword sets the admin role's password at the first start instead
	// of a random one.
	AdminPassword string
	// NoSuperuserUnmask masks superusers too.
	NoSuperuserUnmask bool

	WALBytesMax int64
	FlushRows   int
	FlushAge    time.Duration

	// Now is the clock; nil = time.Now.
	Now func() time.Time
	Log *slog.Logger // discards if nil
	// Print takes what the operator must see once: the first password.
	Print io.Writer
	// Storage lets tests and tools change the store's options.
	Storage func(*storage.Options)
}

func (o *Options) defaults() {
	if o.Threads == 0 {
		o.Threads = cores
	}
	if o.Auth == "" {
		o.Auth = "scram"
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Print == nil {
		o.Print = io.Discard
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory()
	}
}

// Shares of Memory. Ingest has a quarter: rows in memory, the pieces of loads and
// bodies in flight. What is left is for the process itself: connections, the
// sorting and encoding of a flush, the collector's head room.
func (o *Options) memTableBytes() int64 { return min(1<<30, o.Memory/6) }
func (o *Options) rowKeyBytes() int64   { return max(16<<20, o.Memory/16) } // of tables with a dedup_key
func (o *Options) bodyBytes() int64     { return max(16<<20, o.Memory/8) }
func (o *Options) loadBytes() int64     { return max(1<<20, min(64<<20, o.bodyBytes()/8)) }
func (o *Options) queueBytes() int64    { return max(4<<20, min(64<<20, o.Memory/32)) }

// dictBytes are dictionaries of segments, kept decoded. Below the minimum a
// query over texts would decode them again for every row group.
func (o *Options) dictBytes() int64    { return max(96<<20, o.Memory/8) }
func (o *Options) queriesBytes() int64 { return o.Memory / 2 } // together
func (o *Options) queryBytes() int64   { return o.Memory / 4 } // one
func (o *Options) writeBytes() int64   { return min(1<<30, o.Memory/8) }

// walFileBytes lets a small log be retired in pieces.
func (o *Options) walFileBytes() int64 {
	if o.WALBytesMax == 0 {
		return 0 // the default
	}
	return max(256<<10, min(64<<20, o.WALBytesMax/8))
}
