package mixpanel

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	both, post := []string{fasthttp.MethodGet, fasthttp.MethodPost}, []string{fasthttp.MethodPost}
	p := protocol.Protocol{Name: "mixpanel", Servers: true}
	for _, e := range []protocol.Endpoint{
		{Path: "/track", Methods: both, Handler: track{}},
		{Path: "/import", Methods: post, Handler: past{}},
		{Path: "/engage", Methods: both, Handler: profiles{}},
		{Path: "/groups", Methods: both, Handler: profiles{}},
	} {
		e.Credentials = true // mixpanel-browser sends with them
		// Servers have a secret of Mixpanel's, which is a write key if an operator makes it one.
		e.BasicToken, e.BasicSecret = true, true
		p.Endpoints = append(p.Endpoints, e)
		e.Path += "/" // as mixpanel-browser has it
		p.Endpoints = append(p.Endpoints, e)
	}
	return p
}

// answer is the form of an answer.
type answer uint8

const (
	answerOne     answer = iota // 1
	answerVerbose               // {"error":null,"status":1}
	answerImport                // {"code":200,"num_records_imported":1,"status":"OK"}
	answerImage                 // an image, for img=1
)

// track takes events.
type track struct{ handler }

// Read reads the events.
func (track) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	return readEvents(r, false)
}

// past takes events that have happened before.
type past struct{ handler }

// Read reads the events.
func (past) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if !r.Trusted {
		return nil, &protocol.Refusal{Status: fasthttp.StatusUnauthorized, Reason: protocol.ReasonKey,
			Msg: "only trusted callers may import: from the loopback interface, or with a write key in the header Authorization: Bearer KEY"}
	}
	return readEvents(r, true)
}

// profiles takes what is known of people and groups, of which nothing is kept.
type profiles struct{ handler }

// Read looks at the form of the answer alone.
func (profiles) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	s := sent{form: fasthttp.AcquireArgs()}
	defer fasthttp.ReleaseArgs(s.form)
	return nil, s.read(r, false)
}

// readEvents reads the events of a request, which may be of the past.
func readEvents(r *protocol.Request, past bool) ([]protocol.Input, *protocol.Refusal) {
	s := sent{form: fasthttp.AcquireArgs()}
	defer fasthttp.ReleaseArgs(s.form) // the events are in the memory of the Parser by then
	if ref := s.read(r, past); ref != nil {
		return nil, ref
	}
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	r.Parser.Reset()
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now, past: past}
	if err := rd.events(s.data); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown, r.Server = rd.unknown, rd.server || len(r.Ctx.UserAgent()) == 0
	r.NeverResends = r.Server && !past // mixpanel-browser does, and who imports looks at the answer
	return rd.Inputs(), nil
}

// sent is what was sent, wherever in the request it was.
type sent struct {
	form *fasthttp.Args
	data []byte // JSON, or JSON in base64
}

// read reads the request, and leaves the form of the answer in its State.
func (s *sent) read(r *protocol.Request, past bool) *protocol.Refusal {
	query := r.Query()
	s.data = query.Peek("data")
	whole := false
	if r.Ctx.IsPost() {
		body, ref := r.Body()
		if ref != nil {
			return ref
		}
		if body = bytes.TrimSpace(body); isJSON(body) {
			s.data, whole = body, true
		} else if len(body) > 0 {
			s.form.ParseBytes(body)
			if data := s.form.Peek("data"); len(data) > 0 {
				s.data = data
			}
		}
	}
	is := func(name string) bool {
		return string(query.Peek(name)) == "1" || string(s.form.Peek(name)) == "1"
	}
	switch {
	case past && (whole || is("strict")):
		r.State = answerImport
	case is("verbose"):
		r.State = answerVerbose
	case is("img"):
		r.State = answerImage
	default:
		r.State = answerOne
	}
	return nil
}

// isJSON reports whether a text is JSON rather than a form or base64.
func isJSON(text []byte) bool { return len(text) > 0 && (text[0] == '{' || text[0] == '[') }

// handler answers at all endpoints.
type handler struct{}

// Accept answers as the request asks for.
func (handler) Accept(r *protocol.Request, o protocol.Outcome) {
	form, _ := r.State.(answer)
	if form == answerImage {
		protocol.WriteGIF(r.Ctx)
		return
	}
	r.Ctx.SetContentType("application/json")
	switch form {
	case answerVerbose:
		r.Ctx.Response.AppendBodyString(`{"error":null,"status":1}`)
	case answerImport:
		r.Ctx.Response.AppendBodyString(`{"code":200,"num_records_imported":` + strconv.Itoa(o.Stored) + `,"status":"OK"}`)
	default:
		r.Ctx.Response.AppendBodyString("1")
	}
}

// Refuse answers {"code":400,"error":"path: message","status":0}, all of which mixpanel (node)
// shows. At 5xx mixpanel-browser sends again, so that it has none for what is refused for ever; 413
// is one at which it sends less at once.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	status := ref.Status
	if status >= fasthttp.StatusInternalServerError && ref.RetryAfter == "" {
		status = fasthttp.StatusBadRequest
	}
	text := (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()
	protocol.WriteJSON(r.Ctx, status, struct {
		Code   int    `json:"code"`
		Error  string `json:"error"`
		Status int    `json:"status"`
	}{status, text, 0})
}
