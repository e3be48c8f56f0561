package protocol

import (
	"strings"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// Messages reads the messages of Segment's specification, {"type":"track","event":"…",
// "properties":{…},"context":{…}}, as the trackers send them that follow it. What becomes of what
// in them is in package segment.
type Messages struct {
	*Parser
	Sites   Sites
	Trusted bool
	Now     event.Time
	// Kind is the type of messages that have none, "" for none.
	Kind string
	// Token is what names the site; writeKey of the body where it is "".
	Token string

	// Unknown is how many messages no site has.
	Unknown int
}

// WriteKey is the field of the token of a site, and names it in errors.
const WriteKey = "writeKey"

// Messages reads the events of a body of messages: Kind and Token as Messages has them.
func (r *Request) Messages(body []byte, kind, token string) ([]Input, *Refusal) {
	m := Messages{Parser: &r.Parser, Sites: r.Sites, Trusted: r.Trusted, Now: r.Now, Kind: kind, Token: token}
	if err := m.Read(body); err != nil {
		ref := Invalid(err)
		if err.Path == WriteKey {
			ref.Reason = ReasonSite
		}
		return nil, ref
	}
	r.Unknown = m.Unknown
	return r.Parser.Inputs(), nil
}

// Read reads a body: a message, or {"batch":[…]}. It returns an error if nothing of it can be
// taken.
func (m *Messages) Read(body []byte) *FieldError {
	m.Reset()
	root, wrong := m.Document(body)
	switch {
	case wrong != nil:
		return wrong
	case root.Type() != strictjson.TypeObject:
		return BadField("body", "a JSON %s, want an object", root.Type())
	}
	if m.Token == "" {
		m.Token = TextOf(root.Get(WriteKey))
	}
	list := []*strictjson.Value{root}
	if batch := root.Get("batch"); batch != nil || m.Kind == "" {
		if batch == nil || batch.Type() != strictjson.TypeArray {
			return BadField("batch", "is no list")
		}
		list = batch.GetArray()
	}
	return m.all(list)
}

// all adds the messages of a list. One that can't be taken is left out, unless there is no other.
func (m *Messages) all(list []*strictjson.Value) *FieldError {
	if n := len(list); n == 0 || n > MaxEvents {
		return BadField("batch", "%d messages, 1 to %d are allowed", n, MaxEvents)
	}
	unknown, first := m.AddEach(list, WriteKey, m.add)
	m.Unknown += unknown
	if len(m.Inputs()) > 0 {
		return nil
	}
	return first
}

// add adds the event of a message, none for one that is passed over.
func (m *Messages) add(v *strictjson.Value) *FieldError {
	if v.Type() != strictjson.TypeObject {
		return BadField("type", "is missing: a message is a JSON object, this is a JSON %s", v.Type())
	}
	kind := TextOf(v.Get("type"))
	if kind == "" {
		kind = m.Kind
	}
	name := TextOf(v.Get("event"))
	switch kind {
	case "identify", "group", "alias", "merge":
		return nil // who the visitor is: not kept until sites can choose that
	case "track":
		if m.LooseName(name) == "" {
			return BadField("event", "is missing")
		}
	case "page", "screen":
	case "":
		return BadField("type", "is missing")
	default:
		return BadField("type", "%s is none of track, page, screen, identify, group, alias", Quote(kind))
	}
	context, props := v.Get("context"), v.Get("properties")
	page := context.Get("page")
	if kind != "page" {
		return m.event(v, context, props, kind, name, TextOf(page.Get("url")))
	}
	return m.event(v, context, props, kind, name, either(props.Get("url"), page.Get("url")))
}

// either returns the first of two values that is a text.
func either(a, b *strictjson.Value) string {
	if s := TextOf(a); s != "" {
		return s
	}
	return TextOf(b)
}

// event adds the event of a message about a page.
func (m *Messages) event(v, context, props *strictjson.Value, kind, name, page string) *FieldError {
	url := m.LooseText(strings.TrimSpace(page), MaxURL, FieldURL)
	if CheckURL(url) != "" {
		url = ""
		m.Adjust(FieldURL)
	}
	host := HostOf(url)
	site, ok := FindSite(m.Sites, m.Token, host)
	if !ok {
		return NoSite(WriteKey, m.Token, host)
	}
	in := m.Next()
	in.Site = site
	in.SetClient(TextOf(v.Get("anonymousId")), TextOf(v.Get("userId")))
	in.URL = m.WithCampaign(url, campaignOf(context.Get("campaign")))
	m.columns(in, v, context)
	m.referrer(in, TextOf(context.Get("page", "referrer")))
	switch kind {
	case "page":
		in.Name = event.Pageview
		m.pageProps(in, v, context, props)
	case "screen":
		in.Name = "screen"
		m.addText("name", TextOf(v.Get("name")))
		m.addText("category", TextOf(v.Get("category")))
		m.addProps(props, func(key string) bool { return key == "name" || key == "category" })
	default:
		if isPing(name) {
			m.ping(in, name, props)
			return nil
		}
		m.NameEvent(in, name)
		m.trackProps(in, name, props)
	}
	in.Props = m.SortedProps()
	return nil
}

// isPing reports whether an event is one that libraries send by themselves: while a film is played,
// by Segment's specification of videos, and when an app or a page is left.
func isPing(name string) bool {
	switch strings.ToLower(name) {
	case "video content playing", "video ad playing", "application backgrounded", "page unloaded":
		return true
	}
	return false
}

// maxOnPage is the longest time on a page that a message may report: no visit is longer than a
// month.
const maxOnPage = 31 * 24 * event.Hour

// ping makes the event a report on a page that is open; timeOnPage is RudderStack's, in ms.
func (m *Messages) ping(in *Input, name string, props *strictjson.Value) {
	// Non-interactive for engines of before pings, which take it for an event.
	in.Name, in.Ping, in.NonInteractive = m.LooseName(name), true, true
	if v := props.Get("timeOnPage"); v != nil {
		if n, ok := m.LooseNumber(v, float64(maxOnPage), FieldEngagement); ok {
			in.Engaged = event.Time(n)
		}
	}
}

// campaignOf returns the campaign that a context has.
func campaignOf(v *strictjson.Value) Campaign {
	if v == nil {
		return Campaign{}
	}
	text := func(key string) string { return TextOf(v.Get(key)) }
	return Campaign{Source: text("source"), Medium: text("medium"), Name: text("name"),
		Term: text("term"), Content: text("content")}
}

// columns sets what messages of all types have beside their page.
func (m *Messages) columns(in *Input, v, context *strictjson.Value) {
	in.ID = m.LooseID(m.ScalarOf(v.Get("messageId")))
	in.Language = m.LooseWhole(TextOf(context.Get("locale")), MaxLanguage, FieldLanguage, true)
	width, height := m.ScalarOf(context.Get("screen", "width")), m.ScalarOf(context.Get("screen", "height"))
	if width != "" && width != "0" && height != "" && height != "0" {
		screen := m.Keep(width + "x" + height)
		in.Screen = m.LooseWhole(screen, MaxScreen, FieldScreen, CheckScreen(screen) == "")
	}
	if m.Trusted {
		in.IP = LooseAddr(TextOf(context.Get("ip")))
		in.UA = m.LooseText(TextOf(context.Get("userAgent")), MaxUA, FieldUA)
		in.Time = LooseTime(either(v.Get("timestamp"), v.Get("originalTimestamp")), m.Now)
	}
}

// referrer sets the referrer, unless it is none.
func (m *Messages) referrer(in *Input, s string) {
	if s = strings.TrimSpace(s); s != "" && s != "$direct" { // which is what RudderStack calls none
		in.Referrer = m.LooseText(s, MaxURL, FieldReferrer)
	}
}

// addText adds a property that is a text, unless it is none.
func (m *Messages) addText(key, value string) {
	if value != "" {
		m.LooseProp(key, value)
	}
}

// addProps adds the properties of a message but for those to be left out.
func (m *Messages) addProps(v *strictjson.Value, skip func(key string) bool) {
	if v == nil || v.Type() == strictjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		m.Adjust(FieldProps)
		return
	}
	m.LooseTree("", obj, skip)
}

// pageProps adds the properties of a page. What they say of its address is in columns.
func (m *Messages) pageProps(in *Input, v, context, props *strictjson.Value) {
	if own := props.Get("referrer"); own != nil {
		in.Referrer = ""
		m.referrer(in, TextOf(own))
	}
	m.addText("name", either(v.Get("name"), props.Get("name")))
	m.addText("category", either(v.Get("category"), props.Get("category")))
	m.addText("title", either(props.Get("title"), context.Get("page", "title")))
	m.addProps(props, isOfPage)
}

// isOfPage reports whether a property of a page is one of its address, or one that pageProps adds.
func isOfPage(key string) bool {
	switch key {
	case "name", "category", "title", "url", "path", "search", "referrer",
		"referring_domain", "tab_url", "initial_referrer", "initial_referring_domain", // RudderStack's
		"hash", "width", "height": // Jitsu's
		return true
	}
	return false
}

// trackProps adds the properties of an event, and its revenue.
func (m *Messages) trackProps(in *Input, name string, props *strictjson.Value) {
	key := amountOf(name, props)
	if key == "" {
		m.addProps(props, nil)
		return
	}
	earned := m.LooseRevenue(in, props.Get(key), CurrencyOf(m.Sites, in.Site, TextOf(props.Get("currency"))))
	if in.Amount > 0 && isRefund(name) {
		in.Amount = -in.Amount
	}
	m.addProps(props, func(k string) bool { return earned && (k == key || k == "currency") })
}

// amountOf returns the property that is the revenue of an event, "" if it has none.
func amountOf(name string, props *strictjson.Value) string {
	keys := []string{"revenue"}
	switch {
	case isRefund(name), strings.EqualFold(name, "Order Completed"), strings.EqualFold(name, "Completed Order"):
		keys = []string{"revenue", "total", "value"}
	case isStep(name):
		return ""
	}
	for _, key := range keys {
		if v := props.Get(key); v != nil && (v.Type() == strictjson.TypeNumber || v.Type() == strictjson.TypeString) {
			return key
		}
	}
	return ""
}

func isRefund(name string) bool { return strings.EqualFold(name, "Order Refunded") }

// isStep reports whether an event is one of Segment's at which nothing has been earned yet, or no
// more.
func isStep(name string) bool {
	switch strings.ToLower(name) {
	case "products searched", "product list viewed", "product list filtered", "promotion viewed", "promotion clicked",
		"product clicked", "product viewed", "product added", "product removed", "cart viewed", "cart shared",
		"checkout started", "checkout step viewed", "checkout step completed", "payment info entered",
		"order updated", "order cancelled", "coupon entered", "coupon applied", "coupon denied", "coupon removed",
		"product added to wishlist", "product removed from wishlist", "wishlist product added to cart":
		return true
	}
	return false
}
