package mixpanel

import (
	"bytes"
	"math"
	"strings"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "properties.token"

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	past    bool // the events have happened before
	now     event.Time
	server  bool // the library is not that of pages
	unknown int  // events that no site has
	payload payload
}

// payload is an event as it was sent.
type payload struct {
	device, distinct                     string // $device_id, distinct_id
	name                                 string
	token, id, url, referrer, title, lib string
	address, currency                    string
	width, height, amount, time, scroll  *strictjson.Value
	properties                           *strictjson.Object
}

// events adds the events of a text. What is wrong with one of them is its own matter, unless there
// is nothing else, or they are of the past.
func (rd *reader) events(data []byte) *protocol.FieldError {
	root, err := rd.document(data)
	if err != nil {
		return err
	}
	one := [1]*strictjson.Value{root}
	list := one[:]
	if root.Type() == strictjson.TypeArray {
		list = root.GetArray()
	}
	switch {
	case len(list) == 0:
		return protocol.BadField("data", "has no events")
	case len(list) > protocol.MaxEvents:
		return protocol.BadField("data", "%d events, at most %d are allowed", len(list), protocol.MaxEvents)
	}
	taken := 0
	var first *protocol.FieldError
	for _, v := range list {
		err := rd.event(v)
		switch {
		case err == nil:
			taken++
			continue
		case rd.past:
			return err
		case first == nil:
			first = err
		}
		if err.Path == tokenPath {
			rd.unknown++
		} else {
			rd.Adjust(protocol.FieldName)
		}
	}
	if taken == 0 {
		return first
	}
	return nil
}

// document returns a text that is JSON, or JSON in base64.
func (rd *reader) document(data []byte) (*strictjson.Value, *protocol.FieldError) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, protocol.BadField("data", "is missing")
	}
	if !isJSON(data) {
		plain, err := rd.Base64(protocol.View(data))
		if err != nil {
			return nil, protocol.BadField("data", "is neither JSON nor JSON in base64")
		}
		data = plain
	}
	root, err := rd.JSON(data)
	if err == nil {
		err = rd.Strict(data)
	}
	if err != nil {
		return nil, err.(*protocol.FieldError)
	}
	return root, nil
}

// event adds an event, none for one that is not kept.
func (rd *reader) event(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("data", "a JSON %s, want an object", v.Type())
	}
	p := &rd.payload
	*p = payload{name: protocol.View(obj.Get("event").GetStringBytes())}
	switch strings.TrimSpace(p.name) {
	case "":
		return protocol.BadField("event", "is missing")
	case "$identify", "$create_alias", "$merge",
		"$session_start", "$session_end", "$ae_first_open", "$mp_session_record":
		return nil
	}
	if p.properties = obj.Get("properties").GetObject(); p.properties != nil {
		p.properties.Visit(func(key []byte, v *strictjson.Value) { rd.field(protocol.View(key), v) })
	}
	if p.lib != "" && p.lib != "web" {
		rd.server = true
	}
	url := strings.TrimSpace(p.url)
	if protocol.CheckURL(url) != "" {
		url = ""
		rd.Adjust(protocol.FieldURL)
	}
	host := protocol.HostOf(url)
	site, ok := protocol.FindSite(rd.sites, p.token, host)
	if !ok {
		return protocol.NoSite(tokenPath, p.token, host)
	}
	at, wrong := rd.time()
	if wrong != nil {
		return wrong
	}
	in := rd.Next()
	in.Site, in.Time = site, at
	in.SetClient(p.device, p.distinct)
	if rd.trusted {
		in.IP = protocol.LooseAddr(p.address)
	}
	in.URL = rd.LooseText(url, protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(in.URL) != "" {
		in.URL = ""
	}
	if referrer := strings.TrimSpace(p.referrer); referrer != "$direct" {
		in.Referrer = rd.LooseText(referrer, protocol.MaxURL, protocol.FieldReferrer)
	}
	in.ID = rd.LooseID(p.id)
	in.Screen = rd.LooseScreen(rd.ScalarOf(p.width), rd.ScalarOf(p.height))
	rd.kind(in)
	return nil
}

// field reads a property that is a column, or decides what becomes of the event.
func (rd *reader) field(key string, v *strictjson.Value) {
	p := &rd.payload
	switch key {
	case "$device_id":
		p.device = rd.text(v, protocol.FieldUnknown)
	case "distinct_id":
		p.distinct = strings.TrimPrefix(rd.text(v, protocol.FieldUnknown), "$device:")
	case "token":
		p.token = rd.text(v, protocol.FieldUnknown)
	case "$insert_id":
		p.id = rd.text(v, protocol.FieldID)
	case "$current_url":
		p.url = rd.text(v, protocol.FieldURL)
	case "$referrer":
		p.referrer = rd.text(v, protocol.FieldReferrer)
	case "current_page_title":
		p.title = rd.text(v, protocol.FieldProps)
	case "mp_lib":
		p.lib = rd.text(v, protocol.FieldUnknown)
	case "ip":
		p.address = rd.text(v, protocol.FieldUnknown)
	case "currency":
		p.currency = protocol.View(v.GetStringBytes())
	case "revenue":
		p.amount = v
	case "time":
		p.time = v
	case "$screen_width":
		p.width = v
	case "$screen_height":
		p.height = v
	case "$max_scroll_percentage":
		p.scroll = v
	}
}

// text returns a text or a number; null is "", and what is none is adjusted.
func (rd *reader) text(v *strictjson.Value, field protocol.Fields) string {
	switch v.Type() {
	case strictjson.TypeString:
		return protocol.View(v.GetStringBytes())
	case strictjson.TypeNumber:
		return rd.Number(v)
	case strictjson.TypeNull:
	default:
		rd.Adjust(field)
	}
	return ""
}

// time returns when the event was as a trusted caller has it, 0 for now. One that is none is an
// error of an event of the past alone.
func (rd *reader) time() (event.Time, *protocol.FieldError) {
	v := rd.payload.time
	if !rd.trusted {
		return 0, nil
	}
	t, msg := timeOf(v, rd.now)
	if msg != "" && rd.past {
		return 0, protocol.BadField("properties.time", "%s", msg)
	}
	return t, nil
}

// timeOf returns a time in seconds or milliseconds, and what is wrong with it.
func timeOf(v *strictjson.Value, now event.Time) (t event.Time, msg string) {
	if v == nil {
		return 0, "is missing"
	}
	n, err := v.Float64()
	if err != nil || !(math.Abs(n) < 1e15) {
		return 0, "is no time in seconds or milliseconds since 1970"
	}
	if n < 1e11 {
		n *= 1000
	}
	if msg = protocol.CheckTime(event.Time(n), now, "seconds or milliseconds"); msg != "" {
		return 0, msg
	}
	return event.Time(n), ""
}

// kind sets what an event has by its name.
func (rd *reader) kind(in *protocol.Input) {
	p := &rd.payload
	switch p.name {
	case "$mp_web_page_view", "mp_page_view":
		in.Name = event.Pageview
	case "$mp_page_leave", "$ae_session":
		// Non-interactive for engines of before pings, which take it for an event.
		in.Name, in.Ping, in.NonInteractive = p.name, true, true
		if p.scroll != nil {
			if n, ok := rd.LooseNumber(p.scroll, 100, protocol.FieldEngagement); ok {
				in.Scroll = event.PercentOf(n)
			}
		}
		return
	default:
		rd.NameEvent(in, p.name)
		in.NonInteractive = p.name == "$experiment_started"
	}
	if p.title != "" {
		rd.LooseProp("title", p.title)
	}
	paid := rd.revenue(in)
	others := func(key string, special bool) bool {
		return strings.HasPrefix(key, "$") != special || paid && (key == "revenue" || key == "currency") ||
			passedOver(key) || in.URL != "" && strings.HasPrefix(key, "utm_")
	}
	if p.properties != nil {
		rd.LooseTree("", p.properties, func(key string) bool { return others(key, false) })
		rd.LooseTree("", p.properties, func(key string) bool { return others(key, true) })
	}
	in.Props = rd.SortedProps()
}

// revenue sets the revenue of an event that has an amount and whose currency is known, and reports
// whether it is one. An amount that is none is a property like others.
func (rd *reader) revenue(in *protocol.Input) bool {
	return rd.LooseRevenue(in, rd.payload.amount, protocol.CurrencyOf(rd.sites, in.Site, rd.payload.currency))
}

// passedOver reports whether a property is a column, or is not kept: it says who the visitor is, or
// what the page and the user agent say.
func passedOver(key string) bool {
	switch key {
	case "token", "$insert_id", "$current_url", "$referrer", "current_page_title", "mp_lib", "ip", "time",
		"$screen_width", "$screen_height",
		"distinct_id", "$device_id", "$user_id", "$anon_distinct_id", "$identified_id", "$had_persisted_distinct_id",
		"$os", "$browser", "$browser_version", "$device", "$lib_version", "mp_sent_by_lib_version",
		"$search_engine", "mp_keyword", "$referring_domain", "$initial_referrer", "$initial_referring_domain",
		"current_domain", "current_url_path", "current_url_protocol", "current_url_search",
		"$mp_autocapture", "$mp_replay_id", "$captured_for_heatmap":
		return true
	}
	return false
}
