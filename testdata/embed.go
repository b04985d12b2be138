// Package testdata embeds the real events that `quern demo` loads and holds
// the whole-product suites: slt/ (SQL logic tests), formats/ (files that must
// open for ever), demo/ (events with their provenance and licences).
package testdata

import "embed"

// Demo holds demo/flights.parquet and demo/github_events.ndjson.
//
//go:embed demo/flights.parquet demo/github_events.ndjson
var Demo embed.FS
