package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/peterbourgon/ff/v4"
	"golang.org/x/sys/cpu"

	"quern/server"
)

func versionCommand(s *streams) *ff.Command {
	return &ff.Command{
		Name: "version", Usage: "quern version", ShortHelp: "print version, commit, Go version and CPU features",
		Flags: ff.NewFlagSet("version"),
		Exec: func(context.Context, []string) error {
			fmt.Fprintf(s.out, "quern %s\ncommit %s\n%s %s/%s\ncpu %s\n", server.Version, commit(),
				runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(cpuFeatures(), " "))
			return nil
		},
	}
}

// commit is the revision that the binary was built from.
func commit() string {
	rev, dirty := "unknown", ""
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, kv := range bi.Settings {
			switch {
			case kv.Key == "vcs.revision":
				rev = kv.Value
			case kv.Key == "vcs.modified" && kv.Value == "true":
				dirty = " (modified)"
			}
		}
	}
	return rev + dirty
}

func cpuFeatures() []string {
	var out []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"sse4.2", cpu.X86.HasSSE42}, {"popcnt", cpu.X86.HasPOPCNT}, {"avx2", cpu.X86.HasAVX2},
		{"bmi2", cpu.X86.HasBMI2}, {"avx512f", cpu.X86.HasAVX512F}, {"asimd", cpu.ARM64.HasASIMD},
	} {
		if f.has {
			out = append(out, f.name)
		}
	}
	if out == nil {
		out = []string{"generic"}
	}
	return out
}
