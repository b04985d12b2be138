package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// parseConfig reads a config file: lines `key = value`, keys as the flags with
// '_' or '-', values bare or in single or double quotes, '#' begins a comment.
func parseConfig(r io.Reader, set func(name, value string) error) error {
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("line %d: no '=' in %q", n, line)
		}
		value, err := configValue(strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		name := strings.ReplaceAll(strings.TrimSpace(key), "_", "-")
		if err := set(name, value); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return sc.Err()
}

func configValue(v string) (string, error) {
	if v == "" || v[0] != '\'' && v[0] != '"' {
		if i := strings.Index(v, " #"); i >= 0 {
			v = strings.TrimSpace(v[:i])
		}
		return v, nil
	}
	end := strings.IndexByte(v[1:], v[0])
	if end < 0 {
		return "", fmt.Errorf("no closing %c", v[0])
	}
	if rest := strings.TrimSpace(v[end+2:]); rest != "" && rest[0] != '#' {
		return "", fmt.Errorf("unexpected %q behind the value", rest)
	}
	return v[1 : end+1], nil
}

// onOff is a flag that takes on, off and what Go takes for booleans.
type onOff bool

func (b *onOff) String() string {
	if b != nil && *b {
		return "on"
	}
	return "off"
}

// Set implements flag.Value.
func (b *onOff) Set(s string) error {
	switch strings.ToLower(s) {
	case "on", "yes":
		*b = true
		return nil
	case "off", "no":
		*b = false
		return nil
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither on nor off", s)
	}
	*b = onOff(v)
	return nil
}

// IsBoolFlag lets the flag stand without a value.
func (b *onOff) IsBoolFlag() bool { return true }

// size is a flag in bytes: 512MB, 2GiB, 1048576; 0 = default.
type size int64

func (z *size) String() string {
	if z == nil || *z == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*z), 10)
}

// Set implements flag.Value. The units are powers of 1024, however written.
func (z *size) Set(s string) error {
	num := strings.TrimRight(strings.ToUpper(strings.TrimSpace(s)), "IB")
	shift := 0
	if num != "" {
		if i := strings.IndexByte("KMGT", num[len(num)-1]); i >= 0 {
			shift, num = 10*(i+1), num[:len(num)-1]
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if err != nil || v < 0 || v*float64(int64(1)<<shift) > 1<<60 {
		return fmt.Errorf("%q is no size: use 512MB or 2GB", s)
	}
	*z = size(v * float64(int64(1)<<shift))
	return nil
}
