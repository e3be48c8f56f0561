package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer"
	"millrace/internal/site"
)

// demoRate is in events a second: enough to see numbers move, too few to dwarf the past that is
// made up.
const demoRate = 1

// demoTraffic sends made-up traffic to a URL until its context ends.
func demoTraffic(url string, log *slog.Logger) func(context.Context) error {
	o := demo.Options{URL: url, Rate: demoRate, Seed: uint64(time.Now().UnixNano()), Log: log}
	return func(ctx context.Context) error { return demo.Run(ctx, o) }
}

// past is the made-up past of the demo's sites: what millrace import would make of a month of
// their events, done by the same code beside the running roles. It ends so long before now that
// the stream, which begins with this start, shares no minute with it.
type past struct {
	days int     // before today, which is made up too as far as it is over
	rate float64 // events a second
	now  time.Time
	wait time.Duration // for the archive to have begun

	dir        *datadir.Dir
	stores     *stores.Set // archive and rollup store
	secret     []byte      // that visitor ids are keyed with
	lateness   time.Duration
	newDeriver func() engine.Deriver
	sites      *site.Sites
	log        *slog.Logger
}

// newPast returns the past of a demo that starts now. Its rate is a twentieth of the live one,
// because each minute of each site costs the rollup store some kilobytes whatever is in it. It
// takes a core some eight seconds. The caller sets what it is written into.
func newPast(now time.Time) *past {
	return &past{days: 30, rate: 0.05, now: now, wait: time.Minute}
}

// pastFile notes in the data folder that the past is complete, and from when to when it goes.
const pastFile = "demo-history.json"

type pastNote struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// hasPast reports whether the past has been made up to its end.
func hasPast(data string) bool {
	_, err := os.Stat(filepath.Join(data, pastFile))
	return err == nil
}

// run makes the past up until ctx ends.
func (p *past) run(ctx context.Context) {
	if err := p.make(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("the demo's past is not complete; the next start with --demo goes on with it", "err", err)
	}
}

// make makes the past up, unless that has been done to its end before: what was cut short is done
// again, to the same events.
func (p *past) make(ctx context.Context) error {
	if hasPast(p.dir.Path()) {
		return nil
	}
	const day = 24 * time.Hour
	lateness := max(p.lateness, time.Hour)
	until := p.now.UTC().Add(-lateness - time.Hour).Truncate(time.Hour)
	first := p.now.UTC().Truncate(day).AddDate(0, 0, -p.days)
	if err := p.waitArchive(ctx, event.TimeOf(until)); err != nil {
		return err
	}
	began := time.Now()
	p.log.Info("making up a past for the demo's sites", "from", first.Format(time.DateOnly), "days", p.days)
	i, err := p.newImport(ctx)
	if err != nil {
		return err
	}
	for d := first; d.Before(until); d = d.AddDate(0, 0, 1) {
		if err := addDay(ctx, i, d, until, p.rate); err != nil {
			return err
		}
	}
	p.log.Info("counting the past of the demo's sites", "events", i.Summary().Events)
	if err := i.Count(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(pastNote{first, until})
	if err == nil {
		err = p.dir.Write(pastFile, text)
	}
	if err != nil {
		return err
	}
	p.log.Info("the demo's sites have a past", "from", first.Format(time.DateOnly), "events", i.Summary().Events, "visits", i.Summary().Visits,
		"took", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// waitArchive waits until the archive of the stream is complete up to some time: before that
// nothing of it can be counted.
func (p *past) waitArchive(ctx context.Context, until event.Time) error {
	const pause = 200 * time.Millisecond
	l := offline.NewLake(p.stores.Lake)
	for left := p.wait; ; left -= pause {
		at, streams, err := l.CompleteUntil(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("ask the archive where its stream ends: %w", err)
		case streams && at > until:
			return nil
		case left <= 0:
			return errors.New("the archive has not got there yet")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newImport begins an import into the stores that are open.
func (p *past) newImport(ctx context.Context) (*offline.Import, error) {
	id, err := identity.New(p.secret, identity.NewDerived(p.secret)) // nobody is behind these visitors
	if err != nil {
		return nil, err
	}
	return offline.Use(p.dir, *p.stores).NewImport(ctx, offline.ImportOptions{
		Format: importer.Events, Identity: id, Rules: offline.RulesOf(p.sites), NewDeriver: p.newDeriver, Log: p.log,
	})
}

// addDay writes a day into the archive.
func addDay(ctx context.Context, i *offline.Import, d, until time.Time, rate float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := demo.WriteDay(&text, d, until, rate); err != nil {
		return err
	}
	f, err := importer.Open(ctx, "-", importer.Events, &text)
	if err != nil {
		return err
	}
	return errors.Join(i.Add(ctx, f), f.Close())
}
