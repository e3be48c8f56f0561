package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// theSecret is a part of each secret in these tests.
const theSecret = "hunter2swordfish"

// mustRefuse runs serve with flags that it refuses. What it prints has every word of want, and nothing of a secret.
func mustRefuse(t *testing.T, args []string, want ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	data := filepath.Join(t.TempDir(), "data")
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data}, args...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is accepted although it should not be ends at once
	if code := run(ctx, args, strings.NewReader(""), &out, &errs); code != exitUsage {
		t.Errorf("%q: exit code %d, want %d\n%s", args[7:], code, exitUsage, errs.String())
	}
	if text := out.String() + errs.String(); strings.Contains(text, theSecret) || strings.Contains(text, theSecret[4:]) {
		t.Errorf("%q prints the secret:\n%s", args[7:], text)
	}
	for _, word := range want {
		if !strings.Contains(errs.String(), word) {
			t.Errorf("%q: no %q in\n%s", args[7:], word, errs.String())
		}
	}
}

// TestErrorsShowNoSecret: what is wrong about a secret is said without it.
func TestErrorsShowNoSecret(t *testing.T) {
	f := func(flag string, values ...string) {
		t.Helper()
		for _, value := range values {
			mustRefuse(t, []string{flag, value}, flag)
		}
	}
	const s = theSecret
	f("--secret", s, s+strings.Repeat("0", 64-len(s)))
	f("--write-keys", "a@"+s+"!", s+"long-enough@"+s+"/", "sha256:"+s, s[:15])
	f("--query-keys", "a@"+s+"!", "any,"+s[4:15])
	f("--influx", s, "influx://u:"+s+"@host/db", "http://u:"+s+"/x@host:8086/db", "http://u:123/"+s+"@host:8086/db", "http://u:%zz"+s+"@host/db",
		"u:"+s+"@host:8086/db", "http://u:"+s+"@host:8086/", "http://host/db?token=%zz"+s, "http://host/db?token=a&"+s+"=1", "http://u:"+s+"@host/db?org=x", "http://u:"+s+"@host/db?password-file=/f", "https://u:"+s+"@host/db?ca=/none", "http://host/db?token="+s+"&token-file=/f", "//u:"+s+"@host/db")
	f("--s3", "s3://k:"+s+"@/b", "s3://k:"+s+"@host", "s3:k:"+s+"@host/bucket", "s3://k:"+s+"/x@host:9000/bucket", "s3://k:12/"+s+"@host:9000/bucket", "s3://:"+s+"@host/b",
		"s3://k:%zz"+s+"@host/b", "s3://k:"+s+"@host/b?x=y", "http://k:"+s+"@host:9000/b", "http://k:%zz"+s+"@host/b", "https://k:"+s+"/x@host/b",
		"s4://k:"+s+"@host/b", "k:"+s+"@host:9000/b", "s3://k:"+s+"@host/b//c d", "s3://k:"+s+"@host/b?credentials=/f", "s3://k:"+s+"@host/b?style=x", "s3://k:"+s+"@host/b?%zz")
	f("--kafka", "u:"+s+"@k1:9092", "kafka://u:"+s+"/x@k1:9092", "kafka://u:"+s+",b@k1:9092", "k0:9092,u:"+s+",x@k1", s+"@k1")
	for _, how := range []string{"plain", "scram-sha-512", "oauthbearer", "none"} {
		mustRefuse(t, []string{"--kafka", "127.0.0.1:1", "--kafka-password", s, "--kafka-sasl", how}, "--kafka-sasl")
	}
	mustRefuse(t, []string{"--kafka", "127.0.0.1:1", "--kafka-password", s}, "--kafka-password")
	mustRefuse(t, []string{"--kafka-user", s, "--kafka-password", s, "--kafka-sasl", "plain"}, "need --kafka")
	f("--kafka-password", "-"+s)
	for _, url := range []string{"https://u:" + s + "@host/token", "host/token?key=" + s, "https:///" + s} {
		mustRefuse(t, []string{"--kafka", "127.0.0.1:1", "--kafka-sasl", "oauthbearer", "--kafka-user", "u", "--kafka-password", s, "--kafka-token-url", url}, "--kafka-token-url")
	}
	token := filepath.Join(t.TempDir(), "token")
	mustWrite(t, token, s+"\n"+s+"\n", 0o600)
	mustRefuse(t, []string{"--kafka", "127.0.0.1:1", "--kafka-sasl", "oauthbearer", "--kafka-token-file", token}, "--kafka-token-file", "2 lines")
	mustRefuse(t, []string{"--kafka", "127.0.0.1:1", "--kafka-tls-ca", token}, "--kafka-tls-ca", "no PEM block")
	f("--listen", "u:"+s+"@localhost:80", "http://u:"+s+"/x@localhost:80")
	f("--secret", "-"+s)
	f("--influx", "-"+s, "--"+s)
	// A blank behind a comma makes an argument of the second key.
	mustRefuse(t, []string{"--write-keys", strings.Repeat("x", 20) + ",", s + s}, "unexpected argument")
	mustRefuse(t, []string{"--query-keys=" + strings.Repeat("x", 20), s + s}, "unexpected argument")
	mustRefuse(t, []string{"--secrets=" + s}, "--secret")
	mustRefuse(t, []string{"--write-key", s}, "--write-keys")
	for key, value := range map[string]string{"write-keys": "\"" + s + " " + s + "\"", "query-keys": "[\"" + s + ",b\"]", "secret": "[" + s + "]", "influx": "{a: " + s + "}"} {
		config := filepath.Join(t.TempDir(), "c.yaml")
		mustWrite(t, config, key+": "+value+"\n", 0o600)
		mustRefuse(t, []string{"--config", config}, key)
	}
	anchor := filepath.Join(t.TempDir(), "c.yaml")
	mustWrite(t, anchor, "query-keys: *"+s+"\n", 0o600)
	mustRefuse(t, []string{"--config", anchor}, "begins with *")
}

// TestSecretsByFile: each secret may be in a file, wherever the name of the file comes from.
func TestSecretsByFile(t *testing.T) {
	dir := t.TempDir()
	n := 0
	file := func(text string) string {
		n++
		path := filepath.Join(dir, strings.Repeat("f", n))
		mustWrite(t, path, text, 0o600)
		return path
	}
	const s = theSecret
	for _, name := range []string{"secret", "write-keys", "query-keys", "influx", "s3", "kafka-password"} {
		flag := "--" + name + "-file"
		bad := file("!" + s + "@" + s + "!\n")
		mustRefuse(t, []string{flag, bad}, "--"+name)
		t.Setenv(variableOf(name+"-file"), bad)
		mustRefuse(t, nil, "--"+name)
		os.Unsetenv(variableOf(name + "-file"))
		mustRefuse(t, []string{"--config", file(name + "-file: " + bad + "\n")}, "--"+name)
		mustRefuse(t, []string{flag, filepath.Join(dir, "none")}, flag, "no such file")
		mustRefuse(t, []string{flag, dir}, flag, "is a directory")
		mustRefuse(t, []string{flag, file("\n \n# " + s + "\n")}, flag, "is empty")
		mustRefuse(t, []string{flag, file("a\x00" + s)}, flag, "not text")
		mustRefuse(t, []string{flag, file(s), "--" + name, s}, "--"+name+" and "+flag, "give one")
		if !strings.HasSuffix(name, "keys") {
			mustRefuse(t, []string{flag, file(s + "\n" + s + "\n")}, flag, "2 lines")
		}
	}
	mustRefuse(t, []string{"--secret-file", filepath.Join(dir, "none"), "--s3-file", filepath.Join(dir, "none")}, "--secret-file", "--s3-file")
	// Files of secrets that addresses name.
	none := filepath.Join(dir, "none")
	mustRefuse(t, []string{"--influx", "http://u@h/db?password-file=" + none}, "--influx", "password-file: read "+none+": no such file")
	mustRefuse(t, []string{"--influx", "http://h/db?token-file=" + file(s+"\n"+s)}, "--influx", "2 lines")
	mustRefuse(t, []string{"--s3", "s3://h:9000/b?credentials=" + file("[default]\naws_secret_access_key "+s)}, "--s3", "it is malformed")
	mustRefuse(t, []string{"--s3", "s3://h:9000/b?credentials=" + none}, "--s3", none+": no such file")
	mustRefuse(t, []string{"--s3", "s3://k:" + s + "@h:9000/b?ca=" + file(s)}, "--s3", "no PEM block")
}

// TestSecretsAreNotShown starts serve with each secret, half of them in files, and looks everywhere.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		mustWrite(t, filepath.Join(dir, name), text, 0o600)
		return filepath.Join(dir, name)
	}
	t.Run("in addresses", func(t *testing.T) {
		t.Parallel()
		secretsAreNotShown(t, "http://u:"+theSecret+"@127.0.0.1:1/db?token="+theSecret, "s3://key:"+theSecret+"@127.0.0.1:1/bucket")
	})
	t.Run("in files that addresses name", func(t *testing.T) {
		t.Parallel()
		secretsAreNotShown(t, "http://u@127.0.0.1:1/db?password-file="+file("password", theSecret),
			"s3://127.0.0.1:1/bucket?credentials="+file("aws", "[default]\naws_access_key_id = k\naws_secret_access_key = "+theSecret+"\n"))
	})
}

func secretsAreNotShown(t *testing.T, influx, s3 string) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	mustWrite(t, keys, "# of the dashboard\n"+theSecret+"-query@a.example.com\n\n"+theSecret+"-second\r\n", 0o644)
	secret := strings.Repeat("5ec2e7", 11)[:64]
	secretFile := filepath.Join(dir, "secret")
	mustWrite(t, secretFile, secret+"\n", 0o600)
	at := localPlace(t)
	s, err := launchServer(t, append(at.args("serve"), "--log-level", "debug", "--query-keys-file", keys, "--secret-file", secretFile,
		"--write-keys", theSecret+"-write", "--influx", influx, "--s3", s3))
	if err != nil {
		t.Fatal(err)
	}
	// The stores are not there: wait for an error of each.
	waitFor(t, 20*time.Second, func() error {
		_, body, err := get(s.admin + "/readyz?verbose")
		if err == nil && (!strings.Contains(body, "no  emit: ") || !strings.Contains(body, "no  archive: ")) {
			err = &notYet{body}
		}
		return err
	})
	pages := []string{"/readyz?verbose", "/metrics", "/debug/pprof/"}
	for _, name := range []string{"cmdline", "goroutine?debug=2", "goroutine?debug=1", "heap?debug=1", "allocs?debug=1", "block?debug=1", "mutex?debug=1", "threadcreate?debug=1", "symbol"} {
		pages = append(pages, "/debug/pprof/"+name)
	}
	texts := map[string]string{}
	for _, page := range pages {
		if _, texts[page], err = get(s.admin + page); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range mustUnpack(t, s.admin+"/support") {
		texts["/support "+name] = text
	}
	for key, want := range map[string]bool{theSecret + "-query": true, theSecret + "-second": true, theSecret + "-third": false} {
		req := mustRequest(t, s.url+"/api/v1/stats/realtime/visitors?site_id=a.example.com", key)
		if got := req != 401; got != want {
			t.Errorf("a query with key %s: status %d", key, req)
		}
	}
	s.mustStop(t)
	texts["log"], texts["greeting"] = s.stderr.String(), s.stdout.String()
	for page, text := range texts {
		if strings.Contains(text, theSecret) || strings.Contains(text, secret) {
			t.Errorf("%s has a secret:\n%.3000s", page, text)
		}
	}
	if runtime.GOOS == "linux" && (!strings.Contains(texts["log"], "--query-keys-file") || strings.Contains(texts["log"], "flag=--secret-file")) {
		t.Errorf("want a warning of the file that all can read, and of no other:\n%s", texts["log"])
	}
}

type notYet struct{ body string }

func (e *notYet) Error() string { return "not yet:\n" + e.body }

func mustWrite(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// mustRequest gets a URL with a key and returns the status.
func mustRequest(t *testing.T, url, key string) int {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// mustUnpack returns the files of the support bundle, by name.
func mustUnpack(t *testing.T, url string) map[string]string {
	t.Helper()
	_, body, err := get(url)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(packed); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(h.Name, ".gz") {
			text = mustGunzip(t, text)
		}
		files[h.Name] = string(text)
	}
	for _, name := range []string{"settings.json", "topics.json", "log.txt", "heap.pb.gz"} {
		if files["millrace-support/"+name] == "" {
			t.Errorf("the bundle has no %s, only %d other files", name, len(files))
		}
	}
	return files
}

func mustGunzip(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
