package query

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// oneMinute is a Reader of one window of seven visitors, on 2024-08-05.
type oneMinute struct{}

var august = event.TimeOf(time.Date(2024, 8, 5, 10, 0, 0, 0, time.UTC))

func (oneMinute) Scan(_ context.Context, sel window.Selection, fn func(event.Time, bool, *window.Point) error) error {
	w := sevenVisitors()
	for i := range w.Points {
		if p := &w.Points[i]; sel.Kind == window.Minute && p.Family == sel.Family && sel.From <= august && august < sel.To {
			if err := fn(august, true, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (oneMinute) Sites(context.Context) ([]string, error) { return []string{"a"}, nil }

func (oneMinute) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: august + event.Hour}}, nil
}

func mustExecutor(tb testing.TB) *Executor {
	tb.Helper()
	x, err := New(Options{
		Reader: oneMinute{}, Sites: func() []string { return []string{"a", "www.b"} },
		Now: func() time.Time { return time.Date(2024, 9, 18, 12, 34, 56, 0, time.UTC) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// mustRequest makes a request of "time" and pages, all that is resolved: the range, the unit, the
// order.
func mustRequest(tb testing.TB, dateRange string, metrics []Metric, dims ...string) *Request {
	tb.Helper()
	r := &Request{Site: "a", Metrics: metrics, Limit: 10, FilterText: "[]"}
	var ok bool
	if r.Range, ok = RelativeRange(dateRange); !ok {
		tb.Fatalf("unknown range %q", dateRange)
	}
	for _, name := range dims {
		d, err := ParseDimension(name)
		if err != nil {
			tb.Fatal(err)
		}
		r.Dimensions = append(r.Dimensions, d)
	}
	page, err := ParseDimension("event:page")
	if err != nil {
		tb.Fatal(err)
	}
	f, err := NewCondition(Contains, page, []string{"/"}, true)
	if err != nil {
		tb.Fatal(err)
	}
	r.Filter = And(Not(Not(f)))
	return r
}

// TestResolve lists what a Query is made of: the range, the dimensions, and the order.
func TestResolve(t *testing.T) {
	x := mustExecutor(t)
	f := func(r *Request, want string) {
		t.Helper()
		q, err := x.resolve(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		from, to := q.Range()
		got := from + " " + to
		for _, d := range q.Dimensions() {
			got += " by " + d.Name()
		}
		for _, o := range q.Order() {
			got += fmt.Sprintf(", %s desc=%t", q.NameOf(o), o.Desc)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	count := []Metric{pageviews}
	f(mustRequest(t, "day", count), "2024-09-18T00:00:00Z 2024-09-18T12:34:59Z, pageviews desc=true")
	f(mustRequest(t, "24h", count, "event:page", "time"), "2024-09-17T12:35:00Z 2024-09-18T12:34:59Z by event:page by time:hour, time:hour desc=false")
	f(mustRequest(t, "24h", []Metric{visits}), "2024-09-17T12:30:00Z 2024-09-18T12:34:59Z, visits desc=true")
	f(mustRequest(t, "all", count, "time"), "2024-08-05T00:00:00Z 2024-09-18T12:34:59Z by time:week, time:week desc=false")
	f(mustRequest(t, "91d", count, "time:day"), "2024-06-20T00:00:00Z 2024-09-18T12:34:59Z by time:day, time:day desc=false")
	r := mustRequest(t, "12mo", count, "event:page")
	r.Order = []Order{{Index: 0}}
	f(r, "2023-10-01T00:00:00Z 2024-09-18T12:34:59Z by event:page, event:page desc=false")
}

// TestResolveRefuses: what can't be answered is an Error that is Invalid, before its range is read.
func TestResolveRefuses(t *testing.T) {
	x := mustExecutor(t)
	f := func(change func(*Request)) {
		t.Helper()
		r := mustRequest(t, "all", []Metric{pageviews})
		change(r)
		var e *Error
		if _, err := x.Execute(t.Context(), r); !errors.As(err, &e) || e.Kind != Invalid {
			t.Errorf("%+v: %v, want an error that is Invalid", r, err)
		}
	}
	f(func(r *Request) { r.Site = "c" })
	f(func(r *Request) { r.Metrics = []Metric{percentage} })
	f(func(r *Request) { r.Dimensions = mustRequest(t, "all", nil, "visit:os").Dimensions })
}

// TestQueryIsNotChanged: no stage of an execution changes the Query, and none the Request it was
// made of. Two queries that are resolved alike are equal, so one of them tells whether the other
// has changed.
func TestQueryIsNotChanged(t *testing.T) {
	x := mustExecutor(t)
	request := func() *Request {
		return mustRequest(t, "all", []Metric{visitors, percentage, visits}, "time", "event:page")
	}
	r := request()
	q, err := x.resolve(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	same, err := x.resolve(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, request()) {
		t.Errorf("resolving has changed the request: %+v", r)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			e, err := x.plan(q, progress{known: true, low: august})
			if err != nil {
				t.Error(err)
				return
			}
			c, err := e.count(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			rows, _, err := e.rows(t.Context(), c)
			if err != nil || len(rows) != 1 {
				t.Errorf("rows %v, %v", rows, err)
			}
			if _, err := e.meta(c); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if !reflect.DeepEqual(q, same) {
		t.Errorf("the execution has changed the query:\n%+v\nwas\n%+v", q, same)
	}
	a, err := x.Execute(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.Execute(t.Context(), r)
	if err != nil || !reflect.DeepEqual(a, b) || !reflect.DeepEqual(r, request()) {
		t.Errorf("the same request again: %+v, %v, want %+v", b, err, a)
	}
}
