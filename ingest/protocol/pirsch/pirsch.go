package pirsch

import (
	"time"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	get, post := []string{fasthttp.MethodGet}, []string{fasthttp.MethodPost}
	p := protocol.Protocol{
		Name:    "pirsch",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/hit", Methods: get, NeverResends: true, Handler: query{kind: view}},
			{Path: "/session", Methods: post, NeverResends: true, Handler: query{kind: ping}},
			// Events go by sendBeacon, which has cookies with it.
			{Path: "/event", Methods: post, Credentials: true, NeverResends: true, Handler: beacon{}},
			{Path: "/api/v1/token", Methods: post, Handler: token{}},
		},
	}
	for _, e := range []struct {
		path string
		kind kind
	}{{"/api/v1/hit", view}, {"/api/v1/event", custom}, {"/api/v1/session", ping}} {
		p.Endpoints = append(p.Endpoints,
			protocol.Endpoint{Path: e.path, Methods: post, NeverResends: true, Handler: server{kind: e.kind}},
			protocol.Endpoint{Path: e.path + "/batch", Methods: post, NeverResends: true, Handler: server{kind: e.kind, batch: true}})
	}
	return p
}

// query takes what a page sends in a query.
type query struct {
	handler
	kind kind
}

// Read reads the event.
func (q query) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	rd := begin(r)
	return rd.result(r, rd.query(q.kind, r.Query()))
}

// beacon takes an event of a page.
type beacon struct{ handler }

// Read reads the event.
func (beacon) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	return rd.result(r, rd.body(custom, body, false))
}

// server takes what a server reports of its visitors.
type server struct {
	handler
	kind  kind
	batch bool
}

// Read reads the events.
func (s server) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if !r.Trusted {
		return nil, &protocol.Refusal{Status: fasthttp.StatusUnauthorized, Reason: protocol.ReasonKey,
			Msg: "only trusted callers may report for others: from the loopback interface, or with a write key in the header Authorization: Bearer KEY"}
	}
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	rd.server, r.Prefetched = true, false
	return rd.result(r, rd.body(s.kind, body, s.batch))
}

// token exchanges the secret of a client for the key that it then sends: the secret itself, which is
// a write key. So there is nothing to keep, and nothing that anybody learns who does not have it.
type token struct{ handler }

// Read reads the secret.
func (token) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	root, wrong := r.Parser.Document(body)
	if wrong != nil {
		return nil, protocol.Invalid(wrong)
	}
	secret := protocol.TextOf(root.Get("client_secret"))
	if secret == "" {
		return nil, protocol.Invalid(protocol.BadField("client_secret", "is missing"))
	}
	r.State = secret
	return nil, nil
}

// tokenLives is how long a token is said to be good. The library asks for another at 401 alone.
const tokenLives = 24 * time.Hour

// Accept answers with the token.
func (token) Accept(r *protocol.Request, _ protocol.Outcome) {
	secret, _ := r.State.(string)
	r.Ctx.Response.Header.Set("Cache-Control", "no-store")
	protocol.WriteJSON(r.Ctx, fasthttp.StatusOK, struct {
		Token   string    `json:"access_token"`
		Expires time.Time `json:"expires_at"`
	}{secret, r.Now.Std().Add(tokenLives)})
}

// handler answers at all endpoints.
type handler struct{}

// Accept answers with nothing that says anything.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString("{}")
}

// Refuse answers {"validation":{},"error":["path: message"]}, of which the library shows the first
// error. It never sends again, so that the status is what it is.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	protocol.WriteJSON(r.Ctx, ref.Status, struct {
		Validation struct{} `json:"validation"`
		Error      []string `json:"error"`
	}{Error: []string{(&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()}})
}

// begin returns a reader of the events of a request.
func begin(r *protocol.Request) reader {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	r.Parser.Reset()
	return reader{Parser: &r.Parser, sites: r.Sites, keySite: r.KeySite, now: r.Now}
}

// result returns the inputs that were read, or the refusal of an error.
func (rd *reader) result(r *protocol.Request, err *protocol.FieldError) ([]protocol.Input, *protocol.Refusal) {
	if err != nil {
		ref := protocol.Invalid(err)
		if err.Path == codePath || err.Path == urlPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown = rd.unknown
	return rd.Inputs(), nil
}
