package plausible

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name: "plausible",
		Endpoints: []protocol.Endpoint{
			{Path: "/api/event", Methods: []string{fasthttp.MethodPost}, NeverResends: true, Handler: handler{}},
		},
	}
}

type handler struct{}

// Read reads the event of the body, once for each site of its domains that this installation has.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if len(r.Ctx.UserAgent()) == 0 {
		return nil, protocol.BadRequest(protocol.ReasonInvalid, "user_agent", "the header User-Agent is missing")
	}
	text, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	b := body{Parser: &r.Parser}
	if err := b.read(r.BeginBody(), text); err != nil {
		return nil, protocol.Invalid(err)
	}
	// The tracker of today waits until the page is shown, but the view that it sends then still has
	// the header.
	r.Prefetched = !b.version && protocol.Prefetched(&r.Ctx.Request.Header)
	return known(r, b.unfit)
}

// known returns the inputs of the sites of this installation, each once, and counts the others of
// the list in r.Unknown: those of the inputs, and the unfit ones. It refuses a list without any.
func known(r *protocol.Request, unfit []string) ([]protocol.Input, *protocol.Refusal) {
	inputs := r.Parser.Inputs()
	kept, unknown := inputs[:0], unfit
	for i := range inputs {
		site, ok := protocol.FindDomain(r.Sites, inputs[i].Site)
		switch {
		case !ok:
			unknown = append(unknown, inputs[i].Site)
		case !has(kept, site):
			inputs[i].Site = site
			if n := len(kept); n < i {
				inputs[n] = inputs[i]
			}
			kept = inputs[:len(kept)+1]
		}
	}
	if len(kept) == 0 {
		names := make([]string, 0, len(unknown))
		for _, site := range unknown[:min(len(unknown), maxNamed)] {
			names = append(names, protocol.Quote(site))
		}
		what := " is not a configured site"
		if len(unknown) > 1 {
			what = " are not configured sites"
		}
		return nil, protocol.BadRequest(protocol.ReasonSite, "domain", strings.Join(names, ", ")+what)
	}
	r.Unknown = len(unknown)
	return kept, nil
}

// has reports whether one of the inputs is of a site.
func has(inputs []protocol.Input, site string) bool {
	for i := range inputs {
		if inputs[i].Site == site {
			return true
		}
	}
	return false
}

// maxNamed is how many sites an error names.
const maxNamed = 10

// Accept answers "ok", as Plausible does.
func (handler) Accept(r *protocol.Request, o protocol.Outcome) {
	res := &r.Ctx.Response
	res.SetStatusCode(fasthttp.StatusAccepted)
	res.Header.SetContentType("text/plain; charset=utf-8")
	if o.Dropped > 0 {
		res.Header.Set("X-Plausible-Dropped", strconv.Itoa(o.Dropped))
	}
	res.AppendBodyString("ok")
}

// Refuse answers {"errors":{"field":["message"]}}, the form of Plausible's own 400.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	field := ref.Path
	if field == "" {
		field = "request"
	}
	protocol.WriteJSON(r.Ctx, ref.Status, struct {
		Errors map[string][]string `json:"errors"`
	}{map[string][]string{field: {ref.Msg}}})
}
