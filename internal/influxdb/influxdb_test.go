package influxdb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseURL(t *testing.T) {
	ok := func(in, want string, check func(Config) bool) {
		t.Helper()
		c, err := ParseURL(in)
		if err != nil {
			t.Errorf("ParseURL(%q): %v", in, err)
			return
		}
		if c.String() != want {
			t.Errorf("ParseURL(%q) is %s, want %s", in, c, want)
		}
		if !check(c) {
			t.Errorf("ParseURL(%q) = %+v", in, c)
		}
	}
	ok("http://127.0.0.1:8086/millrace", "http://127.0.0.1:8086/millrace", func(c Config) bool { return c.DB == "millrace" && !c.V2() })
	ok("https://u:secret@db.example/a/b/web?rp=year", "https://db.example/a/b/web",
		func(c Config) bool {
			return c.User == "u" && c.Password == "secret" && c.RP == "year" && c.Base.Path == "/a/b"
		})
	ok("http://h:1/?org=o&bucket=b&token=t", "http://h:1/b", func(c Config) bool { return c.V2() && c.DB == "b" && c.Token == "t" })

	bad := func(in, want string) {
		t.Helper()
		_, err := ParseURL(in)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURL(%q) = %v, want an error with %q", in, err, want)
		}
	}
	bad("127.0.0.1:8086/x", "not a URL")
	bad("ftp://u:secret@h/x", "want http://")
	bad("http://h:8086", "no database")
	bad("http://h:8086/x?org=o", "org and bucket")
	bad("http://h:8086/x?retention=1", `unknown parameter "retention"`)
	bad("http://u:secret@h:80\x7f86/x", "not a URL")
	bad("http://u:se@cr/e#t@h:8086/x", "percent-encode")
	bad("http://u:secr?et@h:8086/x", "percent-encode")
	bad("http://u:secr#et@h:8086/x", "percent-encode")
	bad("http://h/a%0Ab", "control character")
}

// readLiteral reads a string literal the way InfluxQL's scanner does, and returns what follows it.
func readLiteral(s string, mark byte) (val, rest string, ok bool) {
	if s == "" || s[0] != mark {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case mark:
			return b.String(), s[i+1:], true
		case '\n':
			return "", "", false
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '\'', '"':
				b.WriteByte(s[i])
			default:
				return "", "", false
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "/pricing", `'; DROP DATABASE x; --`, `\`, `\'`, "a\nb", `"x"`, "\x00\xff", "naïve ☃", `\\'`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, mark := range []byte{'\'', '"'} {
			q := quote(s, mark)
			val, rest, ok := readLiteral(q+" tail", mark)
			if !ok || rest != " tail" {
				t.Fatalf("quote(%q) = %s does not end where it should", s, q)
			}
			if utf8.ValidString(s) && !strings.Contains(s, "\x00") && val != s {
				t.Fatalf("quote(%q) reads back as %q", s, val)
			}
		}
	})
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg, err := ParseURL(s.URL + "/db")
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(cfg, 200*time.Millisecond, nil)
}

func TestQueryReadsChunks(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("q") != "SELECT 1" || r.Form.Get("epoch") != "s" || r.Form.Get("db") != "db" {
			t.Errorf("form is %v, %v", r.Form, err)
		}
		io.WriteString(w, `{"results":[{"series":[{"name":"a","tags":{"site":"x"},"columns":["time","n"],"values":[[60,9007199254740993]],"partial":true}],"partial":true}]}`+"\n")
		io.WriteString(w, `{"results":[{"series":[{"name":"a","columns":["time","n"],"values":[[120,null],[180,1.7e3]]}]}]}`+"\n")
	})
	var got []int64
	err := c.Query(t.Context(), "SELECT 1", func(s *Series) error {
		for _, row := range s.Values {
			n, _ := Int(row, s.Column("n"))
			got = append(got, n)
		}
		return nil
	})
	if err != nil || len(got) != 3 || got[0] != 9007199254740993 || got[1] != 0 || got[2] != 1700 {
		t.Errorf("rows are %v, %v", got, err)
	}
}

func TestQueryErrors(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); io.WriteString(w, body) })
		err := c.Query(t.Context(), "SELECT 1", func(*Series) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d %s: %v, want %q", status, body, err, want)
		}
	}
	f(200, `{"results":[{"error":"database not found: db"}]}`, "database not found")
	f(200, `{"results":[{"series":[{"name":"a","values":[[1`, "unexpected EOF")
	f(200, ``, "EOF")
	f(200, `<html>`, "read answer")
	f(401, `{"code":"unauthorized","message":"go away"}`, "401 Unauthorized: go away")
	f(500, "<html>\n"+strings.Repeat("x ", 5000), "…")
	f(302, ``, "302")
	f(200, `{}`, "is another server at this address?")
	f(200, `{"status":"ok"}`, "is another server at this address?")
}

// TestServerShowsTheRequest: what a server says of a request has none of its secrets.
func TestServerShowsTheRequest(t *testing.T) {
	show := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintf(w, "refused: Authorization: %s (%s, %s)", r.Header.Get("Authorization"), user, password)
	}))
	defer show.Close()
	host := strings.TrimPrefix(show.URL, "http://")
	for _, address := range []string{"http://me:hunter2%2Fswordfish@" + host + "/db", show.URL + "/db?token=hunter2/swordfish"} {
		cfg, err := ParseURL(address)
		if err != nil {
			t.Fatal(err)
		}
		err = NewClient(cfg, time.Second, nil).Write(t.Context(), []byte("a b=1 1"), "")
		basic := base64.StdEncoding.EncodeToString([]byte("me:hunter2/swordfish"))
		if err == nil || strings.Contains(err.Error(), "swordfish") || strings.Contains(err.Error(), basic) || !strings.Contains(err.Error(), "refused: Authorization: ") {
			t.Error(err)
		}
	}
}

func TestQueryGivesUpOnSilence(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"results":[{"series":[{"name":"a","values":[[1]]}]}]}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	slow := 0
	err := c.Query(t.Context(), "SELECT 1", func(*Series) error {
		slow++
		time.Sleep(300 * time.Millisecond) // the caller's own time does not count
		return nil
	})
	if !errors.Is(err, errSilent) || slow != 1 {
		t.Errorf("err is %v after %d parts", err, slow)
	}
}

func TestCallersCancelIsItsOwnError(t *testing.T) {
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := c.Query(ctx, "SELECT 1", func(*Series) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("err is %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(in string, want time.Duration) {
		t.Helper()
		if got := retryAfter(in, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", in, got, want)
		}
	}
	f("", 0)
	f("7", 7*time.Second)
	f("-7", 0)
	f("Fri, 02 Jan 2026 03:04:35 GMT", 30*time.Second)
	f("Thu, 01 Jan 2026 03:04:35 GMT", 0)
	f("soon", 0)
}
