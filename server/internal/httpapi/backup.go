package httpapi

import (
	"archive/tar"
	"encoding/json"
	"io"
	"net/http"

	"quern/server/internal/export"
	"quern/storage"
	"quern/storage/errs"
)

// haveBytesMax bounds what a client says that it has.
const haveBytesMax = 256 << 20

// backup streams a backup as a tar: the files that the client lacks, then
// BACKUP, the document that names all of them. A stream that ends without it is
// no backup; its last entry is then ERROR, as JSON, if the server could still
// say why. The request is {"have":[files]}, empty for a first backup.
func (a *api) backup(w http.ResponseWriter, r *http.Request) {
	role, err := a.login(r)
	if err == nil {
		err = a.maySuper(role)
	}
	if err != nil {
		a.refuse(w, err)
		return
	}
	var have struct {
		Have []storage.BackupFile `json:"have"`
	}
	err = json.NewDecoder(http.MaxBytesReader(w, r.Body, haveBytesMax)).Decode(&have)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is returned as it is for an empty body
		fail(w, http.StatusBadRequest, errs.New(errs.InvalidParameterValue, "the request is no list of files: %s", err))
		return
	}
	w.Header().Set("Content-Type", "application/x-tar")
	t := tar.NewWriter(w)
	put := func(rel string, length int64, src io.Reader) error {
		if err := t.WriteHeader(&tar.Header{Name: rel, Size: length, Mode: 0o600}); err != nil {
			return err
		}
		_, err := io.Copy(t, src)
		return err
	}
	doc, err := a.Backup(r.Context(), have.Have, put)
	name, body := "BACKUP", []byte(nil)
	if err == nil {
		body, err = doc.Encode()
	}
	if err != nil {
		a.Log.Error("backup failed", "err", err)
		name = "ERROR"
		if body, err = json.Marshal(export.ErrorOf(err, "")); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if t.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o600}) != nil {
		panic(http.ErrAbortHandler) // inside of a file: a broken stream says so
	}
	if _, err := t.Write(body); err != nil || t.Close() != nil {
		panic(http.ErrAbortHandler)
	}
}

func (a *api) maySuper(role string) error {
	p, err := a.Principal(role)
	if err == nil && !p.Superuser {
		err = errs.New(errs.InsufficientPrivilege, "must be superuser to take a backup")
	}
	return err
}
