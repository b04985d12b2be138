package pgcatalog

import (
	_ "embed"
	"strings"
	"time"

	"quern/storage/types"
)

//go:embed zones.txt
var zoneNames string

// pgTimezoneNames lists the zones that SET TimeZone knows, at the statement's time.
func pgTimezoneNames(c *Context, w *rows) error {
	at := time.UnixMicro(c.Now)
	for name := range strings.Lines(zoneNames) {
		name = strings.TrimSpace(name)
		loc, err := types.LoadZone(name)
		if err != nil {
			continue
		}
		t := at.In(loc)
		abbrev, off := t.Zone()
		offset := types.Datum{Iv: types.IntervalVal{Micros: int64(off) * 1_000_000}}
		w.add("name", name, "abbrev", abbrev, "utc_offset", offset, "is_dst", t.IsDST())
	}
	return nil
}
