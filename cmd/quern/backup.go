package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/peterbourgon/ff/v4"

	"quern/storage"
	"quern/storage/vfs"
)

func backupCommand(s *streams) *ff.Command {
	fs := ff.NewFlagSet("backup")
	server := fs.String(0, "server", "", "HTTP address of a server, such as http://admin:secret@127.0.0.1:7433")
	data := fs.String(0, "data", "", "data folder that no server has open")
	return &ff.Command{
		Name: "backup", Usage: "quern backup [--server URL | --data DIR] TARGET",
		ShortHelp: "take a consistent backup while the server runs; the same target again takes only what is new",
		LongHelp: "Everything acknowledged before is in the backup, read back and verified. " +
			"Keys and files of audit are not: keep DIR/keyring elsewhere. `quern check --data TARGET` verifies a backup, " +
			"`quern restore` makes a data folder of it.",
		Flags: fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return usagef("give the folder for the backup, and nothing else")
			}
			if *server != "" && *data != "" {
				return usagef("give --server or --data, not both")
			}
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			t, err := storage.OpenBackupTarget(vfs.OS{}, filepath.ToSlash(dir))
			if err != nil {
				return err
			}
			take := backupFrom(*server)
			if *data != "" {
				take = backupOf(*data)
			}
			n, doc, err := takeBackup(ctx, t, take)
			if err != nil {
				return fmt.Errorf("backup: %w", err)
			}
			fmt.Fprintf(s.out, "%s: %d files at sequence %d, %d of them (%.1f MB) new; read back and verified\n",
				args[0], len(doc.Files), doc.Seq, n.files, float64(n.bytes)/1e6)
			return nil
		},
	}
}

type putFunc func(rel string, length int64, r io.Reader) error

// takeFunc is a source of backups.
type takeFunc func(ctx context.Context, have []storage.BackupFile, put putFunc) (*storage.BackupDocument, error)

type taken struct {
	files int
	bytes int64
}

func takeBackup(ctx context.Context, t *storage.BackupTarget, take takeFunc) (n taken, doc *storage.BackupDocument, err error) {
	doc, err = take(ctx, t.Have(), func(rel string, length int64, r io.Reader) error {
		n.files++
		n.bytes += length
		return t.Put(rel, length, r)
	})
	if err != nil {
		return n, nil, err
	}
	return n, doc, t.Finish(doc)
}

// backupOf opens a folder in this process.
func backupOf(data string) takeFunc {
	return func(ctx context.Context, have []storage.BackupFile, put putFunc) (*storage.BackupDocument, error) {
		st, err := storage.Open(storage.Options{Dir: data, Manual: true})
		if err != nil {
			return nil, err
		}
		doc, err := st.Backup(ctx, have, put)
		return doc, errors.Join(err, st.Close())
	}
}

// backupFrom asks a server.
func backupFrom(server string) takeFunc {
	if server == "" {
		server = "http://127.0.0.1:7433"
	}
	return func(ctx context.Context, have []storage.BackupFile, put putFunc) (*storage.BackupDocument, error) {
		u, err := url.Parse(server)
		if err != nil || u.Host == "" {
			return nil, usagef("--server %q is no URL such as http://127.0.0.1:7433", server)
		}
		body, err := json.Marshal(map[string]any{"have": have})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1/backup").String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, fmt.Errorf("%w; is a server running there? With --data DIR the folder of a stopped one is taken", err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return nil, queryError(res)
		}
		return readBackup(tar.NewReader(res.Body), put)
	}
}

// readBackup takes the files of a stream; its last entry is the document.
func readBackup(r *tar.Reader, put putFunc) (*storage.BackupDocument, error) {
	for {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("the stream ended before the backup was complete: %w", err)
		}
		if h.Name != "BACKUP" && h.Name != "ERROR" {
			if err := put(h.Name, h.Size, r); err != nil {
				return nil, err
			}
			continue
		}
		body, err := io.ReadAll(io.LimitReader(r, storage.BackupBytesMax))
		if err != nil {
			return nil, err
		}
		if h.Name == "BACKUP" {
			return storage.DecodeBackup(body)
		}
		var e struct{ Code, Message string }
		if json.Unmarshal(body, &e) != nil || e.Message == "" {
			e.Message = string(body)
		}
		return nil, fmt.Errorf("the server could not go on: %s [%s]", e.Message, e.Code)
	}
}

func restoreCommand(s *streams) *ff.Command {
	fs := ff.NewFlagSet("restore")
	data := fs.String(0, "data", "./quern-data", "data folder to make; missing or empty")
	return &ff.Command{
		Name: "restore", Usage: "quern restore [--data DIR] BACKUP",
		ShortHelp: "make a data folder of a backup, reading everything back", Flags: fs,
		Exec: func(_ context.Context, args []string) error {
			if len(args) != 1 {
				return usagef("give the folder with the backup, and nothing else")
			}
			from, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			to, err := filepath.Abs(*data)
			if err != nil {
				return err
			}
			doc, err := storage.Restore(vfs.OS{}, filepath.ToSlash(from), filepath.ToSlash(to))
			if err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			fmt.Fprintf(s.out, "%s: %d files, sequence %d of %s; read back and verified\n", *data, len(doc.Files), doc.Seq,
				time.UnixMicro(doc.Created).UTC().Format(time.RFC3339))
			return nil
		},
	}
}
