package ua

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
)

// reader reads the hits of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	unknown int // hits that no site has
}

// tokenPath names the token of a site in errors.
const tokenPath = "tid"

// hits reads a hit of each line. A line that is none, or that no site has, is left out, unless there is
// no other.
func (r *reader) hits(body []byte) *protocol.FieldError {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return protocol.BadField("body", "is empty")
	case body[0] == '{' || body[0] == '[':
		return protocol.BadField("body", "is JSON, want a hit on each line")
	}
	var first *protocol.FieldError
	taken := 0
	for len(body) > 0 {
		text, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if len(r.Inputs()) == protocol.MaxEvents {
			return protocol.BadField("", "more than %d hits, which is the most that are allowed in a request", protocol.MaxEvents)
		}
		before := r.unknown
		err := r.form(text, nil)
		switch {
		case err == nil:
			taken++
		case r.unknown == before:
			r.Adjust(protocol.FieldName)
		}
		if first == nil {
			first = err
		}
	}
	if taken == 0 {
		return first
	}
	return nil
}

// form reads a hit of a form, and of other parameters where that lacks one, nil for none.
func (r *reader) form(text []byte, others *fasthttp.Args) *protocol.FieldError {
	args := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(args)
	args.ParseBytes(text)
	before := len(r.Inputs())
	if err := r.hit(args, others); err != nil {
		return err
	}
	if inputs := r.Inputs(); len(inputs) > before {
		r.Own(&inputs[before]) // the memory of the parameters is used again
	}
	return nil
}

// hit reads a hit of parameters, and of others where those lack one, nil for none.
func (r *reader) hit(args, others *fasthttp.Args) *protocol.FieldError {
	kind, action := protocol.View(args.Peek("t")), protocol.View(args.Peek("ea"))
	if others != nil {
		first(&kind, protocol.View(others.Peek("t")))
		first(&action, protocol.View(others.Peek("ea")))
	}
	h := hit{reader: r, name: kind}
	switch kind {
	case "":
		return protocol.BadField("t", "is missing")
	case "pageview":
		h.name = event.Pageview
	case "event":
		if h.name = r.LooseName(action); h.name == "" {
			return protocol.BadField("ea", "is missing")
		}
	case "screenview", "social", "transaction":
	case "exception", "item":
		h.passive = true
	case "timing":
		if len(args.Peek("utv")) == 0 {
			return nil // of analytics.js itself, how long the page has loaded
		}
		h.passive = true
	default:
		return nil // of advertisements (dc, sr), and data of no hit
	}
	h.in = r.Next()
	h.all(args)
	if others != nil {
		h.all(others)
	}
	return h.finish(kind)
}

// hit is a hit as it is read.
type hit struct {
	*reader
	in   *protocol.Input
	name string

	client, user                string // cid, uid
	token, location, host, path string
	referrer, title, language   string
	screen, revenue, currency   string
	productAction               string
	campaign                    protocol.Campaign
	passive                     bool // no sign of the visitor's doing
	products                    products
	queued                      string // how long ago it was, in ms
}

func (h *hit) all(args *fasthttp.Args) {
	for key, value := range args.All() {
		if len(value) > 0 {
			h.param(spelling.ParamName(protocol.View(key)), protocol.View(value))
		}
	}
}

// param reads a parameter. Of those that come twice the first counts. What analytics.js has
// for itself is passed over.
func (h *hit) param(key, value string) {
	switch key {
	case "cid":
		first(&h.client, value)
	case "uid":
		first(&h.user, value)
	case "tid":
		first(&h.token, value)
	case "dl":
		first(&h.location, value)
	case "dh":
		first(&h.host, value)
	case "dp", "p": // p is what universal-analytics has for the hits of a chain
		first(&h.path, value)
	case "dr":
		first(&h.referrer, value)
	case "dt":
		first(&h.title, value)
	case "ul":
		first(&h.language, value)
	case "sr":
		first(&h.screen, value)
	case "cu":
		first(&h.currency, value)
	case "tr":
		first(&h.revenue, value)
	case "pa":
		first(&h.productAction, value)
	case "cs":
		first(&h.campaign.Source, value)
	case "cm":
		first(&h.campaign.Medium, value)
	case "cn":
		first(&h.campaign.Name, value)
	case "ck":
		first(&h.campaign.Term, value)
	case "cc":
		first(&h.campaign.Content, value)
	case "ni":
		h.passive = h.passive || value == "1" || value == "true"
	case "qt":
		first(&h.queued, value)
	case "uip", "ua":
		h.trustedParam(key, value)
	default:
		if !h.products.add(key, value) {
			h.prop(key, value)
		}
	}
}

// trustedParam reads what is taken of trusted callers alone.
func (h *hit) trustedParam(key, value string) {
	if !h.trusted {
		return
	}
	if key == "ua" {
		h.in.UA = h.LooseText(value, protocol.MaxUA, protocol.FieldUA)
		return
	}
	h.in.IP = protocol.LooseAddr(value)
}

// finish makes the event of what was read.
func (h *hit) finish(kind string) *protocol.FieldError {
	in := h.in
	in.Name = h.name
	in.SetClient(h.client, h.user)
	in.NonInteractive = h.passive && in.Name != event.Pageview
	if err := h.page(); err != nil {
		return err
	}
	in.Referrer = h.LooseText(strings.TrimSpace(h.referrer), protocol.MaxURL, protocol.FieldReferrer)
	in.Language = h.LooseWhole(h.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	if h.screen != "0x0" {
		in.Screen = h.LooseWhole(h.screen, protocol.MaxScreen, protocol.FieldScreen, protocol.CheckScreen(h.screen) == "")
	}
	if h.title != "" {
		h.LooseProp("title", h.title)
	}
	if n, err := strconv.ParseInt(h.queued, 10, 64); err == nil && h.trusted && n > 0 {
		if t := h.now - event.Time(min(n, int64(maxQueued))); protocol.CheckTime(t, h.now, "milliseconds") == "" {
			in.Time = t
		}
	}
	h.products.props(h.Parser)
	h.earned(kind)
	in.Props = h.SortedProps()
	return nil
}

// maxQueued is the longest time that a hit may have waited; Google takes 4 hours.
const maxQueued = 4 * event.Hour

// page sets the site and the address of the page: the location, of which host and path may be given
// besides and go before. Its query stays for the campaign that is in it.
func (h *hit) page() *protocol.FieldError {
	location := strings.TrimSpace(h.location)
	if protocol.CheckURL(location) != "" {
		location = ""
		h.Adjust(protocol.FieldURL)
	}
	origin := originOf(location)
	if own := strings.TrimSuffix(strings.TrimSpace(h.host), "/"); own != "" {
		if origin = own; !strings.Contains(own, "://") {
			origin = "https://" + own
		}
	}
	host := protocol.HostOf(origin)
	site, ok := protocol.FindSite(h.sites, h.token, host)
	if !ok {
		h.Undo()
		h.unknown++
		return protocol.NoSite(tokenPath, h.token, host)
	}
	h.in.Site = site
	url := location
	if h.path != "" || h.host != "" {
		if origin == "" {
			origin = "https://" + site
		}
		url = join(origin, h.path, location)
	}
	url = h.LooseText(url, protocol.MaxURL, protocol.FieldURL)
	if protocol.CheckURL(url) != "" {
		url = ""
		h.Adjust(protocol.FieldURL)
	}
	h.in.URL = h.WithCampaign(url, h.campaign)
	return nil
}

// join returns the address of a path, "" for that of a location, which gives its query to a path
// without one.
func join(origin, path, location string) string {
	rest := location[len(originOf(location)):]
	if path == "" {
		return origin + rest
	}
	slash, query := "", ""
	if path[0] != '/' {
		slash = "/"
	}
	if !strings.ContainsAny(path, "?#") {
		rest, _, _ = strings.Cut(rest, "#")
		if i := strings.IndexByte(rest, '?'); i >= 0 {
			query = rest[i:]
		}
	}
	return origin + slash + path + query
}

// originOf returns scheme and host of an address, "" for none.
func originOf(url string) string {
	i := strings.Index(url, "://")
	if i < 0 {
		return ""
	}
	end := strings.IndexAny(url[i+3:], "/?#")
	if end < 0 {
		return url
	}
	return url[:i+3+end]
}

// first sets a value that comes for the first time.
func first(dst *string, value string) {
	if *dst == "" {
		*dst = value
	}
}
