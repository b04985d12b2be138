package auth

import (
	"fmt"
	"net"
)

// CheckListen refuses to listen where passwords or data would travel in clear,
// or where anybody could log in: trust outside loopback always, a bare
// non-loopback address unless the operator insists.
func CheckListen(addr string, mode Mode, tls, insecure bool) error {
	loopback, err := IsLoopback(addr)
	if err != nil {
		return err
	}
	switch {
	case loopback:
		return nil
	case mode == Trust:
		return fmt.Errorf("refusing --auth trust on %s: it lets everybody in; listen on 127.0.0.1 or use --auth scram", addr)
	case !tls && !insecure:
		return fmt.Errorf("refusing to listen on %s without TLS: give --tls-cert and --tls-key, or set insecure_listen", addr)
	}
	return nil
}

// IsLoopback tells whether a listen address can be reached from this machine
// only. An empty host means all interfaces.
func IsLoopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("listen address %q: %w", addr, err)
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}
