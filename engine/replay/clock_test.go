package replay

import (
	"fmt"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
)

// A lone collector's clock is ahead for five minutes and then set right: what it stamps has the
// clock's time, its low does not go back, and every third event is sent again two minutes later,
// across both steps. Nothing is lost and nothing counts twice, in the stream (within the lateness)
// and in a replay, which also mends what was dropped.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	for _, jump := range []event.Time{40 * event.Minute, 3 * event.Hour} {
		t.Run(fmt.Sprint(int64(jump/event.Minute), " min ahead"), func(t *testing.T) {
			s, unique, sent := aheadStream(t, jump)
			n := s.counts
			if n.Events != uint64(sent) || n.Duplicates != uint64(sent-unique) || n.OnTime+n.Late+n.Dropped != uint64(unique) {
				t.Errorf("of %d events, %d of them unique: %+v", sent, unique, n)
			}
			within := jump < event.Hour
			if within != (n.Dropped == 0) || n.Late+n.Dropped < 100 {
				t.Errorf("%+v", n)
			}
			store := &memStore{windows: s.windows}
			o := Options{Lake: s.mustArchive(t), Reader: store, Sink: store, Limit: streamLimit, Partitions: partitions, Mode: Verify}
			rep := mustRun(t, o)
			if within != (rep.Differing == 0) || rep.Events != int64(unique) {
				t.Errorf("the replay finds %d differences, and %d events; want %d: %v", rep.Differing, rep.Events, unique, rep.Differences[:min(3, len(rep.Differences))])
			}
			o.Mode = Write
			mustRun(t, o)
			if got := minutes(store.windows); got != int64(unique) {
				t.Errorf("the minutes have %d events in the end, want %d", got, unique)
			}
		})
	}
}

// minutes returns how many events the windows of minutes hold.
func minutes(windows map[storeID]*window.Window) (events int64) {
	for id, w := range windows {
		for i := range w.Points {
			if id.kind == window.Minute && w.Points[i].Family == window.Totals {
				events += w.Points[i].Events
			}
		}
	}
	return events
}

// aheadStream is half an hour of a collector whose clock is ahead from minute 10 to 15, counted by
// the engine.
func aheadStream(t *testing.T, jump event.Time) (s *stream, unique, sent int) {
	t.Helper()
	s = &stream{windows: map[storeID]*window.Window{}}
	of := event.Partition("b.example", 0, partitions)
	low, all := event.Time(0), []event.Event(nil)
	write := func(now event.Time, list ...event.Event) {
		low = max(low, now)
		var b []byte
		for i := range list {
			list[i].Received = now
			if i > 0 {
				b = append(b, ',')
			}
			b = list[i].Append(b)
		}
		for p := range s.logs {
			if len(list) == 0 {
				s.logs[p] = append(s.logs[p], event.AppendEnvelope(nil, "c1", low, nil))
			}
		}
		if len(list) > 0 {
			s.logs[of] = append(s.logs[of], event.AppendEnvelope(nil, "c1", low, b))
		}
		sent += len(list)
	}
	start := noon + event.Minute
	for at := event.Time(0); at < 30*event.Minute; at += event.Second {
		now := start + at
		if at >= 10*event.Minute && at < 15*event.Minute {
			now += jump
		}
		if at%(5*event.Second) == 0 {
			e := event.Event{
				ID: fmt.Sprint("e", at), Site: "b.example", Name: event.Pageview, URL: "https://b.example/", Client: "v1.server",
				Time: now, Visitor: event.Visitor(at/event.Minute + 1), UA: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0",
			}
			all = append(all, e)
			unique++
			write(now, e)
			if n := len(all) - 24; n >= 0 && n%3 == 0 { // again, with a time of its own
				again := all[n]
				again.Time = now
				write(now, again)
			}
		}
		write(now)
	}
	for i := range event.Time(lastTicks) {
		write(start + 50*event.Hour + i*10*event.Minute)
	}
	s.count(t, engine.Rules{EarlyEvery: event.Minute})
	return s, unique, sent
}
