package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"

	"github.com/xdg-go/scram"

	"quern/storage/errs"
)

// SCRAM mechanisms in the order in which they are offered.
const (
	Mechanism     = "SCRAM-SHA-256"
	MechanismPlus = "SCRAM-SHA-256-PLUS"
)

// Exchange is one SCRAM login. Not for concurrent use.
type Exchange struct {
	name string
	role Role
	real bool // else the exchange fails at the proof
	conv *scram.ServerConversation
}

// Begin starts the exchange for the startup packet's user; the name inside
// SCRAM is ignored (libpq sends none). leaf is the server's certificate when
// the connection is TLS, else nil.
func (a *Auth) Begin(name string, leaf *x509.Certificate) (*Exchange, error) {
	e := &Exchange{name: name, role: a.roles(name)}
	c, real := a.credentials(&e.role, name)
	e.real = real
	srv, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return c, nil })
	if err != nil {
		return nil, errs.New(errs.Internal, "start SCRAM: %v", err)
	}
	if binding := endpointBinding(leaf); binding.IsSupported() {
		// Also for the mechanism without PLUS: a client that could bind but
		// was not offered it says so, and a downgrade is seen.
		e.conv = srv.NewConversationWithChannelBinding(binding)
	} else {
		e.conv = srv.NewConversation()
	}
	return e, nil
}

// Mechanisms are what a connection is offered.
func Mechanisms(leaf *x509.Certificate) []string {
	if endpointBinding(leaf).IsSupported() {
		return []string{MechanismPlus, Mechanism}
	}
	return []string{Mechanism}
}

// Step answers one client message.
func (e *Exchange) Step(msg []byte) ([]byte, error) {
	out, err := e.conv.Step(string(msg))
	if err != nil {
		return nil, Failed(e.name)
	}
	return []byte(out), nil
}

// Done tells whether the client sent its last message.
func (e *Exchange) Done() bool { return e.conv.Done() }

// Result is nil when the client proved that it knows the role's password.
func (e *Exchange) Result() error {
	if !e.conv.Valid() || !e.real {
		return Failed(e.name)
	}
	return mayLogin(&e.role)
}

// endpointBinding is RFC 5929's tls-server-end-point: the hash of the leaf's
// DER by its signature's hash, SHA-256 if that is weaker. Ed25519 has none.
func endpointBinding(leaf *x509.Certificate) scram.ChannelBinding {
	if leaf == nil {
		return scram.ChannelBinding{}
	}
	var sum []byte
	switch leaf.SignatureAlgorithm {
	case x509.PureEd25519:
		return scram.ChannelBinding{}
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h := sha512.Sum384(leaf.Raw)
		sum = h[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h := sha512.Sum512(leaf.Raw)
		sum = h[:]
	default:
		h := sha256.Sum256(leaf.Raw)
		sum = h[:]
	}
	return scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: sum}
}
