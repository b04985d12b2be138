// Package failpoint names the places at which a crash is made on purpose. In an
// ordinary build Hit is nothing. With -tags failpoints the variable
// QUERN_FAILPOINT=NAME:N kills the process at the N-th time that the place NAME
// is reached: what `go run ./cmd/dev crash` does at each of Names in turn.
package failpoint

// Names are all places, in the order in which a row meets them.
var Names = []string{
	WALBeforeWrite, WALAfterWrite, WALAfterSync, CommitAfterPublish, CommitBeforeAck,
	LoadAfterStage, SchemaBeforeApply, FlushAfterSegment, ManifestAfterAppend, ManifestAfterSync,
	CompactBeforeSwap, CompactAfterSwap, ManifestBeforeRotate, WALBeforeZero, WALAfterZero, UnlinkBefore, ReplayMid, BackupAfterFile,
}

// The places.
const (
	WALBeforeWrite       = "wal.before_write"       // a group is encoded
	WALAfterWrite        = "wal.after_write"        // and written, not synced
	WALAfterSync         = "wal.after_sync"         // and synced, not published
	CommitAfterPublish   = "commit.after_publish"   // visible, not acknowledged
	CommitBeforeAck      = "commit.before_ack"      // one of a group was acknowledged, perhaps
	LoadAfterStage       = "load.after_stage"       // segments of a load are there, its frame is not
	SchemaBeforeApply    = "schema.before_apply"    // a catalog change is prepared
	FlushAfterSegment    = "flush.after_segment"    // a segment has its name, the manifest does not know it
	ManifestAfterAppend  = "manifest.after_append"  // a record is written, not synced
	ManifestAfterSync    = "manifest.after_sync"    // and synced, no state shows it
	CompactBeforeSwap    = "compact.before_swap"    // outputs of a merge are there, the manifest names its inputs
	CompactAfterSwap     = "compact.after_swap"     // and its outputs, the state shows the inputs
	ManifestBeforeRotate = "manifest.before_rotate" // a new generation is written, CURRENT names the old one
	WALBeforeZero        = "wal.before_zero"        // the manifest let go of a log file
	WALAfterZero         = "wal.after_zero"         // it is zeroed under its old name
	UnlinkBefore         = "unlink.before"          // GONE is durable, the files are there
	ReplayMid            = "replay.mid"             // in the middle of a start
	BackupAfterFile      = "backup.after_file"      // a file of a backup was handed over
)
