package derivetest

import (
	"millrace/engine/event"
	"millrace/engine/window"
)

// Uncounted is the reason of a bot that no family counts.
const Uncounted = "uncounted"

// Deriver implements engine.Deriver.
type Deriver struct{}

// Row implements engine.Deriver.
func (Deriver) Row(e *event.Event, r *window.Row) {
	*r = window.Row{Visitor: e.Visitor}
	if e.Name == event.Pageview {
		r.Flags |= window.PageviewRow
	}
	if e.Bot != "" {
		r.Flags |= window.BotRow
		r.Dims[window.Reason] = e.Bot
		if e.Bot == Uncounted {
			r.Flags |= window.UncountedRow
		}
	}
	r.Dims[window.Page] = e.URL
	r.Dims[window.Name] = e.Name
}

// Origin implements engine.Deriver.
func (Deriver) Origin(e *event.Event, r *window.Row) { r.Dims[window.Country] = e.Country }
