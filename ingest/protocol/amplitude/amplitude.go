package amplitude

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name:    "amplitude",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/2/httpapi", Methods: []string{fasthttp.MethodPost}, Handler: handler{}},
			// Universal Analytics has the same path, with forms.
			{Path: "/batch", Methods: []string{fasthttp.MethodPost}, Claims: isObject, Handler: handler{}},
		},
	}
}

// isObject reports whether a body begins as a JSON object does, and no form.
func isObject(r *protocol.Request) bool {
	body, ref := r.Body()
	return ref == nil && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// handler takes events.
type handler struct{}

// Read reads the events.
func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	r.Parser.Reset()
	rd := reader{
		Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now,
		page: protocol.FromPage(&r.Ctx.Request.Header),
	}
	if err := rd.batch(body); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown, r.Server = rd.unknown, rd.server
	return rd.Inputs(), nil
}

// Accept answers as Amplitude does.
func (handler) Accept(r *protocol.Request, o protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	b := append(r.Ctx.Response.Body(), `{"code":200,"events_ingested":`...)
	b = strconv.AppendInt(b, int64(o.Stored), 10)
	b = append(b, `,"payload_size_bytes":`...)
	b = strconv.AppendInt(b, int64(max(r.Ctx.Request.Header.ContentLength(), 0)), 10)
	b = append(b, `,"server_upload_time":`...)
	b = strconv.AppendInt(b, int64(r.Now), 10)
	r.Ctx.Response.SetBody(append(b, '}'))
}

// Refuse answers {"code":400,"error":"path: message","missing_field":"path"}. The missing field is
// why the trackers do not send a 400 again; what is to be sent again has none.
func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	answer := struct {
		Code    int    `json:"code"`
		Error   string `json:"error"`
		Missing string `json:"missing_field,omitempty"`
	}{Code: ref.Status, Error: (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()}
	if ref.RetryAfter == "" {
		if answer.Missing = ref.Path; answer.Missing == "" {
			answer.Missing = "body"
		}
		if ref.Status >= fasthttp.StatusInternalServerError {
			answer.Code = fasthttp.StatusBadRequest
		}
	}
	protocol.WriteJSON(r.Ctx, answer.Code, answer)
}

// batch reads the events of a body. What is wrong with one of them is its own matter, unless there
// is nothing else.
func (rd *reader) batch(body []byte) *protocol.FieldError {
	root, wrong := rd.Document(body)
	if wrong != nil {
		return wrong
	}
	rd.token = protocol.TextOf(root.Get("api_key"))
	list := root.GetArray("events")
	switch {
	case len(list) == 0:
		return protocol.BadField("events", "is no list of events")
	case len(list) > protocol.MaxEvents:
		return protocol.BadField("events", "%d events, at most %d are allowed", len(list), protocol.MaxEvents)
	}
	taken := 0
	var first *protocol.FieldError
	for _, v := range list {
		err := rd.event(v)
		if err == nil {
			taken++
			continue
		}
		if first == nil {
			first = err
		}
		if err.Path == tokenPath {
			rd.unknown++
		} else {
			rd.Adjust(protocol.FieldName)
		}
	}
	if taken == 0 {
		return first
	}
	return nil
}
