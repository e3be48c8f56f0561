package ga4

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// hits reads a request of /g/collect: the event of the query, if that names one, and one of each
// line of the body. What a line does not have it has of the query, but for what is about that one's
// event. A line without a name is left out.
func (r *reader) hits(query *fasthttp.Args, body []byte) *protocol.FieldError {
	r.Reset()
	var first *protocol.FieldError // of what no site has
	own := r.named(query)
	found := own
	if own {
		first = r.hit(query, nil, false)
	}
	line := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(line)
	for len(body) > 0 {
		text, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if len(r.Inputs()) == protocol.MaxEvents {
			return protocol.BadField("", "more than %d events, which is the most that are allowed in a request", protocol.MaxEvents)
		}
		line.ParseBytes(text)
		if !r.named(line) {
			r.Adjust(protocol.FieldName)
			continue
		}
		found = true
		if err := r.hit(line, query, own); first == nil {
			first = err
		}
	}
	switch {
	case !found:
		return protocol.BadField("en", "is missing")
	case len(r.Inputs()) == 0:
		return first
	}
	r.noSite = false
	return nil
}

// named reports whether parameters have the name of an event.
func (r *reader) named(args *fasthttp.Args) bool {
	return r.LooseName(protocol.View(args.Peek("en"))) != ""
}

// hit reads an event of its own parameters and the shared ones, nil for none. Shared ones that name
// an event themselves have parameters of that.
func (r *reader) hit(args, shared *fasthttp.Args, others bool) *protocol.FieldError {
	name := protocol.View(args.Peek("en"))
	if passedOver(name) {
		return nil
	}
	in := r.Next()
	h := hit{reader: r, in: in, draft: draft{name: name}}
	for key, value := range args.All() {
		h.param(protocol.View(key), protocol.View(value))
	}
	if shared != nil {
		h.ofOther = others
		for key, value := range shared.All() {
			h.param(protocol.View(key), protocol.View(value))
		}
	}
	h.address()
	if err := r.finish(in, &h.draft); err != nil {
		r.Undo()
		r.unknown++
		return err
	}
	if shared != nil {
		r.Own(in) // the memory of the line is used again
	}
	return nil
}

// hit is an event of /g/collect as it is read.
type hit struct {
	*reader
	in *protocol.Input
	draft
	host, path     string
	ignoreReferrer bool
	ofOther        bool // the parameters at hand are those of another event too
}

// param reads a parameter. Of those that come twice the first counts. The ones that are not here
// are passed over: counters of the tag, what it knows of the browser, and the ids of
// users and visits.
func (h *hit) param(key, value string) {
	if value == "" {
		return
	}
	switch key {
	case "cid":
		first(&h.client, value)
	case "gcs":
		first(&h.consent, value)
	case "gcd":
		first(&h.grants, value)
	case "tid":
		first(&h.token, value)
	case "dl":
		first(&h.draft.page, value)
	case "dh":
		first(&h.host, value)
	case "dp":
		first(&h.path, value)
	case "dr":
		first(&h.referrer, value)
	case "ir":
		h.ignoreReferrer = value == "1" || value == "true"
	case "dt":
		first(&h.title, value)
	case "ul":
		first(&h.language, value)
	case "sr":
		first(&h.screen, value)
	case "cu":
		first(&h.currency, value)
	case "cs":
		first(&h.campaign.Source, value)
	case "cm":
		first(&h.campaign.Medium, value)
	case "cn":
		first(&h.campaign.Name, value)
	case "cc":
		first(&h.campaign.Content, value)
	case "ck", "ct":
		first(&h.campaign.Term, value)
	case "_uip":
		if h.trusted && !h.in.IP.IsValid() {
			h.in.IP = protocol.LooseAddr(value)
		}
	default:
		h.other(key, value)
	}
}

// other reads what is about the event alone, and the properties of the user.
func (h *hit) other(key, value string) {
	if name, ok := cutEither(key, "up.", "upn."); ok {
		h.LooseProp(name, value)
		return
	}
	if h.ofOther {
		return
	}
	switch {
	case key == "_et":
		first(&h.engaged, value)
	case key == "epn.value" || key == "ep.value":
		first(&h.amount, value)
	case key == "ep.currency":
		first(&h.currency, value)
	case isItem(key):
		h.draft.items.add(parseItem(value))
	default:
		if name, ok := cutEither(key, "ep.", "epn."); ok {
			h.LooseProp(name, value)
		}
	}
}

// address sets the page and the referrer of what was read.
func (h *hit) address() {
	if h.draft.page == "" && h.host != "" {
		path := h.path
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		h.draft.page = "https://" + h.host + path
	}
	if h.ignoreReferrer {
		h.referrer = ""
	}
}

// first sets a value that comes for the first time.
func first(dst *string, value string) {
	if *dst == "" {
		*dst = value
	}
}

// cutEither cuts one of two beginnings off.
func cutEither(s, a, b string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, a); ok {
		return rest, true
	}
	return strings.CutPrefix(s, b)
}

// isItem reports whether a parameter is an item: pr1 to pr200.
func isItem(key string) bool {
	number, ok := strings.CutPrefix(key, "pr")
	if !ok || number == "" || len(number) > 3 {
		return false
	}
	for i := 0; i < len(number); i++ {
		if number[i] < '0' || number[i] > '9' {
			return false
		}
	}
	return true
}
