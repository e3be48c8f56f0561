package amplitude

import (
	"strings"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "api_key"

// own is how the names of what the trackers find out by themselves begin.
const own = "[Amplitude] "

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	page    bool // a page makes the request
	now     event.Time
	token   string
	server  bool // the library is not one of pages
	unknown int  // events that no site has
	payload payload
}

// payload is an event as it was sent. Its session's id is not among it.
type payload struct {
	device, user                                   string // device_id, user_id
	kind, id, library, language, platform, version string
	address, userAgent                             string // of trusted callers
	time                                           *strictjson.Value
	properties, groups, users                      *strictjson.Object
	sale, ownSale                                  sale // of the event, and of its properties

	url, location, previous, referrer, title string // of the properties
}

// event adds an event, none for one that is not kept.
func (rd *reader) event(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("events", "a JSON %s, want an object", v.Type())
	}
	p := &rd.payload
	*p = payload{}
	obj.Visit(func(key []byte, v *strictjson.Value) { rd.field(protocol.View(key), v) })
	switch strings.TrimSpace(p.kind) {
	case "":
		return protocol.BadField("event_type", "is missing")
	case "session_start", "session_end", "$identify", "$groupidentify", own + "Replay Captured":
		return nil
	}
	p.properties.Visit(func(key []byte, v *strictjson.Value) { rd.property(protocol.View(key), v) })
	if !rd.page && !strings.HasPrefix(p.library, "amplitude-ts/") && !strings.HasPrefix(p.library, "amplitude-js/") {
		rd.server = true
	}
	url := strings.TrimSpace(p.location)
	if url == "" {
		url = strings.TrimSpace(p.url)
	}
	if protocol.CheckURL(url) != "" {
		url = ""
		rd.Adjust(protocol.FieldURL)
	}
	host := protocol.HostOf(url)
	site, ok := protocol.FindSite(rd.sites, rd.token, host)
	if !ok {
		return protocol.NoSite(tokenPath, rd.token, host)
	}
	in := rd.Next()
	in.Site = site
	in.SetClient(p.device, p.user)
	in.URL = rd.LooseText(url, protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(in.URL) != "" {
		in.URL = ""
	}
	if p.previous == "" {
		p.previous = p.referrer
	}
	in.Referrer = rd.LooseText(strings.TrimSpace(p.previous), protocol.MaxURL, protocol.FieldReferrer)
	in.ID = rd.LooseID(p.id)
	in.Language = rd.LooseWhole(p.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	rd.privileged(in)
	rd.kind(in)
	return nil
}

// field reads a field of the event.
func (rd *reader) field(key string, v *strictjson.Value) {
	p := &rd.payload
	switch key {
	case "event_type":
		p.kind = protocol.TextOf(v)
	case "device_id":
		p.device = rd.ScalarOf(v)
	case "user_id":
		p.user = rd.ScalarOf(v)
	case "insert_id":
		p.id = rd.ScalarOf(v)
	case "library":
		p.library = protocol.TextOf(v)
	case "language":
		p.language = protocol.TextOf(v)
	case "platform":
		p.platform = protocol.TextOf(v)
	case "app_version":
		p.version = rd.ScalarOf(v)
	case "ip":
		p.address = protocol.TextOf(v)
	case "user_agent":
		p.userAgent = protocol.TextOf(v)
	case "time":
		p.time = v
	case "event_properties":
		p.properties = rd.object(v)
	case "groups":
		p.groups = rd.object(v)
	case "user_properties":
		p.users = rd.object(v)
	case "revenue":
		p.sale.revenue = rd.ScalarOf(v)
	case "price":
		p.sale.price = rd.ScalarOf(v)
	case "quantity":
		p.sale.quantity = rd.ScalarOf(v)
	case "currency":
		p.sale.currency = protocol.TextOf(v)
	case "productId":
		p.sale.product = rd.ScalarOf(v)
	case "revenueType":
		p.sale.kind = rd.ScalarOf(v)
	}
}

// object returns an object of properties, nil for none.
func (rd *reader) object(v *strictjson.Value) *strictjson.Object {
	obj := v.GetObject()
	if obj == nil && v.Type() != strictjson.TypeNull {
		rd.Adjust(protocol.FieldProps)
	}
	return obj
}

// property reads an event's property that is a column, or a part of what it has earned.
func (rd *reader) property(key string, v *strictjson.Value) {
	p := &rd.payload
	switch key {
	case own + "Page Location":
		p.location = protocol.TextOf(v)
	case own + "Page URL":
		p.url = protocol.TextOf(v)
	case own + "Page Title":
		p.title = protocol.TextOf(v)
	case own + "Previous Page Location":
		p.previous = protocol.TextOf(v)
	case "referrer":
		p.referrer = protocol.TextOf(v)
	case "$revenue":
		p.ownSale.revenue = rd.ScalarOf(v)
	case "$price":
		p.ownSale.price = rd.ScalarOf(v)
	case "$quantity":
		p.ownSale.quantity = rd.ScalarOf(v)
	case "$currency":
		p.ownSale.currency = protocol.TextOf(v)
	}
}

// privileged sets what only trusted callers may.
func (rd *reader) privileged(in *protocol.Input) {
	p := &rd.payload
	if !rd.trusted {
		return
	}
	in.UA = identity.Clean(p.userAgent, protocol.MaxUA)
	in.IP = protocol.LooseAddr(p.address) // "$remote" is none: the sender's own
	if p.time == nil {
		return
	}
	if n, err := p.time.Int64(); err == nil && protocol.CheckTime(event.Time(n), rd.now, "milliseconds") == "" {
		in.Time = event.Time(n)
	}
}

// kind sets what an event has by its type.
func (rd *reader) kind(in *protocol.Input) {
	p := &rd.payload
	switch p.kind {
	case own + "Page Viewed":
		in.Name = event.Pageview
	case own + "Viewport Content Updated", own + "Application Backgrounded":
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = p.kind, true, true
		return
	default:
		rd.NameEvent(in, p.kind)
		in.NonInteractive = passive(p.kind)
	}
	if p.title != "" {
		rd.LooseProp("title", p.title)
	}
	earned := rd.sale(in, &p.sale)
	if !earned {
		earned = rd.earn(in, &p.ownSale) // what it is of remains properties
	}
	skip := func(key string, found bool) bool {
		return strings.HasPrefix(key, own) != found || earned && (key == "$revenue" || key == "$currency") || passedOver(key, in.URL != "")
	}
	rd.tree(p.properties, func(key string) bool { return skip(key, false) })
	rd.tree(p.groups, nil)
	rd.tree(p.users, func(key string) bool { return strings.HasPrefix(key, "$") }) // operations
	if p.version != "" {
		rd.LooseProp("app_version", p.version)
	}
	if p.platform != "" && p.platform != "Web" {
		rd.LooseProp("platform", p.platform)
	}
	rd.tree(p.properties, func(key string) bool { return skip(key, true) })
	in.Props = rd.SortedProps()
}

// tree adds the properties of an object, nil for none.
func (rd *reader) tree(obj *strictjson.Object, skip func(key string) bool) {
	if obj != nil {
		rd.LooseTree("", obj, skip)
	}
}

// passive reports whether an event is no sign of the visitor's doing.
func passive(kind string) bool {
	switch kind {
	case own + "Web Vitals", own + "Network Request", own + "Error Logged", own + "Main Thread Block",
		"$exposure", "[Experiment] Exposure", "[Experiment] Assignment":
		return true
	}
	return false
}

// passedOver reports whether a property is a column, or said by the page itself.
func passedOver(key string, paged bool) bool {
	switch key {
	case own + "Page Location", own + "Page URL", own + "Page Title", own + "Previous Page Location",
		own + "Page Domain", own + "Page Path", own + "Page View ID", own + "Page Counter", own + "Previous Page Type",
		"referrer", "referring_domain":
		return true
	}
	return paged && strings.HasPrefix(key, "utm_")
}
