package blob

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const hush = "hunter2swordfish" // in each secret of these tests

// noCredentials hides what the machine has, and returns an empty folder that is the user's.
func noCredentials(t *testing.T) string {
	t.Helper()
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MINIO_") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	return home
}

func mustWriteFile(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func profile(name, key string) string {
	return fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, key, hush)
}

// signedBy lists and puts, and returns the key, region and session token that both requests were signed
// with, or an error.
func signedBy(t *testing.T, fake *fakeS3, s *S3) (string, error) {
	t.Helper()
	for range s.List(t.Context(), "", "") {
		break
	}
	if err := s.Put(t.Context(), "k", []byte("x")); err != nil {
		return "", err
	}
	var signed string
	for i, h := range fake.headers[len(fake.headers)-2:] {
		_, credential, _ := strings.Cut(h.Get("Authorization"), "Credential=")
		parts := strings.Split(credential, "/")
		got := "anonymous"
		if len(parts) > 2 {
			got = strings.Trim(parts[0]+" "+parts[2]+" "+h.Get("X-Amz-Security-Token"), " ")
		}
		if i > 0 && got != signed {
			t.Errorf("the list is signed by %q, the put by %q", signed, got)
		}
		signed = got
	}
	return signed, nil
}

// Each source of credentials is used, in the order of Amazon's own programs.
func TestS3Credentials(t *testing.T) {
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	services := http.NewServeMux()
	services.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "session") })
	services.HandleFunc("GET /latest/meta-data/iam/security-credentials/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/role") {
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"instance","SecretAccessKey":%q,"Token":"t","Expiration":%q}`, hush, end)
			return
		}
		fmt.Fprint(w, "role")
	})
	services.HandleFunc("GET /container", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"container","SecretAccessKey":%q,"Token":%q,"Expiration":%q}`, hush, r.Header.Get("Authorization"), end)
	})
	services.HandleFunc("POST /sts", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
			<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, "web", hush, r.FormValue("WebIdentityToken"), end)
	})
	others := httptest.NewServer(services)
	defer others.Close()

	f := func(name, want string, set func(home string, c *S3Config)) {
		t.Run(name, func(t *testing.T) {
			fake, cfg := newFakeS3(t)
			home := noCredentials(t)
			cfg.AccessKey, cfg.Secret = "", ""
			set(home, &cfg)
			got, err := signedBy(t, fake, mustOpenConfig(t, cfg))
			if err != nil {
				got = err.Error()
			}
			if got != want && (err == nil || !strings.Contains(got, want)) || strings.Contains(got, hush) || strings.Contains(got, hush[2:]) {
				t.Errorf("%s; want %s", got, want)
			}
		})
	}
	f("none", "anonymous", func(string, *S3Config) {})
	f("address", "key us-east-1", func(_ string, c *S3Config) {
		c.AccessKey, c.Secret = "key", hush
		t.Setenv("AWS_ACCESS_KEY_ID", "other")
		t.Setenv("AWS_REGION", "eu-central-1")
	})
	env := func() { t.Setenv("AWS_ACCESS_KEY_ID", "env"); t.Setenv("AWS_SECRET_ACCESS_KEY", hush) }
	f("environment", "env eu-central-1 token", func(home string, _ *S3Config) {
		env()
		t.Setenv("AWS_SESSION_TOKEN", "token")
		t.Setenv("AWS_REGION", "eu-central-1")
		mustWriteFile(t, filepath.Join(home, ".aws", "credentials"), profile("default", "file"))
	})
	unset := func() {
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
			t.Setenv(name, "")
		}
	}
	f("half of the environment", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: the key or the secret is missing", func(string, *S3Config) {
		unset()
		t.Setenv("AWS_SECRET_ACCESS_KEY", hush)
	})
	unset()
	f("file of the user", "file us-east-1", func(home string, _ *S3Config) {
		mustWriteFile(t, filepath.Join(home, ".aws", "credentials"), profile("default", "file"))
	})
	f("profile by variable", "second us-east-1", func(home string, _ *S3Config) {
		path := filepath.Join(home, "creds")
		mustWriteFile(t, path, profile("default", "file")+profile("second", "second"))
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path)
		t.Setenv("AWS_PROFILE", "second")
	})
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	t.Setenv("AWS_PROFILE", "")
	f("file by address", "third us-east-1", func(home string, c *S3Config) {
		env() // is not looked at
		c.CredentialsFile, c.Profile = filepath.Join(home, "creds"), "third"
		mustWriteFile(t, c.CredentialsFile, profile("third", "third"))
	})
	unset()
	f("no such profile", `profile "none" of file`, func(home string, c *S3Config) {
		c.CredentialsFile, c.Profile = filepath.Join(home, "creds"), "none"
		mustWriteFile(t, c.CredentialsFile, profile("third", "third"))
	})
	f("no such file", "no such file", func(home string, c *S3Config) { c.CredentialsFile = filepath.Join(home, "none") })
	f("a malformed file", "it is malformed", func(home string, c *S3Config) {
		c.CredentialsFile = filepath.Join(home, "creds")
		mustWriteFile(t, c.CredentialsFile, "[default]\naws_secret_access_key "+hush+"\n")
	})
	f("web identity", "web us-east-1 of a pod", func(home string, _ *S3Config) {
		mustWriteFile(t, filepath.Join(home, "token"), "of a pod")
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(home, "token"))
		t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
		t.Setenv("AWS_ENDPOINT_URL_STS", others.URL+"/sts")
	})
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "")
	f("container", "container us-east-1 of a task", func(string, *S3Config) {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", others.URL+"/container")
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of a task")
	})
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	f("instance", "instance us-east-1 t", func(string, *S3Config) { t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", others.URL) })
	f("a service that is away", "instance metadata: ", func(string, *S3Config) { t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1") })
}

// A file of credentials that changes is read again, without a restart.
func TestS3CredentialsChange(t *testing.T) {
	fake, cfg := newFakeS3(t)
	home := noCredentials(t)
	cfg.AccessKey, cfg.Secret, cfg.CredentialsFile = "", "", filepath.Join(home, "creds")
	mustWriteFile(t, cfg.CredentialsFile, profile("default", "first"))
	s := mustOpenConfig(t, cfg)
	for _, key := range []string{"first", "another"} {
		mustWriteFile(t, cfg.CredentialsFile, profile("default", key))
		if got, err := signedBy(t, fake, s); err != nil || got != key+" us-east-1" {
			t.Errorf("%q, %v; want %s", got, err, key)
		}
	}
}

// Who has no credentials and is refused learns how to give some.
func TestS3WithoutCredentials(t *testing.T) {
	fake, cfg := newFakeS3(t)
	noCredentials(t)
	cfg.AccessKey, cfg.Secret = "", ""
	fake.denied = true
	s := mustOpenConfig(t, cfg)
	for _, err := range []error{s.Check(t.Context()), s.Put(t.Context(), "k", []byte("x"))} {
		if err == nil || !strings.Contains(err.Error(), "no credentials were found") || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
			t.Error(err)
		}
	}
}

// TestS3TLS: https with an authority of one's own; what is wrong with TLS is said with the remedy.
func TestS3TLS(t *testing.T) {
	fake := &fakeS3{objects: map[string][]byte{}}
	server := httptest.NewUnstartedServer(fake)
	server.EnableHTTP2 = false
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	mustWriteFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	_, plain := newFakeS3(t)
	f := func(want string, c S3Config) {
		t.Helper()
		c.Bucket, c.AccessKey, c.Secret = "bucket", "k", hush
		s, err := OpenS3(c)
		if err == nil {
			defer s.http.CloseIdleConnections()
			for _, err = range []error{s.Check(t.Context()), s.Put(t.Context(), "k", []byte("x"))} {
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
		} else if want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	at := server.Listener.Addr().String()
	f("", S3Config{Endpoint: at, TLS: true, CA: ca})
	f("give its PEM file with ca=FILE", S3Config{Endpoint: at, TLS: true})
	f("write tls=true", S3Config{Endpoint: at})
	f("write tls=false", S3Config{Endpoint: plain.Endpoint, TLS: true})
	f("no such file", S3Config{Endpoint: at, TLS: true, CA: ca + ".none"})
	mustWriteFile(t, ca, "no certificate")
	f("has no PEM block", S3Config{Endpoint: at, TLS: true, CA: ca})
}

// However a server that wants TLS ends a connection, the error says what to do.
func TestS3CutOff(t *testing.T) {
	for _, end := range []error{syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		err := (&S3{}).wrap("put", "k", &url.Error{Op: "Put", URL: "http://h/k", Err: fmt.Errorf("read: %w", end)})
		if !errors.Is(err, end) || !strings.Contains(err.Error(), "write tls=true") {
			t.Errorf("%v: %v", end, err)
		}
		if err := (&S3{cfg: S3Config{TLS: true}}).wrap("put", "k", end); strings.Contains(err.Error(), "tls") {
			t.Errorf("with TLS: %v", err)
		}
	}
}

// The address of a list is the one that the library makes for objects, whatever the style.
func TestS3BucketURL(t *testing.T) {
	noCredentials(t)
	f := func(want, endpoint string, c S3Config) {
		t.Helper()
		c.Endpoint, c.Bucket, c.AccessKey, c.Secret = endpoint, "lake", "k", hush
		s := mustOpenConfig(t, c)
		u, err := s.client.Presign(t.Context(), http.MethodGet, c.Bucket, "key", time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		u.RawQuery = ""
		if got := s.cfg.bucketURL().String(); got != want || got+"key" != u.String() {
			t.Errorf("%s: %s, want %s; of an object %s", endpoint, got, want, u)
		}
	}
	f("http://minio:9000/lake/", "minio:9000", S3Config{})
	f("http://minio/lake/", "minio:80", S3Config{})
	f("https://lake.minio/", "minio:443", S3Config{TLS: true, Style: StyleHost})
	f("http://lake.minio:9000/", "minio:9000", S3Config{Style: StyleHost})
	f("http://[::1]:9000/lake/", "[::1]:9000", S3Config{})
	f("https://lake.s3.dualstack.us-east-1.amazonaws.com/", "s3.amazonaws.com", S3Config{TLS: true})
	f("https://lake.s3.dualstack.eu-central-1.amazonaws.com/", "s3.eu-central-1.amazonaws.com", S3Config{TLS: true})
	f("https://s3.dualstack.eu-west-1.amazonaws.com/lake/", "s3.amazonaws.com", S3Config{TLS: true, Region: "eu-west-1", Style: StylePath})
	f("https://lake.s3.dualstack.cn-north-1.amazonaws.com.cn/", "s3.cn-north-1.amazonaws.com.cn", S3Config{TLS: true})
	f("https://lake.storage.googleapis.com/", "storage.googleapis.com", S3Config{TLS: true})
}
