package ga4

import (
	"strconv"
	"strings"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

const (
	pageView       = "page_view"
	userEngagement = "user_engagement"
	// tokenPath names the token in errors.
	tokenPath = "measurement id"
	// maxEngaged is the longest time in use that an event may report: no visit is longer than a
	// month.
	maxEngaged = 31 * 24 * event.Hour
)

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	noSite  bool // the error is that no site has the event
	unknown int  // events that were left out because no site has them
}

// draft is what the parameters of one event say, before its name decides what that means. The
// ids of users (uid, user_id) are not among it: a visitor is the client.
type draft struct {
	client                    string
	consent, grants           string // gcs and gcd
	token, name, page         string
	referrer, title, language string
	screen, amount, currency  string
	campaign                  protocol.Campaign
	engaged                   string // in ms, as it was sent
	items                     items
}

// passedOver reports whether an event is left out: Google makes it of the first view of a visitor
// or a visit, and takes it of nobody.
func passedOver(name string) bool {
	switch strings.TrimSpace(name) {
	case "session_start", "first_visit", "first_open":
		return true
	}
	return false
}

// finish makes the event at hand of a draft that has a name. The properties that were added since
// Next are its own.
func (r *reader) finish(in *protocol.Input, d *draft) *protocol.FieldError {
	in.Name = r.LooseName(d.name)
	r.page(in, d)
	host := protocol.HostOf(in.URL)
	site, ok := protocol.FindSite(r.sites, d.token, host)
	if !ok {
		r.noSite = true
		return protocol.NoSite(tokenPath, d.token, host)
	}
	in.Site = site
	in.SetClient(d.client)
	in.Objects = denied(d.consent, d.grants)
	in.Language = r.LooseWhole(d.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	if d.screen != "0x0" {
		in.Screen = r.LooseWhole(d.screen, protocol.MaxScreen, protocol.FieldScreen, protocol.CheckScreen(d.screen) == "")
	}
	if d.title != "" {
		r.LooseProp("title", d.title)
	}
	switch d.name = in.Name; d.name {
	case userEngagement:
		r.ping(in, d.engaged)
	case pageView:
		in.Name = event.Pageview
	default:
		r.NameEvent(in, d.name)
	}
	if !in.Ping {
		r.items(&d.items)
		r.revenue(in, d)
	}
	in.Props = r.SortedProps()
	return nil
}

// page sets the addresses of the page and of the one before.
func (r *reader) page(in *protocol.Input, d *draft) {
	in.URL = r.LooseText(strings.TrimSpace(d.page), protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(in.URL) != "" {
		in.URL = ""
		r.Adjust(protocol.FieldURL)
	}
	in.URL = r.WithCampaign(in.URL, d.campaign)
	in.Referrer = r.LooseText(strings.TrimSpace(d.referrer), protocol.MaxURL, protocol.FieldReferrer)
}

// ping makes the event a report on a page that is in use.
func (r *reader) ping(in *protocol.Input, engaged string) {
	// Non-interactive for engines of before pings, which take it for an event.
	in.Ping, in.NonInteractive = true, true
	if engaged == "" {
		return
	}
	n, err := strconv.ParseInt(engaged, 10, 64)
	if err != nil || n < 0 || n > int64(maxEngaged) {
		r.Adjust(protocol.FieldEngagement)
		return
	}
	in.Engaged = event.Time(n)
}

// revenue sets what an event has earned. The steps towards a purchase have a value too, which is
// not earned yet: theirs is a property. A refund is negative.
func (r *reader) revenue(in *protocol.Input, d *draft) {
	purchase := d.name == "purchase" || d.name == "refund"
	amount := d.amount
	if amount == "" && purchase && d.items.total != 0 {
		amount = d.items.total.String()
	}
	if amount == "" {
		return
	}
	if d.currency == "" || step(d.name) {
		r.LooseProp("value", amount)
		if d.currency != "" {
			r.LooseProp("currency", d.currency)
		}
		return
	}
	r.SetRevenue(in, amount, protocol.LooseCurrency(d.currency))
	if !r.Forgiven(protocol.FieldRevenue) && d.name == "refund" && in.Amount > 0 {
		in.Amount = -in.Amount
	}
}

// step reports whether an event is one of Google's steps towards a purchase.
func step(name string) bool {
	switch name {
	case "view_item", "view_item_list", "select_item", "view_promotion", "select_promotion", "add_to_wishlist",
		"add_to_cart", "remove_from_cart", "view_cart", "begin_checkout", "add_shipping_info", "add_payment_info":
		return true
	}
	return false
}
