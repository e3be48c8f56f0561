package influxdb

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustWriteFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A password or token in a file is read again when the file changes, and kept while it is away.
func TestSecretsByFile(t *testing.T) {
	var auth string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok {
			auth = user + ":" + password
		} else {
			auth = r.Header.Get("Authorization")
		}
		if strings.Contains(auth, "wrong") {
			http.Error(w, `{"error":"refused: `+auth+`"}`, http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "secret")
	f := func(user, setting, form string) {
		t.Helper()
		mustWriteFile(t, path, "# first\nhush-one\n")
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.Path, u.RawQuery = "/db", setting+"="+url.QueryEscape(path)
		if user != "" {
			u.User = url.User(user)
		}
		cfg, err := ParseURL(u.String())
		if err != nil {
			t.Fatal(err)
		}
		c := NewClient(cfg, time.Second, nil)
		defer c.CloseIdle()
		for _, text := range []string{"hush-one", "hush-other", "", "hush-third"} {
			want := strings.ReplaceAll(form, "SECRET", text)
			if text == "" {
				want = auth // as before
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				mustWriteFile(t, path, text)
			}
			if err := c.Write(t.Context(), []byte("m v=1i 1"), ""); err != nil || auth != want {
				t.Errorf("%s: sent %q, %v; want %q", setting, auth, err, want)
			}
		}
		mustWriteFile(t, path, "hush-wrong")
		if err := c.Write(t.Context(), []byte("m v=1i 1"), ""); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", setting, err)
		}
	}
	f("u", "password-file", "u:SECRET")
	f("", "token-file", "Token SECRET")

	bad := func(address, want string) {
		t.Helper()
		_, err := ParseURL(address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v; want %q", address, err, want)
		}
	}
	bad("http://u@h/db?password-file="+path+".none", "no such file")
	bad("http://h/db?token-file="+path+".none", "no such file")
	bad("http://h/db?password-file="+path, "wants a user")
	bad("http://u:hush@h/db?password-file="+path, "no password")
	bad("http://h/db?token=hush&token-file="+path, "neither")
	mustWriteFile(t, path, "hush\nhush\n")
	bad("http://h/db?token-file="+path, "2 lines")
	bad("http://h/db?ca="+path, "for https")
	bad("https://h/db?ca="+path, "no PEM block")
}

// https works with an authority of one's own, and without it the remedy is named.
func TestCA(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	mustWriteFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	f := func(address, want string) {
		t.Helper()
		cfg, err := ParseURL(address)
		if err != nil {
			t.Fatal(err)
		}
		c := NewClient(cfg, 5*time.Second, nil)
		defer c.CloseIdle()
		if err := c.Write(t.Context(), []byte("m v=1i 1"), ""); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", address, err, want)
		}
	}
	f(server.URL+"/db?ca="+url.QueryEscape(ca), "")
	f(server.URL+"/db", "?ca=FILE")
}
