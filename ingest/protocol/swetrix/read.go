package swetrix

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "pid"

// kind is what happened.
type kind uint8

const (
	view kind = iota
	custom
	failure   // an error of a script
	heartbeat // the page is still open
)

// reader reads the event of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	head    *fasthttp.RequestHeader
}

// payload is an event as it was sent. The id of the visitor (profileId) is not among it: it becomes
// his identity when sites can choose that.
type payload struct {
	pid, page, query, language, referrer, name string
	campaign                                   protocol.Campaign
	meta                                       *strictjson.Value
	body                                       *strictjson.Object // of a failure
}

// event adds the event of a body.
func (rd *reader) event(k kind, root *strictjson.Value) *protocol.FieldError {
	obj, err := root.Object()
	if err != nil {
		return protocol.BadField("body", "a JSON %s, want an object", root.Type())
	}
	text := func(key string) string { return strings.TrimSpace(protocol.TextOf(obj.Get(key))) }
	p := payload{
		pid: text("pid"), page: text("pg"), query: text("qs"), language: text("lc"), referrer: text("ref"),
		meta: obj.Get("meta"), body: obj,
	}
	switch k {
	case custom:
		if p.name = text("ev"); p.name == "" {
			return protocol.BadField("ev", "is missing")
		}
	case failure:
		if text("name") == "" {
			return protocol.BadField("name", "is missing")
		}
	}
	if p.query == "" { // which has them otherwise
		p.campaign = protocol.Campaign{
			Source: spelling.Unescape(text("so")), Medium: spelling.Unescape(text("me")),
			Name: spelling.Unescape(text("ca")), Term: spelling.Unescape(text("te")), Content: spelling.Unescape(text("co")),
		}
		if p.campaign.Medium == "<gclid>" { // stands for a click's id, which is not sent
			p.campaign.Medium = "cpc"
		}
	}
	return rd.add(k, &p)
}

// add adds an event.
func (rd *reader) add(k kind, p *payload) *protocol.FieldError {
	origin := protocol.PageOrigin(rd.head)
	host := protocol.HostOf(origin)
	site, ok := protocol.FindSite(rd.sites, p.pid, host)
	if !ok {
		return protocol.NoSite(tokenPath, p.pid, host)
	}
	if origin == "" {
		origin = "https://" + site
	}
	in := rd.Next()
	in.Site = site
	if rd.trusted {
		rd.visitor(in)
	}
	in.URL = rd.url(origin, p)
	in.HashRoute = strings.Contains(in.URL, "#")
	in.Referrer = rd.LooseText(p.referrer, protocol.MaxURL, protocol.FieldReferrer)
	in.Language = rd.LooseWhole(p.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	rd.kind(in, k, p)
	return nil
}

// visitor sets who a trusted caller sends for.
func (rd *reader) visitor(in *protocol.Input) {
	in.IP = protocol.LooseAddr(protocol.View(rd.head.Peek("X-Client-IP-Address")))
	if in.IP.IsValid() {
		in.UA = identity.Clean(protocol.View(rd.head.UserAgent()), protocol.MaxUA)
	}
}

// url returns the address of the page: its path, to which the query belongs that is sent beside it.
func (rd *reader) url(origin string, p *payload) string {
	if p.page == "" {
		return rd.LooseText(protocol.RefererPage(rd.head), protocol.MaxURL, protocol.FieldURL)
	}
	page := p.page
	if p.query != "" && !strings.Contains(page, "?") {
		path, fragment := page, ""
		if i := strings.IndexByte(page, '#'); i >= 0 {
			path, fragment = page[:i], page[i:]
		}
		page = rd.Keep(path + "?" + p.query + fragment)
	}
	return rd.WithCampaign(rd.LoosePage(origin, page, protocol.FieldURL), p.campaign)
}

// kind sets what an event has by its kind.
func (rd *reader) kind(in *protocol.Input, k kind, p *payload) {
	switch k {
	case view:
		in.Name = event.Pageview
	case custom:
		rd.NameEvent(in, p.name)
	case failure:
		in.Name, in.NonInteractive = "error", true
		for _, key := range [...]string{"name", "message", "filename", "lineno", "colno", "stackTrace"} {
			if v := p.body.Get(key); v != nil {
				rd.LooseValue(key, v)
			}
		}
	case heartbeat:
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = "heartbeat", true, true
		return
	}
	rd.LooseData(in, p.meta, rd.sites.Currency(in.Site))
	in.Props = rd.SortedProps()
}
