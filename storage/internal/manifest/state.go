package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Segment is a live segment.
type Segment struct {
	ID         uint64 `json:"id"`
	Table      uint32 `json:"table"`
	Partition  string `json:"partition"`
	Path       string `json:"path"` // below the data folder
	Level      int    `json:"level"`
	Rows       int64  `json:"rows"`
	Length     int64  `json:"length"`
	TrailerCRC uint32 `json:"crc"`
	SeqMin     uint64 `json:"seqmin"`
	SeqMax     uint64 `json:"seqmax"`
	// AllSeq, if not 0, is the sequence of every row: the file of a load was
	// complete before its commit had one.
	AllSeq uint64 `json:"allseq,omitempty"`
	// Effective-time and receive-time bounds, µs since 1970.
	TimeMin     int64 `json:"tmin"`
	TimeMax     int64 `json:"tmax"`
	ReceivedMin int64 `json:"rmin"`
	ReceivedMax int64 `json:"rmax"`
	Created     int64 `json:"created"`
}

// Vector is the file with the deleted rows of a segment.
type Vector struct {
	Path string `json:"path"` // below the data folder
	Seq  uint64 `json:"seq"`  // deletes up to it are in the file
	Rows int64  `json:"rows"`
}

// Keys is a piece of the batch keys: an opaque body with what is needed to
// forget it in time.
type Keys struct {
	Count int    `json:"count"`
	MaxAt int64  `json:"maxat"` // receive time of the newest key
	Body  []byte `json:"body"`
}

// Aux is the state at one sequence that outlives the log's frames.
type Aux struct {
	Seq      uint64            `json:"seq"`
	Catalog  json.RawMessage   `json:"catalog,omitempty"`  // whole
	Stats    json.RawMessage   `json:"stats,omitempty"`    // whole
	Counters map[string]int64  `json:"counters,omitempty"` // whole
	Keys     []Keys            `json:"keys,omitempty"`     // new ones since the last Aux
	Dropped  map[uint32]uint64 `json:"dropped,omitempty"`  // tables dropped, at which sequence
}

// Edit is one change of the state.
type Edit struct {
	Kind  Kind   `json:"-"`
	State *State `json:"state,omitempty"` // CHECKPOINT

	Added       []Segment         `json:"added,omitempty"`
	Removed     []uint64          `json:"removed,omitempty"`
	Vectors     map[uint64]Vector `json:"vectors,omitempty"` // by segment
	RetireSeq   uint64            `json:"retireseq,omitempty"`
	Applied     map[uint32]uint64 `json:"applied,omitempty"`
	NextSegment uint64            `json:"nextsegment,omitempty"`
	Aux         *Aux              `json:"aux,omitempty"`

	// GONE: the log begins here now, and these files may be removed.
	FloorFile uint64   `json:"floorfile,omitempty"`
	FloorSeq  uint64   `json:"floorseq,omitempty"`
	Unlink    []string `json:"unlink,omitempty"`
	// KeysBefore lets go of key pieces that are older, as long as KeysKeep
	// newer keys stay.
	KeysBefore int64 `json:"keysbefore,omitempty"`
	KeysKeep   int   `json:"keyskeep,omitempty"`
}

// State is what the manifest says.
type State struct {
	HashKey     [16]byte           `json:"hashkey"` // secret of the folder's hashes
	Segments    map[uint64]Segment `json:"segments"`
	Vectors     map[uint64]Vector  `json:"vectors,omitempty"` // of live segments with deleted rows
	Retired     map[uint64]uint64  `json:"retired"`           // segment id → retire sequence
	Applied     map[uint32]uint64  `json:"applied"`           // per table: frames up to it are in files
	NextSegment uint64             `json:"nextsegment"`
	FloorFile   uint64             `json:"floorfile"`
	FloorSeq    uint64             `json:"floorseq"`

	AuxSeq   uint64           `json:"auxseq"`
	Catalog  json.RawMessage  `json:"catalog,omitempty"`
	Stats    json.RawMessage  `json:"stats,omitempty"`
	Counters map[string]int64 `json:"counters,omitempty"`
	Keys     []Keys           `json:"keys,omitempty"`
}

func (s *State) init() {
	if s.Segments == nil {
		s.Segments = map[uint64]Segment{}
	}
	if s.Retired == nil {
		s.Retired = map[uint64]uint64{}
	}
	if s.Vectors == nil {
		s.Vectors = map[uint64]Vector{}
	}
	if s.Applied == nil {
		s.Applied = map[uint32]uint64{}
	}
	if s.Counters == nil {
		s.Counters = map[string]int64{}
	}
}

// clone copies what apply changes.
func (s *State) clone() *State {
	c := *s
	c.init()
	c.Segments, c.Retired = maps.Clone(c.Segments), maps.Clone(c.Retired)
	c.Applied, c.Counters = maps.Clone(c.Applied), maps.Clone(c.Counters)
	c.Keys = slices.Clone(c.Keys)
	c.Vectors = maps.Clone(c.Vectors)
	return &c
}

// apply adds an edit. An edit that contradicts the state is an error and means
// damage or a bug in its writer.
func (s *State) apply(e *Edit) error {
	s.init()
	for _, id := range e.Removed {
		if _, ok := s.Segments[id]; !ok {
			return fmt.Errorf("edit removes unknown segment %d", id)
		}
		delete(s.Segments, id)
		delete(s.Vectors, id)
		s.Retired[id] = e.RetireSeq
	}
	for _, seg := range e.Added {
		if _, ok := s.Segments[seg.ID]; ok {
			return fmt.Errorf("edit adds segment %d twice", seg.ID)
		}
		s.Segments[seg.ID] = seg
		s.NextSegment = max(s.NextSegment, seg.ID+1)
	}
	s.NextSegment = max(s.NextSegment, e.NextSegment)
	for id, v := range e.Vectors {
		if _, ok := s.Segments[id]; !ok {
			return fmt.Errorf("edit gives a delete vector to unknown segment %d", id)
		}
		s.Vectors[id] = v
	}
	for table, seq := range e.Applied {
		if seq < s.Applied[table] {
			return fmt.Errorf("applied sequence of table %d falls from %d to %d", table, s.Applied[table], seq)
		}
		s.Applied[table] = seq
	}
	if e.Aux != nil {
		if err := s.applyAux(e.Aux); err != nil {
			return err
		}
	}
	return s.applyGone(e)
}

func (s *State) applyAux(a *Aux) error {
	if a.Seq < s.AuxSeq {
		return fmt.Errorf("catalog sequence falls from %d to %d", s.AuxSeq, a.Seq)
	}
	s.AuxSeq, s.Catalog, s.Stats = a.Seq, a.Catalog, a.Stats
	s.Counters = maps.Clone(a.Counters)
	s.Keys = append(s.Keys, a.Keys...)
	for table := range a.Dropped {
		delete(s.Applied, table)
	}
	return nil
}

func (s *State) applyGone(e *Edit) error {
	if e.FloorFile != 0 {
		if e.FloorFile < s.FloorFile || e.FloorSeq < s.FloorSeq {
			return fmt.Errorf("log floor falls from file %d to %d", s.FloorFile, e.FloorFile)
		}
		s.FloorFile, s.FloorSeq = e.FloorFile, e.FloorSeq
		maps.DeleteFunc(s.Retired, func(_, seq uint64) bool { return seq < e.FloorSeq })
	}
	if e.KeysBefore == 0 {
		return nil
	}
	total := 0
	for _, k := range s.Keys {
		total += k.Count
	}
	for len(s.Keys) > 0 && s.Keys[0].MaxAt < e.KeysBefore && total-s.Keys[0].Count >= e.KeysKeep {
		total -= s.Keys[0].Count
		s.Keys = s.Keys[1:]
	}
	return nil
}
