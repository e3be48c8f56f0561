package kafka

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/services"
)

// TestSecurityValidate: what is wrong with settings and files is said in the words of the flags, and without a secret.
func TestSecurityValidate(t *testing.T) {
	const secret = "hunter2swordfish"
	text, empty := mustFile(t, "ca", secret), mustFile(t, "empty", "\n")
	f := func(want string, s *Security) {
		t.Helper()
		err := s.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("shows a secret: %v", err)
		}
	}
	f("", &Security{})
	f("", &Security{TLS: true})
	f("", &Security{SASL: "PLAIN", User: "u", Password: secret})
	f("", &Security{SASL: OAuthBearer, TokenFile: text})
	f("", &Security{SASL: OAuthBearer, TokenURL: "https://id.example.com/token", User: "u", Password: secret})
	f("--kafka-tls-ca: read certificate authorities of "+text+".none: no such file", &Security{CA: text + ".none"})
	f("--kafka-tls-ca: read certificate authorities: "+text+" has no PEM block", &Security{CA: text})
	f("give both", &Security{Cert: text})
	f("give both", &Security{Key: text})
	f("both in PEM: tls: failed to find any PEM data in certificate input", &Security{Cert: text, Key: text})
	f("--kafka-sasl: a login is given", &Security{User: "u"})
	f("--kafka-sasl: a login is given", &Security{TokenFile: text})
	f(`--kafka-sasl: there is no "gssapi", only plain, scram-sha-256, scram-sha-512, oauthbearer`, &Security{SASL: "gssapi"})
	f("--kafka-sasl scram-sha-512 needs --kafka-user and --kafka-password", &Security{SASL: "SCRAM-SHA-512", User: "u"})
	f("--kafka-sasl plain takes no token", &Security{SASL: Plain, User: "u", Password: secret, TokenFile: text})
	f("needs one of --kafka-token-file and --kafka-token-url", &Security{SASL: OAuthBearer})
	f("needs one of --kafka-token-file and --kafka-token-url", &Security{SASL: OAuthBearer, TokenFile: text, TokenURL: "https://a/"})
	f("--kafka-token-file: read "+empty+": the file is empty", &Security{SASL: OAuthBearer, TokenFile: empty})
	f("--kafka-token-file: a token names its user itself", &Security{SASL: OAuthBearer, TokenFile: text, User: "u"})
	f("--kafka-token-url needs --kafka-user and --kafka-password", &Security{SASL: OAuthBearer, TokenURL: "https://a/"})
	for _, url := range []string{"u:" + secret + "@a", "https://u:" + secret + "@a/", "ftp://a/" + secret, "https:///" + secret, "%zz" + secret} {
		f("--kafka-token-url is not https://HOST/PATH", &Security{SASL: OAuthBearer, TokenURL: url, User: "u", Password: secret})
	}
}

// TestTokens: a token is requested once for its life, and what is wrong with the answer is said without it.
func TestTokens(t *testing.T) {
	answer := `{"access_token":"first","expires_in":3600}`
	url, issued := mustIssuer(t, func() string { return answer })
	s := &Security{SASL: OAuthBearer, TokenURL: url, User: "client", Password: "s:cret", Scope: "kafka"}
	want := func(text string, requests int32) {
		t.Helper()
		got, err := s.currentToken(t.Context())
		if got != text || err != nil || issued.Load() != requests {
			t.Errorf("%q, %v after %d requests, want %q after %d", got, err, issued.Load(), text, requests)
		}
	}
	want("first", 1)
	answer = `{"access_token":"second"}`
	want("first", 1)
	s.token.due = time.Now()
	want("second", 2)
	want("second", 3) // how long it is good is not known

	f := func(status int, body, want string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		defer server.Close()
		bad := &Security{SASL: OAuthBearer, TokenURL: server.URL + "/?key=hunter2", User: "client", Password: "hunter2"}
		_, err := bad.currentToken(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d %s: %v, want %q", status, body, err, want)
		}
	}
	f(200, "<html>hunter2", "is no JSON with an access_token")
	f(200, `{"token":"hunter2"}`, "is no JSON with an access_token")
	f(401, `{"error":"invalid_client","error_description":"hunter2"}`, `status 401, "invalid_client"`)
	f(500, "hunter2", "gives no token: status 500")
	f(307, "", "gives no token: status 307")
	gone := &Security{SASL: OAuthBearer, TokenURL: "http://127.0.0.1:1/hunter2", User: "client", Password: "hunter2"}
	if _, err := gone.currentToken(t.Context()); err == nil || !strings.Contains(err.Error(), "request a token from 127.0.0.1:1: dial tcp") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
}

// TestCertificatesChange: a connection uses the files as they are when it is made. A pair that does not fit leaves the last
// good one in use, and authorities that are gone are an error.
func TestCertificatesChange(t *testing.T) {
	authority := func(name string) *services.Authority {
		a, err := services.NewAuthority(name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := authority("first"), authority("second")
	pair := func(a *services.Authority, name string, hosts ...string) (cert, key string) {
		c, k, err := a.Sign(name, hosts, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return string(c), string(k)
	}
	var serving atomic.Pointer[tls.Certificate]
	serve := func(a *services.Authority) {
		cert, key := pair(a, "broker", "127.0.0.1")
		p, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		serving.Store(&p)
	}
	serve(first)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{ClientAuth: tls.RequireAnyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serving.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	names := make(chan string, 1)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if c := conn.(*tls.Conn); c.Handshake() == nil {
				names <- c.ConnectionState().PeerCertificates[0].Subject.CommonName
			}
			conn.Close()
		}
	}()
	cert, key := pair(first, "one")
	log := &bytes.Buffer{}
	s := &Security{CA: mustFile(t, "ca", string(first.PEM())), Cert: mustFile(t, "cert", cert), Key: mustFile(t, "key", key),
		Log: slog.New(slog.NewTextHandler(log, nil))}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := dialer{&Cluster{Security: s}, 10 * time.Second}
	shown := func(want string) {
		t.Helper()
		conn, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := <-names; got != want {
			t.Errorf("the certificate of %q was shown, want %q", got, want)
		}
	}
	shown("one")
	cert, key = pair(first, "two")
	write(s.Cert, cert)
	shown("one") // and the key is the old one
	if !strings.Contains(log.String(), "the last one is used") {
		t.Errorf("the log has %q", log)
	}
	write(s.Key, key)
	shown("two")
	serve(second)
	if _, err := d.Dial("tcp", ln.Addr().String()); err == nil || !strings.Contains(err.Error(), `signed by "CN=second", which is not trusted here`) {
		t.Errorf("another authority: %v", err)
	}
	write(s.CA, string(first.PEM())+string(second.PEM()))
	shown("two")
	write(s.CA, "")
	if _, err := d.Dial("tcp", ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "--kafka-tls-ca") {
		t.Errorf("no authority: %v", err)
	}
}

// TestPasswordChanges: each login is made with the password that its file has then.
func TestPasswordChanges(t *testing.T) {
	s := &Security{SASL: Plain, User: "u", Password: "first", PasswordFile: mustFile(t, "password", "first\n")}
	c := &Cluster{Brokers: []string{"127.0.0.1:1"}, Security: s}
	m := s.saslMechanism() // of a client that lives on
	want := func(password string) {
		t.Helper()
		_, message, err := m.Authenticate(t.Context(), "")
		if err != nil || string(message) != "\x00u\x00"+password {
			t.Errorf("franz-go logs in with %q, %v; want %q", message, err, password)
		}
		if got := c.Config().Net.SASL.Password; got != password {
			t.Errorf("Sarama logs in with %q, want %q", got, password)
		}
		if auth, err := s.scram(t.Context()); err != nil || auth.Pass != password {
			t.Errorf("SCRAM has %q, %v; want %q", auth.Pass, err, password)
		}
	}
	want("first")
	if err := os.WriteFile(s.PasswordFile, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("second")
	if err := os.Remove(s.PasswordFile); err != nil {
		t.Fatal(err)
	}
	want("first")
}
