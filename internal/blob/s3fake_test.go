package blob

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeS3 is a server of one bucket, "bucket", which does what it is told to wrong. It looks at no
// signature; servers that do are those of the integration tests.
type fakeS3 struct {
	mu       sync.Mutex
	objects  map[string][]byte
	modified time.Time
	requests []string // method and query
	headers  []http.Header

	keepFrames    bool // as s3rver 3.7.1 on plain http
	groups        bool // groups keys that were to be listed
	samePage      bool // gives the first page for every token, as S3Proxy 2.6.0 with = in keys
	refuseToken   bool // answers a token with 500, as s3rver
	endless       bool // has another token for ever
	backwards     bool
	stopsAtStart  bool // ignores start-after
	noDelete      bool
	noIfMatch     bool
	wrongLength   bool
	staleAfterPut bool // does not replace what is there
	denied        bool
	tokens        int
}

func newFakeS3(tb testing.TB) (*fakeS3, S3Config) {
	tb.Helper()
	f := &fakeS3{objects: map[string][]byte{}, modified: time.Now()}
	server := httptest.NewServer(f)
	tb.Cleanup(server.Close)
	return f, S3Config{Endpoint: server.Listener.Addr().String(), Bucket: "bucket", AccessKey: "k", Secret: "secret"}
}

func mustOpenConfig(tb testing.TB, c S3Config) *S3 {
	tb.Helper()
	s, err := OpenS3(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.http.CloseIdleConnections() })
	return s
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RawQuery)
	f.headers = append(f.headers, r.Header.Clone())
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	switch {
	case f.denied:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case r.URL.Query().Get("list-type") == "2":
		f.list(w, r)
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !f.keepFrames {
			body = withoutFrames(body, r)
		}
		if r.Header.Get("If-None-Match") == "*" && f.objects[key] != nil && !f.noIfMatch {
			refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		if f.objects[key] == nil || !f.staleAfterPut {
			f.objects[key] = body
		}
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete && f.noDelete:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodDelete:
		delete(f.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case f.objects[key] == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		f.get(w, r, f.objects[key])
	}
}

func (f *fakeS3) get(w http.ResponseWriter, r *http.Request, body []byte) {
	if f.noIfMatch {
		r.Header.Del("If-Match")
	}
	if f.wrongLength && r.Method == http.MethodHead {
		body = body[1:]
	}
	w.Header().Set("ETag", etag(body))
	http.ServeContent(w, r, "", f.modified, bytes.NewReader(body))
}

func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// withoutFrames undoes aws-chunked.
func withoutFrames(body []byte, r *http.Request) []byte {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body
	}
	var out []byte
	for {
		head, rest, _ := bytes.Cut(body, []byte("\r\n"))
		n, err := strconv.ParseInt(strings.Split(string(head), ";")[0], 16, 64)
		if err != nil || n == 0 {
			return out
		}
		out, body = append(out, rest[:n]...), rest[n+2:]
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>message of %s</Message></Error>", code, code)
}

func (f *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	most := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		most = n
	}
	token, after := q.Get("continuation-token"), q.Get("start-after")
	if token != "" {
		after = strings.TrimPrefix(token, "t:")
	}
	switch {
	case f.refuseToken && token != "":
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	case f.samePage && token != "", f.stopsAtStart, f.endless:
		after = ""
	}
	type content struct {
		Key  string
		Size int
	}
	type prefix struct{ Prefix string }
	var p struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Contents              []content
		CommonPrefixes        []prefix
		IsTruncated           bool
		NextContinuationToken string
	}
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= after {
			continue
		}
		if len(p.Contents) == most {
			p.IsTruncated = true
			p.NextContinuationToken = "t:" + p.Contents[most-1].Key
			break
		}
		p.Contents = append(p.Contents, content{key, len(f.objects[key])})
	}
	if f.endless {
		f.tokens++
		p.IsTruncated, p.NextContinuationToken = true, fmt.Sprint("t", f.tokens)
	}
	if f.backwards {
		slices.Reverse(p.Contents)
	}
	if f.groups && len(p.Contents) > 0 {
		p.Contents, p.CommonPrefixes = nil, []prefix{{p.Contents[0].Key[:1]}}
	}
	_ = xml.NewEncoder(w).Encode(&p)
}

// quiet is the log of a server whose clients are to fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
