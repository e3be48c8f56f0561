package pirsch

import (
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// What names the site in errors: of what a page sends its code, of a server's the address.
const (
	codePath = "identification_code"
	urlPath  = "url"
)

// kind is what happened.
type kind uint8

const (
	view kind = iota
	custom
	ping // the page is still open
)

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	keySite string
	now     event.Time
	server  bool // a server reports for its visitors
	unknown int  // events that no site has
}

// hit is a view, an event or a ping as it was sent.
type hit struct {
	code, url, title, referrer, name string
	width, height                    string
}

// query adds the event of a query.
func (rd *reader) query(k kind, args *fasthttp.Args) *protocol.FieldError {
	text := func(name string) string { return protocol.View(args.Peek(name)) }
	in, err := rd.add(k, &hit{
		code: text("code"), url: text("url"), title: text("t"), referrer: text("ref"), width: text("w"), height: text("h"),
	})
	if err != nil || k == ping {
		return err
	}
	for key, value := range args.All() {
		if tag, ok := strings.CutPrefix(protocol.View(key), "tag_"); ok {
			rd.LooseProp(tag, protocol.View(value))
		}
	}
	in.Props = rd.SortedProps()
	return nil
}

// body adds the event of a body, or those of a list of them. What is wrong with one of a list is its
// own matter, unless there is nothing else.
func (rd *reader) body(k kind, body []byte, batch bool) *protocol.FieldError {
	root, wrong := rd.Document(body)
	if wrong != nil {
		return wrong
	}
	if !batch {
		return rd.object(k, root)
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
	var first *protocol.FieldError
	rd.unknown, first = rd.AddEach(list, urlPath, func(v *strictjson.Value) *protocol.FieldError { return rd.object(k, v) })
	if len(rd.Inputs()) == 0 {
		return first
	}
	return nil
}

// object adds the event of an object.
func (rd *reader) object(k kind, v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("body", "a JSON %s, want an object", v.Type())
	}
	text := func(key string) string { return protocol.TextOf(obj.Get(key)) }
	h := hit{
		code: text("identification_code"), url: text("url"), title: text("title"), referrer: text("referrer"),
		name: text("event_name"), width: rd.ScalarOf(obj.Get("screen_width")), height: rd.ScalarOf(obj.Get("screen_height")),
	}
	if k == custom && strings.TrimSpace(h.name) == "" {
		return protocol.BadField("event_name", "is missing")
	}
	in, wrong := rd.add(k, &h)
	if wrong != nil {
		return wrong
	}
	if rd.server {
		in.Time = protocol.LooseTime(text("time"), rd.now)
		in.IP = protocol.LooseAddr(text("ip"))
		in.UA = identity.Clean(text("user_agent"), protocol.MaxUA)
		in.Language = protocol.FirstLanguage(text("accept_language"))
	}
	if k == ping {
		return nil
	}
	in.NonInteractive = k == custom && v.GetBool("non_interactive")
	rd.LooseData(in, obj.Get("event_meta"), rd.sites.Currency(in.Site))
	if duration := rd.ScalarOf(obj.Get("event_duration")); duration != "" && duration != "0" {
		rd.LooseProp("event_duration", duration)
	}
	if tags := obj.Get("tags").GetObject(); tags != nil {
		rd.LooseTree("", tags, nil)
	}
	in.Props = rd.SortedProps()
	return nil
}

// add adds an event but for its properties, of which the title is added.
func (rd *reader) add(k kind, h *hit) (*protocol.Input, *protocol.FieldError) {
	page := strings.TrimSpace(h.url)
	if protocol.CheckURL(page) != "" {
		page = ""
		rd.Adjust(protocol.FieldURL)
	}
	site, wrong := rd.site(h.code, protocol.HostOf(page))
	if wrong != nil {
		return nil, wrong
	}
	in := rd.Next()
	in.Site = site
	if in.URL = rd.LooseText(page, protocol.MaxURL, protocol.FieldURL); protocol.CheckURL(in.URL) != "" {
		in.URL = ""
	}
	in.Referrer = rd.LooseText(referrer(h.referrer), protocol.MaxURL, protocol.FieldReferrer)
	in.Screen = rd.LooseScreen(h.width, h.height)
	switch k {
	case view:
		in.Name = event.Pageview
	case custom:
		rd.NameEvent(in, h.name)
	case ping:
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = "session", true, true
		return in, nil
	}
	if h.title != "" {
		rd.LooseProp("title", h.title)
	}
	return in, nil
}

// site returns the site of an event. A server names it by the page, or by its key alone.
func (rd *reader) site(code, host string) (string, *protocol.FieldError) {
	site, ok := protocol.FindSite(rd.sites, code, host)
	switch {
	case ok:
		return site, nil
	case !rd.server:
		return "", protocol.NoSite(codePath, code, host)
	case rd.keySite != "":
		return rd.keySite, nil
	case host == "":
		return "", protocol.BadField(urlPath, "is missing or no address, and the write key is not for one site alone")
	}
	return "", protocol.BadField(urlPath, "its host %s is not a configured site, and the write key is not for one site alone", protocol.Quote(host))
}

// referrer returns a referrer, which the script has escaped before it is a text of JSON.
func referrer(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "%") || protocol.CheckURL(s) == "" {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil && protocol.CheckURL(plain) == "" {
		return plain
	}
	return s
}
