package rolling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/bench/tally"
	"millrace/bench/verify/oracle"
	emitinflux "millrace/emit/influx"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/internal/kafka"
)

// check compares everything with what was sent, and puts it into the report.
func (r *run) check(ctx context.Context, beacons []*beacon) error {
	r.latency(beacons)
	log, err := r.log.records(ctx)
	if err != nil {
		return err
	}
	events := r.checkLog(log, beacons)
	if err := r.checkWindows(ctx, log); err != nil {
		return err
	}
	if err := r.checkLake(ctx, events); err != nil {
		return err
	}
	if err := r.checkQuery(ctx, events); err != nil {
		return err
	}
	dead := 0
	if err := r.log.each(ctx, deadletter.Topic, func(*kgo.Record) error { dead++; return nil }); err != nil {
		return err
	}
	if dead > 0 {
		r.report.Fail("%d dead letters", dead)
	}
	return r.pauses(ctx)
}

// latency reports what became of the beacons, and how long they took.
func (r *run) latency(beacons []*beacon) {
	taken, again, refused, disconnected := 0, 0, 0, 0
	for _, b := range beacons {
		if b.taken {
			taken++
		} else {
			r.report.Fail("%s was answered with 2xx by no one, after %d attempts", b.id(), b.attempts)
		}
		if b.attempts > 1 {
			again++
		}
		refused += b.refused
		disconnected += b.disconnected
	}
	r.report.Add("beacons", "%d answered with 2xx, of %d; %d were sent again: %d answers of 503, %d connections that ended",
		taken, len(beacons), again, refused, disconnected)
	var quiet time.Duration
	for i, p := range r.phases {
		list := latencies(beacons, p.from, p.to)
		if len(list) == 0 {
			r.report.Fail("%s: no beacon was answered", p.name)
			continue
		}
		slices.Sort(list)
		at := func(q float64) time.Duration { return list[int(q*float64(len(list)-1))] }
		ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
		ratio := ""
		if i == 0 {
			quiet = at(0.99)
		} else {
			times := float64(at(0.99)) / float64(quiet)
			ratio = fmt.Sprintf("; p99 is %.2f times that without", times)
			if r.Ratio > 0 && times > r.Ratio {
				r.report.Fail("%s: the p99 of a beacon is %.2f times that without an upgrade, the bound is %g", p.name, times, r.Ratio)
			}
		}
		r.report.Add(p.name, "%.0f s, %d beacons: p50 %s ms, p99 %s ms, p99.9 %s ms, longest %s ms%s", p.to.Sub(p.from).Seconds(), len(list),
			ms(at(0.5)), ms(at(0.99)), ms(at(0.999)), ms(list[len(list)-1]), ratio)
	}
}

// checkLog compares the log with what was sent, and returns its events.
func (r *run) checkLog(log []record, beacons []*beacon) (events []logged) {
	of := map[string][]logged{}
	for _, rec := range log {
		events = append(events, rec.events...)
		for _, e := range rec.events {
			of[e.ID] = append(of[e.ID], e)
		}
	}
	twice := 0
	for _, b := range beacons {
		list := of[b.id()]
		delete(of, b.id())
		switch {
		case b.taken && len(list) == 0:
			r.report.Fail("%s was answered with 2xx and is not in the log", b.id())
		case len(list) > 1 && b.attempts == 1:
			r.report.Fail("%s was sent once and is in the log %d times", b.id(), len(list))
		case len(list) > 1:
			twice++
		}
		for _, e := range list {
			// A millisecond, because times are cut to milliseconds.
			if at := e.Time.Std(); b.taken && (at.Before(b.first.Add(-time.Millisecond)) || at.After(b.answered)) {
				r.report.Fail("%s has the time %s, it was sent at %s and answered at %s", b.id(), e.Time, event.TimeOf(b.first), event.TimeOf(b.answered))
			}
			if e.Site != b.site() || e.URL != "https://"+b.site()+b.page() {
				r.report.Fail("%s is in the log as %s of %s", b.id(), e.URL, e.Site)
			}
		}
	}
	for id := range of {
		r.report.Fail("%s is in the log, and was not sent", id)
	}
	collectors := map[string]bool{}
	for _, rec := range log {
		collectors[rec.collector] = true
	}
	r.report.Add("log", "%d events in %d records of %d collectors; %d of those that were sent again are there twice, and count once",
		len(events), len(log), len(collectors), twice)
	return events
}

// facts are what an event is counted under.
type facts struct{ site, page string }

// Describe implements oracle.Facts.
func (f facts) Describe(d *oracle.Description) {
	d.Dims[window.Page], d.Dims[window.EntryPage] = f.page, f.page
	d.Dims[window.Hostname] = f.site
	d.Dims[window.Source], d.Dims[window.Referrer], d.Dims[window.Channel] = window.None, window.None, "Direct"
	d.Dims[window.Country], d.Dims[window.Screen] = window.None, window.None
	d.Dims[window.Language] = "en-US"
	d.Dims[window.Browser], d.Dims[window.BrowserVersion] = "Chrome", "126"
	d.Dims[window.OS], d.Dims[window.OSVersion] = "Windows", "10"
	d.Dims[window.Device] = "Desktop"
	d.Dims[window.Name] = event.Pageview
}

// recount counts the log, an oracle for each partition.
func recount(log []record) map[int32]*oracle.Oracle {
	parts, collectors := map[int32]*oracle.Oracle{}, map[string]int{}
	for _, rec := range log {
		o := parts[rec.partition]
		if o == nil {
			o = oracle.New(oracle.Rules{Limit: 500})
			parts[rec.partition] = o
		}
		if _, ok := collectors[rec.collector]; !ok {
			collectors[rec.collector] = len(collectors)
		}
		var events []oracle.Event
		for _, e := range rec.events {
			events = append(events, oracle.Event{
				Site: e.Site, ID: e.ID, Time: e.Time, Received: e.Received, Visitor: e.Visitor, Prev: e.VisitorPrev,
				Pageview: true, Facts: facts{e.Site, strings.TrimPrefix(e.URL, "https://"+e.Site)},
			})
		}
		o.Record(collectors[rec.collector], rec.low, len(events) == 0, events)
	}
	return parts
}

// mostBehind is how long InfluxDB may take to have everything.
const mostBehind = 2 * time.Minute

// checkWindows compares InfluxDB with the recount until they are equal.
func (r *run) checkWindows(ctx context.Context, log []record) error {
	parts := recount(log)
	var sum oracle.Counters
	for _, o := range parts {
		sum.Add(o.Counters())
	}
	if sum.Dropped > 0 {
		r.report.Fail("%d events came too late to count", sum.Dropped)
	}
	want := func(yield func(tally.Window, *tally.Cells) bool) {
		for _, o := range parts {
			for k, cells := range o.Windows() {
				if k.Kind != window.Hour && !yield(k, cells) {
					return
				}
			}
		}
	}
	for began := time.Now(); ; {
		r.Progress("compare", 0, 0)
		got, final, err := r.written(ctx)
		if err != nil {
			return err
		}
		v := tally.Compare(iter.Seq2[tally.Window, *tally.Cells](want), got, tally.Options{Errors: 3})
		late := time.Since(began) > mostBehind
		if (len(v.Wrong) == 0 && (final || !r.Final)) || late {
			r.report.Wrong = append(r.report.Wrong, v.Wrong...)
			r.report.Add("compared", "%d windows with %d values in InfluxDB, %.0f s behind the last beacon; late %d, duplicates %d",
				v.Windows, v.Values, time.Since(began).Seconds(), sum.Late, sum.Duplicates)
			return nil
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
}

// written returns the minutes and visits of InfluxDB, and whether all minutes are final.
func (r *run) written(ctx context.Context) (got tally.Written, final bool, err error) {
	db, err := influxdb.ParseURL(r.Influx)
	if err != nil {
		return nil, false, err
	}
	reader, err := emitinflux.NewReader(emitinflux.ReaderOptions{DB: db})
	if err != nil {
		return nil, false, err
	}
	defer reader.Close()
	got, final = tally.Written{}, true
	to := event.TimeOf(time.Now()) + event.Hour
	for _, site := range sites {
		for _, kind := range []window.Kind{window.Minute, window.Visits} {
			for f := range window.NumFamilies {
				if !f.In(kind) {
					continue
				}
				sel := window.Selection{Kind: kind, Site: site, Family: f, From: to - 4*event.Hour, To: to}
				err := reader.Scan(ctx, sel, func(start event.Time, done bool, p *window.Point) error {
					final = final && (done || kind != window.Minute)
					key := tally.Window{Kind: kind, Site: site, Start: start}
					if got[key] == nil {
						got[key] = &tally.Stored{Final: true, Points: map[tally.Key]window.Rollup{}}
					}
					v := p.Rollup
					v.Sketch = bytes.Clone(v.Sketch)
					got[key].Points[tally.Key{Family: f, A: strings.Clone(p.Dims[0]), B: strings.Clone(p.Dims[1])}] = v
					return nil
				})
				if err != nil {
					return nil, false, err
				}
			}
		}
	}
	return got, final, nil
}

// checkLake compares the archive with the log.
func (r *run) checkLake(ctx context.Context, events []logged) error {
	store, err := blob.Open(r.S3)
	if err != nil {
		return err
	}
	l := lake.NewReader(store)
	want := map[place]string{}
	for _, e := range events {
		want[e.place] = e.ID
	}
	began := time.Now()
	for {
		r.Progress("archive", 0, 0)
		seen := map[place]bool{}
		var wrong []string
		err := eachRow(ctx, l, func(e *event.Event, s lake.Source) error {
			at := place{s.Partition, s.Offset, s.Index}
			switch id, ok := want[at]; {
			case !ok || s.Topic != event.Topic:
				wrong = append(wrong, fmt.Sprintf("the archive has %s, the log has not", s))
			case seen[at]:
				wrong = append(wrong, fmt.Sprintf("the archive has %s twice", s))
			case id != e.ID:
				wrong = append(wrong, fmt.Sprintf("%s is %s in the archive, and %s in the log", s, e.ID, id))
			}
			seen[at] = true
			return nil
		})
		if err != nil {
			return err
		}
		missing := len(want) - len(seen)
		if missing == 0 || len(wrong) > 0 || time.Since(began) > mostBehind {
			r.report.Wrong = append(r.report.Wrong, wrong...)
			if missing > 0 {
				r.report.Fail("%d events of the log are not in the archive", missing)
			}
			break
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	checked, err := l.Check(ctx)
	if err != nil {
		return err
	}
	if err := checked.Err(); err != nil {
		r.report.Fail("%v", err)
	}
	r.report.Add("archive", "%d events in %d objects", len(want), checked.Objects)
	return nil
}

// eachRow calls fn for every event of the archive.
func eachRow(ctx context.Context, l *lake.Reader, fn func(*event.Event, lake.Source) error) error {
	hours, err := l.Hours(ctx, 0, event.Time(1)<<60)
	if err != nil {
		return err
	}
	for _, h := range hours {
		if err := l.ReadHour(ctx, h.Start, "", fn); err != nil {
			return err
		}
	}
	return nil
}

// checkQuery compares the number of pageviews that the query API answers with.
func (r *run) checkQuery(ctx context.Context, events []logged) error {
	ids := map[string]bool{}
	for _, e := range events {
		ids[e.ID] = true
	}
	at := r.fleet.of(roleQuery)
	if len(at) == 0 {
		return fmt.Errorf("nothing has the role %s", roleQuery)
	}
	sum, _, err := r.ask(ctx, at[0].addr, "[]")
	if err != nil {
		return err
	}
	if sum != len(ids) {
		r.report.Fail("the query API counts %d pageviews, there are %d", sum, len(ids))
	}
	r.report.Add("query API", "%d pageviews", sum)
	return r.checkHits(ctx, at[0].addr, len(ids))
}

// checkHits asks what no rollup holds, until it is answered with all events. A build that knows no hits refuses the question.
func (r *run) checkHits(ctx context.Context, addr string, events int) error {
	for began := time.Now(); ; {
		sum, source, err := r.ask(ctx, addr, `[["contains","event:page",["/"]],["is","visit:browser",["Chrome"]]]`)
		if errors.Is(err, errRefused) {
			r.report.Add("hits", "not known to the last build: %v", err)
			return nil
		}
		if err != nil {
			return err
		}
		done := sum == events && source == "lake"
		if late := time.Since(began) > mostBehind; done || late {
			if !done {
				r.report.Fail("the query API counts %d pageviews by hits (%q), there are %d", sum, source, events)
			}
			r.report.Add("hits", "%d pageviews, %.0f s behind the last beacon", sum, time.Since(began).Seconds())
			return nil
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// errRefused is returned for a question that is answered with 400.
var errRefused = errors.New("refused")

// ask returns the sum of all sites' pageviews that pass filters, and what they were counted from.
func (r *run) ask(ctx context.Context, addr, filters string) (sum int, source string, err error) {
	now := time.Now().UTC()
	for _, site := range sites {
		body := fmt.Sprintf(`{"site_id":%q,"metrics":["pageviews"],"date_range":[%q,%q],"filters":%s}`,
			site, now.Add(-4*time.Hour).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339), filters)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/v2/query", strings.NewReader(body))
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := queryClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		var answer struct {
			Results []struct{ Metrics []float64 }
			Meta    struct{ Source string }
			Error   string
		}
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		if res.StatusCode == http.StatusBadRequest {
			err = errRefused
		}
		if err != nil || res.StatusCode != http.StatusOK {
			return 0, "", fmt.Errorf("query of %s: %s: %s: %w", site, res.Status, answer.Error, err)
		}
		for _, row := range answer.Results {
			sum += int(row.Metrics[0])
		}
		source = answer.Meta.Source
	}
	return sum, source, nil
}

// pauses reports for how long partitions stood still.
func (r *run) pauses(ctx context.Context) error {
	all, err := r.log.pauses(ctx, kafka.TableTopic(engine.Group))
	if err != nil {
		return err
	}
	for _, p := range r.phases {
		longest := make([]time.Duration, r.Partitions)
		for _, s := range all {
			if !s.until.Before(p.from) && s.until.Before(p.to) {
				longest[s.partition] = max(longest[s.partition], s.long)
			}
		}
		var text []string
		for _, d := range longest {
			text = append(text, fmt.Sprintf("%.1f", d.Seconds()))
		}
		r.report.Add("pauses", "%s: longest of each partition %s s", p.name, strings.Join(text, ", "))
	}
	return nil
}
