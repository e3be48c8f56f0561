package ingest

import (
	"encoding/json"
	"strconv"

	"github.com/valyala/fasthttp"
)

// refusal is an answer that is not 2xx.
type refusal struct {
	status     int
	reason     string // for the metrics
	path       string // of the field that is wrong, "" for none
	msg        string
	retryAfter string // seconds
}

func badRequest(reason, path, msg string) *refusal {
	return &refusal{status: fasthttp.StatusBadRequest, reason: reason, path: path, msg: msg}
}

var (
	refuseRate = &refusal{status: fasthttp.StatusTooManyRequests, reason: reasonRate, retryAfter: "1",
		msg: "too many requests of this site or address"}
	refuseCapacity = &refusal{status: fasthttp.StatusServiceUnavailable, reason: reasonCapacity, retryAfter: "1",
		msg: "over capacity, try again"}
	refuseClosing = &refusal{status: fasthttp.StatusServiceUnavailable, reason: reasonClosing, retryAfter: "1",
		msg: "shutting down, try again"}
	refuseKafka = &refusal{status: fasthttp.StatusServiceUnavailable, reason: reasonKafka, retryAfter: "2",
		msg: "kafka did not acknowledge in time, try again with the same ids"}
)

// invalid turns an error of a parser into an answer.
func invalid(err error) *refusal {
	if f, ok := err.(*fieldError); ok {
		return badRequest(reasonInvalid, f.path, f.msg)
	}
	return badRequest(reasonInvalid, "", err.Error())
}

func parseV1(c *Collector, ctx *fasthttp.RequestCtx, r *request) ([]Input, *refusal) {
	body, ref := c.body(ctx, r)
	if ref != nil {
		return nil, ref
	}
	inputs, err := r.parser.Parse(body, r.who.trusted, r.now)
	if err != nil {
		return nil, invalid(err)
	}
	return inputs, nil
}

func parsePlausible(c *Collector, ctx *fasthttp.RequestCtx, r *request) ([]Input, *refusal) {
	if len(ctx.UserAgent()) == 0 {
		return nil, badRequest(reasonInvalid, "user_agent", "the header User-Agent is missing")
	}
	body, ref := c.body(ctx, r)
	if ref != nil {
		return nil, ref
	}
	inputs, err := r.parser.parsePlausible(body)
	if err != nil {
		return nil, invalid(err)
	}
	return inputs, nil
}

func parsePixel(_ *Collector, ctx *fasthttp.RequestCtx, r *request) ([]Input, *refusal) {
	inputs, err := r.parser.parsePixel(ctx.QueryArgs(), ctx.Request.Header.Referer())
	if err != nil {
		return nil, invalid(err)
	}
	return inputs, nil
}

func acceptV1(ctx *fasthttp.RequestCtx, n, _ int) {
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	var b [32]byte
	out := append(b[:0], `{"accepted":`...)
	out = strconv.AppendInt(out, int64(n), 10)
	ctx.Response.AppendBody(append(out, '}'))
}

func acceptPlausible(ctx *fasthttp.RequestCtx, _, dropped int) {
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("text/plain; charset=utf-8")
	if dropped > 0 {
		ctx.Response.Header.Set("X-Plausible-Dropped", itoa(dropped))
	}
	ctx.Response.AppendBodyString("ok")
}

func acceptPixel(ctx *fasthttp.RequestCtx, _, _ int) {
	ctx.SetContentType("image/gif")
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	ctx.Response.AppendBodyString(gif)
}

// refuseJSON answers {"error":"path: message"}.
func refuseJSON(ctx *fasthttp.RequestCtx, ref *refusal) {
	text := (&fieldError{ref.path, ref.msg}).Error()
	writeJSON(ctx, ref.status, struct {
		Error string `json:"error"`
	}{text})
}

// refusePlausible answers {"errors":{"field":["message"]}}, the form of Plausible's own 400.
func refusePlausible(ctx *fasthttp.RequestCtx, ref *refusal) {
	field := ref.path
	if field == "" {
		field = "request"
	}
	writeJSON(ctx, ref.status, struct {
		Errors map[string][]string `json:"errors"`
	}{map[string][]string{field: {ref.msg}}})
}

func writeJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{"error":"the message can't be encoded"}`)
	}
	ctx.Response.SetBody(b)
}
