package matomo

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// reader makes events of hits.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	page    bool   // a page has made the request
	referer string // the header, of a request of one hit
	own     bool   // the strings of a hit don't live as long as its event
	hit     hit
}

// add adds the event of the hit. It adds none for one that is not to be recorded, and for one with
// which something is wrong.
func (rd *reader) add() *protocol.FieldError {
	h := &rd.hit
	if !h.recorded {
		return nil
	}
	if err := rd.withoutPrivileges(); err != nil {
		return err
	}
	if h.url == "" && h.referrer == "" {
		h.url = rd.referer
	}
	url := rd.url(h.url)
	site, err := rd.site(url)
	if err != nil {
		return err
	}
	at, addr, err := rd.privileged()
	if err != nil {
		return err
	}
	in := rd.Next()
	in.Site, in.URL, in.Time, in.IP = site, url, at, addr
	if rd.trusted {
		in.UA = identity.Clean(h.userAgent, protocol.MaxUA)
	}
	in.Referrer = rd.LooseText(strings.TrimSpace(h.referrer), protocol.MaxURL, protocol.FieldReferrer)
	if h.screen != "" {
		if in.Screen = h.screen; len(in.Screen) > protocol.MaxScreen || protocol.CheckScreen(in.Screen) != "" {
			in.Screen = ""
			rd.Adjust(protocol.FieldScreen)
		}
	}
	in.Language = rd.language(h.language)
	rd.name(in)
	rd.props(in)
	in.SetClient(h.given, h.client, h.user)
	var id [32]byte
	in.ID = rd.Keep(protocol.View(h.id(id[:0])))
	if rd.own {
		rd.Own(in)
	}
	return nil
}

// withoutPrivileges takes from a hit of a caller who is not trusted what only trusted ones may send.
// One of a server is refused, whose author reads the answer: its visitors or days would be wrong. A
// page can't mend it, and apps send the time of each hit, which is as good as now.
func (rd *reader) withoutPrivileges() *protocol.FieldError {
	h := &rd.hit
	if rd.trusted || h.address == "" && h.time == "" {
		return nil
	}
	at, ok := parseTime(h.time)
	past := ok && at < rd.now-protocol.MaxDelay
	switch {
	case rd.page, h.address == "" && !past:
		rd.Adjust(protocol.FieldUnknown)
		h.address, h.time = "", ""
		return nil
	case h.address != "":
		return protocol.NotTrusted("cip")
	}
	return protocol.NotTrusted("cdt")
}

// url returns an address of a page, "" for what is none.
func (rd *reader) url(s string) string {
	s = rd.LooseText(strings.TrimSpace(s), protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(s) != "" {
		rd.Adjust(protocol.FieldURL)
		return ""
	}
	return s
}

// site returns the site of the hit: the one of idsite, otherwise that of the page.
func (rd *reader) site(url string) (string, *protocol.FieldError) {
	host := ""
	if url != "" {
		host = protocol.HostOf(url)
	}
	site, ok := protocol.FindSite(rd.sites, rd.hit.idsite, host)
	if ok {
		return site, nil
	}
	what := "is missing"
	if rd.hit.idsite != "" {
		what = protocol.Quote(rd.hit.idsite) + " is no token of a site"
	}
	if host == "" {
		return "", protocol.BadField("idsite", "%s, and there is no url whose host could be one", what)
	}
	return "", protocol.BadField("idsite", "%s, and the host of url, %s, is not a configured site", what, protocol.Quote(host))
}

// privileged returns what only trusted callers send.
func (rd *reader) privileged() (at event.Time, addr netip.Addr, _ *protocol.FieldError) {
	h := &rd.hit
	if h.time != "" {
		var ok bool
		if at, ok = parseTime(h.time); !ok {
			return 0, addr, protocol.BadField("cdt", "%s is neither seconds since 1970 nor a time in UTC such as 2026-01-31 12:00:00", protocol.Quote(h.time))
		}
		if msg := protocol.CheckTime(at, rd.now, "seconds"); msg != "" {
			return 0, addr, protocol.BadField("cdt", "%s", msg)
		}
	}
	if h.address != "" {
		a, err := netip.ParseAddr(h.address)
		if err != nil {
			return 0, addr, protocol.BadField("cip", "%s is not an IP address", protocol.Quote(h.address))
		}
		addr = a.Unmap().WithZone("")
	}
	return at, addr, nil
}

// parseTime reads a time in either form of cdt.
func parseTime(s string) (event.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return event.Time(min(max(n, -1<<40), 1<<40)) * event.Second, true
	}
	t, err := time.Parse(time.DateTime, s)
	return event.TimeOf(t), err == nil
}

// language returns the first tag of a list of languages.
func (rd *reader) language(s string) string {
	if i := strings.IndexAny(s, ",;"); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimSpace(s)
	if protocol.CheckText(s, protocol.MaxLanguage) != "" {
		rd.Adjust(protocol.FieldLanguage)
		return ""
	}
	return s
}

// name names the event.
func (rd *reader) name(in *protocol.Input) {
	h := &rd.hit
	goal, err := strconv.Atoi(h.goal)
	switch {
	case h.ping, h.plugin:
		rd.ping(in)
	case err == nil && goal > 0:
		in.Name = rd.Keep("goal " + strconv.Itoa(goal))
	case err == nil && goal == 0 && h.order != "":
		in.Name = "ecommerce order"
	case err == nil && goal == 0:
		in.Name = "ecommerce cart update"
	case h.category != "" && h.action != "":
		in.Name = rd.LooseName(h.action)
		if in.Name == "" || in.Name == event.Pageview { // which would count as a view
			in.Name = "event"
			rd.LooseProp("e_a", h.action)
		}
	case h.content != "" && h.interaction != "":
		in.Name = "content interaction"
	case h.content != "":
		in.Name, in.NonInteractive = "content impression", true
	case h.download != "":
		in.Name = "download"
	case h.link != "":
		in.Name = "outlink"
	case h.search != "":
		in.Name = "search"
	case h.custom:
		rd.ping(in) // of a plugin that is not known here
	default:
		in.Name = event.Pageview
	}
}

// ping makes the event a report on a page that is open.
func (rd *reader) ping(in *protocol.Input) {
	// Non-interactive for engines of before pings, which take it for an event.
	in.Name, in.Ping, in.NonInteractive = "ping", true, true
}

// props sets the properties of the event. A ping has none.
func (rd *reader) props(in *protocol.Input) {
	h := &rd.hit
	if in.Ping {
		return
	}
	for _, p := range h.props {
		rd.LooseProp(p.Key, p.Value)
	}
	rd.revenue(in)
	if title := strings.TrimSpace(h.title); title != "" {
		rd.LooseProp("title", title)
	}
	for _, text := range h.cvars {
		if text != "" {
			rd.variables(text)
		}
	}
	in.Props = rd.SortedProps()
}

// revenue sets the revenue of a goal or an order, whose currency is the site's. Without one, and of
// a cart, the amount is a property.
func (rd *reader) revenue(in *protocol.Input) {
	h := &rd.hit
	if h.revenue == "" {
		return
	}
	currency := rd.sites.Currency(in.Site)
	if goal, err := strconv.Atoi(h.goal); currency != "" && err == nil && (goal > 0 || h.order != "") {
		rd.SetRevenue(in, h.revenue, currency)
		if !rd.Forgiven(protocol.FieldRevenue) {
			return
		}
	}
	rd.LooseProp("revenue", h.revenue)
}

// variables adds custom variables, {"1":["name","value"]}.
func (rd *reader) variables(text string) {
	v := rd.NestedText([]byte(text), 0, protocol.FieldProps)
	if v == nil {
		return
	}
	pair := func(v *strictjson.Value) {
		list := v.GetArray()
		if len(list) != 2 {
			rd.Adjust(protocol.FieldProps)
			return
		}
		// The next call of Nested overwrites what this one has read.
		name, value := rd.Keep(rd.text(list[0])), rd.Keep(rd.text(list[1]))
		if name != "" && value != "" {
			rd.LooseProp(name, value)
		}
	}
	switch v.Type() {
	case strictjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, v *strictjson.Value) { pair(v) })
	case strictjson.TypeArray:
		for _, v := range v.GetArray() {
			pair(v)
		}
	default:
		rd.Adjust(protocol.FieldProps)
	}
}

// text returns the text of a value.
func (rd *reader) text(v *strictjson.Value) string {
	switch v.Type() {
	case strictjson.TypeNull:
		return ""
	case strictjson.TypeString:
		return protocol.View(v.GetStringBytes())
	}
	return rd.Number(v)
}
