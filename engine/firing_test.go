package engine

import (
	"fmt"
	"strings"
	"testing"

	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/kafka"
)

// A minute of more sites than one record can name fires over several, and its hour too; no record grows beyond what brokers
// take, and progress comes when all has fired.
func TestManySites(t *testing.T) {
	sites, each, largest, rules := 65_000, 1000, kafka.MaxRecordBytes, Rules{EarlyEvery: -1}
	if !*thorough { // a tenth of it all
		sites, each, largest, rules.FiredBytes = sites/10, each/10, largest/10, rules.WithDefaults().FiredBytes/10
	}
	name := strings.Repeat("x", 240)
	c := NewCore(rules, derivetest.Deriver{})
	fired := map[window.Kind]int{}
	most, offset := 0, int64(0)
	var low event.Time
	step := func(value []byte) {
		d, dead := c.Step(0, offset, value)
		if dead != nil {
			t.Fatal(dead)
		}
		offset++
		most = max(most, len(d.Append(nil)))
		for _, f := range d.Fired {
			if f.Final {
				fired[f.Kind]++
			}
		}
		if d.Progress != 0 && d.Progress > base && low <= base {
			if fired[window.Minute] != sites {
				t.Errorf("progress after %d minutes", fired[window.Minute])
			}
		}
		low = max(low, d.Progress)
	}
	events := make([]event.Event, each)
	for from := 0; from < sites; from += each {
		for i := range events {
			events[i] = event.Event{Site: fmt.Sprintf("%s%05d", name, from+i), Time: base, Name: event.Pageview, Visitor: 1}
		}
		step(envelope("c1", base, events...))
	}
	hour := base.Floor(event.Hour)
	for at := base + event.Second; at < base+10*event.Minute; at += event.Second {
		step(envelope("c1", at))
	}
	for at := hour + event.Hour; at < hour+event.Hour+3*event.Minute; at += event.Second {
		step(envelope("c1", at))
	}
	for _, k := range []window.Kind{window.Minute, window.Hour, window.Visits} {
		if fired[k] != sites {
			t.Errorf("%d windows of kind %s are final, want %d", fired[k], k, sites)
		}
	}
	if whole := sites * (len(name) + 5); whole < largest || most > largest/2 {
		t.Errorf("a record has %d bytes, of a minute whose names take %d", most, whole)
	}
}
