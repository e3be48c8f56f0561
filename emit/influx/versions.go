package influx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// replacedName is the measurement that says which windows a replay has replaced:
//
//	replaced,site=example.com version=1234i 1700000040
//
// Version is the one that the window had, and kept. A window whose points carry a larger one was written live since.
const replacedName = "replaced"

const (
	// versionsFresh is how long a minute's versions are believed without reading them again: another process may
	// replace windows. Rereading is one small query.
	versionsFresh = time.Minute
	// maxVersions is how many windows are remembered, about 100 B each. When there are more, whole minutes
	// are forgotten, those first that were used longest ago: they would be read again.
	maxVersions = 1 << 19
	// maxSpan is how many minutes one query asks for.
	maxSpan = 60
)

type stream struct {
	site  string
	shard uint16
}

// known is what is known of one window in InfluxDB.
type known struct {
	version int64
	// replaced: a replay wrote it last, so that there may be values that the stream's window does not have.
	replaced bool
}

type minute struct {
	windows map[stream]known
	read    time.Time
	used    uint64
}

// versions remembers the versions of windows in InfluxDB. It is for one goroutine at a time.
type versions struct {
	minutes map[event.Time]*minute
	count   int
	uses    uint64
}

// stale returns those of the minutes that have to be read, ascending and once each, and counts all as used.
func (v *versions) stale(starts []event.Time) []event.Time {
	v.uses++
	var missing []event.Time
	for _, t := range starts {
		m := v.minutes[t]
		if m != nil {
			m.used = v.uses
		}
		if m == nil || time.Since(m.read) > versionsFresh {
			missing = append(missing, t)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// spans joins ascending minutes that lie close into ranges [from, to).
func spans(starts []event.Time) [][2]event.Time {
	var out [][2]event.Time
	for _, t := range starts {
		if n := len(out); n > 0 && t-out[n-1][1] <= 5*event.Minute && t-out[n-1][0] < maxSpan*event.Minute {
			out[n-1][1] = t + event.Minute
			continue
		}
		out = append(out, [2]event.Time{t, t + event.Minute})
	}
	return out
}

// learned takes in what a query has said of the minutes in [from, to). What the process itself has sent stays: it
// may be newer than the answer. Regressed is how many windows InfluxDB holds in an older version than was
// sent and acknowledged.
func (v *versions) learned(from, to event.Time, read map[event.Time]map[stream]known) (regressed int) {
	now := time.Now()
	for t := from; t < to; t += event.Minute {
		m := v.minutes[t]
		if m == nil {
			m = &minute{windows: map[stream]known{}, used: v.uses}
			v.minutes[t] = m
		}
		m.read = now
		for st, k := range read[t] {
			have, ok := m.windows[st]
			switch {
			case !ok:
				v.count++
			case have.version > k.version:
				regressed++
				k.version = have.version
			}
			m.windows[st] = k
		}
	}
	v.forgetSome()
	return regressed
}

// admit says whether w is to be written, and notes it as sent if so. The window's minute must have been read.
func (v *versions) admit(w *window.Window) (k known, ok bool) {
	st := stream{w.Site, w.Shard}
	m := v.minutes[w.Start]
	k, found := m.windows[st]
	if found && w.Version < k.version {
		return k, false
	}
	if !found {
		v.count++
	}
	m.windows[st] = known{version: w.Version, replaced: k.replaced}
	return k, true
}

// cleared notes that a window has no values left that a replay wrote.
func (v *versions) cleared(w *window.Window) {
	if m := v.minutes[w.Start]; m != nil {
		st := stream{w.Site, w.Shard}
		m.windows[st] = known{version: m.windows[st].version}
	}
}

// forget drops a window's whole minute.
func (v *versions) forget(start event.Time) {
	if m := v.minutes[start]; m != nil {
		v.count -= len(m.windows)
		delete(v.minutes, start)
	}
}

func (v *versions) forgetSome() {
	if v.count <= maxVersions {
		return
	}
	byUse := slices.SortedFunc(maps.Keys(v.minutes), func(a, b event.Time) int {
		return int(int64(v.minutes[a].used) - int64(v.minutes[b].used))
	})
	for _, t := range byUse {
		if v.count <= maxVersions/2 || v.minutes[t].used == v.uses {
			return
		}
		v.forget(t)
	}
}

// readVersions asks for the versions of all windows in [from, to). Every window has a point in totals, bot or
// dropped, for every row is counted in one of them.
func readVersions(ctx context.Context, c *influxdb.Client, from, to event.Time) (map[event.Time]map[stream]known, error) {
	q := fmt.Sprintf(`SELECT "version" FROM %s WHERE %s GROUP BY "site", "shard"`,
		names(window.Totals.String(), window.Bots.String(), window.Dropped.String(), replacedName), between(from, to))
	type mark struct {
		start event.Time
		stream
	}
	out := map[event.Time]map[stream]known{}
	marks := map[mark]int64{}
	err := c.Query(ctx, q, func(s *influxdb.Series) error {
		st, ok := streamOf(s.Tags)
		if !ok {
			return nil
		}
		at, version := s.Column("time"), s.Column("version")
		for _, row := range s.Values {
			sec, ok1 := influxdb.Int(row, at)
			v, ok2 := influxdb.Int(row, version)
			if !ok1 || !ok2 {
				continue
			}
			t := event.Time(sec) * event.Second
			if out[t] == nil {
				out[t] = map[stream]known{}
			}
			k := out[t][st]
			k.version = max(k.version, v)
			out[t][st] = k
			if s.Name == replacedName {
				marks[mark{t, st}] = v
			}
		}
		return nil
	})
	if influxdb.NoDatabase(err) {
		return nil, nil
	}
	for m, v := range marks {
		k := out[m.start][m.stream]
		k.replaced = v >= k.version
		out[m.start][m.stream] = k
	}
	return out, err
}

func streamOf(tags map[string]string) (stream, bool) {
	st := stream{site: tags["site"]}
	if s := tags["shard"]; s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return stream{}, false
		}
		st.shard = uint16(n)
	}
	return st, st.site != ""
}

func names(list ...string) string {
	for i, n := range list {
		list[i] = influxdb.QuoteName(n)
	}
	return strings.Join(list, ", ")
}

func between(from, to event.Time) string {
	return fmt.Sprintf("time >= %d AND time < %d", int64(from)*int64(time.Millisecond), int64(to)*int64(time.Millisecond))
}
