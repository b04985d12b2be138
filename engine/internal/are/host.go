package are

import "bytes"

// HostPattern is the pattern that takes the host out of a URL; it is common
// enough in analytics to have its own scanner.
const HostPattern = `^https?://(?:www\.)?([^/]+)/.*$`

// URLHost is regexp_replace(s, HostPattern, '\1').
func URLHost(s []byte) []byte {
	t, ok := bytes.CutPrefix(s, []byte("http"))
	if !ok {
		return s
	}
	if len(t) > 0 && t[0] == 's' {
		t = t[1:]
	}
	if t, ok = bytes.CutPrefix(t, []byte("://")); !ok {
		return s
	}
	if w, ok := bytes.CutPrefix(t, []byte("www.")); ok {
		if i := bytes.IndexByte(w, '/'); i > 0 {
			return w[:i]
		}
	}
	if i := bytes.IndexByte(t, '/'); i > 0 {
		return t[:i]
	}
	return s
}
