package influx

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}

// fake answers the requests that this package makes the way InfluxDB 1.x does. Tests run against
// it, and against the real one too if MILLRACE_TEST_INFLUX is set.
type fake struct {
	mu     sync.Mutex
	points map[string]point // by measurement, tags and time
	log    []point          // as they came
	posts  int
	// refuse says which lines are dropped as a partial write; maxLines is from where on a body is
	// too large.
	refuse   string
	maxLines int
}

type point struct {
	name   string
	tags   map[string]string
	fields map[string]any
	sec    int64
}

func (p point) key() string { return fmt.Sprint(p.name, p.tags, p.sec) }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return // cut off
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/write":
		f.write(w, b)
	case "/query":
		form, _ := url.ParseQuery(string(b))
		f.query(w, form.Get("q"))
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) write(w http.ResponseWriter, b []byte) {
	f.posts++
	if f.maxLines > 0 && countLines(b) > f.maxLines {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	dropped := 0
	for line := range strings.Lines(string(b)) {
		if f.refuse != "" && strings.Contains(line, f.refuse) {
			dropped++
			continue
		}
		p, err := parsePoint(line)
		if err != nil {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"unable to parse: %v"}`, err)
			return
		}
		f.points[p.key()] = p
		f.log = append(f.log, p)
	}
	if dropped > 0 {
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":"partial write: field type conflict dropped=%d"}`, dropped)
		return
	}
	w.WriteHeader(204)
}

func parsePoint(line string) (point, error) {
	d := lineprotocol.NewDecoderWithBytes([]byte(line))
	p := point{tags: map[string]string{}, fields: map[string]any{}}
	d.Next()
	name, err := d.Measurement()
	p.name = string(name)
	for err == nil {
		var k, v []byte
		if k, v, err = d.NextTag(); k == nil {
			break
		}
		p.tags[string(k)] = string(v)
	}
	for err == nil {
		var k []byte
		var v lineprotocol.Value
		if k, v, err = d.NextField(); k == nil {
			break
		}
		p.fields[string(k)] = v.Interface()
	}
	if err != nil {
		return p, err
	}
	at, err := d.Time(lineprotocol.Second, time.Time{})
	p.sec = at.Unix()
	return p, err
}

var (
	reFrom = regexp.MustCompile(`^SELECT (.+) FROM (.+) WHERE (.+) GROUP BY .+$`)
	reTime = regexp.MustCompile(`time >= (\d+) AND time < (\d+)`)
	reSite = regexp.MustCompile(`"site" = '([^']*)'`)
)

func (f *fake) query(w http.ResponseWriter, q string) {
	m := reFrom.FindStringSubmatch(q)
	if m == nil {
		io.WriteString(w, `{"results":[{}]}`)
		return
	}
	span := reTime.FindStringSubmatch(m[3])
	from, _ := strconv.ParseInt(span[1], 10, 64)
	to, _ := strconv.ParseInt(span[2], 10, 64)
	var sites []string
	for _, site := range reSite.FindAllStringSubmatch(m[3], -1) {
		sites = append(sites, site[1])
	}
	var fields []string
	for _, s := range strings.Split(m[1], ", ") {
		fields = append(fields, strings.Trim(s, `"`))
	}
	var series []influxdb.Series
	for _, p := range f.points {
		if !strings.Contains(m[2], `"`+p.name+`"`) || p.sec*1e9 < from || p.sec*1e9 >= to ||
			sites != nil && !slices.Contains(sites, p.tags["site"]) {
			continue
		}
		row := []any{p.sec}
		for _, c := range fields {
			row = append(row, p.fields[c])
		}
		series = append(series, influxdb.Series{Name: p.name, Tags: p.tags, Columns: append([]string{"time"}, fields...), Values: [][]any{row}})
	}
	json.NewEncoder(w).Encode(map[string]any{"results": []any{map[string]any{"series": series}}})
}

// bench is a database to test with.
type bench struct {
	cfg  influxdb.Config
	fake *fake // nil for a real one
}

// eachDB runs a test on the fake, and on the real InfluxDB in a database of its own.
func eachDB(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Run("fake", func(t *testing.T) { fn(t, newFake(t)) })
	t.Run("real", func(t *testing.T) { fn(t, realDB(t)) })
}

func newFake(t testing.TB) *bench {
	f := &fake{points: map[string]point{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return &bench{cfg: parseURL(t, s.URL+"/db"), fake: f}
}

func realDB(t testing.TB) *bench {
	addr := os.Getenv("MILLRACE_TEST_INFLUX")
	if addr == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	cfg := parseURL(t, addr)
	cfg.DB = fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixNano())
	c := influxdb.NewClient(cfg, 10*time.Second, nil)
	t.Cleanup(func() {
		err := c.Query(context.Background(), "DROP DATABASE "+influxdb.QuoteName(cfg.DB), func(*influxdb.Series) error { return nil })
		if err != nil {
			t.Logf("drop test database: %v", err)
		}
	})
	return &bench{cfg: cfg}
}

func parseURL(t testing.TB, s string) influxdb.Config {
	t.Helper()
	cfg, err := influxdb.ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// letters collects dead letters.
type letters struct {
	mu   sync.Mutex
	list []deadletter.Letter
}

func (l *letters) add(_ context.Context, d deadletter.Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, d)
	return nil
}

func (l *letters) len() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.list) }

func mustSink(t testing.TB, b *bench, change func(*Options)) (*Sink, *letters) {
	t.Helper()
	dead := &letters{}
	o := Options{
		DB: b.cfg, Dead: dead.add, Log: slog.New(slog.DiscardHandler),
		MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, Timeout: 5 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	s, err := NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dead
}

// win makes a window of pages, "a=3 b=2": events equal pageviews.
func win(site string, start event.Time, version int64, pages string) *window.Window {
	w := &window.Window{Site: site, Start: start, Version: version}
	var total int64
	for _, f := range strings.Fields(pages) {
		name, n, _ := strings.Cut(f, "=")
		v, _ := strconv.ParseInt(n, 10, 64)
		total += v
		w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{name}, Rollup: window.Rollup{Events: v, Pageviews: v}})
	}
	if len(w.Points) > 0 {
		w.Points = append(w.Points, window.Point{Family: window.Totals, Rollup: window.Rollup{Events: total, Pageviews: total}})
	}
	return w
}

// dump returns what the database holds of a site as lines such as "60 page a=3 v7".
func (b *bench) dump(t testing.TB, site string) string {
	t.Helper()
	c := influxdb.NewClient(b.cfg, 10*time.Second, nil)
	defer c.CloseIdle()
	q := fmt.Sprintf(`SELECT "events", "version" FROM "totals", "page" WHERE "site" = %s AND time >= 0 AND time < %d GROUP BY *`, influxdb.Quote(site), int64(1)<<62)
	var out []string
	err := c.Query(t.Context(), q, func(s *influxdb.Series) error {
		for _, row := range s.Values {
			at, _ := influxdb.Int(row, 0)
			n, _ := influxdb.Int(row, 1)
			v, _ := influxdb.Int(row, 2)
			shard := ""
			if s.Tags["shard"] != "" {
				shard = "#" + s.Tags["shard"]
			}
			out = append(out, strings.TrimSpace(fmt.Sprintf("%d%s %s%s=%d v%d", at, shard, s.Name, s.Tags["page"], n, v)))
		}
		return nil
	})
	if err != nil && !influxdb.NoDatabase(err) {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func (b *bench) want(t testing.TB, site string, lines ...string) {
	t.Helper()
	slices.Sort(lines)
	if got := b.dump(t, site); got != strings.Join(lines, "\n") {
		t.Errorf("the database holds\n%s\nwant\n%s", got, strings.Join(lines, "\n"))
	}
}

// faults is a transport that runs a script: one function for each request, then none.
type faults struct {
	mu     sync.Mutex
	script []func(*http.Request) (*http.Response, error) // nil passes the request on
	// always, if set, is asked when the script is over.
	always func(*http.Request) (*http.Response, error)
	seen   int
}

func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	fn := f.always
	if f.seen++; len(f.script) > 0 {
		fn, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	if fn != nil {
		return fn(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// answer is a fault: a status, without asking the server.
func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			r.Body.Close()
		}
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		for i := 0; i+1 < len(header); i += 2 {
			resp.Header.Set(header[i], header[i+1])
		}
		return resp, nil
	}
}

// afterwards is a fault: the server does as asked, and the answer is lost.
func afterwards(err error) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		resp, rerr := http.DefaultTransport.RoundTrip(r)
		if rerr != nil {
			return nil, rerr
		}
		resp.Body.Close()
		return nil, err
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type (
	letter    = deadletter.Letter
	eventTime = event.Time
)
