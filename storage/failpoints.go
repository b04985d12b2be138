package storage

import "quern/storage/internal/failpoint"

// Failpoints are the places at which a build with -tags failpoints can be
// killed: the crash harness goes through them.
func Failpoints() []string { return failpoint.Names }
