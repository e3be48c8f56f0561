package services

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// KafkaSecureVariable carries the folder of a cluster with secure listeners to the tests: OpenKafka opens it.
const KafkaSecureVariable = "MILLRACE_TEST_KAFKA_SECURE"

// The listeners of a secure cluster, besides the one in plain text, whose clients may do everything. Who comes by another has
// only the rights that it is given.
const (
	ListenTLS       = "TLS"       // its clients have no name, and may do everything
	ListenMTLS      = "MTLS"      // wants a certificate of the client
	ListenSASL      = "SASL"      // a login in plain text, by all mechanisms but SCRAM-SHA-256
	ListenSASLTLS   = "SASLTLS"   // a login over TLS, by all mechanisms
	ListenExpired   = "EXPIRED"   // TLS with a certificate that has expired
	ListenElsewhere = "ELSEWHERE" // TLS with a certificate of another host
)

// SecureListeners are their names.
func SecureListeners() []string {
	return []string{ListenTLS, ListenMTLS, ListenSASL, ListenSASLTLS, ListenExpired, ListenElsewhere}
}

// Users of a secure cluster, by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. The principal of a client's certificate is
// "CN=" and KafkaUser. Tokens are those without a signature, of any user.
const (
	KafkaUser     = "millrace"
	KafkaPassword = `pass word=5ec2e7ü`
	KafkaAdmin    = "admin" // may do everything
)

// Files of Kafka.TLSDir, all in PEM.
const (
	CAFile        = "ca.pem"
	ClientFile    = "client.pem" // of KafkaUser
	ClientKeyFile = "client.key"
	OtherCAFile   = "other-ca.pem" // of an authority that the brokers do not know
	OtherFile     = "other.pem"    // a client's certificate of it
	OtherKeyFile  = "other.key"
)

// elsewhere is the name in the certificate of ListenElsewhere.
const elsewhere = "broker.example.com"

// kafkaSecurity is what is added to a broker's configuration. It has the folder of certificates.
const kafkaSecurity = `authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
ssl.keystore.type=PEM
ssl.keystore.location=%[1]s/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=%[1]s/ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=%[1]s/expired.pem
listener.name.elsewhere.ssl.keystore.type=PEM
listener.name.elsewhere.ssl.keystore.location=%[1]s/elsewhere.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
`

// Secure reports whether it has more listeners than the one in plain text.
func (k *Kafka) Secure() bool { return len(k.conf.Brokers[0].Listeners) > 0 }

// Dir is the folder of the cluster, for OpenKafka.
func (k *Kafka) Dir() string { return k.dir }

// TLSDir is the folder of the certificates of a secure cluster.
func (k *Kafka) TLSDir() string { return filepath.Join(k.dir, "tls") }

// TLSFile is the path of one of its files.
func (k *Kafka) TLSFile(name string) string { return filepath.Join(k.TLSDir(), name) }

// ListenersAt are the addresses of all brokers' listeners of a name.
func (k *Kafka) ListenersAt(name string) []string {
	var addrs []string
	for _, b := range k.conf.Brokers {
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", b.Listeners[name]))
	}
	return addrs
}

// secureProperties returns the listeners of a broker, their protocols, and the rest.
func (k *Kafka) secureProperties(ports map[string]int) (listeners, protocols, rest string) {
	if len(ports) == 0 {
		return "", "", ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, kafkaSecurity, filepath.ToSlash(k.TLSDir()))
	for _, name := range SecureListeners() {
		listeners += fmt.Sprintf(",%s://127.0.0.1:%d", name, ports[name])
		protocol := "SSL"
		switch name {
		case ListenSASL:
			protocol = "SASL_PLAINTEXT"
		case ListenSASLTLS:
			protocol = "SASL_SSL"
		}
		protocols += "," + name + ":" + protocol
		if !strings.HasPrefix(protocol, "SASL") {
			continue
		}
		const modules = "org.apache.kafka.common.security."
		for mechanism, module := range map[string]string{
			"plain":         fmt.Sprintf(`plain.PlainLoginModule required user_%s="%s" user_%s="%[2]s"`, KafkaUser, escapeProperty(KafkaPassword), KafkaAdmin),
			"scram-sha-256": "scram.ScramLoginModule required",
			"scram-sha-512": "scram.ScramLoginModule required",
			"oauthbearer":   `oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"`,
		} {
			prefix := fmt.Sprintf("listener.name.%s.%s.", strings.ToLower(name), mechanism)
			fmt.Fprintf(&b, "%ssasl.jaas.config=%s%s;\n", prefix, modules, module)
			// Short, so that clients log in again on a connection while tests run.
			fmt.Fprintf(&b, "%sconnections.max.reauth.ms=4000\n", prefix)
		}
	}
	return listeners, protocols, b.String()
}

// escapeProperty writes what is not ASCII as a file of properties has it.
func escapeProperty(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// scramArguments are those of the storage tool that add the users.
func (k *Kafka) scramArguments() []string {
	if !k.Secure() {
		return nil
	}
	var args []string
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		args = append(args, "--add-scram", fmt.Sprintf(`%s=[name="%s",iterations=4096,password="%s"]`, mechanism, KafkaUser, KafkaPassword))
	}
	return args
}

// makeCertificates fills TLSDir.
func (k *Kafka) makeCertificates() error {
	if err := os.MkdirAll(k.TLSDir(), 0o755); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	now := time.Now()
	ours, err := NewAuthority("Millrace test CA")
	if err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	other, err := NewAuthority("Another test CA")
	if err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	here := []string{"127.0.0.1", "localhost"}
	type leaf struct {
		by              *Authority
		name, cert, key string // a key that is "" goes into the same file, as brokers want it
		hosts           []string
		until           time.Time
	}
	for _, l := range []leaf{
		{ours, "broker", "broker.pem", "", here, now.AddDate(1, 0, 0)},
		{ours, "broker", "expired.pem", "", here, now.Add(-time.Hour)},
		{ours, "broker", "elsewhere.pem", "", []string{elsewhere}, now.AddDate(1, 0, 0)},
		{ours, KafkaUser, ClientFile, ClientKeyFile, nil, now.AddDate(1, 0, 0)},
		{other, KafkaUser, OtherFile, OtherKeyFile, nil, now.AddDate(1, 0, 0)},
	} {
		cert, key, err := l.by.Sign(l.name, l.hosts, l.until)
		if err != nil {
			return fmt.Errorf("make certificates: %s: %w", l.cert, err)
		}
		files := map[string][]byte{l.cert: cert, l.key: key}
		if l.key == "" {
			files = map[string][]byte{l.cert: append(key, cert...)}
		}
		for name, text := range files {
			if err := os.WriteFile(k.TLSFile(name), text, 0o600); err != nil {
				return fmt.Errorf("make certificates: %w", err)
			}
		}
	}
	for name, a := range map[string]*Authority{CAFile: ours, OtherCAFile: other} {
		if err := os.WriteFile(k.TLSFile(name), a.text, 0o644); err != nil {
			return fmt.Errorf("make certificates: %w", err)
		}
	}
	return nil
}

// Authority signs certificates of a test.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text []byte
}

// NewAuthority returns one with a name of its own.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

// PEM is its own certificate.
func (a *Authority) PEM() []byte { return a.text }

// Sign returns a certificate of hosts that is good until then, and its key, both in PEM.
func (a *Authority) Sign(name string, hosts []string, until time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: until.AddDate(0, -6, 0).Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if until.After(time.Now()) {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
