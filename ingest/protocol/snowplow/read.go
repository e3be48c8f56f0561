package snowplow

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
	"millrace/internal/strictjson"
)

// tokenPath names the token of a site in errors.
const tokenPath = "aid"

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	referer string
	// anonymous is set by the header SP-Anonymous: the visitor is not to be recognised.
	anonymous bool
	many      bool // there are other events in the request
	server    bool // the tracker is not one of pages
	unknown   int  // events that no site has
	payload   payload
	nested    bool // the event has strings in memory of Nested
}

// payload is an event as it was sent. The ids of visits (sid, vid) are not among it.
type payload struct {
	domain, network, user                string // duid, nuid and uid
	kind, tracker, platform, token, id   string
	url, referrer, title                 string
	language, screen, viewport, document string
	address, userAgent                   string // of trusted callers
	ownTime, created, sent               string // in ms, ttm, dtm and stm
	action                               string
	total, currency                      string
	scrolled                             string // the largest offset of the ping, in pixels
	selfDescribing, entities             string
	selfDescribing64, entities64         string // the same in base64
	props                                [len(props)]string
}

// props are the properties that fields become, by the names of Snowplow's columns.
var props = [...]struct{ field, name string }{
	{"se_ca", "se_category"}, {"se_la", "se_label"}, {"se_pr", "se_property"}, {"se_va", "se_value"},
	{"tr_id", "tr_orderid"}, {"tr_af", "tr_affiliation"}, {"tr_tx", "tr_tax"}, {"tr_sh", "tr_shipping"},
	{"tr_ci", "tr_city"}, {"tr_st", "tr_state"}, {"tr_co", "tr_country"},
	{"ti_id", "ti_orderid"}, {"ti_sk", "ti_sku"}, {"ti_nm", "ti_name"}, {"ti_ca", "ti_category"},
	{"ti_pr", "ti_price"}, {"ti_qu", "ti_quantity"}, {"ti_cu", "ti_currency"},
}

// object adds the event of an object.
func (rd *reader) object(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("data", "a JSON %s, want an object", v.Type())
	}
	rd.payload = payload{}
	obj.Visit(func(key []byte, v *strictjson.Value) {
		switch v.Type() {
		case strictjson.TypeString:
			rd.payload.set(protocol.View(key), protocol.View(v.GetStringBytes()))
		case strictjson.TypeNumber:
			rd.payload.set(protocol.View(key), rd.Number(v))
		case strictjson.TypeNull:
		default:
			rd.Adjust(protocol.FieldUnknown)
		}
	})
	return rd.event()
}

// query adds the event of a query.
func (rd *reader) query(args *fasthttp.Args) *protocol.FieldError {
	for key, value := range args.All() {
		rd.payload.set(spelling.ParamName(protocol.View(key)), protocol.View(value))
	}
	return rd.event()
}

// set sets a field. Of those that come twice the first counts; the ones that are not here are
// passed over.
func (p *payload) set(key, value string) {
	if dst := p.field(key); dst != nil && *dst == "" {
		*dst = value
	}
}

// field returns where a field is kept, nil for one that is not.
func (p *payload) field(key string) *string {
	switch key {
	case "duid":
		return &p.domain
	case "nuid":
		return &p.network
	case "uid":
		return &p.user
	case "e":
		return &p.kind
	case "tv":
		return &p.tracker
	case "p":
		return &p.platform
	case "aid":
		return &p.token
	case "eid":
		return &p.id
	case "url":
		return &p.url
	case "refr":
		return &p.referrer
	case "page":
		return &p.title
	case "lang":
		return &p.language
	case "res":
		return &p.screen
	case "vp":
		return &p.viewport
	case "ds":
		return &p.document
	case "pp_may":
		return &p.scrolled
	case "ip":
		return &p.address
	case "ua":
		return &p.userAgent
	case "ttm":
		return &p.ownTime
	case "dtm":
		return &p.created
	case "stm":
		return &p.sent
	}
	return p.ofKind(key)
}

// ofKind is field for what events of one kind have.
func (p *payload) ofKind(key string) *string {
	switch key {
	case "se_ac":
		return &p.action
	case "tr_tt":
		return &p.total
	case "tr_cu":
		return &p.currency
	case "ue_pr":
		return &p.selfDescribing
	case "ue_px":
		return &p.selfDescribing64
	case "co":
		return &p.entities
	case "cx":
		return &p.entities64
	}
	if len(key) == 5 && key[2] == '_' {
		for i := range props {
			if props[i].field == key {
				return &p.props[i]
			}
		}
	}
	return nil
}

// event adds the event of the payload.
func (rd *reader) event() *protocol.FieldError {
	p := &rd.payload
	rd.nested = false
	if p.tracker != "" && !strings.HasPrefix(p.tracker, "js-") && !strings.HasPrefix(p.tracker, "no-js-") {
		rd.server = true
	}
	d, err := rd.describe()
	if err != nil {
		return err
	}
	url := strings.TrimSpace(p.url)
	if protocol.CheckURL(url) != "" {
		url = ""
		rd.Adjust(protocol.FieldURL)
	}
	if url == "" && protocol.CheckURL(rd.referer) == "" {
		url = rd.referer
	}
	host := protocol.HostOf(url)
	site, ok := protocol.FindSite(rd.sites, p.token, host)
	if !ok {
		rd.unknown++
		return protocol.NoSite(tokenPath, p.token, host)
	}
	in := rd.Next()
	in.Site = site
	in.SetClient(p.domain, p.network, p.user)
	in.Objects = rd.anonymous
	in.URL = rd.LooseText(url, protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(in.URL) != "" {
		in.URL = ""
	}
	in.ID = rd.LooseID(p.id)
	in.Referrer = rd.LooseText(strings.TrimSpace(p.referrer), protocol.MaxURL, protocol.FieldReferrer)
	in.Language = rd.LooseWhole(p.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	screen := p.screen
	if screen == "" || screen == "0x0" {
		screen = p.viewport
	}
	if screen != "0x0" {
		in.Screen = rd.LooseWhole(screen, protocol.MaxScreen, protocol.FieldScreen, protocol.CheckScreen(screen) == "")
	}
	rd.privileged(in)
	rd.kind(in, &d)
	if in.Props = rd.SortedProps(); rd.many && rd.nested {
		rd.Own(in) // the memory of what is nested is used again
	}
	return nil
}

// privileged sets what only trusted callers may.
func (rd *reader) privileged(in *protocol.Input) {
	p := &rd.payload
	if !rd.trusted {
		return
	}
	in.UA = identity.Clean(p.userAgent, protocol.MaxUA)
	in.IP = protocol.LooseAddr(p.address)
	t, err := strconv.ParseInt(p.ownTime, 10, 64)
	if err != nil {
		created, err1 := strconv.ParseInt(p.created, 10, 64)
		sent, err2 := strconv.ParseInt(p.sent, 10, 64)
		if err1 != nil || err2 != nil || created <= 0 || sent <= created {
			return
		}
		t = int64(rd.now) - (sent - created) // by the sender's clock, which may be wrong
	}
	if protocol.CheckTime(event.Time(t), rd.now, "milliseconds") == "" {
		in.Time = event.Time(t)
	}
}

// kind sets what an event has by its kind.
func (rd *reader) kind(in *protocol.Input, d *described) {
	p := &rd.payload
	if p.platform != "" && p.platform != "web" {
		rd.LooseProp("platform", p.platform)
	}
	switch p.kind {
	case "pv":
		in.Name = event.Pageview
	case "pp":
		rd.ping(in, "page_ping")
		in.Scroll = scroll(p.scrolled, p.viewport, p.document)
		return
	case "se":
		rd.NameEvent(in, p.action)
	case "tr":
		in.Name = "transaction"
		rd.revenue(in, p.total, p.currency, "tr_total")
	case "ti":
		in.Name, in.NonInteractive = "transaction_item", true
	case "ue":
		rd.selfDescribing(in, d)
	}
	if in.Ping {
		return
	}
	if p.title != "" {
		rd.LooseProp("title", p.title)
	}
	for i, value := range p.props {
		if value != "" {
			rd.LooseProp(props[i].name, value)
		}
	}
	rd.entities(in, d)
}

// ping makes the event a report on a page that is in use.
func (rd *reader) ping(in *protocol.Input, name string) {
	// Non-interactive for engines of before pings, which take it for an event.
	in.Name, in.Ping, in.NonInteractive = name, true, true
}

// revenue sets the revenue, in the site's currency unless it names one. Where neither is known it
// is a property.
func (rd *reader) revenue(in *protocol.Input, amount, currency, name string) {
	if amount == "" {
		return
	}
	if currency = protocol.CurrencyOf(rd.sites, in.Site, currency); currency == "" {
		rd.LooseProp(name, amount)
		return
	}
	rd.SetRevenue(in, amount, currency)
	rd.Forgiven(protocol.FieldRevenue)
}

// scroll returns which part of a page has been seen, of its offset, and the sizes of window and
// page.
func scroll(offset, window, page string) event.Percent {
	n, err := strconv.ParseUint(offset, 10, 31)
	seen, ok := height(window)
	whole, known := height(page)
	if err != nil || !ok || !known || whole == 0 {
		return 0
	}
	return event.PercentOf(int64(min((n+seen)*100/whole, 100)))
}

// height returns the height of WIDTHxHEIGHT.
func height(size string) (uint64, bool) {
	_, h, ok := strings.Cut(size, "x")
	n, err := strconv.ParseUint(h, 10, 31)
	return n, ok && err == nil
}

// unpack returns a field that is JSON, or JSON in base64; nil for none and what is none.
func (rd *reader) unpack(text, packed string) []byte {
	if text != "" || packed == "" {
		return []byte(text)
	}
	b, err := rd.Base64(packed)
	if err != nil {
		rd.Adjust(protocol.FieldProps)
		return nil
	}
	return b
}
