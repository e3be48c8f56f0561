package all_test

import (
	"strconv"
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// Tracker is a made-up protocol with what the real ones have: a pattern of paths and tokens of
// projects, batches, pages that send with credentials, queries and forms at one path, an image that
// a client may do without, a script, and clients that send again at 5xx alone.
func tracker() protocol.Protocol {
	return protocol.Protocol{
		Name: "tracker",
		Endpoints: []protocol.Endpoint{
			{Path: "/t/{project}/batch", Methods: []string{"POST"}, Credentials: true, Handler: batches{}},
			{Path: "/t/hit", Methods: []string{"GET", "POST"}, Handler: hits{}},
			{Path: "/t/script.js", Methods: []string{"GET"}, Handler: script{}},
		},
	}
}

func TestTracker(t *testing.T) { play(t, "testdata/tracker", tracker()) }

// batches takes {"batch":[{"event":NAME,"url":URL,"properties":{}}]}.
type batches struct{}

func (batches) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	site, ok := r.Sites.Token(r.PathValue("project"))
	if !ok {
		return nil, protocol.BadRequest(protocol.ReasonSite, "project", protocol.Quote(r.PathValue("project"))+" is no project")
	}
	encoding := string(r.Query().Peek("compression")) // not in a header, so that no page has to ask first
	body, ref := r.BodyAs(encoding)
	if ref != nil {
		return nil, ref
	}
	p := &r.Parser
	root, err := p.JSON(body)
	if err == nil {
		err = p.Strict(body)
	}
	if err != nil {
		return nil, protocol.Invalid(err)
	}
	for _, v := range root.GetArray("batch") {
		in := p.Next()
		in.Site = site
		v.GetObject().Visit(func(key []byte, v *strictjson.Value) {
			switch string(key) {
			case "event":
				in.Name = p.String(v, "event", protocol.FieldName, protocol.MaxName)
			case "url":
				in.URL = p.LooseString(in.URL, v, protocol.MaxURL, protocol.FieldURL)
			case "properties":
				p.LooseProps(v)
			}
		})
		if in.Props = p.SortedProps(); in.Name == "" {
			p.Fail("event", "is missing")
		}
		if err := p.Err(); err != nil {
			return nil, protocol.Invalid(err)
		}
	}
	return p.Inputs(), nil
}

func (batches) Accept(r *protocol.Request, o protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.SetBodyString(`{"status":"ok","events":` + strconv.Itoa(o.Stored) + "}")
}

func (batches) Refuse(r *protocol.Request, ref *protocol.Refusal) { refuse(r, ref) }

// refuse answers with a status at which clients send again what is to be sent again.
func refuse(r *protocol.Request, ref *protocol.Refusal) {
	status := ref.Status
	if ref.RetryAfter != "" {
		status = fasthttp.StatusServiceUnavailable
	}
	protocol.WriteJSON(r.Ctx, status, map[string]string{"status": "error", "field": ref.Path, "detail": ref.Msg})
}

// hits takes a hit of a query, or of a form.
type hits struct{}

func (hits) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	args := r.Query()
	if r.Ctx.IsPost() {
		body, ref := r.Body()
		if ref != nil {
			return nil, ref
		}
		if len(body) > 0 {
			args = new(fasthttp.Args)
			args.ParseBytes(body)
		}
	}
	r.State = string(args.Peek("image")) == "0"
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	in := r.Parser.Next()
	in.Name, in.URL = event.Pageview, r.Parser.LooseText(string(args.Peek("url")), protocol.MaxURL, protocol.FieldURL)
	site, ok := protocol.FindDomain(r.Sites, string(args.Peek("site")))
	if msg := protocol.CheckSite(site); msg != "" || !ok {
		return nil, protocol.BadRequest(protocol.ReasonSite, "site", protocol.Quote(string(args.Peek("site")))+" is no site")
	}
	in.Site = site
	return r.Parser.Inputs(), nil
}

func (hits) Accept(r *protocol.Request, _ protocol.Outcome) {
	if imageless, _ := r.State.(bool); imageless {
		r.Ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	protocol.WriteGIF(r.Ctx)
}

func (hits) Refuse(r *protocol.Request, ref *protocol.Refusal) { refuse(r, ref) }

// script has the code that pages load.
type script struct{}

func (script) Read(*protocol.Request) ([]protocol.Input, *protocol.Refusal) { return nil, nil }

func (script) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("text/javascript")
	r.Ctx.SetBodyString("track()")
}

func (script) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }
