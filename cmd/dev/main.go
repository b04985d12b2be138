// Command dev holds Quern's own tools: the check of form and layering, and the
// suites that are too long for go test (each with a short form that CI runs).
//
//	go run ./cmd/dev check              form, layering, size, banned calls
//	go run ./cmd/dev slt [PATH…]        SQL logic tests over the wire
//	go run ./cmd/dev crash [--short]    kill -9 loops and power cuts
//	go run ./cmd/dev twin [--short]     two worlds that must look the same
//	go run ./cmd/dev diff [--short]     random queries on Quern and PostgreSQL 15
//	go run ./cmd/dev smith              sqlsmith's queries: no panic, no XX000
//	go run ./cmd/dev fuzz [--short]     every fuzz target for a while
//	go run ./cmd/dev cancel [--short]   queries stopped at random moments, in every way
//	go run ./cmd/dev load [--short]     queries larger than memory
//	go run ./cmd/dev bench              Quern beside DuckDB and ClickHouse
//	go run ./cmd/dev tour               every shell command of README.md
//
// A suite's last line states its result; the exit status is 0 only if it held.
package main

import (
	"fmt"
	"os"
	"slices"
)

type command struct {
	name  string
	about string
	run   func(args []string) error
}

// commands is filled by the files of each tool.
var commands []command

func register(name, about string, run func(args []string) error) struct{} {
	commands = append(commands, command{name, about, run})
	return struct{}{}
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name == os.Args[1] {
				if err := c.run(os.Args[2:]); err != nil {
					fmt.Fprintf(os.Stderr, "dev %s: %v\n", c.name, err)
					os.Exit(1)
				}
				return
			}
		}
	}
	slices.SortFunc(commands, func(a, b command) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	fmt.Fprintln(os.Stderr, "usage: go run ./cmd/dev COMMAND [ARGUMENTS]")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", c.name, c.about)
	}
	os.Exit(2)
}
