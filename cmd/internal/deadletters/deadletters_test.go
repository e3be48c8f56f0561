package deadletters

import (
	"testing"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
)

// TestCheckReads: what this build can't read is left where it is, of either topic.
func TestCheckReads(t *testing.T) {
	one := event.Event{ID: "1", Site: "a.example", Name: event.Pageview, Time: 60_000, Received: 60_000, Visitor: 1, Client: "v1"}
	progress := window.Progress{Partition: 1, Low: 60_000, Offset: 7}.AppendLines(nil)
	f := func(topic string, value []byte, force, ok bool) {
		t.Helper()
		e := &deadletter.Entry{Letter: deadletter.Letter{Topic: topic, Partition: 1, Offset: 3, Value: value, Size: len(value)}, State: deadletter.Open}
		c := &Retry{Force: force}
		if err := c.check(e, nil); (err == nil) != ok {
			t.Errorf("%s %q, force %v: %v", topic, value, force, err)
		}
	}
	f(engine.EventsTopic, event.AppendEnvelope(nil, "c", 60_000, one.Append(nil)), false, true)
	f(engine.EventsTopic, progress, false, false)
	f(engine.EventsTopic, progress, true, true)
	f(engine.WindowsTopic, progress, false, true)
	f(engine.WindowsTopic, []byte("no line protocol"), false, false)
	f(engine.WindowsTopic, []byte("no line protocol"), true, true)
}

// TestPrintable: nothing from outside reaches a terminal as it is.
func TestPrintable(t *testing.T) {
	f := func(s string, most int, want string) {
		t.Helper()
		if got := Printable(s, most); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	f("plain \"text\" ü", 100, "plain \"text\" ü")
	f("\x1b[2J\n\u202e\xff", 100, `\x1b[2J\n\u202e\xff`)
	f("aüb", 2, "a…")
}
