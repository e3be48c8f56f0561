package sensors

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "project"

// maxStay is the longest time in use of a ping.
const maxStay = 24 * event.Hour

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	token   string
	origin  string // of the page, as the browser names it
	unknown int    // events that no site has
}

// events adds the events of a text. What is wrong with one of them is its own matter, unless there
// is nothing else.
func (rd *reader) events(data []byte) *protocol.FieldError {
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return protocol.BadField("data", "is missing, and so is data_list")
	}
	if data[0] != '{' && data[0] != '[' {
		plain, err := rd.Base64(protocol.View(data))
		if err != nil {
			return protocol.BadField("data", "is neither JSON nor JSON in base64")
		}
		data = plain
	}
	root, wrong := rd.Document(data)
	if wrong != nil {
		return wrong
	}
	one := [1]*strictjson.Value{root}
	list := one[:]
	if root.Type() == strictjson.TypeArray {
		list = root.GetArray()
	}
	switch {
	case len(list) == 0:
		return protocol.BadField("data_list", "has no events")
	case len(list) > protocol.MaxEvents:
		return protocol.BadField("data_list", "%d events, at most %d are allowed", len(list), protocol.MaxEvents)
	}
	refused := 0
	unknown, first := rd.AddEach(list, tokenPath, func(v *strictjson.Value) *protocol.FieldError {
		err := rd.event(v)
		if err != nil {
			refused++
		}
		return err
	})
	if refused == len(list) {
		return first
	}
	rd.unknown = unknown
	return nil
}

// event adds an event, none for one that is not kept.
func (rd *reader) event(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("data", "a JSON %s, want an object", v.Type())
	}
	switch kind := protocol.TextOf(obj.Get("type")); kind {
	case "track":
	case "":
		return protocol.BadField("type", "is missing")
	default:
		return nil
	}
	name := protocol.TextOf(obj.Get("event"))
	if strings.TrimSpace(name) == "" {
		return protocol.BadField("event", "is missing")
	}
	props := obj.Get("properties")
	url := address(props.Get("$url"))
	host := protocol.HostOf(url)
	if url == "" {
		host = protocol.HostOf(rd.origin)
	}
	site, ok := protocol.FindSite(rd.sites, rd.token, host)
	if !ok {
		return protocol.NoSite(tokenPath, rd.token, host)
	}
	anonymous, distinct := rd.ScalarOf(obj.Get("anonymous_id")), rd.ScalarOf(obj.Get("distinct_id"))
	in := rd.Next()
	in.Site = site
	in.SetClient(anonymous, distinct)
	if rd.trusted {
		in.Time, in.IP = rd.time(obj.Get("time")), protocol.LooseAddr(protocol.TextOf(props.Get("$ip")))
	}
	in.ID = rd.id(name, anonymous, distinct, rd.ScalarOf(obj.Get("time")), rd.ScalarOf(obj.Get("_track_id")))
	in.URL = rd.LooseText(url, protocol.MaxURL, protocol.FieldURL)
	in.Referrer = rd.LooseText(address(props.Get("$referrer")), protocol.MaxURL, protocol.FieldReferrer)
	in.Screen = rd.LooseScreen(rd.ScalarOf(props.Get("$screen_width")), rd.ScalarOf(props.Get("$screen_height")))
	rd.kind(in, name, props)
	return nil
}

// address returns an address, "" for the words that the library has where there is none.
func address(v *strictjson.Value) string {
	s := strings.TrimSpace(protocol.TextOf(v))
	if protocol.CheckURL(s) != "" {
		return ""
	}
	return s
}

// time returns when an event was, 0 for what is no time in milliseconds.
func (rd *reader) time(v *strictjson.Value) event.Time {
	if v == nil {
		return 0
	}
	n, err := v.Float64()
	if err != nil || !(math.Abs(n) < 1e15) || protocol.CheckTime(event.Time(n), rd.now, "milliseconds") != "" {
		return 0
	}
	return event.Time(n)
}

// id returns an id by which an event is known that is sent again, "" for one that does not say which
// it is: _track_id alone is a number that two visitors can have.
func (rd *reader) id(name, anonymous, distinct, at, track string) string {
	if at == "" || track == "" || anonymous == "" && distinct == "" {
		return ""
	}
	var d xxhash.Digest
	d.Reset()
	for _, s := range [...]string{name, anonymous, distinct, at, track} {
		_, _ = d.WriteString(s)
		_, _ = d.WriteString("\x00")
	}
	return rd.Keep("sensors-" + strconv.FormatUint(d.Sum64(), 16))
}

// kind sets what an event has by its name.
func (rd *reader) kind(in *protocol.Input, name string, props *strictjson.Value) {
	switch name {
	case "$pageview":
		in.Name = event.Pageview
	case "$WebStay", "$WebPageLeave":
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = name, true, true
		if v := props.Get("event_duration"); v != nil {
			if seconds, err := v.Float64(); err == nil && seconds > 0 {
				in.Engaged = event.Time(min(seconds*float64(event.Second), float64(maxStay)))
			}
		}
		return
	default:
		rd.NameEvent(in, name)
		in.NonInteractive = strings.HasPrefix(name, "$")
	}
	if title := protocol.TextOf(props.Get("$title")); title != "" {
		rd.LooseProp("title", title)
	}
	if obj := props.GetObject(); obj != nil {
		currency := protocol.CurrencyOf(rd.sites, in.Site, protocol.TextOf(obj.Get("currency")))
		paid := rd.LooseRevenue(in, obj.Get("revenue"), currency)
		rd.LooseTree("", obj, func(key string) bool {
			return paid && (key == "revenue" || key == "currency") || strings.HasPrefix(key, "$") && !isElement(key)
		})
	}
	in.Props = rd.SortedProps()
}

// isElement reports whether a property says what was clicked.
func isElement(key string) bool {
	switch key {
	case "$element_type", "$element_id", "$element_name", "$element_class_name", "$element_target_url", "$element_content":
		return true
	}
	return false
}
