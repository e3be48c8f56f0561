package kafka

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/services"
)

// mustSecure is a running cluster with secure listeners; the user of its certificates, logins and tokens may describe it.
func mustSecure(t *testing.T) *services.Kafka {
	t.Helper()
	dir := os.Getenv(services.KafkaSecureVariable)
	if dir == "" {
		t.Skip(services.KafkaSecureVariable + " not set: run deploy/dev-kafka.sh up 1 secure")
	}
	k, err := services.OpenKafka(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// unsigned returns a token without a signature, which brokers take that are configured for no other.
func unsigned(user string, until time.Time) string {
	part := func(v any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": "none"}) + "." + part(map[string]any{"sub": user, "iat": time.Now().Add(-time.Hour).Unix(), "exp": until.Unix()}) + "."
}

// mustFile writes a file and returns its path.
func mustFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustIssuer issues tokens for the right secret alone, and counts them.
func mustIssuer(t *testing.T, answer func() string) (url string, issued *atomic.Int32) {
	t.Helper()
	issued = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "client" || secret != "s%3Acret" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"wrong s:cret"}`)
			return
		}
		issued.Add(1)
		fmt.Fprint(w, answer())
	}))
	t.Cleanup(s.Close)
	return s.URL + "/token", issued
}

// TestKafkaConnects connects both clients to each listener, rightly and wrongly.
func TestKafkaConnects(t *testing.T) {
	k := mustSecure(t)
	ca, cert, key := k.TLSFile(services.CAFile), k.TLSFile(services.ClientFile), k.TLSFile(services.ClientKeyFile)
	const user, password = services.KafkaUser, services.KafkaPassword
	hour := time.Now().Add(time.Hour)
	issuer, issued := mustIssuer(t, func() string { return `{"access_token":"` + unsigned(user, hour) + `","expires_in":3600}` })
	good, old := mustFile(t, "token", unsigned(user, hour)+"\n"), mustFile(t, "token", unsigned(user, time.Now().Add(-time.Minute)))
	const plaintext = "PLAINTEXT"
	var all sync.WaitGroup
	one := func(listener, want string, s *Security) {
		c := &Cluster{Brokers: k.Addrs(), Security: s}
		if listener != plaintext {
			c.Brokers = k.ListenersAt(listener)
		}
		name := fmt.Sprintf("%s, SASL %q, TLS %v, CA %q, certificate %q", listener, s.SASL, s.UsesTLS(), s.CA, s.Cert)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := c.Partitions(ctx, "none")
		check := func(client string, err error) {
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s by %s: %v, want %q", client, name, err, want)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "eyJ")) {
				t.Errorf("%s by %s shows a secret: %v", client, name, err)
			}
		}
		check("Sarama", err)
		client, err := kgo.NewClient(append(c.ClientOptions(), kgo.RequestRetries(0))...)
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		req := kmsg.NewPtrMetadataRequest()
		_, err = req.RequestWith(ctx, client)
		check("franz-go", c.Explain(ctx, err))
	}
	f := func(listener, want string, s *Security) { all.Go(func() { one(listener, want, s) }) } // most of them wait
	f(plaintext, "", &Security{})
	f(services.ListenTLS, "", &Security{CA: ca})
	f(services.ListenTLS, "", &Security{CA: ca, ServerName: "localhost"})
	f(services.ListenMTLS, "", &Security{CA: ca, Cert: cert, Key: key})
	for _, m := range Mechanisms()[:3] {
		f(services.ListenSASLTLS, "", &Security{CA: ca, SASL: m, User: user, Password: password})
		f(services.ListenSASLTLS, `the broker refuses user "millrace"`, &Security{CA: ca, SASL: m, User: user, Password: "wrong"})
	}
	f(services.ListenSASL, "", &Security{SASL: "SCRAM-SHA-512", User: user, Password: password})
	f(services.ListenSASL, "", &Security{SASL: Plain, User: user, Password: password})
	f(services.ListenSASL, "does not offer SCRAM-SHA-256", &Security{SASL: ScramSHA256, User: user, Password: password})
	f(services.ListenSASLTLS, "", &Security{CA: ca, SASL: OAuthBearer, TokenFile: good})
	f(services.ListenSASLTLS, "", &Security{CA: ca, SASL: OAuthBearer, TokenURL: issuer, User: "client", Password: "s:cret", Scope: "kafka", Extensions: map[string]string{"traceId": "a"}})
	f(services.ListenSASLTLS, "the broker refuses the token: it has expired", &Security{CA: ca, SASL: OAuthBearer, TokenFile: old})
	f(services.ListenSASLTLS, `gives no token: status 401, "invalid_client"`, &Security{CA: ca, SASL: OAuthBearer, TokenURL: issuer, User: "client", Password: "wrong", Scope: "kafka"})

	f(services.ListenTLS, "speaks TLS, and Millrace plain text: say --kafka-tls", &Security{})
	f(services.ListenSASLTLS, "speaks TLS, and Millrace plain text: say --kafka-tls", &Security{SASL: Plain, User: user, Password: password})
	f(services.ListenMTLS, "speaks TLS, and Millrace plain text: say --kafka-tls", &Security{})
	f(plaintext, "it speaks plain text", &Security{CA: ca})
	f(services.ListenSASL, "it speaks plain text", &Security{CA: ca, SASL: Plain, User: user, Password: password})
	f(services.ListenSASL, "wants a login: say --kafka-sasl", &Security{})
	f(services.ListenSASLTLS, "it wants a login (--kafka-sasl)", &Security{CA: ca})
	f(plaintext, "the listener takes no login", &Security{SASL: Plain, User: user, Password: password})
	f(services.ListenTLS, "the listener takes no login", &Security{CA: ca, SASL: Plain, User: user, Password: password})
	f(services.ListenTLS, `is signed by "CN=Millrace test CA", which is not trusted here`, &Security{CA: k.TLSFile(services.OtherCAFile)})
	f(services.ListenTLS, "which is not trusted here", &Security{TLS: true})
	f(services.ListenTLS, `is not for "elsewhere" but for localhost, 127.0.0.1`, &Security{CA: ca, ServerName: "elsewhere"})
	f(services.ListenElsewhere, `is not for "127.0.0.1" but for broker.example.com`, &Security{CA: ca})
	f(services.ListenElsewhere, "", &Security{CA: ca, ServerName: "broker.example.com"})
	f(services.ListenExpired, "the broker needs a new one, or the clock is wrong", &Security{CA: ca})
	f(services.ListenMTLS, "wants a certificate of an authority that it trusts", &Security{CA: ca})
	f(services.ListenMTLS, "wants a certificate of an authority that it trusts", &Security{CA: ca, Cert: k.TLSFile(services.OtherFile), Key: k.TLSFile(services.OtherKeyFile)})
	all.Wait()
	if n := issued.Load(); n != 1 {
		t.Errorf("%d tokens were requested for two clients of one Security", n)
	}
}
