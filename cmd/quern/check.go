package main

import (
	"context"
	"fmt"

	"github.com/peterbourgon/ff/v4"

	"quern/storage"
	"quern/storage/vfs"
)

func checkCommand(s *streams) *ff.Command {
	fs := ff.NewFlagSet("check")
	data := fs.String(0, "data", "./quern-data", "data folder; no process may have it open")
	return &ff.Command{
		Name: "check", Usage: "quern check --data DIR", ShortHelp: "verify every checksum of a data folder", Flags: fs,
		Exec: func(_ context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			problems, err := storage.Check(vfs.OS{}, *data)
			for _, p := range problems {
				fmt.Fprintln(s.out, p)
			}
			if err != nil {
				return fmt.Errorf("check %s: %w", *data, err)
			}
			if len(problems) > 0 {
				return fmt.Errorf("%s: %d damaged places; restore from a backup", *data, len(problems))
			}
			fmt.Fprintf(s.out, "%s: no damage found\n", *data)
			return nil
		},
	}
}
