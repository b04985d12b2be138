//go:build !linux

package server

func defaultMemory() int64 { return fallbackMemory }
