package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"millrace/bench"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// Ending is what was compared when the load had ended.
type Ending struct {
	Load loadCounts
	// Rollups is what the query API counts, Archive what is in the archive, of all sites and hours.
	Rollups, Archive Counts
	// Cells are the hours of sites that were compared, Hours the hours among them.
	Cells, Hours int
	// Wrong is what is not equal, the first of it.
	Wrong []string
}

// Counts are events, and the page views among them.
type Counts struct{ Events, Views int64 }

// cell is an hour of a site.
type cell struct {
	site string
	hour string // 2006-01-02 15:04:05
}

const (
	mostWrong = 50              // findings that are kept
	settleIn  = 3 * time.Minute // how long the numbers may take to be final
	stopIn    = 5 * time.Minute // how long the server may take to stop
)

func (e *Ending) wrong(format string, args ...any) {
	if len(e.Wrong) < mostWrong {
		e.Wrong = append(e.Wrong, fmt.Sprintf(format, args...))
	}
}

// finish queries all sites, stops the server, and reads the archive.
func (s *server) finish(ctx context.Context, sent loadCounts) (*Ending, error) {
	e := &Ending{Load: sent}
	s.o.Log.Info("the load has ended: compare", "events", sent.Sent)
	rollups, err := s.settled(ctx, sent.Sent)
	if err != nil {
		return nil, err
	}
	if err := s.stop(); err != nil {
		e.wrong("the server's stop: %v", err)
	}
	archive, err := readArchive(ctx, filepath.Join(s.o.Dir, dataDir, "lake"), e)
	if err != nil {
		return nil, err
	}
	e.compare(rollups, archive)
	return e, nil
}

// settled queries until the rollups have as many events as were sent, or for as long as that may take.
func (s *server) settled(ctx context.Context, want int64) (map[cell]Counts, error) {
	for deadline := time.Now().Add(settleIn); ; {
		rollups, err := s.rollups(ctx)
		if err != nil {
			return nil, err
		}
		if total(rollups).Events == want || time.Now().After(deadline) {
			return rollups, nil
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func total(cells map[cell]Counts) (sum Counts) {
	for _, c := range cells {
		sum.Events += c.Events
		sum.Views += c.Views
	}
	return sum
}

// rollups queries events and page views of each site and hour.
func (s *server) rollups(ctx context.Context) (map[cell]Counts, error) {
	cells := map[cell]Counts{}
	from, to := s.clock.epoch.UTC().Format(time.DateOnly), s.clock.at(time.Now()).UTC().Format(time.DateOnly)
	for i := range s.o.Sites {
		site := bench.SiteName(i)
		body, _ := json.Marshal(map[string]any{
			"site_id": site, "date_range": []string{from, to}, "metrics": []string{"events", "pageviews"}, "dimensions": []string{"time:hour"},
		})
		req, err := http.NewRequestWithContext(ctx, "POST", s.url+"/api/v2/query", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := s.client.Do(req)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("query of %s: %s, %s: %w", site, resp.Status, text, err)
		}
		var answer struct {
			Results []struct {
				Dimensions []string
				Metrics    []int64
			}
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return nil, fmt.Errorf("query of %s: %w", site, err)
		}
		for _, r := range answer.Results {
			if len(r.Dimensions) != 1 || len(r.Metrics) != 2 {
				return nil, fmt.Errorf("query of %s: a row %+v", site, r)
			}
			cells[cell{site, r.Dimensions[0]}] = Counts{r.Metrics[0], r.Metrics[1]}
		}
	}
	return cells, nil
}

// stop ends the server as an operator does; it archives what it has.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.exited:
		return err
	case <-time.After(stopIn):
		s.kill()
		return errors.New("it takes too long")
	}
}

// readArchive counts the archive of a server that has ended, by site and hour, and notes each id that
// is missing, is there twice, or was never sent.
func readArchive(ctx context.Context, folder string, e *Ending) (map[cell]Counts, error) {
	store, err := blob.Open(folder)
	if err != nil {
		return nil, err
	}
	l := lake.NewReader(store)
	report, err := l.Check(ctx)
	if err != nil {
		return nil, err
	}
	if err := report.Err(); err != nil {
		e.wrong("%v", err)
	}
	hours, err := l.Hours(ctx, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	cells, seen := map[cell]Counts{}, newIDs(int(e.Load.Sent))
	for _, h := range hours {
		err := l.ReadHour(ctx, h.Start, "", func(ev *event.Event, _ lake.Source) error {
			if problem := seen.add(ev.ID); problem != "" {
				e.wrong("archive: id %q %s", ev.ID, problem)
			}
			at := cell{ev.Site, ev.Time.Floor(event.Hour).Std().UTC().Format(time.DateTime)}
			c := cells[at]
			c.Events++
			if ev.Name == event.Pageview {
				c.Views++
			}
			cells[at] = c
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if n := seen.missing(); n > 0 {
		e.wrong("archive: %d ids that were answered with 2xx are missing", n)
	}
	return cells, nil
}

// compare notes what two counts of sites and hours do not agree on.
func (e *Ending) compare(rollups, archive map[cell]Counts) {
	e.Rollups, e.Archive = total(rollups), total(archive)
	hours := map[string]bool{}
	for c := range archive {
		if _, ok := rollups[c]; !ok {
			rollups[c] = Counts{}
		}
	}
	e.Cells = len(rollups)
	for _, c := range slices.SortedFunc(maps.Keys(rollups), func(a, b cell) int { return strings.Compare(a.site+a.hour, b.site+b.hour) }) {
		hours[c.hour] = true
		if rollups[c] != archive[c] {
			e.wrong("%s, %s: the query API has %+v, the archive %+v", c.site, c.hour, rollups[c], archive[c])
		}
	}
	e.Hours = len(hours)
	if want := (Counts{e.Load.Sent, e.Load.Views}); e.Archive != want {
		e.wrong("sent %+v, archived %+v", want, e.Archive)
	}
}

// ids is a set of the ids of 0 to n-1.
type ids struct {
	bits []uint64
	n    int
	have int
}

func newIDs(n int) *ids { return &ids{bits: make([]uint64, n/64+1), n: n} }

// add returns what is wrong with an id, "" if nothing is.
func (s *ids) add(id string) string {
	digits, ours := strings.CutPrefix(id, "s")
	n, err := strconv.Atoi(digits)
	switch {
	case !ours || err != nil || n < 0 || n >= s.n:
		return "was not sent"
	case s.bits[n/64]>>(n%64)&1 == 1:
		return "is there twice"
	}
	s.bits[n/64] |= 1 << (n % 64)
	s.have++
	return ""
}

func (s *ids) missing() int { return s.n - s.have }
