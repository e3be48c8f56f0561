package influx

import (
	"cmp"
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

// neverLive is the version of a window that only a replay has written: any firing of the stream is newer.
const neverLive = -1

const (
	// versionsFresh is how long a minute's versions are believed without reading them again: another process may
	// replace windows. Rereading is one small query.
	versionsFresh = time.Minute
	// maxKnown bounds what is remembered, in bytes: a window costs windowCost and 8 for each of its values, so that there
	// is room for the two open minutes of 10,000 sites with 300 values each. When it is full, whole minutes are
	// forgotten, those first that were used longest ago: they would be read again.
	maxKnown   = 64 << 20
	windowCost = 120
	// maxSpan is how many minutes one query asks for.
	maxSpan = 60
)

type stream struct {
	site  string
	shard uint16
}

type windowKey struct {
	stream
	start event.Time
}

func keyOf(w *window.Window) windowKey { return windowKey{stream{w.Site, w.Shard}, w.Start} }

// known is what is known of one window in InfluxDB.
type known struct {
	version int64
	// values are hashes of the values that are not zero, sorted; nil if they are not known, which is so at first, and
	// after a replay and a write that was cut off.
	values []uint64
	// replaced: a replay wrote it last.
	replaced bool
}

func (k *known) cost() int { return windowCost + 8*len(k.values) }

type minute struct {
	windows map[stream]known
	read    time.Time
	used    uint64
}

// versions remembers the versions of windows in InfluxDB, and which values they have. It is for one goroutine at a
// time.
type versions struct {
	minutes map[event.Time]*minute
	bytes   int
	uses    uint64
}

func newVersions() versions { return versions{minutes: map[event.Time]*minute{}} }

func (v *versions) get(k windowKey) (known, bool) {
	m := v.minutes[k.start]
	if m == nil {
		return known{}, false
	}
	w, ok := m.windows[k.stream]
	return w, ok
}

// set notes what is known of a window whose minute has been read.
func (v *versions) set(k windowKey, now known) {
	m := v.minutes[k.start]
	if m == nil {
		return
	}
	if old, ok := m.windows[k.stream]; ok {
		v.bytes -= old.cost()
	}
	v.bytes += now.cost()
	m.windows[k.stream] = now
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
// may be newer than the answer. Regressed is how many windows InfluxDB holds in an older version than was sent.
func (v *versions) learned(from, to event.Time, read map[windowKey]known) (regressed int) {
	now := time.Now()
	for t := from; t < to; t += event.Minute {
		m := v.minutes[t]
		if m == nil {
			m = &minute{windows: map[stream]known{}, used: v.uses}
			v.minutes[t] = m
		}
		m.read = now
	}
	for key, k := range read {
		have, ok := v.get(key)
		switch {
		case ok && have.version > k.version:
			regressed++
			continue
		case ok && have.version == k.version && !k.replaced:
			continue
		}
		v.set(key, k)
	}
	v.forgetSome()
	return regressed
}

// admit says whether w is to be written, and notes it as sent if so, its values as unknown until written is called. Before
// is what was known. The window's minute must have been read.
//
// A firing that a replay has replaced since stays out too: the replay knew all of it.
func (v *versions) admit(w *window.Window) (before known, ok bool) {
	before, found := v.get(keyOf(w))
	if found && (w.Version < before.version || w.Version == before.version && before.replaced) {
		return before, false
	}
	if !found {
		before.values = []uint64{}
	}
	v.set(keyOf(w), known{version: w.Version})
	return before, true
}

// written notes that InfluxDB holds w with exactly these values.
func (v *versions) written(w *window.Window, values []uint64) {
	v.set(keyOf(w), known{version: w.Version, values: values})
}

// forget drops a minute.
func (v *versions) forget(start event.Time) {
	m := v.minutes[start]
	if m == nil {
		return
	}
	for _, k := range m.windows {
		v.bytes -= k.cost()
	}
	delete(v.minutes, start)
}

func (v *versions) forgetSome() {
	if v.bytes <= maxKnown {
		return
	}
	byUse := slices.SortedFunc(maps.Keys(v.minutes), func(a, b event.Time) int {
		return cmp.Compare(v.minutes[a].used, v.minutes[b].used)
	})
	for _, t := range byUse {
		if v.bytes <= maxKnown/2 || v.minutes[t].used == v.uses {
			return
		}
		v.forget(t)
	}
}

// readVersions asks for the versions of all windows in [from, to). Every window has a point in totals, bot or
// dropped, for every row is counted in one of them.
func readVersions(ctx context.Context, c *influxdb.Client, from, to event.Time) (map[windowKey]known, error) {
	q := fmt.Sprintf(`SELECT "version" FROM %s WHERE %s GROUP BY "site", "shard"`,
		names(window.Totals.String(), window.Bots.String(), window.Dropped.String(), replacedName), between(from, to))
	out := map[windowKey]known{}
	marks := map[windowKey]int64{}
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
			key := windowKey{st, event.Time(sec) * event.Second}
			k, ok := out[key]
			if !ok || k.version < v {
				k.version = v
			}
			out[key] = k
			if s.Name == replacedName {
				marks[key] = v
			}
		}
		return nil
	})
	if influxdb.NoDatabase(err) {
		return nil, nil
	}
	for key, v := range marks {
		k := out[key]
		k.replaced = v >= k.version
		out[key] = k
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
