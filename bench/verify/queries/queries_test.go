//go:build heavy

package queries

import (
	"slices"
	"strings"
	"testing"
	_ "time/tzdata" // so that the zones are there

	"millrace/engine/event"
)

// The traffic is a function of its seed, and has nothing that the recount can't know.
func TestTraffic(t *testing.T) {
	sites := makeSites(50)
	list, err := makeTraffic(1, 20_000, sites)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := makeTraffic(1, 20_000, sites); err != nil || !slices.Equal(list, again) {
		t.Error("one seed, two kinds of traffic")
	}
	if other, err := makeTraffic(2, 20_000, sites); err != nil || slices.Equal(list, other) {
		t.Error("two seeds, one kind of traffic")
	}
	saw := map[class]int{}
	delays, copies := 0, 0
	for i := range list {
		b := &list[i]
		is := classOf(b.person)
		saw[is]++
		lag := b.received - b.at
		if b.copyOf {
			copies++
		} else if lag > 45*event.Minute+3*event.Second && lag < 75*event.Minute {
			t.Errorf("an event is %d ms late: it depends on the watermark whether it counts", lag)
		}
		if lag > event.Hour {
			delays++
		}
		if is != late {
			if !b.copyOf && lag != 0 {
				t.Errorf("an event of class %d is late", is)
			}
			continue
		}
		if b.kind == ping || b.at.Floor(day) != (b.at-event.Hour).Floor(day) {
			t.Errorf("who is late sends a ping, or is there at midnight: %v", b.at)
		}
	}
	for is := range server + 1 {
		if saw[is] < 200 {
			t.Errorf("%d events of class %d", saw[is], is)
		}
	}
	if delays < 50 || copies < 200 {
		t.Errorf("%d events are too late, %d are copies", delays, copies)
	}
}

// Before an event that is too late all collectors have said what time it is.
func TestLog(t *testing.T) {
	sites := makeSites(5)
	list, err := makeTraffic(3, 5_000, sites)
	if err != nil {
		t.Fatal(err)
	}
	var lows [partitions]map[string]event.Time
	for p := range lows {
		lows[p] = map[string]event.Time{}
	}
	var d event.Decoder
	events := 0
	w := &writer{sites: sites, put: func(r record) error {
		var env event.Envelope
		if err := d.Decode(r.value, &env); err != nil {
			return err
		}
		events += len(env.Events)
		for i := range env.Events {
			e := &env.Events[i]
			if e.Received-e.Time <= event.Hour {
				continue
			}
			for c := range collectors {
				if low := lows[r.partition][collectorName(c)]; low-e.Time < 70*event.Minute {
					t.Errorf("%s has got to %v before an event of %v that is too late", collectorName(c), low, e.Time)
				}
			}
		}
		if env.Low < lows[r.partition][env.Collector] {
			t.Errorf("the low of %s goes back", env.Collector)
		}
		lows[r.partition][strings.Clone(env.Collector)] = env.Low
		return nil
	}}
	if err := w.write(list); err != nil {
		t.Fatal(err)
	}
	if events != len(list) {
		t.Errorf("%d events in the log, want %d", events, len(list))
	}
}
