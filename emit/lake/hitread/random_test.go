package hitread_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/hitread"
	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/query"
	"millrace/query/statsapi"
)

// More: go test ./emit/lake/hitread -run Random -questions 1000.
var questions = flag.Int("questions", 60, "number of random queries for each seed")

// asker answers questions by the API.
type asker struct {
	w    *world
	zone *time.Location
	api  *statsapi.Server
}

// visitsAtOnce makes the range of some queries be read in parts.
const visitsAtOnce = 400

func newAsker(t *testing.T, w *world, reader query.Reader, h query.Hits, change ...func(*query.Options)) *asker {
	t.Helper()
	a := &asker{w: w, zone: time.UTC}
	o := query.Options{
		Reader: reader, Hits: h, TimeZone: func(string) *time.Location { return a.zone }, Partitions: partitions, VisitLength: rules.VisitLength, VisitsAtOnce: visitsAtOnce,
		Reached: func(string) func(name, page string, view bool) []string { return reached },
		Now:     func() time.Time { return slices.Max(w.lows[:]).Std().Add(time.Minute) }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, fn := range change {
		fn(&o)
	}
	x, err := query.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if a.api, err = statsapi.New(statsapi.Options{Executor: x}); err != nil {
		t.Fatal(err)
	}
	return a
}

func openArchive(t *testing.T, store blob.Store, l hitread.Lister) *hitread.Archive {
	t.Helper()
	a, err := hitread.New(hitread.Options{Store: store, Lister: l, VisitLength: rules.VisitLength})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *asker) ask(q *question) (*statsapi.Answer, string, error) {
	a.zone = q.zone
	body, err := json.Marshal(q)
	if err != nil {
		return nil, "", err
	}
	answer, err := a.api.Answer(context.Background(), body)
	return answer, string(body), err
}

// rowsOf returns the rows of an answer by their dimensions.
func rowsOf(a *statsapi.Answer) map[string][]any {
	rows := map[string][]any{}
	for _, r := range a.Results {
		key := strings.Join(r.Dimensions, "\x00")
		for _, m := range r.Metrics {
			switch n := m.(type) {
			case int64:
				m = float64(n)
			case *statsapi.Revenue:
				m = n.Value
			}
			rows[key] = append(rows[key], m)
		}
	}
	return rows
}

var (
	zones   = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"}
	metrics = []string{"visitors", "visits", "pageviews", "events", "views_per_visit", "bounce_rate", "visit_duration", "percentage", "conversion_rate", "group_conversion_rate", "total_revenue", "average_revenue", "scroll_depth", "time_on_page"}
	units   = []string{"time:minute", "time:hour", "time:day", "time:week", "time:month"}
)

// asking makes random questions.
type asking struct {
	rng *rand.Rand
	b   *brute
	dim []string
}

func newAsking(seed uint64, b *brute) *asking {
	a := &asking{rng: rand.New(rand.NewPCG(seed, 7)), b: b}
	for name := range names {
		if name != "event:bot_reason" {
			a.dim = append(a.dim, name)
		}
	}
	a.dim = append(a.dim, "event:goal", "event:props:plan", "event:props:variant")
	slices.Sort(a.dim)
	return a
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func (a *asking) question(w *world, dims, filters int) *question {
	q := &question{Site: pick(a.rng, sites)}
	q.zone, _ = time.LoadLocation(pick(a.rng, zones))
	span := w.low - base
	q.from = base + event.Time(a.rng.Int64N(int64(span))) - 2*event.Hour
	q.to = q.from + event.Time(a.rng.Int64N(int64(span)))
	if a.rng.IntN(3) == 0 {
		q.from, q.to = base-event.Hour, w.low+event.Hour
	}
	q.from = q.from.Floor(event.Minute)
	q.to = q.to.Floor(event.Minute) + event.Minute
	q.Range = [2]string{q.from.Std().In(q.zone).Format(time.RFC3339), (q.to - event.Second).Std().In(q.zone).Format(time.RFC3339)}
	for range 1 + a.rng.IntN(3) {
		if m := pick(a.rng, metrics); !slices.Contains(q.Metrics, m) {
			q.Metrics = append(q.Metrics, m)
		}
	}
	for range dims {
		d := pick(a.rng, a.dim)
		if a.rng.IntN(4) == 0 {
			d = pick(a.rng, units)
		}
		timed := slices.ContainsFunc(q.Dimensions, func(o string) bool { return strings.HasPrefix(o, "time:") })
		if !slices.Contains(q.Dimensions, d) && !(timed && strings.HasPrefix(d, "time:")) {
			q.Dimensions = append(q.Dimensions, d)
		}
	}
	if len(q.Dimensions) > 0 && a.rng.IntN(6) == 0 {
		q.Metrics = slices.Compact(append(q.Metrics[:1], pick(a.rng, []string{"scroll_depth", "time_on_page"})))
		q.Dimensions = append([]string{"event:page"}, slices.DeleteFunc(q.Dimensions[1:], func(d string) bool { return d == "event:page" })...)
	}
	for range filters {
		q.Filters = append(q.Filters, a.filter(2, true))
	}
	return q
}

func (a *asking) filter(depth int, done bool) any {
	switch n := a.rng.IntN(10); {
	case n < 2 && depth > 0:
		list := []any{}
		for range 1 + a.rng.IntN(3) {
			list = append(list, a.filter(depth-1, done))
		}
		return []any{pick(a.rng, []string{"and", "or"}), list}
	case n == 2 && depth > 0:
		return []any{"not", a.filter(depth-1, done)}
	case n < 5 && done:
		return []any{pick(a.rng, []string{"has_done", "has_not_done"}), a.filter(depth-1, false)}
	}
	dim := pick(a.rng, a.dim)
	var clauses []any
	op := pick(a.rng, []string{"is", "is_not", "contains", "contains_not", "matches", "matches_not"})
	for range 1 + a.rng.IntN(2) {
		v := a.value(dim)
		switch {
		case strings.HasPrefix(op, "contains"):
			from := a.rng.IntN(len(v))
			v = v[from : from+1+a.rng.IntN(len(v)-from)]
			v = strings.Trim(v, " ./")
			if v == "" {
				v = "e"
			}
		case strings.HasPrefix(op, "matches"):
			v = "^.{0," + fmt.Sprint(a.rng.IntN(4)) + "}[" + string("abcdefgprs/13"[a.rng.IntN(13)]) + "M-Z]"
		}
		clauses = append(clauses, v)
	}
	return []any{op, dim, clauses}
}

// value returns a value that a dimension has somewhere.
func (a *asking) value(dim string) string {
	for range 100 {
		v := pick(a.rng, a.b.visits)
		if dim == "event:goal" {
			return pick(a.rng, goals).Name
		}
		if len(v.events) == 0 {
			continue
		}
		s := subject{hit: pick(a.rng, v.events), of: v}
		if dim == "visit:exit_page" {
			s.visit = v.visit
		}
		if v, ok := s.value(dim); ok {
			return v
		}
	}
	return "(none)"
}

// TestRandom: answers to random questions are those of a count by events. Refusals are of a few kinds only.
func TestRandom(t *testing.T) {
	refusals := []string{"needs dimensions", "needs the dimension event:goal", "needs the dimension event:page", "measured between events", "may reach several goals", "can't be mixed with", "visits can't be counted by", "goals and other dimensions can't be mixed", "within \"has_done\"", "can't be nested"}
	f := func(seed uint64, records int, files int64) {
		w := newWorld(t, seed, records, 12)
		store, err := blob.OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if len(w.joined[0]) < 5 || len(w.ended[0]) < 100 {
			t.Errorf("seed %d: %d visits have ended, and %d joined another", seed, len(w.ended[0]), len(w.joined[0]))
		}
		b := newBrute(w)
		both := newAsker(t, w, w, openArchive(t, store, w.archive(t, store, files)))
		rollups := newAsker(t, w, w, nil)
		cheapest := newAsker(t, w, w, openArchive(t, store, w.archive(t, store, files)), func(o *query.Options) {
			o.Alike, o.RollupWeight = func(context.Context, event.Time) bool { return true }, 1e9
		})
		a, saw := newAsking(seed, b), map[string]int{}
		for i := range *questions {
			q := a.question(w, a.rng.IntN(5), a.rng.IntN(5))
			switch {
			case i%4 == 0:
				q = a.question(w, a.rng.IntN(2), a.rng.IntN(2))
			case i%20 == 1: // of what hits may answer too
				q = a.question(w, 0, 0)
				q.Dimensions = []string{pick(a.rng, []string{"event:page", "visit:entry_page", "visit:referrer", "visit:city"})}
				q.Metrics = []string{"visitors", pick(a.rng, []string{"pageviews", "events", "percentage"})}
				if a.rng.IntN(3) == 0 {
					q.Dimensions = append(q.Dimensions, "time:hour")
				}
			case i%20 == 11: // of exit pages
				q = a.question(w, 0, 0)
				q.Metrics, q.Dimensions = []string{"exit_rate", "visits"}, []string{"visit:exit_page"}
				if a.rng.IntN(2) == 0 {
					q.Dimensions = append(q.Dimensions, pick(a.rng, []string{"time:day", "visit:device", "visit:source"}))
				}
				for _, dim := range []string{"visit:device", "visit:exit_page", "visit:entry_page"} {
					if a.rng.IntN(3) == 0 {
						q.Filters = append(q.Filters, []any{pick(a.rng, []string{"is", "is_not"}), dim, []any{a.value(dim)}})
					}
				}
			}
			got, body, err := both.ask(q)
			if err != nil {
				if !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(err.Error(), r) }) {
					t.Fatalf("seed %d, query %d: %s: %v", seed, i, body, err)
				}
				saw["refused"]++
				continue
			}
			saw[got.Meta.Source]++
			if _, _, err := rollups.ask(q); (err == nil) != (got.Meta.Source == "rollup") {
				t.Fatalf("seed %d, query %d: %s in %s: answered from %s; of rollups alone: %v", seed, i, body, q.zone, got.Meta.Source, err)
			}
			want := b.answer(q)
			if rows := rowsOf(got); !reflect.DeepEqual(rows, want) {
				t.Fatalf("seed %d, query %d: %s in %s, from %s:\n%v\nwant\n%v", seed, i, body, q.zone, got.Meta.Source, rows, want)
			}
			if got.Meta.Source == "rollup" {
				if _, _, err := cheapest.ask(q); err != nil { // so that it is known what rollups have to read
					t.Fatal(err)
				}
				other, _, err := cheapest.ask(q)
				if err != nil || !reflect.DeepEqual(rowsOf(other), want) || got.Meta.Complete && !other.Meta.Complete {
					t.Fatalf("seed %d, query %d: %s in %s, by what is cheaper: %v\n%v\nwant\n%v", seed, i, body, q.zone, err, other, want)
				}
				saw["cheaper: "+other.Meta.Source]++
			}
			if len(want) > 1 {
				saw["rows"]++
			}
			if strings.Contains(body, "scroll_depth") || strings.Contains(body, "time_on_page") {
				saw["pings"]++
			}
			if strings.Contains(body, "visit:exit_page") && slices.ContainsFunc(q.Metrics, func(m string) bool { return !slices.Contains(ofVisits, m) }) {
				saw["exits"]++
			}
		}
		t.Log(saw)
		if n := *questions; saw["pings"] < n/80 || saw["exits"] < n/60 || saw["lake"] < n/4 || saw["rows"] < n/8 || saw["rollup"] < n/80 || saw["cheaper: lake"] == 0 {
			t.Errorf("of %d queries were %v", n, saw)
		}
	}
	f(1, 500, 60)
	f(2, 300, 1000)
	f(3, 250, 6) // files of some minutes: what of a visit is outside of the range is in others
}
