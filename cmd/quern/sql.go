package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/peterbourgon/ff/v4"

	"quern/server"
)

// acceptOf are the HTTP types of the output formats.
var acceptOf = map[string]string{
	"table": "text/plain", "csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson",
	"arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet",
}

type sqlFlags struct {
	command, file, server, data, role, format string
}

func sqlCommand(s *streams) *ff.Command {
	fs := ff.NewFlagSet("sql")
	var f sqlFlags
	fs.StringVar(&f.command, 'c', "command", "", "statements to run")
	fs.StringVar(&f.file, 'f', "file", "", "file with statements; - is standard input")
	fs.StringVar(&f.server, 0, "server", "", "HTTP address of a server, such as http://admin:secret@127.0.0.1:7433")
	fs.StringVar(&f.data, 0, "data", "", "data folder, opened by this process")
	fs.StringVar(&f.role, 0, "role", "admin", "role to run as with --data")
	fs.StringVar(&f.format, 0, "format", "table", "table, csv, json, ndjson, arrow or parquet")
	return &ff.Command{
		Name: "sql", Usage: "quern sql (-c SQL | -f FILE) [--server URL | --data DIR]",
		ShortHelp: "run statements and print their results", Flags: fs,
		Exec: func(ctx context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			text, err := f.text(s)
			if err != nil {
				return err
			}
			return f.run(ctx, text, s)
		},
	}
}

// text is what -c or -f give.
func (f *sqlFlags) text(s *streams) (string, error) {
	switch {
	case f.command != "" && f.file != "":
		return "", usagef("give -c or -f, not both")
	case f.command != "":
		return f.command, nil
	case f.file == "-":
		b, err := io.ReadAll(s.in)
		return string(b), err
	case f.file != "":
		b, err := os.ReadFile(f.file)
		return string(b), err
	}
	return "", usagef("give statements with -c SQL or -f FILE; for interactive use: psql")
}

func (f *sqlFlags) run(ctx context.Context, text string, s *streams) error {
	if _, ok := acceptOf[f.format]; !ok {
		return usagef("unknown format %q: use table, csv, json, ndjson, arrow or parquet", f.format)
	}
	switch {
	case f.server != "" && f.data != "":
		return usagef("give --server or --data, not both")
	case f.data != "":
		return f.embedded(ctx, text, s)
	case f.server == "":
		f.server = "http://127.0.0.1:7433"
	}
	return f.remote(ctx, text, s)
}

// embedded opens the folder in this process.
func (f *sqlFlags) embedded(ctx context.Context, text string, s *streams) error {
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := server.Start(ctx, server.Options{Dir: f.data, Auth: "trust", Log: log})
	if err != nil {
		return err
	}
	err = srv.Query(ctx, f.role, text, f.format, s.out)
	return errors.Join(err, srv.Close())
}

// remote sends the text to a server.
func (f *sqlFlags) remote(ctx context.Context, text string, s *streams) error {
	u, err := url.Parse(f.server)
	if err != nil || u.Host == "" {
		return usagef("--server %q is no URL such as http://127.0.0.1:7433", f.server)
	}
	body, err := json.Marshal(map[string]string{"sql": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1/query").String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", acceptOf[f.format])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is a server running there? `quern serve` starts one", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return queryError(res)
	}
	_, err = io.Copy(s.out, res.Body)
	return err
}

// queryError is the server's error as one line.
func queryError(res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var body struct {
		Error struct{ Code, Message, Detail, Hint string }
	}
	if json.Unmarshal(b, &body) != nil || body.Error.Code == "" {
		return fmt.Errorf("the server answered %s: %s", res.Status, strings.TrimSpace(string(b)))
	}
	e := body.Error
	text := e.Message
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return fmt.Errorf("%s [%s]", text, e.Code)
}
