package matomo

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	methods := []string{fasthttp.MethodGet, fasthttp.MethodPost}
	return protocol.Protocol{
		Name:    "matomo",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			// The script sends with credentials.
			{Path: "/matomo.php", Methods: methods, Credentials: true, SecretParam: "token_auth", NeverResends: true, Handler: handler{}},
			{Path: "/piwik.php", Methods: methods, Credentials: true, SecretParam: "token_auth", NeverResends: true, Handler: handler{}},
		},
	}
}

type handler struct{}

// reply is what the answer to a request depends on.
type reply struct {
	kind replyKind
	// hits are those of a bulk, invalid the ones among them that are not taken.
	hits, invalid int
}

type replyKind uint8

const (
	replyImage replyKind = iota
	replyNothing
	replyBulk
	replyText
)

// The replies to single hits.
var image, nothing, text = &reply{kind: replyImage}, &reply{kind: replyNothing}, &reply{kind: replyText}

// Read reads the hits of a request.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	query := r.Query()
	var body []byte
	if r.Ctx.IsPost() {
		var ref *protocol.Refusal
		if body, ref = r.Body(); ref != nil {
			return nil, ref
		}
	}
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now, page: protocol.FromPage(&r.Ctx.Request.Header)}
	if isBulk(body) {
		return readBulk(r, &rd, body)
	}
	if query.Len() == 0 && len(body) == 0 {
		if r.Ctx.IsPost() {
			return nil, protocol.BadRequest(protocol.ReasonInvalid, "", "the request is empty")
		}
		r.State = text
		return nil, nil
	}
	rd.referer = protocol.View(r.Ctx.Request.Header.Referer())
	h := &rd.hit
	h.reset()
	if len(body) > 0 {
		form := new(fasthttp.Args) // its memory is that of the event
		form.ParseBytes(body)
		rd.trusted = r.Secret(form.Peek("token_auth"))
		h.setAll(form)
	}
	h.setAll(query)
	r.State = image
	if h.imageless {
		r.State = nothing
	}
	if err := rd.add(); err != nil {
		return nil, refusal(err)
	}
	return r.Parser.Inputs(), nil
}

// refusal makes a Refusal of what is wrong with a hit.
func refusal(err *protocol.FieldError) *protocol.Refusal {
	if err.Path == "idsite" {
		return protocol.BadRequest(protocol.ReasonSite, err.Path, err.Msg)
	}
	return protocol.BadRequest(protocol.ReasonInvalid, err.Path, err.Msg)
}

// Accept answers with an image or nothing, or to a bulk with how many of its hits are taken.
func (handler) Accept(r *protocol.Request, _ protocol.Outcome) {
	rep, _ := r.State.(*reply)
	switch {
	case rep == nil || rep.kind == replyImage:
		protocol.WriteGIF(r.Ctx)
	case rep.kind == replyNothing:
		r.Ctx.SetStatusCode(fasthttp.StatusNoContent)
	case rep.kind == replyText:
		r.Ctx.SetContentType("text/plain; charset=utf-8")
		r.Ctx.SetBodyString("Matomo's trackers send their events to this address.\n")
	default:
		protocol.WriteJSON(r.Ctx, fasthttp.StatusOK, struct {
			Status  string `json:"status"`
			Tracked int    `json:"tracked"`
			Invalid int    `json:"invalid"`
		}{"success", rep.hits - rep.invalid, rep.invalid})
	}
}

// Refuse answers {"status":"error","message":"path: message"}. The clients take any status but 2xx
// for an error, and send again by themselves at none: the script once, as an image.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	protocol.WriteJSON(r.Ctx, ref.Status, struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{"error", (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()})
}
