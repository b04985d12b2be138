package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// Iterations is the default work of a new verifier; what PostgreSQL's form
// carries is honoured from iterationsMin upwards.
const (
	Iterations    = 16384
	iterationsMin = 4096
	saltBytes     = 16
)

const verifierPrefix = "SCRAM-SHA-256$"

// NewVerifier hashes a clear password into PostgreSQL's stored form
// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey with a random salt.
func NewVerifier(password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	c, err := derive(password, string(salt), Iterations)
	if err != nil {
		return "", err
	}
	return formatVerifier(c), nil
}

// derive computes the stored keys of a password. A password that SASLprep
// cannot normalise is taken as its raw bytes, as PostgreSQL does.
func derive(password, salt string, iterations int) (scram.StoredCredentials, error) {
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		client, err = scram.SHA256.NewClientUnprepped("", password, "")
	}
	if err != nil {
		return scram.StoredCredentials{}, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	c, err := client.WithMinIterations(iterationsMin).GetStoredCredentialsWithError(
		scram.KeyFactors{Salt: salt, Iters: iterations})
	if err != nil {
		return scram.StoredCredentials{}, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	return c, nil
}

func formatVerifier(c scram.StoredCredentials) string {
	b64 := base64.StdEncoding.EncodeToString
	return verifierPrefix + strconv.Itoa(c.Iters) + ":" + b64([]byte(c.Salt)) + "$" +
		b64(c.StoredKey) + ":" + b64(c.ServerKey)
}

// ValidVerifier tells whether s is a stored SCRAM-SHA-256 verifier.
func ValidVerifier(s string) bool {
	_, ok := parseVerifier(s)
	return ok
}

func parseVerifier(s string) (c scram.StoredCredentials, ok bool) {
	rest, found := strings.CutPrefix(s, verifierPrefix)
	factors, keys, found2 := strings.Cut(rest, "$")
	iters, salt, found3 := strings.Cut(factors, ":")
	stored, server, found4 := strings.Cut(keys, ":")
	if !found || !found2 || !found3 || !found4 {
		return c, false
	}
	n, err := strconv.Atoi(iters)
	if err != nil || n < iterationsMin {
		return c, false
	}
	saltRaw, err1 := base64.StdEncoding.DecodeString(salt)
	storedRaw, err2 := base64.StdEncoding.DecodeString(stored)
	serverRaw, err3 := base64.StdEncoding.DecodeString(server)
	if err1 != nil || err2 != nil || err3 != nil || len(saltRaw) == 0 ||
		len(storedRaw) != sha256.Size || len(serverRaw) != sha256.Size {
		return c, false
	}
	c.Salt, c.Iters = string(saltRaw), n
	c.StoredKey, c.ServerKey = storedRaw, serverRaw
	return c, true
}

// mockCredentials are what a role that cannot log in is checked against: the
// salt depends on the name only, so repeated attempts look like a real role's,
// and no password has these keys.
func mockCredentials(secret []byte, role string) scram.StoredCredentials {
	mac := func(label string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(label))
		m.Write([]byte(role))
		return m.Sum(nil)
	}
	c := scram.StoredCredentials{StoredKey: mac("stored:"), ServerKey: mac("server:")}
	c.Salt, c.Iters = string(mac("salt:")[:saltBytes]), Iterations
	return c
}
