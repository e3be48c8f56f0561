package countly

import (
	"math"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

const (
	// appKey is the parameter that names the site, also in errors.
	appKey = "app_key"
	// own is how the keys of events begin that SDKs make by themselves.
	own = "[CLY]_"
	// maxEngaged is the longest time in use, in seconds: a day.
	maxEngaged = 86_400
)

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	origin  string // of the page that sends, "" for none
	unknown int    // events that no site has
	call    call
}

// call is what a request of an SDK's queue says of all that is in it.
type call struct {
	token, address, agent string
	device                string
	at                    event.Time // 0 if not known
	sum                   uint64     // of what it says, 0 if the same may be meant twice: it has no time in ms
}

// read reads a request.
func (r *reader) read(form *fasthttp.Args) *protocol.FieldError {
	list := form.Peek("requests")
	if list == nil {
		return r.form(form)
	}
	root, err := r.Document(list)
	if err != nil {
		return err
	}
	calls, wrong := root.Array()
	if wrong != nil || len(calls) > protocol.MaxEvents {
		return protocol.BadField("requests", "is no list of at most %d requests", protocol.MaxEvents)
	}
	one := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(one)
	unknown, first := r.AddEach(calls, appKey, func(v *strictjson.Value) *protocol.FieldError {
		one.Reset()
		form.CopyTo(one)
		one.Del("requests")
		obj, err := v.Object()
		if err != nil {
			return protocol.BadField("requests", "has a JSON %s, want objects", v.Type())
		}
		obj.Visit(func(key []byte, v *strictjson.Value) {
			if v.Type() == strictjson.TypeString {
				one.SetBytesV(protocol.View(key), v.GetStringBytes())
			} else {
				one.SetBytesV(protocol.View(key), v.Append(nil))
			}
		})
		return r.form(one)
	})
	r.unknown += unknown
	if len(r.Inputs()) == 0 {
		return first
	}
	return nil
}

// form adds the events of a request of an SDK's queue.
func (r *reader) form(form *fasthttp.Args) *protocol.FieldError {
	text := func(name string) string { return r.Keep(protocol.View(form.Peek(name))) }
	r.call = call{token: text(appKey), address: text("ip_address"), device: text("device_id")}
	if r.call.token == "" {
		return protocol.BadField(appKey, "is missing")
	}
	r.call.at = r.time(text("timestamp"))
	r.metrics(form.Peek("metrics"))
	if len(form.Peek("timestamp")) >= len("1772600767000") {
		r.call.sum = sumOf(form)
	}
	if err := r.events(form.Peek("events")); err != nil {
		return err
	}
	if err := r.crash(form.Peek("crash")); err != nil {
		return err
	}
	if !form.Has("session_duration") && !form.Has("end_session") {
		return nil
	}
	in, err := r.next("")
	if err != nil {
		return err
	}
	in.Name = "session_duration"
	r.ping(in)
	return nil
}

// sumOf returns a hash of what a call says that is the same each time it is sent.
func sumOf(form *fasthttp.Args) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, name := range [...]string{appKey, "device_id", "timestamp", "events", "crash"} {
		_, _ = d.Write(form.Peek(name))
		_, _ = d.WriteString("\n")
	}
	return d.Sum64()
}

// metrics reads what is known of the device, of which the user agent is taken.
func (r *reader) metrics(text []byte) {
	if !r.trusted || len(text) == 0 {
		return
	}
	if v := r.NestedText(text, 0, protocol.FieldUnknown); v != nil {
		r.call.agent = r.Keep(protocol.TextOf(v.Get("_ua")))
	}
}

// time returns a time in seconds or milliseconds, of a trusted caller alone; 0 for none.
func (r *reader) time(s string) event.Time {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !r.trusted || !(math.Abs(n) < 1e15) {
		return 0
	}
	if n < 1e11 {
		n *= 1000
	}
	if protocol.CheckTime(event.Time(n), r.now, "seconds or milliseconds") != "" {
		return 0
	}
	return event.Time(n)
}

// events adds the events of a list, none for a text that is empty. What is wrong with one of them is
// its own matter, unless there is nothing else.
func (r *reader) events(text []byte) *protocol.FieldError {
	if len(text) == 0 {
		return nil
	}
	// JSON of the outer list of /i/bulk stays valid: this one has a parser of its own.
	root := r.NestedText(text, 1, protocol.FieldName)
	if root == nil {
		return protocol.BadField("events", "is no JSON")
	}
	list, err := root.Array()
	if err != nil || len(r.Inputs())+len(list) >= protocol.MaxEvents {
		return protocol.BadField("events", "is no list of fewer than %d events", protocol.MaxEvents)
	}
	before, at := len(r.Inputs()), 0
	unknown, first := r.AddEach(list, appKey, func(v *strictjson.Value) *protocol.FieldError {
		at++
		return r.event(v, at)
	})
	r.unknown += unknown
	if len(r.Inputs()) == before && first != nil {
		r.unknown -= unknown // it is refused
		return first
	}
	return nil
}

// event adds the event that is at a position of its list, none for one that is passed over.
func (r *reader) event(v *strictjson.Value, at int) *protocol.FieldError {
	key, seg := protocol.TextOf(v.Get("key")), v.Get("segmentation")
	switch {
	case r.LooseName(key) == "":
		return protocol.BadField("events", "the key of an event is missing")
	case key == own+"orientation", key == own+"consent",
		key == own+"action" && protocol.TextOf(seg.Get("type")) != "scroll":
		return nil
	}
	in, err := r.next(r.page(key, seg))
	if err != nil {
		return err
	}
	if t := r.time(r.ScalarOf(v.Get("timestamp"))); t != 0 {
		in.Time = t
	}
	in.Referrer = r.LooseText(strings.TrimSpace(protocol.TextOf(seg.Get("referrer"))), protocol.MaxURL, protocol.FieldReferrer)
	switch {
	case key == own+"action":
		in.Name, in.Scroll = "scroll", depth(seg)
		r.ping(in)
	case key == own+"view" && seg.Get("visit") == nil:
		in.Name = "view_duration"
		if n, ok := r.number(v.Get("dur")); ok {
			in.Engaged = event.Time(n * float64(event.Second))
		}
		r.ping(in)
	default:
		r.identify(in, v, at)
		r.counted(in, key, v, seg)
	}
	r.Own(in)
	return nil
}

// next adds an event of a page.
func (r *reader) next(url string) (*protocol.Input, *protocol.FieldError) {
	host := protocol.HostOf(url)
	if host == "" {
		host = protocol.HostOf(r.origin)
	}
	site, ok := protocol.FindSite(r.sites, r.call.token, host)
	if !ok {
		return nil, protocol.NoSite(appKey, r.call.token, host)
	}
	in := r.Next()
	in.Site, in.URL, in.Time = site, url, r.call.at
	in.SetClient(r.call.device)
	if r.trusted {
		in.IP = protocol.LooseAddr(r.call.address)
		in.UA = identity.Clean(r.call.agent, protocol.MaxUA)
	}
	return in, nil
}

// page returns the address of the page that a segmentation has, "" for none: view is a path, or an
// address where a site has it so.
func (r *reader) page(key string, seg *strictjson.Value) string {
	url := strings.TrimSpace(protocol.TextOf(seg.Get("view")))
	if url == "" && key == own+"view" && r.origin != "" { // how long a view was has its name alone
		url = strings.TrimSpace(protocol.TextOf(seg.Get("name")))
	}
	if strings.HasPrefix(url, "/") {
		base, domain := r.origin, protocol.TextOf(seg.Get("domain"))
		if domain != "" && (base == "" || domain != protocol.HostOf(base)) {
			base = "https://" + domain
		}
		if base == "" {
			return ""
		}
		url = r.Keep(base + url)
	}
	if url = r.LooseText(url, protocol.MaxURL, protocol.FieldURL); protocol.CheckURL(url) != "" {
		return ""
	}
	return url
}

// ping makes an input one that lengthens the visit.
func (r *reader) ping(in *protocol.Input) {
	// Non-interactive for engines of before pings, which take it for an event.
	in.Ping, in.NonInteractive = true, true
}

// depth returns how far a page was scrolled.
func depth(seg *strictjson.Value) event.Percent {
	y, height := seg.GetFloat64("y"), seg.GetFloat64("height")
	if !(y >= 0 && height > 0) {
		return 0
	}
	return event.PercentOf(int64(min(100*y/height, 100)))
}

// number returns a time in seconds; false for what is none.
func (r *reader) number(v *strictjson.Value) (float64, bool) {
	if v == nil {
		return 0, false
	}
	n, err := v.Float64()
	if err != nil || !(n >= 0 && n <= maxEngaged) {
		r.Adjust(protocol.FieldEngagement)
		return 0, false
	}
	return n, true
}

// identify sets the id of an event, which is made of all that was sent where it has none.
func (r *reader) identify(in *protocol.Input, v *strictjson.Value, at int) {
	if in.ID = r.LooseID(r.ScalarOf(v.Get("id"))); in.ID == "" {
		in.ID = r.made(strconv.Itoa(at))
	}
}

// made returns an id of all that was sent and what of it is meant, "" if there can be none.
func (r *reader) made(what string) string {
	if r.call.sum == 0 {
		return ""
	}
	return r.Keep("countly-" + strconv.FormatUint(r.call.sum, 16) + "-" + what)
}

// counted sets what an event has by its key.
func (r *reader) counted(in *protocol.Input, key string, v, seg *strictjson.Value) {
	view := key == own+"view"
	switch name := protocol.TextOf(seg.Get("name")); {
	case view && in.URL != "":
		in.Name, in.URL = event.Pageview, r.WithCampaign(in.URL, campaign(seg))
		if name != protocol.TextOf(seg.Get("view")) {
			r.add("name", name)
		}
	case view:
		in.Name = "screen"
		r.add("name", name)
	default:
		r.NameEvent(in, key)
	}
	earned := r.revenue(in, v.Get("sum"), seg)
	if n := r.ScalarOf(v.Get("count")); n != "1" {
		r.add("count", n)
	}
	r.add("dur", r.ScalarOf(v.Get("dur")))
	if obj := seg.GetObject(); obj != nil {
		r.LooseTree("", obj, func(key string) bool {
			return earned && key == "currency" || passedOver(key, view, in.URL != "")
		})
	} else if seg != nil && seg.Type() != strictjson.TypeNull {
		r.Adjust(protocol.FieldProps)
	}
	in.Props = r.SortedProps()
}

// passedOver reports whether what a segmentation has is a column, or is not kept.
func passedOver(key string, view, paged bool) bool {
	switch key {
	case "referrer":
		return true
	case "view", "domain":
		return view || paged
	case "name", "visit", "start", "bounce", "exit", "segment", "platform":
		return view
	}
	return view && strings.HasPrefix(key, "utm_")
}

// campaign returns the campaign of a view.
func campaign(seg *strictjson.Value) protocol.Campaign {
	text := func(key string) string { return protocol.TextOf(seg.Get(key)) }
	return protocol.Campaign{Source: text("utm_source"), Medium: text("utm_medium"), Name: text("utm_campaign"),
		Term: text("utm_term"), Content: text("utm_content")}
}

// add adds a property that is a text, unless it is none.
func (r *reader) add(key, value string) {
	if value != "" {
		r.LooseProp(key, value)
	}
}

// revenue sets the revenue of an event, and reports whether it has one. A sum without a currency is a
// property.
func (r *reader) revenue(in *protocol.Input, sum, seg *strictjson.Value) bool {
	if r.LooseRevenue(in, sum, protocol.CurrencyOf(r.sites, in.Site, protocol.TextOf(seg.Get("currency")))) {
		return true
	}
	r.add("sum", r.ScalarOf(sum))
	return false
}

// crash adds the event of a crash, none for a text that is empty.
func (r *reader) crash(text []byte) *protocol.FieldError {
	if len(text) == 0 {
		return nil
	}
	v := r.NestedText(text, 1, protocol.FieldProps)
	if v == nil {
		return protocol.BadField("crash", "is no JSON")
	}
	view := protocol.TextOf(v.Get("_view"))
	url := ""
	if strings.HasPrefix(view, "/") && r.origin != "" {
		url = r.LooseText(r.Keep(r.origin+view), protocol.MaxURL, protocol.FieldURL)
	}
	in, err := r.next(url)
	if err != nil {
		return err
	}
	in.Name, in.NonInteractive = "crash", true
	in.ID = r.made("crash")
	first, _, _ := strings.Cut(protocol.TextOf(v.Get("_error")), "\n")
	r.add("error", first)
	if nonfatal := v.Get("_nonfatal"); nonfatal != nil {
		r.LooseValue("nonfatal", nonfatal)
	}
	if url == "" {
		r.add("view", view)
	}
	if custom := v.GetObject("_custom"); custom != nil {
		r.LooseTree("", custom, nil)
	}
	in.Props = r.SortedProps()
	r.Own(in)
	return nil
}
