package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/site"
)

// Audit is what the process of Options.Audit gets, as JSON: two stores at rest, and what they were
// filled by.
type Audit struct {
	// Lake is the address of the archive, Rollups the folder of the local rollup store.
	Lake, Rollups string
	Lateness      event.Time
	// Goals of the sites, as site.ParseGoals reads them.
	Goals string
	// Dropped are sites of which events came too late to be counted: they are not compared.
	Dropped []string
}

// KeptFrom leaves the sites of Dropped out of a comparison.
func (a *Audit) KeptFrom(site string, _ time.Time) event.Time {
	if slices.Contains(a.Dropped, site) {
		return event.Time(1) << 60
	}
	return 0
}

// Rules returns the rules that the engine of a run counts by.
func (a *Audit) Rules() engine.Rules { return engine.Rules{Lateness: a.Lateness} }

// NewDeriver returns how derivers are made that count as the engine of a run does.
func (a *Audit) NewDeriver() (func() engine.Deriver, error) {
	sites, err := site.ParseGoals(strings.NewReader(cmp.Or(a.Goals, "{}")))
	if err != nil {
		return nil, err
	}
	goals := enrich.NewGoals(sites, site.Site{})
	return func() engine.Deriver { return enrich.New(enrich.Options{Goals: goals}) }, nil
}

// Audited is what that process prints, as JSON: a whole cycle of the self-audit.
type Audited struct {
	Hours         int // compared
	WrongHours    []event.Time
	Points, Wrong int64          // compared, and what of them is wrong
	Skipped       map[string]int // hours that could not be judged, by reason
	Why           string         // no hour was compared
}

// audited is the sum of the audits of a scenario.
type audited struct {
	runs, hours int
	points      int64
	left        int // sites that are not compared
}

// auditor runs, beside the engine and through all that a scenario does, what serve runs: an emitter
// into a local rollup store, and an archiver. At the end it has their stores audited.
type auditor struct {
	opts  *Options
	world *world
	fleet *fleet // of its own: scenarios count and kill the workers of theirs
	spec  Audit
	procs []*proc
}

// startAuditor starts an emitter, and an archiver if it is to. Dir is for their stores.
func startAuditor(ctx context.Context, o *Options, w *world, dir string, j job, archives bool) (*auditor, error) {
	a := &auditor{
		opts: o, world: w, fleet: &fleet{world: w, group: local.Group, worker: o.Worker, at: map[int32]progress{}},
		spec: Audit{Lake: filepath.Join(dir, "audit-lake"), Rollups: filepath.Join(dir, "audit-rollups"), Lateness: j.Lateness, Goals: j.Goals},
	}
	j.Steady, j.Role, j.Store = true, roleLocal, a.spec.Rollups
	jobs := []job{j}
	if archives {
		j.Role, j.Store = roleArchive, a.spec.Lake
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		p, err := a.fleet.start(j)
		if err == nil {
			a.procs = append(a.procs, p)
			err = p.saidReady(ctx) // a new cluster may have no coordinator yet to ask for members
		}
		if err != nil {
			a.fleet.end()
			return nil, fmt.Errorf("what is audited: %w", err)
		}
	}
	return a, nil
}

// await waits until done is true. Something has to move, or it ends.
func (a *auditor) await(ctx context.Context, done func() (bool, string, error)) error {
	last, moved := "", time.Now()
	for {
		ok, at, err := done()
		if err == nil && ok {
			return nil
		}
		if at != last {
			last, moved = at, time.Now()
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("nothing has moved for %v: %s: %w\n%s", patience, at, cmp.Or(err, errors.New("not done")), a.words())
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %w\n%s", at, err, a.words())
		}
	}
}

// words is what the workers said last.
func (a *auditor) words() (s string) {
	for _, p := range a.procs {
		s += fmt.Sprintf("%s: %s\n", p.job.Role, p.errs.String())
	}
	return s
}

// emitted waits until the rollup store has every window that has fired.
func (a *auditor) emitted(ctx context.Context) error {
	return a.await(ctx, func() (bool, string, error) {
		ends, err := a.world.ends(ctx, engine.WindowsTopic)
		if err != nil {
			return false, "emitter", err
		}
		at, err := a.world.committedOf(ctx, local.Group, engine.WindowsTopic)
		return slices.Equal(at, ends), fmt.Sprintf("the emitter has committed %v of %v", at, ends), err
	})
}

// archivedUntil waits until the archive has all that came before a log time.
func (a *auditor) archivedUntil(ctx context.Context, until event.Time) error {
	store, err := blob.Open(a.spec.Lake)
	if err != nil {
		return err
	}
	l := lake.NewReader(store)
	return a.await(ctx, func() (bool, string, error) {
		complete, err := l.CompleteUntil(ctx, engine.EventsTopic)
		return complete >= until, fmt.Sprintf("the archive is complete until %s, want %s", complete, until), err
	})
}

// closedAfter is how much later than an event its hour is one that the self-audit compares: the
// longest visit, the time that ends one, and some slack. What comes late comes on top.
const closedAfter = 15 * event.Hour

// closing returns the low watermarks that end a log, and until when the archive has to be complete
// then. The first two fire everything: at the first one collectors may still be waited for that are
// silent. The others have the archiver write down that it has those, for the self-audit compares no
// window of which the archive may not have the record that fired it.
func closing(last, lateness event.Time) (lows []event.Time, until event.Time) {
	for i := range event.Time(5) {
		lows = append(lows, last+closedAfter+lateness+i*event.Hour)
	}
	return lows, lows[2]
}

// judge waits for the stores, has them compared, then changes a number of the rollup store and has
// them compared again. Everything must be counted, and the log closed at until.
func (a *auditor) judge(ctx context.Context, until event.Time) error {
	if err := errors.Join(a.emitted(ctx), a.archivedUntil(ctx, until)); err != nil {
		return err
	}
	for _, p := range a.procs {
		if err := p.stop(ctx); err != nil {
			return err
		}
	}
	got, said, err := a.cycle(ctx)
	if err != nil {
		return err
	}
	hour, err := a.falsify(ctx)
	if err != nil {
		return fmt.Errorf("falsify a number: %w", err)
	}
	control, saidThen, err := a.cycle(ctx)
	if err != nil {
		return err
	}
	a.opts.report.judgeAudits(&got, said, hour, &control, saidThen)
	sum := a.opts.audited
	sum.runs++
	sum.hours += got.Hours
	sum.points += got.Points
	sum.left += len(a.spec.Dropped)
	return nil
}

// judgeAudits judges a cycle of stores that should be right, and that of the same stores after one
// number of an hour was falsified.
func (r *Report) judgeAudits(got *Audited, said string, falsified event.Time, control *Audited, saidThen string) {
	if got.Hours == 0 || got.Points == 0 {
		r.Fail("the self-audit has compared %d hours with %d points: %s", got.Hours, got.Points, got.Why)
	}
	if got.Wrong > 0 {
		r.Fail("the self-audit finds %d of %d points wrong, in %v: %s", got.Wrong, got.Points, got.WrongHours, said)
	}
	for reason, hours := range got.Skipped {
		r.Fail("the self-audit has skipped %d hours: %s: %s", hours, reason, said)
	}
	if want := got.Wrong + 1; control.Wrong != want || !slices.Contains(control.WrongHours, falsified) {
		r.Fail("a number of %s was falsified, and the self-audit finds %d wrong, want %d, in %v: %s", falsified, control.Wrong, want, control.WrongHours, saidThen)
	}
}

// cycle runs the self-audit, and returns what it has logged, too.
func (a *auditor) cycle(ctx context.Context) (Audited, string, error) {
	spec, err := json.Marshal(a.spec)
	if err != nil {
		return Audited{}, "", err
	}
	var out, said bytes.Buffer
	cmd := a.opts.Audit(string(spec))
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		return Audited{}, "", fmt.Errorf("start the self-audit: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	var got Audited
	err = cmd.Wait()
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &got)
	}
	if err != nil {
		return got, "", fmt.Errorf("the self-audit: %w\n%s%s", err, said.Bytes(), out.Bytes())
	}
	return got, said.String(), nil
}

// falsify adds one to the events of an hour of a site that is compared, and returns the hour.
func (a *auditor) falsify(ctx context.Context) (hour event.Time, err error) {
	store, err := local.Open(local.Options{Dir: a.spec.Rollups, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sites, err := store.Sites(ctx)
	if err != nil {
		return 0, err
	}
	sites = slices.DeleteFunc(sites, func(s string) bool { return a.spec.KeptFrom(s, time.Time{}) > 0 })
	for _, name := range sites {
		most := int64(0)
		sel := window.Selection{Kind: window.Hour, Site: name, Family: window.Totals, To: event.Time(1) << 60}
		err := store.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
			if p.Events > most {
				hour, most = start, p.Events
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if hour > 0 {
			return hour, falsifyHour(ctx, store, name, hour)
		}
	}
	return 0, fmt.Errorf("no hour of %v has events", sites)
}

// falsifyHour writes an hour of a site as it is, but for the number of its events.
func falsifyHour(ctx context.Context, store *local.Store, name string, hour event.Time) error {
	w := &window.Window{Kind: window.Hour, Site: name, Start: hour, Final: true}
	for f := range window.NumFamilies {
		if !f.In(window.Hour) {
			continue
		}
		sel := window.Selection{Kind: window.Hour, Site: name, Family: f, From: hour, To: hour + event.Hour}
		err := store.Scan(ctx, sel, func(_ event.Time, _ bool, p *window.Point) error {
			own := window.Point{Family: f, Rollup: p.Rollup}
			own.Sketch = bytes.Clone(p.Sketch)
			for i := range own.Dims {
				own.Dims[i] = strings.Clone(p.Dims[i])
			}
			if f == window.Totals {
				own.Events++
			}
			w.Points = append(w.Points, own)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return store.Replace(ctx, []*window.Window{w})
}

// addAudited adds the figure of a scenario's audits.
func (r *Report) addAudited(a *audited) {
	if a.runs == 0 {
		r.Fail("nothing was audited")
	}
	left := ""
	if a.left > 0 {
		left = fmt.Sprintf(" (%d sites are left out: they have events that came too late)", a.left)
	}
	r.Add("self-audit", "%d logs: %d hours with %d points compared%s, and in each log a number that was falsified found",
		a.runs, a.hours, a.points, left)
}

// audit ends the log of a run that was checked, so that its hours are closed, and has the stores
// audited, if they are. A worker must be there that counts.
func (r *run) audit(ctx context.Context) error {
	if r.audits == nil {
		return nil
	}
	r.opts.progress("audit", 0, 0)
	lows, until := closing(r.counts.last, r.work.Lateness)
	var list []record
	for _, low := range lows {
		for p := range r.work.Partitions {
			list = append(list, record{partition: p, low: low, now: low, value: event.AppendEnvelope(nil, "c0", low, nil)})
		}
	}
	r.feed.next = func() (rec *record, ok bool) {
		if len(list) == 0 {
			return nil, false
		}
		rec, list = &list[0], list[1:]
		return rec, true
	}
	if err := r.settle(ctx); err != nil {
		return fmt.Errorf("close the hours: %w", err)
	}
	for i, name := range r.counts.sites {
		if r.work.drops(i) {
			r.audits.spec.Dropped = append(r.audits.spec.Dropped, name)
		}
	}
	if err := r.audits.judge(ctx, until); err != nil {
		return fmt.Errorf("self-audit: %w", err)
	}
	// What is compared of the windows after this has those of the closing, too.
	ends, err := r.world.ends(ctx, engine.WindowsTopic)
	if err == nil {
		err = r.sink.readTo(ctx, engine.WindowsTopic, ends)
	}
	return err
}
