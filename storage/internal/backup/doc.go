// Package backup is the form of a backup folder: whole files of one sequence
// and one document that names them.
//
//	DIR/BACKUP                               the document; written last
//	DIR/tables/<table>/<partition>/*.qseg    segments, rows of MemTables included
//	DIR/tables/<table>/<partition>/*.qdv     delete vectors
//	DIR/tmp/                                 files on their way in
//
//	take     Store.Backup ─ files ─► Target.Put … ─► Target.Finish
//	restore  Read ─► Restore: copies, an empty log, the manifest last
//
// There is no log in a backup: what is in memory at its sequence is written as
// segments into it. So a folder holds one backup at any moment: files are only
// added until the document, replaced by one rename, names them, and only then
// are files removed that it does not name. Segments never change, hence a second
// backup into the same folder takes only what the folder lacks.
//
// BACKUP is one line "QNBK0001 <crc32c of the rest, hex>", then JSON.
// It knows nothing of stores that are open. Start reading at Target and Restore.
package backup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"path"
	"regexp"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/vfs"
)

const (
	docName = "BACKUP"
	magic   = "QNBK0001 "
	headLen = len(magic) + 8 + 1
	// DocBytesMax bounds a document: one of a million segments is smaller.
	DocBytesMax = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// File is one file of a backup.
type File struct {
	Path   string `json:"path"` // below the folder, with slashes
	Length int64  `json:"length"`
	// CRC is a segment's trailer crc: with path and length it identifies a
	// file that does not have to be taken again.
	CRC    uint32 `json:"crc,omitempty"`
	SHA256 string `json:"sha256"` // hex
}

// Document says what a backup is.
type Document struct {
	Writer  string          `json:"writer"`
	Created int64           `json:"created"` // µs since 1970
	Seq     uint64          `json:"seq"`     // everything up to it is in, nothing after it
	Files   []File          `json:"files"`
	State   *manifest.State `json:"state"` // of the folder that a restore makes
}

// Encode returns the content of BACKUP.
func (d *Document) Encode() ([]byte, error) {
	body, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode backup document: %w", err)
	}
	return append(fmt.Appendf(nil, "%s%08x\n", magic, crc32.Checksum(body, castagnoli)), body...), nil
}

// Decode reads the content of BACKUP; name is for errors.
func Decode(name string, b []byte) (*Document, error) {
	bad := func(reason string) (*Document, error) { return nil, &errs.Corrupt{File: name, Reason: reason} }
	if !bytes.HasPrefix(b, []byte("QNBK")) || len(b) < headLen {
		return bad("not a backup document")
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errs.New(errs.FeatureNotSupported, "backup %q has format %q, this version reads %q",
			name, b[:8], magic[:8])
	}
	body := b[headLen:]
	if string(b[len(magic):headLen]) != fmt.Sprintf("%08x\n", crc32.Checksum(body, castagnoli)) {
		return bad("checksum mismatch in the backup document")
	}
	d := new(Document)
	if err := json.Unmarshal(body, d); err != nil || d.State == nil {
		return bad(fmt.Sprintf("backup document: %v", err))
	}
	for i := range d.Files {
		if !ValidPath(d.Files[i].Path) {
			return bad(fmt.Sprintf("backup document names the file %q", d.Files[i].Path))
		}
	}
	return d, nil
}

var validPath = regexp.MustCompile(`^tables/[0-9a-f]{8}/[a-z0-9_]{1,64}/[0-9a-f]{16}(\.[0-9a-f]{16})?\.(qseg|qdv)$`)

// ValidPath tells whether p may be a file of a backup: whoever sends files
// cannot choose places outside of the folder.
func ValidPath(p string) bool { return validPath.MatchString(p) }

// Exists tells whether dir holds a backup.
func Exists(fsys vfs.FS, dir string) (bool, error) {
	_, err := fsys.Stat(path.Join(dir, docName))
	if vfs.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// Read returns the document of the backup in dir.
func Read(fsys vfs.FS, dir string) (*Document, error) {
	name := path.Join(dir, docName)
	info, err := fsys.Stat(name)
	if vfs.IsNotExist(err) {
		return nil, errs.New(errs.UndefinedFile, "%q holds no complete backup: there is no file BACKUP", dir)
	}
	if err != nil {
		return nil, err
	}
	if info.Size > DocBytesMax {
		return nil, &errs.Corrupt{File: name, Reason: "the backup document is too large"}
	}
	b, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	return Decode(name, b)
}

// Coded gives an error of the file system its SQLSTATE.
func Coded(err error) error {
	if err == nil || errs.CodeOf(err) != errs.Internal {
		return err
	}
	code := errs.IO
	if vfs.IsNoSpace(err) {
		code = errs.DiskFull
	}
	return &errs.Error{Code: code, Msg: err.Error(), Err: err}
}
