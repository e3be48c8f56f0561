package pace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"millrace/bench"
	"millrace/emit/lake/hitread"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/site"
	"millrace/query"
	"millrace/query/statsapi"
)

// Options are what is measured, and how. Python and Out are required.
type Options struct {
	// Events, Days, Sites and Seed are what the archive has. Default 300,000, 30, 50 and 0.
	Events, Days, Sites int
	Seed                uint64
	// Queries is how many are asked, half of them of the giant, default 200; each Runs times, default 3.
	Queries, Runs int
	// Threads is how many each side may use. Default 2.
	Threads int
	// Dir is a folder for the archive, which is kept, and used again by a run with the same traffic; "" is a temporary one that is not.
	Dir string
	// Count counts an archive of raw rows into a store of rollups in a folder, or opens the one that is there, and returns what reads
	// it. If it is set the questions of a dashboard are asked, which rollups hold, in place of drawn ones.
	Count func(ctx context.Context, archive blob.Store, dir string) (rollups query.Reader, closeIt func() error, err error)
	// Python is a Python that has DuckDB.
	Python string
	// Profile takes a profile of Millrace's part, if it is not nil. Then DuckDB is not asked.
	Profile io.Writer
	// Out takes what is found.
	Out io.Writer
}

// ErrDiffers says that answers were not the same: the output has which.
var ErrDiffers = errors.New("answers differ")

// result is what a query took: medians in milliseconds.
type result struct {
	q                          *question
	ours, oursCPU, peer, peers float64
}

// Run makes an archive, and has queries answered.
func Run(ctx context.Context, o Options) (err error) {
	o.Events, o.Days, o.Sites = cmp.Or(o.Events, 300_000), cmp.Or(o.Days, 30), cmp.Or(o.Sites, 50)
	o.Queries, o.Runs, o.Threads = cmp.Or(o.Queries, 200), cmp.Or(o.Runs, 3), cmp.Or(o.Threads, 2)
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "millrace-pace-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.Dir)
	}
	store, err := blob.OpenFolder(o.Dir)
	if err != nil {
		return err
	}
	m, err := o.archive(ctx, store)
	if err != nil {
		return fmt.Errorf("make the archive: %w", err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.Threads))
	var rollups query.Reader
	if o.Count != nil {
		var closeIt func() error
		if rollups, closeIt, err = o.rollups(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeIt()) }()
	}
	api, err := serve(store, m, rollups)
	if err != nil {
		return err
	}
	r := &run{Options: o, m: m, api: api}
	if r.duck, err = startPeer(ctx, o.Python, o.Threads); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.duck.close()) }()
	fmt.Fprintf(o.Out, "%s; %d + %d bytes of hits and visits; DuckDB %s; %d threads; load %s\n", m.What, size(m.Hits), size(m.Visits), r.duck.version, o.Threads, load())
	var list []*question
	if o.Count != nil {
		list = r.dashboard()
		if err = r.flat(ctx); err == nil {
			err = r.settle(ctx, list, rollups)
		}
	} else {
		list, err = r.draw(ctx)
	}
	if err != nil {
		return err
	}
	if o.Profile != nil {
		return r.profile(ctx, list)
	}
	return r.measure(ctx, list)
}

// run is one Run.
type run struct {
	Options
	m    *made
	api  *statsapi.Server
	duck *peer
	file string // of the dashboard's questions, for DuckDB
}

func size(list []hitread.File) (n int64) {
	for i := range list {
		n += list[i].Size
	}
	return n
}

// load returns the load averages of the machine, where the system has them.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// lister gives the files of an archive that is complete.
type lister struct{ m *made }

func (l lister) List(context.Context) (*hitread.List, error) { return l.m.list(), nil }

// nothing is a store of rollups without numbers.
type nothing struct{ low event.Time }

func (nothing) Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error {
	return nil
}
func (nothing) Sites(context.Context) ([]string, error) { return nil, nil }
func (n nothing) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: n.low, Hours: n.low.Floor(event.Hour)}}, nil
}

// serve answers of an archive, and of rollups if there are some.
func serve(store blob.Store, m *made, rollups query.Reader) (*statsapi.Server, error) {
	archive, err := hitread.New(hitread.Options{Store: store, Lister: lister{m}})
	if err != nil {
		return nil, err
	}
	other := site.Site{}
	var sites []site.Site
	for _, g := range goals {
		other.Goals = append(other.Goals, site.Goal{Name: g.name, Event: g.event, Page: g.page})
	}
	for id := range m.Rows {
		sites = append(sites, site.Site{ID: id, Goals: other.Goals})
	}
	now := m.Partitions[0].Watermark
	var reader query.Reader = nothing{now}
	if rollups != nil {
		reader = finished{rollups, nothing{now}}
	}
	x, err := query.New(query.Options{
		Reader: reader, Hits: archive, Alike: func(context.Context, event.Time) bool { return rollups != nil }, Reached: enrich.NewGoals(sites, other).Reached, Now: func() time.Time { return now.Std() },
	})
	if err != nil {
		return nil, err
	}
	return statsapi.New(statsapi.Options{Executor: x})
}

// draw returns queries that the archive answers, and no rollup.
func (r *run) draw(ctx context.Context) ([]*question, error) {
	d := &drawer{rng: rand.New(rand.NewPCG(r.Seed, 11)), days: r.Days, first: bench.DefaultStart, values: map[string][]string{}}
	all := 0
	for id, n := range r.m.Rows {
		all += n
		if d.giant == "" || n > r.m.Rows[d.giant] {
			d.giant = id
		}
	}
	for id, n := range r.m.Rows {
		if n < all/20 {
			d.small = append(d.small, id)
		}
	}
	slices.Sort(d.small)
	everything := (&question{Site: d.giant}).files(r.Dir, r.m.Hits, 0, 1<<60)
	for _, column := range columns {
		got, err := r.duck.ask(fmt.Sprintf("SELECT %s, count(*) FROM %s WHERE class = 'human' AND %s <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8", column, everything, column))
		if err != nil {
			return nil, err
		}
		for _, row := range got.Rows {
			d.values[column] = append(d.values[column], row[0].(string))
		}
	}
	fmt.Fprintf(r.Out, "the giant has %.0f %% of %d hits\n", 100*float64(r.m.Rows[d.giant])/float64(all), all)
	var list []*question
	for tries := 0; len(list) < r.Queries; tries++ {
		q := d.draw(len(list)%2 == 0)
		answer, err := r.api.Answer(ctx, q.body())
		var refused *statsapi.Error
		switch {
		case errors.As(err, &refused) && strings.Contains(refused.Error(), " rows: "):
			// It has more rows than the API gives.
		case err != nil:
			return nil, fmt.Errorf("%s: %w", q.body(), err)
		case answer.Meta.Source == "lake":
			list = append(list, q)
			continue
		}
		if tries > 10*r.Queries {
			return nil, errors.New("too many queries are of rollups")
		}
	}
	return list, nil
}

func (q *question) body() []byte {
	text, err := json.Marshal(q)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return text
}

// measure asks each query of both by turns.
func (r *run) measure(ctx context.Context, list []*question) error {
	var all []result
	wrong := 0
	for _, q := range list {
		body := q.body()
		var sql string
		if q.plain {
			sql = q.flatSQL(r.file, false)
		} else {
			sql = q.sql(r.Dir, r.m)
		}
		source := ""
		var ours, oursCPU, peer, peers []float64
		for i := range r.Runs + 1 {
			theirs, err := r.duck.ask(sql)
			if err != nil {
				return err
			}
			cpu, at := processorTime(), time.Now()
			answer, err := r.api.Answer(ctx, body)
			took, spent := time.Since(at), processorTime()-cpu
			if err != nil {
				return fmt.Errorf("%s: %w", body, err)
			}
			source = answer.Meta.Source
			if i == 0 {
				what := ""
				if q.plain {
					if theirs, err = r.duck.ask(q.flatSQL(r.file, true)); err != nil {
						return err
					}
					what = apart(q, answer, theirs)
				} else {
					what = differs(q, answer, theirs)
				}
				if what != "" {
					wrong++
					fmt.Fprintf(r.Out, "DIFFERS: %s\n%s\n%s\n", what, body, sql)
				}
				continue
			}
			ours, oursCPU = append(ours, took.Seconds()*1e3), append(oursCPU, spent.Seconds()*1e3)
			peer, peers = append(peer, theirs.MS), append(peers, theirs.CPU)
		}
		x := result{q, median(ours), median(oursCPU), median(peer), median(peers)}
		all = append(all, x)
		fmt.Fprintf(r.Out, "%8.2f ms %8.2f ms  x%.2f  cpu x%.2f  %s %s\n", x.ours, x.peer, x.ours/x.peer, x.oursCPU/x.peers, source, q)
	}
	r.summary(all)
	if wrong > 0 {
		return fmt.Errorf("%d of %d: %w", wrong, len(list), ErrDiffers)
	}
	return nil
}

func (r *run) summary(all []result) {
	fmt.Fprintf(r.Out, "\nMillrace's time as a multiple of DuckDB's, %d threads, load %s\n", r.Threads, load())
	print := func(name string, want func(*result) bool) {
		var ratio, cpu, ours, peer []float64
		for i := range all {
			if x := &all[i]; want(x) {
				ratio, cpu = append(ratio, x.ours/x.peer), append(cpu, x.oursCPU/x.peers)
				ours, peer = append(ours, x.ours), append(peer, x.peer)
			}
		}
		if len(ratio) > 0 {
			fmt.Fprintf(r.Out, "%-14s %4d queries: median %.2f, worst %.2f; of processor time median %.2f, worst %.2f; %.2f and %.2f ms\n",
				name, len(ratio), median(ratio), slices.Max(ratio), median(cpu), slices.Max(cpu), median(ours), median(peer))
		}
	}
	print("small sites", func(x *result) bool { return !x.q.giant })
	print("giant", func(x *result) bool { return x.q.giant })
	for _, kind := range []string{"groups", "filters", "series", "visits", "done", "goals", "props"} {
		print("small "+kind, func(x *result) bool { return !x.q.giant && x.q.kind == kind })
		print("giant "+kind, func(x *result) bool { return x.q.giant && x.q.kind == kind })
	}
}

// profile has Millrace answer all queries.
func (r *run) profile(ctx context.Context, list []*question) error {
	if err := pprof.StartCPUProfile(r.Profile); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	at, cpu := time.Now(), processorTime()
	for range r.Runs {
		for _, q := range list {
			if _, err := r.api.Answer(ctx, q.body()); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(r.Out, "%d queries %d times: %.2f s, %.2f s of processors\n", len(list), r.Runs, time.Since(at).Seconds(), (processorTime() - cpu).Seconds())
	return nil
}

// differs returns what is not the same of two answers.
func differs(q *question, answer *statsapi.Answer, theirs *reply) string {
	if len(answer.Results) != len(theirs.Rows) {
		return fmt.Sprintf("%d rows, DuckDB has %d", len(answer.Results), len(theirs.Rows))
	}
	for i, row := range answer.Results {
		var got, want []string
		for k, dim := range q.Dims {
			got, want = append(got, row.Dimensions[k]), append(want, label(dim, theirs.Rows[i][k]))
		}
		for k, v := range row.Metrics {
			n := theirs.Rows[i][len(q.Dims)+k]
			if v == nil || n == nil {
				got, want = append(got, fmt.Sprint(v)), append(want, fmt.Sprint(n))
				continue
			}
			got, want = append(got, fmt.Sprint(v)), append(want, fmt.Sprintf("%.0f", n))
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("row %d is %q, DuckDB has %q", i, got, want)
		}
	}
	return ""
}

// label returns the value of a dimension as rows have it.
func label(dim string, v any) string {
	switch n, _ := v.(float64); dim {
	case "time:day":
		return (event.Time(n) * day).Std().Format("2006-01-02")
	case "time:hour":
		return (event.Time(n) * event.Hour).Std().Format("2006-01-02 15:04:05")
	}
	return v.(string)
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// processorTime is what the process has taken.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
