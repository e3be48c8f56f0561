package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/internal/kafkatest"
	"millrace/internal/services"
)

// secured is a cluster whose listeners want TLS and logins, and who decides about rights on it.
type secured struct {
	*services.Kafka
	t     *testing.T
	admin *kadm.Client
}

// mustSecured is the cluster of dev-kafka.sh without topics and rights.
func mustSecured(t *testing.T) *secured {
	t.Helper()
	dir := os.Getenv(services.KafkaSecureVariable)
	if dir == "" {
		t.Skip(services.KafkaSecureVariable + " not set: run deploy/dev-kafka.sh up 1 secure")
	}
	kafkatest.Fresh(t)
	k, err := services.OpenKafka(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s := &secured{k, t, kadm.NewClient(client)}
	s.revoke(kadm.NewACLs().Allow().AllowHosts().Deny().DenyHosts().AnyResource().Operations().ResourcePatternType(kadm.ACLPatternAny))
	return s
}

func (s *secured) revoke(b *kadm.ACLBuilder) {
	s.t.Helper()
	gone, err := s.admin.DeleteACLs(s.t.Context(), b)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, g := range gone {
		if g.Err != nil {
			s.t.Fatal(g.Err)
		}
	}
}

func (s *secured) create(b *kadm.ACLBuilder) {
	s.t.Helper()
	made, err := s.admin.CreateACLs(s.t.Context(), b)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range made {
		if m.Err != nil {
			s.t.Fatal(m.Err)
		}
	}
}

// principals are the user by login and token, and by certificate.
var principals = []string{"User:" + services.KafkaUser, "User:CN=" + services.KafkaUser}

// least is what docs/operations.md lists, and more is what it lists for a serve that makes topics.
func (s *secured) least(more ...kadm.ACLOperation) {
	topics := append([]kadm.ACLOperation{kadm.OpRead, kadm.OpWrite, kadm.OpDescribe, kadm.OpDescribeConfigs}, more...)
	s.create(kadm.NewACLs().Allow(principals...).Topics("millrace.").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(topics...))
	s.create(kadm.NewACLs().Allow(principals...).Groups("millrace.").ResourcePatternType(kadm.ACLPatternPrefixed).
		Operations(kadm.OpRead, kadm.OpDescribe, kadm.OpDelete))
}

// deny returns how operations on a topic are denied, which outweighs that they are allowed.
func deny(topic string, ops ...kadm.ACLOperation) *kadm.ACLBuilder {
	return kadm.NewACLs().Deny(principals...).DenyHosts().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).Operations(ops...)
}

func (s *secured) file(name, text string) string {
	path := filepath.Join(s.t.TempDir(), name)
	mustWrite(s.t, path, text, 0o600)
	return path
}

// unsignedToken returns a token of a user that is good for an hour.
func unsignedToken(user string) string {
	now := time.Now().Unix()
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"iat":%d,"exp":%d}`, user, now-60, now+3600)) + "."
}

// login are the flags of a user with a password over TLS.
func (s *secured) login() []string {
	return []string{"--kafka", strings.Join(s.ListenersAt(services.ListenSASLTLS), ","), "--kafka-tls-ca", s.TLSFile(services.CAFile),
		"--kafka-sasl", "scram-sha-512", "--kafka-user", services.KafkaUser, "--kafka-password-file", s.file("password", services.KafkaPassword+"\n")}
}

// beacon sends an event and returns status and answer.
func (s *serving) beacon() (int, string, error) {
	resp, err := http.Post(s.url+"/v1/events", "application/json",
		strings.NewReader(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/"}`))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// counted waits until so many page views are counted.
func (s *serving) counted(t *testing.T, want int) {
	t.Helper()
	waitFor(t, 30*time.Second, func() error {
		a, err := s.ask(map[string]any{
			"site_id": "shop.example.com", "metrics": []string{"pageviews"},
			"date_range": []string{time.Now().UTC().Add(-time.Hour).Format(time.RFC3339), time.Now().UTC().Add(time.Minute).Format(time.RFC3339)},
		})
		if err == nil && (len(a.Results) != 1 || int(a.Results[0].Metrics[0]) != want) {
			err = fmt.Errorf("%+v, want %d", a.Results, want)
		}
		return err
	})
}

// TestKafkaSecured counts by each way to be somebody, all roles in one process, with the rights that the documentation
// has and no other, and looks for the password in all that is printed.
func TestKafkaSecured(t *testing.T) {
	k := mustSecured(t)
	k.least(kadm.OpCreate, kadm.OpAlterConfigs)
	ca := []string{"--kafka-tls-ca", k.TLSFile(services.CAFile)}
	at := func(listener string, args ...string) []string {
		return append(append([]string{"--kafka", strings.Join(k.ListenersAt(listener), ",")}, ca...), args...)
	}
	token := k.file("token", unsignedToken(services.KafkaUser))
	data := t.TempDir()
	sent := 0
	for i, how := range [][]string{
		k.login(),
		at(services.ListenMTLS, "--kafka-tls-cert", k.TLSFile(services.ClientFile), "--kafka-tls-key", k.TLSFile(services.ClientKeyFile), "--kafka-rack", "here"),
		at(services.ListenSASLTLS, "--kafka-sasl", "OAUTHBEARER", "--kafka-token-file", token),
	} {
		s, err := startServer(t, append([]string{"serve", "--data", data, "--session-timeout", "6s", "--log-level", "debug"}, how...))
		if err != nil {
			t.Fatal(err)
		}
		if code, body, err := s.beacon(); code != http.StatusAccepted || err != nil {
			t.Fatalf("%d %s %v", code, body, err)
		}
		sent++
		s.counted(t, sent)
		if out := mustRun(t, exitOK, append([]string{"dead", "list"}, how...)...); !strings.Contains(out, "no dead letters") {
			t.Errorf("dead list: %s", out)
		}
		s.mustStop(t)
		for name, text := range map[string]string{"log": s.stderr.String(), "greeting": s.stdout.String()} {
			if strings.Contains(text, services.KafkaPassword) || strings.Contains(text, "5ec2e7") || strings.Contains(text, "eyJ") {
				t.Errorf("%v: the %s has a secret:\n%.3000s", how, name, text)
			}
			if strings.Contains(text, "level=ERROR") {
				t.Errorf("%v: the %s has an error:\n%.3000s", how, name, text)
			}
		}
		if i == 0 { // the topics are there: no more is needed
			k.revoke(kadm.NewACLs().Allow(principals...).AllowHosts().Topics("millrace.").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpCreate, kadm.OpAlterConfigs))
		}
	}
}

// TestKafkaRefusesStart: what a cluster refuses is named, within seconds, with what to do.
func TestKafkaRefusesStart(t *testing.T) {
	k := mustSecured(t)
	f := func(want string, args ...string) {
		t.Helper()
		began := time.Now()
		s, err := launchServer(t, append([]string{"serve", "--data", t.TempDir()}, args...))
		if err == nil {
			s.kill()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "5ec2e7") {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%v: it took %v", args, took)
		}
	}
	f("say --kafka-tls", "--kafka", k.ListenersAt(services.ListenTLS)[0])
	f("say --kafka-sasl", "--kafka", k.ListenersAt(services.ListenSASL)[0])
	login := k.login()
	f("have them made", append(login, "--partitions", "2")...) // no right at all
}

// TestKafkaRights denies one right after the other, before and during a run.
func TestKafkaRights(t *testing.T) {
	k := mustSecured(t)
	k.least()
	login := append(k.login(), "--session-timeout", "6s")
	refused := func(want ...string) {
		t.Helper()
		s, err := launchServer(t, append([]string{"serve", "--data", t.TempDir()}, login...))
		if err == nil {
			s.kill()
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%v, want %q", err, w)
			}
		}
	}
	refused("create topic millrace.events", "give this user Create", "kafka-topics.sh --bootstrap-server "+k.ListenersAt(services.ListenSASLTLS)[0]+
		" --create --topic millrace.events --partitions 4 --replication-factor 1 --config cleanup.policy=delete", "--topic millrace.salts --partitions 1")
	probed := func(code int, want ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append([]string{"check", "--data", t.TempDir()}, login...), strings.NewReader(""), &out, &errs); got != code {
			t.Errorf("check exits with %d, want %d\n%s%s", got, code, out.String(), errs.String())
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("no %q in\n%s", w, out.String())
			}
		}
	}
	probed(exitError, "ok    kafka ", "1 broker, cluster ", "by TLS, SCRAM-SHA-512", "FAIL  topic millrace.events ", "--create --topic millrace.events", "ok    group millrace.emit-local")
	creates := kadm.NewACLs().Allow(principals...).Topics("millrace.").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpCreate)
	k.create(creates)
	probed(exitOK, "ok    topic millrace.events ", "is not there, serve makes it")
	s, err := startServer(t, append([]string{"serve", "--data", t.TempDir()}, login...))
	if err != nil {
		t.Fatal(err)
	}
	unready := func(want string) {
		t.Helper()
		waitFor(t, 30*time.Second, func() error {
			code, body, err := get(s.admin + "/readyz?verbose")
			if err == nil && (code != http.StatusServiceUnavailable || !strings.Contains(body, want)) {
				err = &notYet{body}
			}
			return err
		})
	}
	ready := func() {
		t.Helper()
		if err := s.waitReady(40 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	write := deny(engine.EventsTopic, kadm.OpWrite)
	k.create(write)
	unready("this user may not write topic millrace.events")
	if code, body, err := s.beacon(); code != http.StatusServiceUnavailable || !strings.Contains(body, "lacks the right to write") || err != nil {
		t.Errorf("a beacon that may not be written: %d %s %v", code, body, err)
	}
	k.revoke(write)
	ready()
	read := deny(engine.EventsTopic, kadm.OpRead)
	k.create(read)
	unready("topic millrace.events: this process may not read it")
	k.revoke(read)
	ready()
	s.mustStop(t)
	probed(exitOK, "ok    topic millrace.commits ")
	write = deny(commits.Topic, kadm.OpWrite)
	k.create(write)
	probed(exitError, "topic millrace.commits: this process may not write it")
	k.revoke(write)
	probed(exitOK, "ok    topic millrace.events ", "4 partitions\n")
	group := kadm.NewACLs().Deny(principals...).DenyHosts().Groups("millrace.emit-local").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpDelete)
	k.create(group)
	probed(exitError, "this user lacks Delete on it")
	k.revoke(group)
	write = deny(engine.WindowsTopic, kadm.OpWrite)
	k.create(write)
	probed(exitError, "topic millrace.windows: this process may not write it")
	k.revoke(write)

	for _, d := range []struct {
		what *kadm.ACLBuilder
		want string
	}{
		{deny(engine.EventsTopic, kadm.OpDescribe, kadm.OpRead, kadm.OpWrite), "topic millrace.events: it is there, and this user may not see it"},
		{deny(commits.Topic, kadm.OpDescribe, kadm.OpRead, kadm.OpWrite), "topic millrace.commits: it is there, and this user may not see it"},
		{deny(engine.EventsTopic, kadm.OpDescribeConfigs), "give the user DescribeConfigs on it"},
	} {
		k.create(d.what)
		refused(d.want)
		probed(exitError, d.want)
		k.revoke(d.what)
	}
}
