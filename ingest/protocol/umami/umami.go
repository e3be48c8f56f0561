package umami

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	methods := []string{fasthttp.MethodPost}
	return protocol.Protocol{
		Name:    "umami",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			// The script sends with credentials where data-fetch-credentials says so.
			{Path: "/api/send", Methods: methods, Credentials: true, NeverResends: true, Handler: single{}},
			{Path: "/api/batch", Methods: methods, Credentials: true, NeverResends: true, Handler: batch{}},
		},
	}
}

// single is the endpoint of one event.
type single struct{ refuser }

// Read reads the event of the body.
func (single) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	root, ref := document(r)
	if ref != nil {
		return nil, ref
	}
	rd := newReader(r)
	if err := rd.add(root); err != nil {
		return nil, refusal(err)
	}
	return r.Parser.Inputs(), nil
}

// Accept answers as Umami does. There are no sessions and visits at this point: whose event it is
// becomes known later.
func (single) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"cache":"` + cache + `","sessionId":"` + noID + `","visitId":"` + noID + `"}`)
}

const (
	// cache is what the script sends along in x-umami-cache.
	cache = "millrace"
	noID  = "00000000-0000-0000-0000-000000000000"
)

// batch is the endpoint of lists.
type batch struct{ refuser }

// result is what has become of a batch.
type result struct {
	size   int
	failed []failure
}

// failure is an event of a batch that is not taken, as Umami answers it.
type failure struct {
	Index    int      `json:"index"`
	Response response `json:"response"`
}

// Read reads the events of the body. What is wrong with one of them is its own matter, unless
// there is nothing else.
func (batch) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	root, ref := document(r)
	if ref != nil {
		return nil, ref
	}
	list, err := root.Array()
	switch {
	case err != nil:
		return nil, protocol.Invalid(protocol.BadField("body", "a JSON %s, want a list", root.Type()))
	case len(list) == 0:
		return nil, protocol.Invalid(protocol.BadField("body", "the list has no events"))
	case len(list) > protocol.MaxEvents:
		return nil, protocol.Invalid(protocol.BadField("body", "%d events, at most %d are allowed", len(list), protocol.MaxEvents))
	}
	rd := newReader(r)
	res := &result{size: len(list)}
	unknown := 0
	var first *protocol.Refusal
	for i, v := range list {
		err := rd.add(v)
		if err == nil {
			continue
		}
		ref := refusal(err)
		if first == nil {
			first = ref
		}
		if ref.Reason == protocol.ReasonSite {
			unknown++
		}
		res.failed = append(res.failed, failure{i, responseOf(ref)})
	}
	if len(res.failed) == res.size {
		return nil, first
	}
	r.State, r.Unknown = res, unknown
	return r.Parser.Inputs(), nil
}

// Accept answers how many of the events are taken, and what is wrong with the others.
func (batch) Accept(r *protocol.Request, _ protocol.Outcome) {
	res, ok := r.State.(*result)
	if !ok {
		res = &result{}
	}
	if res.failed == nil {
		res.failed = []failure{}
	}
	protocol.WriteJSON(r.Ctx, fasthttp.StatusOK, struct {
		Size      int       `json:"size"`
		Processed int       `json:"processed"`
		Errors    int       `json:"errors"`
		Details   []failure `json:"details"`
		Cache     string    `json:"cache"`
	}{res.size, res.size - len(res.failed), len(res.failed), res.failed, cache})
}

// refuser answers refusals at both endpoints.
type refuser struct{}

// Refuse answers in the form of Umami's own errors.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	protocol.WriteJSON(r.Ctx, ref.Status, responseOf(ref))
}

// response is the body of an error.
type response struct {
	Error struct {
		Message string `json:"message"`
		Code    string `json:"code"`
		Status  int    `json:"status"`
	} `json:"error"`
}

func responseOf(ref *protocol.Refusal) (res response) {
	res.Error.Message = (&protocol.FieldError{Path: ref.Path, Msg: ref.Msg}).Error()
	res.Error.Code, res.Error.Status = "refused", ref.Status
	if ref.Status == fasthttp.StatusBadRequest {
		res.Error.Code = "bad-request"
	}
	return res
}

// newReader returns a reader of the events of a request.
func newReader(r *protocol.Request) reader {
	return reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now, page: protocol.FromPage(&r.Ctx.Request.Header)}
}

// document returns the body as JSON.
func document(r *protocol.Request) (*strictjson.Value, *protocol.Refusal) {
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	root, wrong := r.Parser.Document(body)
	if wrong != nil {
		return nil, protocol.Invalid(wrong)
	}
	return root, nil
}

// refusal makes a Refusal of what is wrong with an event.
func refusal(err *protocol.FieldError) *protocol.Refusal {
	if err.Path == "payload.website" {
		return protocol.BadRequest(protocol.ReasonSite, err.Path, err.Msg)
	}
	return protocol.BadRequest(protocol.ReasonInvalid, err.Path, err.Msg)
}
