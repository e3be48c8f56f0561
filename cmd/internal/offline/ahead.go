package offline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// lateSlack is how much longer than the lateness a window may have ended that a late event still
// reaches: the longest grace, and the longest wait for a slot.
const lateSlack = 2 * event.Minute

// ahead is replay's Options.Ahead. The local store knows which windows have fired behind the
// archive's end. Beside an InfluxDB serve may go on meanwhile: there it is what late events still
// reach, by the rules of the stream.
//
// A store that a serve is writing to is read for each window when replay has read it: what fires
// later, ReplaceSettled leaves as it is.
func (s *Session) ahead(ctx context.Context, a *archived, r engine.Rules) (func(window.Kind, string, event.Time) bool, error) {
	if s.Stores.Served != nil {
		return s.firedIn(ctx, s.Stores.Served, a), nil
	}
	if s.Stores.Local == nil {
		complete, streams, err := NewLake(s.Stores.Lake).CompleteUntil(ctx)
		return func(k window.Kind, _ string, start event.Time) bool {
			return streams && start+k.Length() > complete-r.Lateness-lateSlack
		}, err
	}
	type id struct {
		kind  window.Kind
		site  string
		start event.Time
	}
	fired := map[id]bool{}
	err := s.Stores.Local.Versions(ctx, func(w *window.Window) {
		if a.partitions > 0 && w.Version > a.version(w.Site, w.Shard) {
			fired[id{w.Kind, strings.Clone(w.Site), w.Start}] = true
		}
	})
	return func(k window.Kind, site string, start event.Time) bool { return fired[id{k, site, start}] }, err
}

// warnLeft reports windows that replay has computed and the running serve has kept as they are.
func (s *Session) warnLeft(log *slog.Logger) {
	if s.Stores.Served != nil && s.Stores.Served.Left() > 0 {
		log.Warn("windows have fired meanwhile and are left as they are: run \"millrace replay\" once their events are archived",
			"windows", s.Stores.Served.Left())
	}
}

// storeComplete returns the instant up to which the rollup store has final windows of the stream:
// the least of the partitions' progress. It is false if no stream has ever reported.
func (s *Session) storeComplete(ctx context.Context) (event.Time, bool, error) {
	all, err := s.Stores.Rollups().Progress(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("ask the rollup store for its progress: %w", err)
	}
	least := event.Time(math.MaxInt64)
	for _, p := range all {
		least = min(least, p.Low)
	}
	return least, len(all) > 0, nil
}

// errGoal ends a scan.
var errGoal = errors.New("a goal")

// manySites is of how many sites warnGoals looks for goals: of an InfluxDB each is a query.
const manySites = 100

// warnGoals reports that the store has numbers of goals, where none are given: replay counts by the
// goals it is given.
func (s *Session) warnGoals(ctx context.Context, log *slog.Logger) error {
	sites, err := s.Stores.Rollups().Sites(ctx)
	if err != nil {
		return fmt.Errorf("list the sites of the store: %w", err)
	}
	for _, site := range sites[:min(len(sites), manySites)] {
		sel := window.Selection{Kind: window.Minute, Site: site, Family: window.Goals, To: replay.EndOfTime}
		err := s.Stores.Rollups().Scan(ctx, sel, func(_ event.Time, _ bool, p *window.Point) error {
			if p.Events == 0 {
				return nil
			}
			return errGoal
		})
		if errors.Is(err, errGoal) {
			log.Warn("the rollup store has numbers of goals, and this command has no --goals: without the file that serve has, "+
				"they are differences, and replay takes them out", "site", site)
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for goals of %s: %w", site, err)
		}
	}
	return nil
}
