package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v4"

	"quern/server"
	"quern/storage/errs"
)

// serverFlags are the flags of every subcommand that runs a server.
type serverFlags struct {
	o               server.Options
	memory, walMax  size
	insecure        onOff
	superuserUnmask onOff
	debug           onOff
}

// register adds the flags to fs.
func (f *serverFlags) register(fs *ff.FlagSet) {
	o := &f.o
	f.superuserUnmask = true
	fs.StringVar(&o.Dir, 0, "data", "./quern-data", "data folder")
	fs.StringVar(&o.PGAddr, 0, "pg", "127.0.0.1:7432", "address for PostgreSQL clients")
	fs.StringVar(&o.HTTPAddr, 0, "http", "127.0.0.1:7433", "address for HTTP")
	fs.Value(0, "memory", &f.memory, "memory of the process, such as 4GB (default: 60 % of the machine's)")
	fs.IntVar(&o.Threads, 0, "threads", 0, "workers of a query (default: all cores)")
	fs.StringVar(&o.Auth, 0, "auth", "scram", "scram, or trust on loopback addresses")
	fs.StringVar(&o.TLSCert, 0, "tls-cert", "", "PEM file with the certificate chain")
	fs.StringVar(&o.TLSKey, 0, "tls-key", "", "PEM file with the key")
	fs.Value(0, "insecure-listen", &f.insecure, "allow a non-loopback address without TLS")
	fs.IntVar(&o.MaxConnections, 0, "max-connections", 1000, "sessions of the PostgreSQL port")
	fs.Value(0, "superuser-unmask", &f.superuserUnmask, "superusers see masked values")
	fs.Value(0, "wal-bytes-max", &f.walMax, "size of the log at which commits wait (default 2GB)")
	fs.IntVar(&o.FlushRows, 0, "flush-rows", 0, "rows in memory that make a table flush (default 1000000)")
	fs.DurationVar(&o.FlushAge, 0, "flush-age", 0, "age in memory that makes a table flush (default 5m)")
	fs.Value(0, "debug", &f.debug, "log more")
	fs.String(0, "config", "", "config file with the flags as keys")
}

// options are the server's, once the flags are parsed.
func (f *serverFlags) options(s *streams) server.Options {
	o := f.o
	o.Memory, o.WALBytesMax = int64(f.memory), int64(f.walMax)
	o.InsecureListen, o.NoSuperuserUnmask = bool(f.insecure), !bool(f.superuserUnmask)
	o.AdminPassword = os.Getenv("QUERN_ADMIN_PASSWORD")
	level := slog.LevelInfo
	if f.debug {
		level = slog.LevelDebug
	}
	o.Log = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	o.Print = s.out
	return o
}

func serveCommand(s *streams) *ff.Command {
	fs := ff.NewFlagSet("serve")
	var f serverFlags
	f.register(fs)
	return &ff.Command{
		Name: "serve", Usage: "quern serve [FLAGS]", ShortHelp: "serve a data folder", Flags: fs,
		Exec: func(ctx context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			return serve(ctx, f.options(s))
		},
	}
}

// serve runs a server until the signal to stop; SIGHUP reads the certificate
// again.
func serve(ctx context.Context, o server.Options) error {
	if os.Geteuid() == 0 {
		o.Log.Warn("running as root; a user of its own is safer")
	}
	start := time.Now()
	srv, err := server.Start(ctx, o)
	if err != nil {
		if errs.CodeOf(err) == errs.ObjectInUse {
			return errors.Join(err, errors.New("stop the other process or choose another folder with --data"))
		}
		return err
	}
	o.Log.Debug("ready", "seconds", time.Since(start).Seconds())
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, cancel := context.WithCancel(ctx)
	var reload sync.WaitGroup
	reload.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				if err := srv.ReloadTLS(); err != nil {
					o.Log.Error("certificate not reloaded", "err", err)
				}
			}
		}
	})
	err = srv.Wait(ctx)
	cancel()
	reload.Wait()
	return err
}
