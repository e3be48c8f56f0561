package umami

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// maxEngaged is the longest time in use of an engagement, as Umami has it.
const maxEngaged = 24 * event.Hour

// reader makes events of payloads.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	page    bool // a page has made the request
	now     event.Time
	payload payload
	wrong   *protocol.FieldError // what is wrong with a field of it
}

// payload is a payload as it was sent.
type payload struct {
	website, url, hostname, referrer, title, language, screen, name, tag string
	user                                                                 string // id, which the page has set by identify
	address, userAgent                                                   string // of trusted callers
	timestamp, data, engagement                                          *strictjson.Value
	vitals                                                               [len(vitals)]*strictjson.Value
}

// vitals are the measurements of an event of the type performance.
var vitals = [...]string{"lcp", "inp", "cls", "fcp", "ttfb", "duration"}

// add adds an event, none for one with which something is wrong or that is none.
func (rd *reader) add(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("body", "a JSON %s, want an object", v.Type())
	}
	kind := protocol.View(obj.Get("type").GetStringBytes())
	switch kind {
	case "event", "performance", "engagement", "identify":
	case "":
		return protocol.BadField("type", "is missing")
	default:
		return protocol.BadField("type", "%s is none of event, identify, performance, engagement", protocol.Quote(kind))
	}
	in := obj.Get("payload")
	if in == nil || in.Type() != strictjson.TypeObject {
		return protocol.BadField("payload", "is no object")
	}
	rd.payload, rd.wrong = payload{}, nil
	in.GetObject().Visit(func(key []byte, v *strictjson.Value) { rd.field(string(key), v) })
	if rd.wrong != nil {
		return rd.wrong
	}
	return rd.event(kind)
}

// field reads a field of the payload.
func (rd *reader) field(key string, v *strictjson.Value) {
	p := &rd.payload
	switch key {
	case "website", "link", "pixel":
		if s := rd.string(v, protocol.FieldUnknown); s != "" {
			p.website = s
		}
	case "url":
		p.url = strings.TrimSpace(rd.string(v, protocol.FieldURL))
	case "hostname":
		p.hostname = strings.TrimSpace(rd.string(v, protocol.FieldURL))
	case "referrer":
		p.referrer = strings.TrimSpace(rd.string(v, protocol.FieldReferrer))
	case "title":
		p.title = strings.TrimSpace(plain(rd.string(v, protocol.FieldProps)))
	case "tag":
		p.tag = rd.string(v, protocol.FieldProps)
	case "language":
		p.language = rd.string(v, protocol.FieldLanguage)
	case "screen":
		p.screen = rd.string(v, protocol.FieldScreen)
	case "name":
		p.name = rd.name(v)
	case "data":
		p.data = v
	case "timestamp":
		p.timestamp = v
	case "ip":
		p.address = rd.string(v, protocol.FieldUnknown)
	case "userAgent":
		p.userAgent = rd.string(v, protocol.FieldUnknown)
	case "engagement":
		p.engagement = v
	case "id":
		p.user = rd.string(v, protocol.FieldUnknown)
	default:
		for i, name := range vitals {
			if key == name {
				p.vitals[i] = v
			}
		}
	}
}

// plain undoes the escaping of a title as Umami does, for whichever script has sent it: those of 2.10
// to 2.15 escape it.
func plain(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil && utf8.ValidString(plain) {
		return plain
	}
	return s
}

// once undoes the second of two escapings: "%25C3" is "%C3". The scripts of 2.10 to 2.15 escape
// addresses that are escaped; they are those that send a path, as do older ones, which escape nothing.
func once(s string) string {
	if !strings.Contains(s, "%25") {
		return s
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		if len(s) >= 5 && s[:3] == "%25" && isHex(s[3]) && isHex(s[4]) {
			b, s = append(b, '%', s[3], s[4]), s[5:]
			continue
		}
		b, s = append(b, s[0]), s[1:]
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// string returns a string that may be left out: null is "", and what is none is adjusted.
func (rd *reader) string(v *strictjson.Value, field protocol.Fields) string {
	if v.Type() == strictjson.TypeString {
		return protocol.View(v.GetStringBytes())
	}
	if v.Type() != strictjson.TypeNull {
		rd.Adjust(field)
	}
	return ""
}

// name returns the name of an event. One that is no text is an error: without a name it would be a
// view.
func (rd *reader) name(v *strictjson.Value) string {
	switch v.Type() {
	case strictjson.TypeString:
		return protocol.View(v.GetStringBytes())
	case strictjson.TypeNumber:
		return rd.Number(v)
	case strictjson.TypeNull:
		return ""
	}
	if rd.wrong == nil {
		rd.wrong = protocol.BadField("payload.name", "a JSON %s, want a string", v.Type())
	}
	return ""
}

// event adds the event of the payload.
func (rd *reader) event(kind string) *protocol.FieldError {
	p := &rd.payload
	if rd.page && strings.HasPrefix(p.url, "/") {
		p.url, p.referrer = once(p.url), once(p.referrer)
	}
	host := ""
	if p.hostname != "" {
		host = protocol.HostOf("https://" + p.hostname)
	}
	full := protocol.CheckURL(p.url) == ""
	if host == "" && full && p.url != "" {
		host = protocol.HostOf(p.url)
	}
	site, ok := protocol.FindSite(rd.sites, p.website, host)
	if !ok {
		return noSite(p.website, host)
	}
	at, addr, err := rd.privileged()
	if err != nil || kind == "identify" {
		return err
	}
	in := rd.Next()
	in.Site, in.Time, in.IP = site, at, addr
	in.SetClient(p.user)
	if rd.trusted {
		in.UA = identity.Clean(p.userAgent, protocol.MaxUA)
	}
	base := p.hostname
	if base == "" {
		base = site
	}
	in.URL = rd.LoosePage("https://"+base, p.url, protocol.FieldURL)
	in.HashRoute = strings.Contains(in.URL, "#")
	in.Referrer = rd.LoosePage("https://"+base, p.referrer, protocol.FieldReferrer)
	if in.Screen = p.screen; len(in.Screen) > protocol.MaxScreen || protocol.CheckScreen(in.Screen) != "" {
		in.Screen = ""
		rd.Adjust(protocol.FieldScreen)
	}
	if in.Language = p.language; protocol.CheckText(in.Language, protocol.MaxLanguage) != "" {
		in.Language = ""
		rd.Adjust(protocol.FieldLanguage)
	}
	rd.kind(in, kind)
	return nil
}

// noSite returns the error of a payload that is of no site.
func noSite(website, host string) *protocol.FieldError {
	what := "is missing"
	if website != "" {
		what = protocol.Quote(website) + " is no token of a site"
	}
	if host == "" {
		return protocol.BadField("payload.website", "%s, and there is no hostname or url whose host could be one", what)
	}
	return protocol.BadField("payload.website", "%s, and the page's host, %s, is not a configured site", what, protocol.Quote(host))
}

// privileged returns what only trusted callers send.
func (rd *reader) privileged() (at event.Time, addr netip.Addr, _ *protocol.FieldError) {
	p := &rd.payload
	timed := p.timestamp != nil && p.timestamp.Type() != strictjson.TypeNull
	if !rd.trusted && (timed || p.address != "") {
		return 0, addr, rd.withoutPrivileges()
	}
	if timed {
		n, err := p.timestamp.Int64()
		if err != nil {
			return 0, addr, protocol.BadField("payload.timestamp", "is not a whole number of seconds since 1970")
		}
		at = event.Time(min(max(n, -1<<40), 1<<40)) * event.Second
		if msg := protocol.CheckTime(at, rd.now, "seconds"); msg != "" {
			return 0, addr, protocol.BadField("payload.timestamp", "%s", msg)
		}
	}
	if p.address != "" {
		a, err := netip.ParseAddr(p.address)
		if err != nil {
			return 0, addr, protocol.BadField("payload.ip", "%s is not an IP address", protocol.Quote(p.address))
		}
		addr = a.Unmap().WithZone("")
	}
	return at, addr, nil
}

// withoutPrivileges refuses what only trusted callers may send where it would count visitors or days
// wrong, of a server whose author reads the answer. Of pages it is passed over, and so is a time that
// is as good as now.
func (rd *reader) withoutPrivileges() *protocol.FieldError {
	p := &rd.payload
	past := false
	if p.timestamp != nil {
		n, err := p.timestamp.Int64()
		past = err == nil && n < int64((rd.now-protocol.MaxDelay)/event.Second)
	}
	switch {
	case rd.page, p.address == "" && !past:
		rd.Adjust(protocol.FieldUnknown)
		return nil
	case past:
		return protocol.NotTrusted("payload.timestamp")
	}
	return protocol.NotTrusted("payload.ip")
}

// kind sets what an event has by its type: name, properties, and what a ping has.
func (rd *reader) kind(in *protocol.Input, kind string) {
	p := &rd.payload
	switch kind {
	case "engagement":
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = kind, true, true
		if p.engagement != nil {
			if n, ok := rd.LooseNumber(p.engagement, float64(maxEngaged), protocol.FieldEngagement); ok {
				in.Engaged = event.Time(n)
			}
		}
		return
	case "performance":
		in.Name, in.NonInteractive = kind, true
		for i, v := range p.vitals {
			if v != nil && v.Type() == strictjson.TypeNumber {
				rd.LooseProp(vitals[i], rd.Number(v))
			}
		}
	default:
		if in.Name = event.Pageview; p.name != "" {
			rd.NameEvent(in, p.name)
		}
		rd.LooseData(in, p.data, "")
	}
	if p.tag != "" {
		rd.LooseProp("tag", p.tag)
	}
	if p.title != "" {
		rd.LooseProp("title", p.title)
	}
	in.Props = rd.SortedProps()
}
