package kafka

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"millrace/internal/certs"
	"millrace/internal/secretfile"
)

// The mechanisms of SASL, as --kafka-sasl names them.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
	OAuthBearer = "oauthbearer"
)

// Mechanisms returns the names that Security.SASL takes.
func Mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer} }

// Security is how connections are encrypted, and as whom the clients log in. The options of both
// client libraries are made of it. The zero value is plain text without a login. It must not be
// copied once it is used.
type Security struct {
	// TLS encrypts connections (--kafka-tls). The files below imply it.
	TLS bool
	// CA is a PEM file of the authorities that brokers' certificates are checked against
	// (--kafka-tls-ca). Default: those of the system.
	CA string
	// Cert and Key are PEM files of the certificate that clients show, and its key
	// (--kafka-tls-cert, --kafka-tls-key). Default: none is shown. A pair that can't be read later
	// on leaves the last good one in use.
	Cert, Key string
	// ServerName is the name that brokers' certificates must have (--kafka-tls-server-name).
	// Default: the host of each broker's address.
	ServerName string

	// SASL is one of Mechanisms; "" is no login (--kafka-sasl).
	SASL string
	// User and Password are the login of PLAIN and SCRAM, and the client's id and secret of
	// TokenURL (--kafka-user, --kafka-password).
	User, Password string
	// PasswordFile is what Password was read from, and is read again for each login; "" is none
	// (--kafka-password-file). While it can't be read Password counts.
	PasswordFile string
	// TokenFile has the token of OAUTHBEARER, and is read at each login (--kafka-token-file).
	TokenFile string
	// TokenURL is where a token is requested by OAuth's client credentials, with Scope if that is
	// set (--kafka-token-url, --kafka-token-scope).
	TokenURL, Scope string
	// Extensions go along with a token (--kafka-sasl-extensions).
	Extensions map[string]string

	// Log takes a warning of a file that can't be read any more. May be nil.
	Log *slog.Logger

	mu   sync.Mutex       // guards what follows
	pair *tls.Certificate // of Cert and Key, the last that could be read

	tokenMu sync.Mutex // guards what follows, also while a token is requested
	token   token      // of TokenURL
}

// UsesTLS reports whether connections are encrypted.
func (s *Security) UsesTLS() bool {
	return s != nil && (s.TLS || s.CA != "" || s.Cert != "" || s.Key != "" || s.ServerName != "")
}

func (s *Security) mechanism() string {
	if s == nil {
		return ""
	}
	return strings.ToLower(s.SASL)
}

// Validate returns what is wrong with the settings and their files, in the words of the flags.
func (s *Security) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (s.Cert == "") != (s.Key == "") {
		bad("--kafka-tls-cert and --kafka-tls-key: a certificate and its key go together, give both")
	} else if _, err := s.config("localhost"); err != nil {
		bad("%w", err)
	}
	m := s.mechanism()
	switch {
	case m == "":
		if s.User != "" || s.Password != "" || s.TokenFile != "" || s.TokenURL != "" {
			bad("--kafka-sasl: a login is given (--kafka-user, --kafka-password, --kafka-token-…) and not how: say one of %s", strings.Join(Mechanisms(), ", "))
		}
	case !slices.Contains(Mechanisms(), m):
		bad("--kafka-sasl: there is no %q, only %s", s.SASL, strings.Join(Mechanisms(), ", "))
	case m != OAuthBearer:
		if s.User == "" || s.Password == "" {
			bad("--kafka-sasl %s needs --kafka-user and --kafka-password, or --kafka-password-file", m)
		}
		if s.TokenFile != "" || s.TokenURL != "" || s.Scope != "" || len(s.Extensions) > 0 {
			bad("--kafka-sasl %s takes no token: --kafka-token-… and --kafka-sasl-extensions are for %s", m, OAuthBearer)
		}
	default:
		if err := s.validateToken(); err != nil {
			bad("%w", err)
		}
	}
	return errors.Join(errs...)
}

func (s *Security) validateToken() error {
	switch {
	case (s.TokenFile == "") == (s.TokenURL == ""):
		return fmt.Errorf("--kafka-sasl %s needs one of --kafka-token-file and --kafka-token-url", OAuthBearer)
	case s.TokenFile != "":
		if s.User != "" || s.Password != "" {
			return errors.New("--kafka-token-file: a token names its user itself; --kafka-user and --kafka-password are for --kafka-token-url")
		}
		_, err := s.readToken()
		return err
	}
	if u, err := url.Parse(s.TokenURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return errors.New("--kafka-token-url is not https://HOST/PATH; the client's id and secret are --kafka-user and --kafka-password")
	}
	if s.User == "" || s.Password == "" {
		return errors.New("--kafka-token-url needs --kafka-user and --kafka-password, the client's id and secret")
	}
	return nil
}

// SendsClearPassword reports whether a password or token travels without encryption.
func (s *Security) SendsClearPassword() bool {
	return !s.UsesTLS() && (s.mechanism() == Plain || s.mechanism() == OAuthBearer)
}

// config returns the settings of a connection to a host. The files are read each time, since
// connections are few: a new certificate is in use from the next connection on.
func (s *Security) config(host string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(s.ServerName, host)}
	if s.CA != "" {
		var err error
		if cfg.RootCAs, err = certs.Pool(s.CA); err != nil {
			return nil, fmt.Errorf("--kafka-tls-ca: %w; of a Java truststore: keytool -exportcert -rfc", err)
		}
	}
	if s.Cert == "" {
		return cfg, nil
	}
	pair, err := s.readPair()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.pair = pair
	case s.pair == nil:
		return nil, err
	case s.Log != nil:
		s.Log.Warn("the certificate for Kafka can't be read any more: the last one is used", "err", err)
	}
	// What is shown does not depend on the authorities that the broker names: one that does not
	// fit is refused with a reason, and none at all without.
	pair = s.pair
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return cfg, nil
}

func (s *Security) readPair() (*tls.Certificate, error) {
	cert, err := secretfile.Bytes(s.Cert, secretfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("--kafka-tls-cert: read %s: %w", s.Cert, err)
	}
	key, err := secretfile.Bytes(s.Key, secretfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("--kafka-tls-key: read %s: %w", s.Key, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--kafka-tls-cert %s and --kafka-tls-key %s, both in PEM: %w", s.Cert, s.Key, err)
	}
	if leaf := pair.Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
		return nil, fmt.Errorf("--kafka-tls-cert: %s has expired on %s", s.Cert, leaf.NotAfter.UTC().Format(time.DateTime))
	}
	return &pair, nil
}

// dialTimeout bounds a connection with its handshake, unless the caller has less time.
const dialTimeout = 5 * time.Second

// dialer opens connections for both libraries: so TLS is the same, and so are its errors.
type dialer struct {
	cluster *Cluster
	timeout time.Duration
}

// Dial implements proxy.Dialer, which Sarama takes.
func (d dialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var conn net.Conn
	var err error
	if d.cluster.Dialer != nil {
		conn, err = d.cluster.Dialer.Dial(network, addr)
	} else {
		conn, err = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, network, addr)
	}
	if err != nil || !d.cluster.Security.UsesTLS() {
		return conn, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	cfg, err := d.cluster.Security.config(host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: &tlsError{addr, explainTLS(err, cfg.ServerName)}}
	}
	return secured, nil
}

// ClientOptions are how franz-go's clients reach the cluster.
func (c *Cluster) ClientOptions() []kgo.Opt { return c.ClientOptionsTo(ToManage) }

// ClientOptionsTo are ClientOptions of a client for one of Purposes.
func (c *Cluster) ClientOptionsTo(purpose string) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...)}
	if c.Security.UsesTLS() || c.Dialer != nil {
		opts = append(opts, kgo.Dialer(dialer{c, dialTimeout}.DialContext))
	}
	if c.Throttles != nil {
		opts = append(opts, c.Throttles.franz(purpose))
	}
	if c.Rack != "" {
		opts = append(opts, kgo.Rack(c.Rack))
	}
	if m := c.Security.saslMechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// password returns what the password is now.
func (s *Security) password() string {
	if s.PasswordFile != "" {
		if lines, err := secretfile.Read(s.PasswordFile, false); err == nil {
			return lines[0]
		}
	}
	return s.Password
}

func (s *Security) scram(context.Context) (scram.Auth, error) {
	return scram.Auth{User: s.User, Pass: s.password()}, nil
}

// saslMechanism returns franz-go's mechanism, nil for no login.
func (s *Security) saslMechanism() sasl.Mechanism {
	switch s.mechanism() {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: s.User, Pass: s.password()}, nil
		})
	case ScramSHA256:
		return scram.Sha256(s.scram)
	case ScramSHA512:
		return scram.Sha512(s.scram)
	case OAuthBearer:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.currentToken(ctx)
			return oauth.Auth{Token: token, Extensions: s.Extensions}, err
		})
	}
	return nil
}

// secure puts connections and login into Sarama's settings. It goes by their DialTimeout.
func (c *Cluster) secure(cfg *sarama.Config) {
	s := c.Security
	if s.UsesTLS() || c.Dialer != nil {
		cfg.Net.Proxy.Enable = true
		cfg.Net.Proxy.Dialer = dialer{c, cfg.Net.DialTimeout}
	}
	m := s.saslMechanism()
	if m == nil {
		return
	}
	cfg.Net.SASL.Enable = true
	cfg.Net.SASL.Version = sarama.SASLHandshakeV1
	cfg.Net.SASL.Mechanism = sarama.SASLMechanism(m.Name())
	// Of PLAIN the password is that of the client's beginning: a role that is refused with it begins
	// again with a new client.
	cfg.Net.SASL.User, cfg.Net.SASL.Password = s.User, s.password()
	switch s.mechanism() {
	case ScramSHA256, ScramSHA512:
		cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{mechanism: m} }
	case OAuthBearer:
		cfg.Net.SASL.TokenProvider = tokenProvider{s}
	}
}

// scramClient lets Sarama, which has no SCRAM of its own, use that of franz-go. Like it, and like
// Kafka, it takes user and password as they are, without SASLprep.
type scramClient struct {
	mechanism sasl.Mechanism // knows user and password
	session   sasl.Session
	first     []byte // the first message, until it is sent
	done      bool
}

func (c *scramClient) Begin(_, _, _ string) (err error) {
	c.session, c.first, err = c.mechanism.Authenticate(context.Background(), "")
	return err
}

func (c *scramClient) Step(challenge string) (string, error) {
	if first := c.first; first != nil {
		c.first = nil
		return string(first), nil
	}
	done, answer, err := c.session.Challenge([]byte(challenge))
	c.done = done
	return string(answer), err
}

func (c *scramClient) Done() bool { return c.done }
