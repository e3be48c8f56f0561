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

// neverLive is the version of a window that only a replay has written: any firing of the stream is
// newer.
const neverLive = -1

const (
	// versionsFresh is how long the versions of a moment are believed without reading them again:
	// another process may replace windows. Rereading is one small query.
	versionsFresh = time.Minute
	// maxKnown bounds what is remembered, in bytes: a window costs windowCost and 8 for each of its
	// values, so that there is room for the two open minutes of 10,000 sites with 300 values each.
	// When it is full, whole moments are forgotten, those first that were used longest ago: they
	// would be read again.
	maxKnown   = 64 << 20
	windowCost = 120
	// maxSpan is how many moments one query reads.
	maxSpan = 60
)

type stream struct {
	site  string
	shard uint16
}

// moment is what windows of one kind have in common that start together: a minute, an hour, a
// quarter of visits.
type moment struct {
	kind  window.Kind
	start event.Time
}

func momentOf(w *window.Window) moment { return moment{w.Kind, w.Start} }

func (m moment) compare(n moment) int {
	return cmp.Or(cmp.Compare(m.kind, n.kind), cmp.Compare(m.start, n.start))
}

// span is the moments of a kind in [from, to).
type span struct {
	kind     window.Kind
	from, to event.Time
}

func (s span) holds(m moment) bool { return m.kind == s.kind && m.start >= s.from && m.start < s.to }

type windowKey struct {
	stream
	moment
}

func keyOf(w *window.Window) windowKey { return windowKey{stream{w.Site, w.Shard}, momentOf(w)} }

// known is what is known of one window in InfluxDB.
type known struct {
	version int64
	// values are hashes of the values that are not zero, sorted; nil if they are not known, which
	// is so at first, and after a replay and a write that was cut off.
	values []uint64
	// replaced: a replay wrote it last.
	replaced bool
}

func (k *known) cost() int { return windowCost + 8*len(k.values) }

// heard is what is remembered of a moment.
type heard struct {
	windows map[stream]known
	read    time.Time
	used    uint64
}

// versions remembers the versions of windows in InfluxDB, and which values they have. It is for one
// goroutine at a time.
type versions struct {
	moments map[moment]*heard
	bytes   int
	uses    uint64
}

func newVersions() versions { return versions{moments: map[moment]*heard{}} }

func (v *versions) get(k windowKey) (known, bool) {
	m := v.moments[k.moment]
	if m == nil {
		return known{}, false
	}
	w, ok := m.windows[k.stream]
	return w, ok
}

// set notes what is known of a window whose moment has been read.
func (v *versions) set(k windowKey, now known) {
	m := v.moments[k.moment]
	if m == nil {
		return
	}
	if old, ok := m.windows[k.stream]; ok {
		v.bytes -= old.cost()
	}
	v.bytes += now.cost()
	m.windows[k.stream] = now
}

// stale returns those of the moments that have to be read, ascending and once each, and counts all
// as used.
func (v *versions) stale(list []moment) []moment {
	v.uses++
	var missing []moment
	for _, t := range list {
		m := v.moments[t]
		if m != nil {
			m.used = v.uses
		}
		if m == nil || time.Since(m.read) > versionsFresh {
			missing = append(missing, t)
		}
	}
	slices.SortFunc(missing, moment.compare)
	return slices.Compact(missing)
}

// spans joins ascending moments of a kind that lie close.
func spans(list []moment) []span {
	var out []span
	for _, t := range list {
		length := t.kind.Length()
		if n := len(out); n > 0 && out[n-1].kind == t.kind && t.start-out[n-1].to <= 5*length && t.start-out[n-1].from < maxSpan*length {
			out[n-1].to = t.start + length
			continue
		}
		out = append(out, span{t.kind, t.start, t.start + length})
	}
	return out
}

// learned takes in what a query has returned for a span. What the process itself has sent stays: it
// may be newer than the answer. Regressed is how many windows InfluxDB holds in an older version
// than was sent.
func (v *versions) learned(s span, read map[windowKey]known) (regressed int) {
	now := time.Now()
	for t := s.from; t < s.to; t += s.kind.Length() {
		at := moment{s.kind, t}
		m := v.moments[at]
		if m == nil {
			m = &heard{windows: map[stream]known{}, used: v.uses}
			v.moments[at] = m
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

// admit reports whether w is to be written, and notes it as sent if so, its values as unknown until
// written is called. Before is what was known. The window's moment must have been read.
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

// forget drops a moment.
func (v *versions) forget(at moment) {
	m := v.moments[at]
	if m == nil {
		return
	}
	for _, k := range m.windows {
		v.bytes -= k.cost()
	}
	delete(v.moments, at)
}

func (v *versions) forgetSome() {
	if v.bytes <= maxKnown {
		return
	}
	byUse := slices.SortedFunc(maps.Keys(v.moments), func(a, b moment) int {
		return cmp.Compare(v.moments[a].used, v.moments[b].used)
	})
	for _, t := range byUse {
		if v.bytes <= maxKnown/2 || v.moments[t].used == v.uses {
			return
		}
		v.forget(t)
	}
}

// readVersions reads the versions of all windows of a span. Every window has a point in totals,
// bot or dropped, for every row is counted in one of them; one of visits has a point in totals.
func readVersions(ctx context.Context, c *influxdb.Client, sp span) (map[windowKey]known, error) {
	replaced := replacedName(sp.kind)
	from := []string{replaced}
	for _, f := range []window.Family{window.Totals, window.Bots, window.Dropped} {
		if f.In(sp.kind) {
			from = append(from, window.Measurement(sp.kind, f))
		}
	}
	q := fmt.Sprintf(`SELECT %s FROM %s WHERE %s GROUP BY %s`,
		influxdb.QuoteName(versionField), names(from...), between(sp), names(siteTag, shardTag))
	out := map[windowKey]known{}
	marks := map[windowKey]int64{}
	err := c.Query(ctx, q, func(s *influxdb.Series) error {
		st, ok := streamOf(s.Tags)
		if !ok {
			return nil
		}
		at, version := s.Column(timeColumn), s.Column(versionField)
		for _, row := range s.Values {
			sec, ok1 := influxdb.Int(row, at)
			v, ok2 := influxdb.Int(row, version)
			if !ok1 || !ok2 {
				continue
			}
			key := windowKey{st, moment{sp.kind, event.Time(sec) * event.Second}}
			k, ok := out[key]
			if !ok || k.version < v {
				k.version = v
			}
			out[key] = k
			if s.Name == replaced {
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
	st := stream{site: tags[siteTag]}
	if s := tags[shardTag]; s != "" {
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

func between(s span) string {
	return fmt.Sprintf("time >= %d AND time < %d", int64(s.from)*int64(time.Millisecond), int64(s.to)*int64(time.Millisecond))
}
