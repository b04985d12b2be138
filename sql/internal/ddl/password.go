package ddl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/xdg-go/stringprep"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// scramIterations of new verifiers; the length of their salt as PostgreSQL's.
const (
	scramIterations = 16384
	scramSaltBytes  = 16
)

// password makes the verifier of a PASSWORD clause: it is stored, never the
// password. A text that is a verifier already is taken as it is.
func (c *Ctx) password(p *ast.Secret) (string, error) {
	switch {
	case p.Null:
		return "", nil
	case p.Text == "":
		c.notice("empty string is not a valid password, clearing password")
		return "", nil
	case strings.HasPrefix(p.Text, "SCRAM-SHA-256$"):
		if strings.Count(p.Text, "$") == 2 && strings.Count(p.Text, ":") == 2 {
			return p.Text, nil
		}
	case strings.HasPrefix(p.Text, "md5") && len(p.Text) == 35:
		return "", errs.NotSupported("an md5 password")
	}
	salt := make([]byte, scramSaltBytes)
	if err := c.SaltBytes(salt); err != nil {
		return "", fmt.Errorf("salt of a password: %w", err)
	}
	return Verifier(p.Text, salt, scramIterations)
}

// Verifier is PostgreSQL's SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey.
func Verifier(password string, salt []byte, iterations int) (string, error) {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		prepared = password // as PostgreSQL: the bytes as they are
	}
	salted, err := pbkdf2.Key(sha256.New, prepared, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive password key: %w", err)
	}
	mac := func(what string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(what))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key"))), nil
}
