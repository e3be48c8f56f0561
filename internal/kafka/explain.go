package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tlsError is that a connection was made and could not be encrypted.
type tlsError struct {
	addr string
	err  error
}

func (e *tlsError) Error() string { return fmt.Sprintf("TLS with %s: %v", e.addr, e.err) }
func (e *tlsError) Unwrap() error { return e.err }

// explainTLS returns an error of a handshake with what to do about it. Name is the one that the
// certificate had to have.
func explainTLS(err error, name string) error {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		by := "an authority"
		if unknown.Cert != nil {
			by = fmt.Sprintf("%q", unknown.Cert.Issuer.String())
		}
		return fmt.Errorf("its certificate is signed by %s, which is not trusted here: give --kafka-tls-ca the certificate of the authority: %w", by, err)
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		names := append([]string(nil), host.Certificate.DNSNames...)
		for _, ip := range host.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 {
			names = []string{"no name"}
		}
		return fmt.Errorf("its certificate is not for %q but for %s: use that name in --kafka and the brokers' advertised.listeners, or say --kafka-tls-server-name: %w",
			name, strings.Join(names, ", "), err)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired && invalid.Cert != nil {
		return fmt.Errorf("its certificate is good from %s to %s, and by this machine's clock it is %s: the broker needs a new one, or the clock is wrong: %w",
			invalid.Cert.NotBefore.UTC().Format(time.DateTime), invalid.Cert.NotAfter.UTC().Format(time.DateTime), time.Now().UTC().Format(time.DateTime), err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || isClosed(err) {
		return fmt.Errorf("the listener closes the connection or answers with something else than TLS: it speaks plain text, "+
			"name the port of the listener with TLS, or leave --kafka-tls out: %v", err) // not %w: franz-go has a text of its own for an EOF
	}
	if strings.Contains(err.Error(), "remote error: tls: ") {
		return fmt.Errorf("%s: %w", wantsCertificate, err)
	}
	return err
}

const wantsCertificate = "the listener refuses the connection: where it has ssl.client.auth=required it wants a certificate of an authority that it trusts, " +
	"--kafka-tls-cert and --kafka-tls-key"

// Explain returns an error of either client library with what an operator can do about it, if it is
// about TLS, the login, or a connection that is closed at once, which is all that some listeners
// answer. To tell these apart it may connect once more. Other errors, and nil, are returned as they
// are.
func (c *Cluster) Explain(ctx context.Context, err error) error {
	s := c.Security
	if err == nil || len(c.Brokers) == 0 || s == nil { // also the embedded broker
		return err
	}
	if _, ok := errors.AsType[*tlsError](err); ok {
		return err // has it
	}
	switch text := err.Error(); {
	case isEither(err, sarama.ErrSASLAuthenticationFailed, kerr.SaslAuthenticationFailed) && s.mechanism() == OAuthBearer,
		strings.Contains(text, "unexpected data in oauth response"): // franz-go's for a refusal with a reason
		return fmt.Errorf("the broker refuses the token: it has expired, or is not for this cluster (audience, scope): %w", err)
	case isEither(err, sarama.ErrSASLAuthenticationFailed, kerr.SaslAuthenticationFailed):
		return fmt.Errorf("the broker refuses user %q: --kafka-user or --kafka-password is wrong, or the user is not one of %s (--kafka-sasl): %w",
			s.User, strings.ToUpper(s.mechanism()), err)
	case isEither(err, sarama.ErrUnsupportedSASLMechanism, kerr.UnsupportedSaslMechanism):
		return fmt.Errorf("the listener does not offer %s (--kafka-sasl); its sasl.enabled.mechanisms are what it does: %w", strings.ToUpper(s.mechanism()), err)
	case isEither(err, sarama.ErrIllegalSASLState, kerr.IllegalSaslState):
		return fmt.Errorf("the listener takes no login: leave --kafka-sasl out, or name the port of one that does: %w", err)
	case strings.Contains(text, "remote error: tls: "):
		return fmt.Errorf("%s: %w", wantsCertificate, err)
	case text == sarama.ErrOutOfBrokers.Error(): // Sarama keeps the answer to the beginning of a login to itself
		if why := c.ask(ctx); why != nil && !isClosed(why) {
			return c.Explain(ctx, why)
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: are host and port in --kafka right, and does the broker run? %w", err)
	case isClosed(err), isSilent(err), strings.Contains(text, "invalid large response size"): // franz-go's for what is no answer of Kafka's
		if why := c.whyNoAnswer(ctx, isClosed(err)); why != "" {
			return fmt.Errorf("%s: %w", why, err)
		}
	}
	return err
}

// ask makes one request by franz-go.
func (c *Cluster) ask(ctx context.Context) error {
	client, err := kgo.NewClient(append(c.ClientOptions(), kgo.RequestRetries(0), kgo.DisableClientMetrics())...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

func isEither(err error, s sarama.KError, f *kerr.Error) bool {
	return errors.Is(err, s) || errors.Is(err, f)
}

// isClosed reports an error that means that the other side closed the connection.
func isClosed(err error) bool {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return first || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// whyNoAnswer returns why a listener closes connections at once, or gives no answer of Kafka's, ""
// if it can't be told.
func (c *Cluster) whyNoAnswer(ctx context.Context, closed bool) string {
	if why := c.foreign(ctx); why != "" {
		return why
	}
	s := c.Security
	switch {
	case !s.UsesTLS() && c.speaksTLS(ctx):
		return "the listener speaks TLS, and Millrace plain text: say --kafka-tls"
	case !closed, s.mechanism() != "":
		return ""
	case s.UsesTLS() && s.Cert == "":
		return "the listener closes the connection at once: it wants a login (--kafka-sasl), or a certificate of the client (--kafka-tls-cert)"
	}
	return "the listener closes the connection at once, as one does that wants a login: say --kafka-sasl"
}

// speaksTLS tries whether one of the brokers to start from speaks TLS. Whose certificate it has does
// not matter: nothing is sent.
func (c *Cluster) speaksTLS(ctx context.Context) bool {
	if c.Dialer != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, addr := range c.Brokers {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
		_ = conn.Close()
		if err == nil || strings.Contains(err.Error(), "remote error: tls: ") {
			return true
		}
	}
	return false
}
