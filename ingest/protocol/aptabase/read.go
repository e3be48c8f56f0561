package aptabase

import (
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "App-Key"

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	head    *fasthttp.RequestHeader
	site    string
}

// body reads an event, or a list of them. What is wrong with one of a list is its own matter, unless
// there is nothing else.
func (rd *reader) body(body []byte, batch bool) *protocol.FieldError {
	token, host := strings.TrimSpace(protocol.View(rd.head.Peek(tokenPath))), protocol.HostOf(protocol.PageOrigin(rd.head))
	site, ok := protocol.FindSite(rd.sites, token, host)
	if !ok {
		return protocol.NoSite(tokenPath, token, host)
	}
	rd.site = site
	root, wrong := rd.Document(body)
	if wrong != nil {
		return wrong
	}
	if !batch {
		return rd.event(root)
	}
	list, err := root.Array()
	switch {
	case err != nil:
		return protocol.BadField("body", "a JSON %s, want a list", root.Type())
	case len(list) == 0:
		return protocol.BadField("body", "the list has no events")
	case len(list) > protocol.MaxEvents:
		return protocol.BadField("body", "%d events, at most %d are allowed", len(list), protocol.MaxEvents)
	}
	_, first := rd.AddEach(list, tokenPath, rd.event)
	if len(rd.Inputs()) == 0 {
		return first
	}
	return nil
}

// event adds an event.
func (rd *reader) event(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("body", "a JSON %s, want an object", v.Type())
	}
	name := protocol.TextOf(obj.Get("eventName"))
	if strings.TrimSpace(name) == "" {
		return protocol.BadField("eventName", "is missing")
	}
	timestamp := protocol.TextOf(obj.Get("timestamp"))
	system, props := obj.Get("systemProps"), obj.Get("props")
	in := rd.Next()
	in.Site = rd.site
	if rd.trusted {
		in.Time = protocol.LooseTime(timestamp, rd.now)
	}
	in.ID = rd.id(rd.ScalarOf(obj.Get("sessionId")), timestamp, name, props)
	in.URL = rd.LooseText(protocol.RefererPage(rd.head), protocol.MaxURL, protocol.FieldURL)
	in.Language = rd.LooseWhole(protocol.TextOf(system.Get("locale")), protocol.MaxLanguage, protocol.FieldLanguage, true)
	rd.NameEvent(in, name)
	nested := props != nil && props.Type() == strictjson.TypeString
	if nested {
		props = rd.Nested(props, 0, protocol.FieldProps)
	}
	rd.LooseData(in, props, rd.sites.Currency(in.Site))
	for _, key := range [...]string{"appVersion", "appBuildNumber", "osName", "osVersion", "deviceModel", "engineName", "engineVersion"} {
		if text := protocol.TextOf(system.Get(key)); text != "" {
			rd.LooseProp(key, text)
		}
	}
	if system.GetBool("isDebug") {
		rd.LooseProp("isDebug", "true")
	}
	if in.Props = rd.SortedProps(); nested {
		rd.Own(in)
	}
	return nil
}

// id returns an id by which an event is known that an app sends again, "" for one that does not
// say of which visit it is and when it was: apps send what they had no answer to once more, and have
// no ids. Visits and times are the app's own, of which the time is exact to a millisecond at least.
func (rd *reader) id(session, timestamp, name string, props *strictjson.Value) string {
	if session == "" || timestamp == "" {
		return ""
	}
	var d xxhash.Digest
	d.Reset()
	for _, s := range [...]string{session, timestamp, name} {
		_, _ = d.WriteString(s)
		_, _ = d.WriteString("\x00")
	}
	if props != nil {
		_, _ = d.WriteString(rd.Number(props)) // the text that it was sent as
	}
	return rd.Keep("aptabase-" + strconv.FormatUint(d.Sum64(), 16))
}
