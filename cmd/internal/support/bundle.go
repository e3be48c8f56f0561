package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"millrace/internal/site"
)

// Options say what a bundle is made of. All fields are required but Topics.
type Options struct {
	Version, Revision string
	// Settings are those that may be shown: no secret, and no address with one in it.
	Settings map[string]any
	Sites    func() *site.Sites
	Metrics  prometheus.Gatherer
	// Ready answers /readyz?verbose.
	Ready http.Handler
	Lines *Lines
	// Topics returns the offsets of topics and groups; nil without Kafka.
	Topics func(ctx context.Context) (any, error)
	// Data is the data folder.
	Data string
}

// patience bounds how long is waited for a part.
const patience = 5 * time.Second

// New returns the handler that sends a bundle.
func New(o Options) http.Handler {
	var mu sync.Mutex // one at a time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		show := r.URL.Query().Get("names") == "yes"
		mu.Lock()
		body, err := o.bundle(r.Context(), show)
		mu.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		name := "millrace-support-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
		w.Header().Set("Content-Type", "application/gzip")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		_, _ = w.Write(body) // the client sees that it is cut short
	})
}

// file is one of a bundle.
type file struct {
	name string
	make func(ctx context.Context, n *names) ([]byte, error)
}

// files are those of a bundle, in order: the sites come first, by whose names the others are
// searched.
func (o *Options) files() []file {
	text := func(f func() string) func(context.Context, *names) ([]byte, error) {
		return func(_ context.Context, n *names) ([]byte, error) { return []byte(n.in(f())), nil }
	}
	list := []file{
		{"sites.json", func(_ context.Context, n *names) ([]byte, error) { return o.sites(n) }},
		{"metrics.txt", func(_ context.Context, n *names) ([]byte, error) { return o.metrics(n) }},
		{"version.txt", text(o.version)},
		{"settings.json", func(context.Context, *names) ([]byte, error) { return encode(o.Settings) }},
		{"readyz.txt", text(o.readyz)},
		{"log.txt", text(o.Lines.Text)},
		{"data.json", func(context.Context, *names) ([]byte, error) { return o.data() }},
		{"machine.json", func(context.Context, *names) ([]byte, error) { return encode(machine()) }},
		{"goroutines.txt", func(context.Context, *names) ([]byte, error) { return profile("goroutine", 1) }},
		{"heap.pb.gz", func(context.Context, *names) ([]byte, error) { return profile("heap", 0) }},
	}
	if o.Topics != nil {
		list = append(list, file{"topics.json", func(ctx context.Context, _ *names) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			all, err := o.Topics(ctx)
			if err != nil {
				return nil, err
			}
			return encode(all)
		}})
	}
	return list
}

func (o *Options) bundle(ctx context.Context, show bool) ([]byte, error) {
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	to := tar.NewWriter(packed)
	n, now := newNames(show), time.Now()
	for _, f := range o.files() {
		body, err := f.make(ctx, n)
		if err != nil {
			f.name, body = f.name+".error.txt", []byte(n.in(err.Error())+"\n")
		}
		h := &tar.Header{Name: "millrace-support/" + f.name, Mode: 0o600, Size: int64(len(body)), ModTime: now}
		if err := to.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := to.Write(body); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := to.Close(); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func encode(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }

// siteFacts are what a bundle has of a site: how much is set, and not to what.
type siteFacts struct {
	Name       string `json:"name"`
	Named      bool   `json:"named"`
	TimeZone   string `json:"time_zone"`
	Shards     uint16 `json:"shards"`
	Goals      int    `json:"goals"`
	Currency   string `json:"currency,omitempty"`
	Aliases    int    `json:"aliases"`
	ClientIDs  bool   `json:"client_ids"`
	Objections string `json:"objections,omitempty"`
	HonourDNT  bool   `json:"honour_dnt"`
	Bots       string `json:"bots,omitempty"`
	Retention  int    `json:"retention_days,omitempty"`
	CutSlash   bool   `json:"cut_slash"`
	Lower      bool   `json:"lower"`
}

func (o *Options) sites(n *names) ([]byte, error) {
	s := o.Sites()
	all := make([]siteFacts, 0, len(s.All()))
	for _, of := range s.All() {
		f := siteFacts{
			Name: n.of(of.ID), Named: of.Named, Shards: of.Shards, Goals: len(of.Goals), Currency: of.Currency, Aliases: len(of.Tokens),
			ClientIDs: of.ClientIDs, Objections: string(of.Objections), HonourDNT: of.HonourDNT, Bots: string(of.Bots), Retention: of.Retention,
			CutSlash: of.Spelling.CutSlash, Lower: of.Spelling.Lower,
		}
		if of.TimeZone != nil {
			f.TimeZone = of.TimeZone.String()
		}
		all = append(all, f)
	}
	return encode(map[string]any{
		"any_site": s.Any, "write_keys": len(s.WriteKeys), "query_keys": len(s.QueryKeys), "open_queries": s.OpenQueries,
		"counted_by": s.CountedBy(), "sites": all,
	})
}

// metrics are those of /metrics, with other names of the sites.
func (o *Options) metrics(n *names) ([]byte, error) {
	all, err := o.Metrics.Gather()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := expfmt.NewEncoder(&out, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range all {
		for _, m := range family.GetMetric() {
			labels := slices.Clone(m.GetLabel()) // they are the metric's own
			for i, l := range labels {
				if l.GetName() == "site" {
					key, name := l.GetName(), n.of(l.GetValue())
					labels[i] = &dto.LabelPair{Name: &key, Value: &name}
				}
			}
			m.Label = labels
		}
		if err := enc.Encode(family); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func (o *Options) version() string {
	text := fmt.Sprintf("millrace %s %s\n%s %s/%s\n", o.Version, o.Revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			text += s.Key + "=" + s.Value + "\n"
		}
		for _, d := range info.Deps {
			text += d.Path + " " + d.Version + "\n"
		}
	}
	return text
}

func (o *Options) readyz() string {
	r, err := http.NewRequest(http.MethodGet, "/readyz?verbose", nil)
	if err != nil {
		return err.Error()
	}
	w := answer{header: http.Header{}, code: http.StatusOK}
	o.Ready.ServeHTTP(&w, r)
	return fmt.Sprintf("%d\n%s", w.code, w.body.String())
}

// answer takes what a handler answers.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// data returns how large the parts of the data folder are, and how much room there is.
func (o *Options) data() ([]byte, error) {
	type part struct {
		Files int   `json:"files"`
		Bytes int64 `json:"bytes"`
	}
	parts := map[string]*part{}
	err := filepath.WalkDir(o.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what goes while we look is not there
		}
		info, err := d.Info()
		rel, rerr := filepath.Rel(o.Data, path)
		if err != nil || rerr != nil {
			return nil
		}
		top := rel
		for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
			top = dir
		}
		if parts[top] == nil {
			parts[top] = &part{}
		}
		parts[top].Files++
		parts[top].Bytes += info.Size()
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := map[string]any{"parts": parts}
	if size, free, err := disk(o.Data); err == nil {
		all["disk_bytes"], all["disk_free_bytes"] = size, free
	}
	return encode(all)
}

// machine is what the process has of the machine.
func machine() map[string]any {
	return map[string]any{
		"cpus": runtime.NumCPU(), "gomaxprocs": runtime.GOMAXPROCS(0), "gomemlimit": debug.SetMemoryLimit(-1), "goroutines": runtime.NumGoroutine(),
		"gogc": os.Getenv("GOGC"), "time": time.Now().UTC(), "limits": limits(),
	}
}

func profile(name string, form int) ([]byte, error) {
	var out bytes.Buffer
	err := pprof.Lookup(name).WriteTo(&out, form)
	return out.Bytes(), err
}
