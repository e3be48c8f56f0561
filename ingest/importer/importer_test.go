package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/ingest/identity"
)

func inUTC(string) identity.Rule { return identity.Rule{} }

func mustIdentity(tb testing.TB) *identity.Identity {
	tb.Helper()
	id, err := identity.New(bytes.Repeat([]byte{7}, identity.SecretLen), identity.NewDerived([]byte("a key")))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func pack(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func mustFile(tb testing.TB, name, format string, data []byte) *File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	f, err := Open(tb.Context(), path, format, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

const log = `192.0.2.1 - - [10/Oct/2023:13:55:36 +0000] "GET /a HTTP/1.1" 200 10 "-" "Mozilla/5.0"
192.0.2.1 - - [10/Oct/2023:13:55:37 +0000] "GET /a.css HTTP/1.1" 200 10 "-" "Mozilla/5.0"
nonsense
192.0.2.1 - - [10/Oct/2023:13:55:38 +0000] "GET /b HTTP/1.1" 304 - "-" "Mozilla/5.0"
`

const ndjson = `{"site":"a.example","name":"pageview","url":"https://a.example/","ts":"2023-10-10T13:55:36Z","ip":"192.0.2.1","ua":"Mozilla/5.0"}

{"site":"b.example","name":"pageview","ts":1696946137000,"visitor":"anna"}
{"site":"a.example","name":"Signup","ts":1696946138000,"id":"mine"}
{"site":"a.example","name":"pageview"}
[{"site":"a.example","name":"pageview","ts":1696946138000}]
{"site":"a.example","nam":"pageview","ts":1696946138000}
{"site":`

// read returns the ids and lines of all events.
func read(tb testing.TB, f *File, site string) (*Reader, []string, []int64) {
	tb.Helper()
	r, err := f.Read(site, mustIdentity(tb), inUTC)
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	var lines []int64
	for r.Scan() {
		e := r.Event()
		if e.Received != e.Time || e.Visitor == 0 {
			tb.Errorf("line %d: received %v, time %v, visitor %v", r.Line(), e.Received, e.Time, e.Visitor)
		}
		ids, lines = append(ids, strings.Clone(e.ID)), append(lines, r.Line())
	}
	if err := r.Err(); err != nil {
		tb.Error(err)
	}
	if r.Read() != f.Bytes {
		tb.Errorf("%d bytes read of %d", r.Read(), f.Bytes)
	}
	return r, ids, lines
}

func TestPackedAndPlainAreTheSame(t *testing.T) {
	plain, packed := mustFile(t, "log", Combined, []byte(log)), mustFile(t, "log.gz", Combined, pack(t, log))
	stream, err := Open(t.Context(), "-", Combined, strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	digest := plain.Digest("a.example")
	for _, f := range []*File{packed, stream} {
		if !bytes.Equal(f.Digest("a.example"), digest) || f.Bytes != int64(len(log)) {
			t.Errorf("%s: other digest or length", f.Name)
		}
		_, ids, lines := read(t, f, "a.example")
		if len(ids) != 2 || lines[1] != 4 {
			t.Errorf("%s: events %q of lines %d", f.Name, ids, lines)
		}
	}
	if bytes.Equal(plain.Digest("b.example"), digest) || bytes.Equal(mustFile(t, "log", Events, []byte(log)).Digest("a.example"), digest) {
		t.Error("site and format are not in the digest")
	}
	name := stream.f.Name()
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the temporary file is still there")
	}
}

func TestEvents(t *testing.T) {
	f := mustFile(t, "e.ndjson", Events, []byte(ndjson))
	r, ids, lines := read(t, f, "")
	if len(ids) != 3 || ids[2] != "mine" || lines[1] != 3 || ids[0] == ids[1] {
		t.Errorf("ids %q of lines %d", ids, lines)
	}
	sum := r.Summary()
	if sum.Lines != 8 || sum.Events != 3 || sum.Malformed != 4 || !maps.Equal(sum.Skipped, map[string]int64{SkipEmpty: 1}) {
		t.Errorf("summary %+v", sum)
	}
	wants := []string{"ts", "array", "nam", "JSON"}
	for i, m := range r.Malformed() {
		if m.Line != int64(5+i) || !strings.Contains(m.Reason, wants[i]) {
			t.Errorf("malformed line %d: %s", m.Line, m.Reason)
		}
	}
	_, again, _ := read(t, f, "")
	if strings.Join(again, " ") != strings.Join(ids, " ") {
		t.Errorf("ids %q, then %q", ids, again)
	}
	r, ids, _ = read(t, f, "a.example")
	if len(ids) != 2 || r.Summary().Skipped[SkipSite] != 1 {
		t.Errorf("of one site: %q, %+v", ids, r.Summary())
	}
}

func TestBlankName(t *testing.T) {
	r, ids, _ := read(t, mustFile(t, "e", Events, []byte(`{"site":"a.example","name":" \t","ts":1696946138000}`+"\n"+`{"site":"a.example","name":"  ","ts":1696946138000}`)), "")
	if m := r.Malformed(); len(ids) != 0 || len(m) != 2 || !strings.Contains(m[1].Reason, "name: is empty") {
		t.Errorf("%d events, malformed %+v", len(ids), m)
	}
}

func TestLongLine(t *testing.T) {
	long := `{"site":"a.example","name":"` + strings.Repeat("x", 3*maxLine) + "\"}\n" + `{"site":"a.example","name":"x","ts":1696946138000}`
	r, ids, lines := read(t, mustFile(t, "e", Events, []byte(long)), "")
	if len(ids) != 1 || lines[0] != 2 || r.Summary().Malformed != 1 {
		t.Errorf("events of lines %d, %+v", lines, r.Summary())
	}
}

func TestUnreadable(t *testing.T) {
	packed := pack(t, strings.Repeat(log, 100))
	path := filepath.Join(t.TempDir(), "cut.gz")
	if err := os.WriteFile(path, packed[:len(packed)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Combined, nil); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("a file that is cut off: %v", err)
	}
	if _, err := Open(t.Context(), path+"x", Combined, nil); err == nil {
		t.Error("a file that is not there is opened")
	}
	dir := filepath.Dir(path)
	if _, err := Open(t.Context(), dir, Combined, nil); err == nil || err.Error() != "read "+dir+": is a directory" {
		t.Errorf("a folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "-", Combined, strings.NewReader(log)); err == nil {
		t.Error("reading does not end with its context")
	}
	f := mustFile(t, "log", Combined, []byte(log))
	if _, err := f.Read("", mustIdentity(t), inUTC); err == nil {
		t.Error("an access log without a site is read")
	}
	if _, err := mustFile(t, "log", "common", []byte(log)).Read("a.example", mustIdentity(t), inUTC); err == nil {
		t.Error("an unknown format is read")
	}
}
