package storage

// SegmentInfo describes a segment, for system.segments. Bounds are statistics:
// they are for roles that no policy binds.
type SegmentInfo struct {
	ID               uint64
	Table            uint32
	Partition, Path  string
	Level            int
	Rows, Bytes      int64
	SeqMin, SeqMax   uint64
	TimeMin, TimeMax int64 // effective time, µs since 1970
	Damaged          error // why it is fenced, nil if it is not
}

// Segments lists the segments of a table.
func (n *Snapshot) Segments(table uint32) []SegmentInfo {
	var out []SegmentInfo
	for _, r := range n.st.table(table).segs {
		m := &r.meta
		out = append(out, SegmentInfo{ID: m.ID, Table: m.Table, Partition: m.Partition, Path: m.Path, Level: m.Level,
			Rows: m.Rows, Bytes: m.Length, SeqMin: m.SeqMin, SeqMax: m.SeqMax, TimeMin: m.TimeMin, TimeMax: m.TimeMax,
			Damaged: r.err})
	}
	return out
}

// Info is the state of the store in numbers, for metrics and system views.
type Info struct {
	Seq      uint64 // highest visible sequence
	MemBytes int64  // of all MemTables
	WALBytes int64  // used bytes of all log files
	WALFiles int
	Keys     int // batch keys that are known
	ReadOnly bool
}

// Info returns the current numbers.
func (s *Store) Info() Info {
	return Info{Seq: s.state.Load().seq, MemBytes: s.bg.memBytes.Load(), WALBytes: s.log.UsedBytes(),
		WALFiles: len(s.log.Files()), Keys: s.keys.Len(), ReadOnly: s.failure() != nil}
}

// SourceCounts are the ingest statistics of one table and source since the
// data folder was made.
type SourceCounts struct {
	Table  uint32
	Source string
	Received, Accepted, Duplicates,
	Quarantined, Refused int64
}
