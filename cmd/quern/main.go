// Quern is a columnar analytics engine with ingest, in one binary: this is its
// command line.
//
//	main ─ flags, variables, config file ─ a subcommand ─ the doors of the product
//
// A subcommand is one file with a function that makes its ff.Command, listed
// in commands. Errors are one line on standard error; the exit code is 0 for
// done, 1 for failed, 2 for wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"

	"quern/storage/errs"
)

// streams are what a subcommand reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// commands lists the subcommands.
func commands(s *streams) []*ff.Command {
	return []*ff.Command{
		demoCommand(s),
		serveCommand(s),
		loadCommand(s),
		benchCommand(s),
		sqlCommand(s),
		checkCommand(s),
		backupCommand(s),
		restoreCommand(s),
		versionCommand(s),
	}
}

// usageError is a wrong command line: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, s *streams) int {
	root := &ff.Command{
		Name: "quern", Usage: "quern SUBCOMMAND [FLAGS]",
		ShortHelp: "columnar analytics engine with ingest", Subcommands: commands(s),
		Exec: func(_ context.Context, args []string) error {
			if len(args) == 0 {
				return usagef("no subcommand given; quern --help lists them")
			}
			return usagef("unknown subcommand %q; quern --help lists them", args[0])
		},
	}
	err := root.Parse(args, ff.WithEnvVarPrefix("QUERN"), ff.WithConfigFileFlag("config"),
		ff.WithConfigFileParser(parseConfig))
	switch {
	case errors.Is(err, ff.ErrHelp):
		fmt.Fprintln(s.out, ffhelp.Command(root.GetSelected()))
		return 0
	case err != nil:
		err = &usageError{err}
	default:
		err = root.Run(ctx)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(s.err, "quern: "+oneLine(err))
	if u := (*usageError)(nil); errors.As(err, &u) {
		return 2
	}
	return 1
}

// oneLine is what is wrong and, if known, what to do.
func oneLine(err error) string {
	text := err.Error()
	if e := (*errs.Error)(nil); errors.As(err, &e) {
		if e.Detail != "" {
			text += " (" + e.Detail + ")"
		}
		if e.Hint != "" {
			text += "; " + e.Hint
		}
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
}

// noArgs refuses words after the flags.
func noArgs(args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}
