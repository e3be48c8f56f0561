package pixel

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
)

// query is the query of the pixel as it is read.
type query struct {
	*protocol.Parser
	amount, currency string
}

// read reads a query: site, name (default "pageview"), url (default the Referer header), referrer,
// language, screen, id, amount with currency, interactive ("false" or "true"), and p.KEY for the
// property KEY. A parameter "_" is passed over: pages add one to get past caches. An address that
// was copied out of a page's source has "&amp;" between parameters, which leaves "amp;" before
// their names: it is cut off. Without a site there is no event; the rest is adjusted.
func (q *query) read(args *fasthttp.Args, referer []byte) error {
	q.Reset()
	in := q.Next()
	for key, value := range args.All() {
		q.field(in, spelling.ParamName(protocol.View(key)), protocol.View(value))
		if err := q.Err(); err != nil {
			return err
		}
	}
	in.Props = q.SortedProps()
	if q.amount != "" || q.currency != "" {
		q.SetRevenue(in, q.amount, q.currency)
		q.Forgiven(protocol.FieldRevenue)
	}
	if in.URL == "" && len(referer) > 0 && protocol.CheckURL(protocol.View(referer)) == "" {
		in.URL = identity.Clean(protocol.View(referer), protocol.MaxURL)
	}
	if in.Name == "" {
		in.Name = event.Pageview
	}
	if in.Site == "" {
		return protocol.BadField("site", "is missing")
	}
	if in.Name == event.Pageview && in.NonInteractive {
		in.NonInteractive = false
		q.Adjust(protocol.FieldInteractive)
	}
	return nil
}

func (q *query) field(in *protocol.Input, key, value string) {
	switch key {
	case "site":
		if q.Once("site", protocol.FieldSite) {
			q.Check("site", protocol.CheckSite(value))
			in.Site = value
		}
	case "name":
		if q.First(protocol.FieldName) {
			in.Name = q.LooseName(value)
		}
	case "url":
		if q.address(&in.URL, value, protocol.FieldURL); protocol.CheckURL(in.URL) != "" {
			in.URL = ""
			q.Adjust(protocol.FieldURL)
		}
	case "referrer":
		q.address(&in.Referrer, value, protocol.FieldReferrer)
	case "language":
		q.whole(&in.Language, value, protocol.MaxLanguage, protocol.FieldLanguage, true)
	case "screen":
		q.whole(&in.Screen, value, protocol.MaxScreen, protocol.FieldScreen, protocol.CheckScreen(value) == "")
	case "id":
		if q.First(protocol.FieldID) {
			in.ID = q.LooseID(value)
		}
	case "amount":
		q.whole(&q.amount, value, 32, protocol.FieldAmount, true)
	case "currency":
		q.whole(&q.currency, protocol.LooseCurrency(value), 3, protocol.FieldCurrency, true)
	case "interactive":
		if value != "true" && value != "false" {
			q.Adjust(protocol.FieldInteractive)
		}
		in.NonInteractive = value == "false"
	case "_":
	default:
		if name, ok := strings.CutPrefix(key, "p."); ok {
			q.LooseProp(name, value)
			return
		}
		q.Adjust(protocol.FieldUnknown)
	}
}

// address reads an address, which is cut where it is too long.
func (q *query) address(dst *string, value string, field protocol.Fields) {
	if q.First(field) {
		*dst = q.LooseText(strings.TrimSpace(value), protocol.MaxURL, field)
	}
}

// whole reads what is of no use when it is cut.
func (q *query) whole(dst *string, value string, most int, field protocol.Fields, usable bool) {
	switch {
	case !q.First(field):
	case usable && protocol.CheckText(value, most) == "":
		*dst = value
	default:
		q.Adjust(field)
	}
}
