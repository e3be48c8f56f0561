package all_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"millrace/engine/event"
	"millrace/internal/front"
)

// outcome is what has become of a request.
type outcome struct {
	answer *http.Response
	body   []byte
	events []event.Event
}

// whole shows everything but what each answer has and what depends on the time.
func (o *outcome) whole() string {
	var b strings.Builder
	fmt.Fprintln(&b, o.answer.Status)
	for _, name := range sortedKeys(o.answer.Header) {
		if name == "Date" || name == "Content-Length" {
			continue
		}
		for _, value := range o.answer.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	if len(o.body) > 0 {
		fmt.Fprintf(&b, "body: %s\n", text(o.body))
	}
	for i := range o.events {
		fmt.Fprintf(&b, "event: %s\n", encode(&o.events[i]))
	}
	return b.String()
}

// brief shows what differs among requests of one client: the answer in a line, and its events.
func (o *outcome) brief() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", o.answer.StatusCode)
	if len(o.body) > 0 && !bytes.HasPrefix(o.body, []byte("GIF89a")) {
		fmt.Fprintf(&b, " %s", text(o.body))
	}
	for _, name := range sortedKeys(o.answer.Header) {
		if strings.HasPrefix(name, "X-") || name == "Retry-After" {
			fmt.Fprintf(&b, ", %s: %s", name, strings.Join(o.answer.Header[name], ", "))
		}
	}
	b.WriteByte('\n')
	for i := range o.events {
		e := o.events[i]
		e.Received, e.Visitor, e.VisitorPrev = 0, 0, 0
		if !strings.HasSuffix(e.Client, event.ServerSuffix) {
			e.Client = ""
		}
		if e.Time == event.TimeOf(now) {
			e.Time = 0
		}
		if e.UA == userAgent {
			e.UA = ""
		}
		fmt.Fprintf(&b, "  %s\n", same.Replace(encode(&e)))
	}
	return b.String()
}

// same removes what all events have.
var same = strings.NewReplacer(`"id":"(new)",`, "", `,"ts":0`, "", `,"received":0`, "", `,"visitor":"0000000000000000"`, "")

// sortedKeys returns the names of the headers but for that of the request's id, which differs each
// time where a request is refused.
func sortedKeys(h http.Header) []string {
	names := slices.Sorted(maps.Keys(h))
	return slices.DeleteFunc(names, func(name string) bool { return name == front.RequestIDHeader })
}

// text shows a body in one line.
func text(body []byte) string {
	s := string(body)
	if bytes.ContainsFunc(body, func(r rune) bool { return r < 0x20 || r >= 0x7f }) {
		return strconv.Quote(s)
	}
	return s
}

// encode returns the JSON of an event, with "(new)" for what differs from run to run in an id that
// the collector has made.
func encode(e *event.Event) string {
	shown := *e
	repeat, _ := event.CutRepeat(e.ID)
	if strings.HasPrefix(e.ID[len(repeat):], collectorID+"-") {
		shown.ID = repeat + "(new)"
	}
	return string(shown.Append(nil))
}
