package ingest

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// debugHeader has a request answered with what would be made of its events, which are not stored.
// Its value is "1", or debugUntrusted to be treated as any visitor is.
//
// Trusted callers alone may ask: what is shown tells how visitors are told apart and what sites
// leave out. A request of others is refused, and not taken as if it had not asked: it would be
// counted.
const (
	debugHeader    = "X-Millrace-Debug"
	debugUntrusted = "untrusted"
)

var (
	refuseDebug = &protocol.Refusal{Status: fasthttp.StatusForbidden, Reason: protocol.ReasonKey, Path: debugHeader,
		Msg: "is for senders with a write key (Authorization: Bearer KEY) and for programs on this machine; nothing is stored"}
	refuseDebugValue = &protocol.Refusal{Status: fasthttp.StatusBadRequest, Reason: protocol.ReasonInvalid, Path: debugHeader,
		Msg: "is neither 1 nor " + debugUntrusted + "; nothing is stored"}
)

// debugAnswer is what a sender is shown.
type debugAnswer struct {
	// Stored is false: nothing of it is.
	Stored   bool         `json:"stored"`
	Protocol string       `json:"protocol"`
	Trusted  bool         `json:"trusted"`
	Events   []debugEvent `json:"events"`
	// Unknown is how many events were left out because no site has them.
	Unknown int `json:"unknown_sites,omitempty"`
	// Adjusted are the fields that were cut or left out.
	Adjusted string `json:"adjusted,omitempty"`
}

// debugEvent is what becomes of one event.
type debugEvent struct {
	// Outcome is "would be stored" or "dropped".
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Site    string `json:"site"`
	Name    string `json:"name,omitempty"`
	Page    string `json:"page,omitempty"`
	// Event is as the log would have it, with the place that was looked up.
	Event json.RawMessage `json:"event,omitempty"`
}

// wantsDebug looks whether a request asks for it, and refuses one that may not.
func (r *request) wantsDebug() *protocol.Refusal {
	value := r.head.debug
	switch {
	case len(value) == 0:
		return nil
	case !r.who.trusted:
		return refuseDebug
	case string(value) == debugUntrusted:
		r.who.trusted, r.who.key, r.Trusted, r.KeySite, r.untrusted = false, nil, false, "", true
	case string(value) != "1":
		return refuseDebugValue
	}
	r.debug = true
	return nil
}

// explain answers with what would be made of the events of a request.
func (c *Collector) explain(e *endpoint, kept []protocol.Input, r *request) *protocol.Refusal {
	answer := debugAnswer{Protocol: e.client, Trusted: r.who.trusted, Events: []debugEvent{}, Unknown: r.Unknown, Adjusted: r.Parser.Adjusted().String()}
	for i := range r.left {
		l := &r.left[i]
		answer.Events = append(answer.Events, debugEvent{Outcome: "dropped", Reason: l.reason, Site: l.site, Name: l.name, Page: l.url})
	}
	from := c.sender(e, r)
	for i := range kept {
		in := &kept[i]
		if !in.Complete(c.identity, ruleOf(r.sites.of(in).policy, r.objects(in)), &from, nil, r.Now) {
			return refuseSalt
		}
		in.Received = r.Now
		if in.Time == 0 {
			in.Time = r.Now
		}
		if in.ID == "" {
			in.ID = "(new)"
		}
		answer.Events = append(answer.Events, debugEvent{Outcome: "would be stored", Site: in.Site, Name: in.Name, Event: in.Append(nil)})
	}
	r.Ctx.Response.Header.Set("Cache-Control", "no-store")
	protocol.WriteJSON(r.Ctx, fasthttp.StatusOK, &answer)
	return nil
}
