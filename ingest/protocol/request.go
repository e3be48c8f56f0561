package protocol

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// Request is one request, as a Handler reads it. The collector reuses it, and so its memory.
type Request struct {
	// Ctx is the request and its answer, as HTTP has them. Bodies are read by Body and the query
	// by Query, not by Ctx.
	Ctx *fasthttp.RequestCtx
	// Now is when the request was received.
	Now event.Time
	// Trusted callers may give more of an event: its time, address, user agent and visitor.
	Trusted bool
	// KeySite is the site of the write key that was sent, "" without one and for a key of several
	// sites: the site of events that name none, of trackers that have a key for each.
	KeySite string
	// Sites are the sites of this installation.
	Sites Sites
	// Parser has the memory of the events, and reads their fields.
	Parser Parser

	// Prefetched is set by Read where the page is not shown to anybody (see Prefetched): the events
	// are answered and not stored.
	Prefetched bool
	// Server is set by Read where a server reports for its visitors, whoever it is: the user agent of
	// the request is not theirs, as of a trusted caller (Protocol.Servers).
	Server bool
	// Unknown is set by Read to the number of events that it left out because no site of this
	// installation has them.
	Unknown int
	// NeverResends is the endpoint's, and may be changed by Read: whoever sent this request will not
	// send it again after 503.
	NeverResends bool
	// State takes what Read wants Accept and Refuse to know.
	State any

	// Secrets looks at secrets in bodies; nil knows none.
	Secrets Secrets

	// Bodies and Memory are by what and into what bodies are read.
	Bodies *Bodies
	Memory Memory

	pattern           string // the path of the endpoint
	raw, unpacked     []byte
	body              []byte
	hasBody, hasQuery bool
	roomy             bool     // behind the body there is room for a parser's padding
	unread            *Refusal // why there is no body
}

// Begin makes r the request of ctx, received at an instant at an endpoint of a path.
func (r *Request) Begin(ctx *fasthttp.RequestCtx, pattern string, now event.Time) {
	r.Ctx, r.pattern, r.Now, r.Trusted, r.KeySite = ctx, pattern, now, false, ""
	r.Prefetched, r.Server, r.Unknown, r.NeverResends, r.State = false, false, 0, false, nil
	r.body, r.hasBody, r.hasQuery, r.roomy, r.unread = nil, false, false, false, nil
	r.Parser.Reset()
}

// End lets go of the request.
func (r *Request) End() { r.Ctx, r.State, r.body, r.unread = nil, nil, nil, nil }

// Secrets finds out whose a tracker's secret is.
type Secrets interface {
	// Trust makes the sender of the request trusted if a secret is a write key and no page has sent
	// it, and reports whether he is.
	Trust(secret []byte) bool
}

// Secret shows the secret of a tracker's servers that the body has, where the protocol says that it
// is one. The result is Trusted, which it may set.
func (r *Request) Secret(secret []byte) bool {
	if r.Secrets != nil && len(secret) > 0 {
		r.Trusted = r.Secrets.Trust(secret)
	}
	return r.Trusted
}

// BasicUser returns the user that a header Authorization names by the scheme Basic, "" for none.
func BasicUser(auth []byte) string {
	const scheme = "basic "
	if len(auth) < len(scheme) || !bytes.EqualFold(auth[:len(scheme)], []byte(scheme)) {
		return ""
	}
	text := bytes.TrimRight(bytes.TrimSpace(auth[len(scheme):]), "=")
	plain, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(View(plain), ":")
	return name
}

// Query returns the query.
func (r *Request) Query() *fasthttp.Args {
	r.hasQuery = true
	return r.Ctx.QueryArgs()
}

// PathValue returns what stands in the path of the request in place of a name in the endpoint's, ""
// if the endpoint's has no such name.
func (r *Request) PathValue(name string) string {
	value, _ := walk(r.pattern, View(r.Ctx.Path()), name)
	return value
}

// Body returns the body, unpacked by its header Content-Encoding. It is valid until the end of
// the request.
func (r *Request) Body() ([]byte, *Refusal) { return r.BodyAs(r.encoding()) }

// BeginBody is Parser.Reset, and Parser.Begin of the body, which it reads where it is if it can.
func (r *Request) BeginBody() *strictjson.Parser {
	r.Parser.Reset()
	if r.roomy {
		return r.Parser.BeginIn(r.body)
	}
	return r.Parser.Begin(r.body)
}

func (r *Request) encoding() string {
	return strings.ToLower(string(r.Ctx.Request.Header.ContentEncoding()))
}

// BodyAs is Body for a protocol that names the packing elsewhere: "gzip", "deflate",
// "br", "zstd", or "" for not at all.
func (r *Request) BodyAs(encoding string) ([]byte, *Refusal) {
	return r.bodyAs(encoding, false)
}

// BodyByContent is Body for a protocol whose clients pack bodies without a word of it, or name a
// packing that they are not in: gzip is what begins like it.
func (r *Request) BodyByContent() ([]byte, *Refusal) { return r.bodyAs(r.encoding(), true) }

func (r *Request) bodyAs(encoding string, byContent bool) ([]byte, *Refusal) {
	if r.hasBody || r.unread != nil {
		return r.body, r.unread
	}
	body, ref := r.Bodies.read(r, encoding, byContent)
	if r.unread = ref; ref != nil {
		return nil, ref
	}
	r.body, r.hasBody = body, true
	return body, nil
}

// Sent returns what has been read of the request, by which a repetition of it is known: the body
// if Read took one, and the query if it took that or no body.
func (r *Request) Sent() (body, query []byte) {
	if r.hasBody {
		body = r.body
	}
	if r.hasQuery || !r.hasBody {
		query = r.Ctx.URI().QueryString()
	}
	return body, query
}

// Prefetched reports whether a browser makes the request for a page that its user has not opened.
// The names are those of today's Chromium, and of what Safari and Firefox have sent.
func Prefetched(h *fasthttp.RequestHeader) bool {
	for name, v := range h.All() {
		switch string(name) {
		case "Sec-Purpose", "Purpose", "X-Purpose", "X-Moz":
			v = bytes.ToLower(v)
			if bytes.Contains(v, []byte("prefetch")) || bytes.Contains(v, []byte("prerender")) || bytes.Contains(v, []byte("preview")) {
				return true
			}
		}
	}
	return false
}

// FromPage reports whether a page in a browser has made a request.
func FromPage(h *fasthttp.RequestHeader) bool {
	for name, value := range h.All() {
		if IsOfPage(name) && len(value) > 0 {
			return true
		}
	}
	return false
}

// IsOfPage reports whether a header, spelled as fasthttp does, is one that browsers add to what pages
// send.
func IsOfPage(name []byte) bool {
	switch string(name) {
	case "Origin", "Sec-Fetch-Site", "Referer":
		return true
	}
	return false
}

// PageOrigin returns the scheme and host of the page that has made a request, as browsers name them:
// "https://shop.example.com", "" if they do not.
func PageOrigin(h *fasthttp.RequestHeader) string {
	for _, from := range [...][]byte{h.Peek("Origin"), h.Referer()} {
		page := View(from)
		if page == "" || CheckURL(page) != "" { // "null" is the origin of a file
			continue
		}
		scheme, rest, _ := strings.Cut(page, "://")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			rest = rest[:i]
		}
		return page[:len(scheme)+len("://")+len(rest)]
	}
	return ""
}

// RefererPage returns the page that has made a request, "" if the browser does not name it. To
// servers of another origin than the page's it names the origin alone, which is no page.
func RefererPage(h *fasthttp.RequestHeader) string {
	page := strings.TrimSpace(View(h.Referer()))
	if page == "" || CheckURL(page) != "" {
		return ""
	}
	_, rest, _ := strings.Cut(page, "://")
	if i := strings.IndexByte(rest, '/'); i < 0 || i == len(rest)-1 {
		return ""
	}
	return page
}
