package protocol

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// RefuseJSON answers {"error":"path: message"} with the status of a refusal.
func RefuseJSON(ctx *fasthttp.RequestCtx, ref *Refusal) {
	text := (&FieldError{ref.Path, ref.Msg}).Error()
	WriteJSON(ctx, ref.Status, struct {
		Error string `json:"error"`
	}{text})
}

// WriteJSON answers with v as JSON.
func WriteJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{"error":"the message can't be encoded"}`)
	}
	ctx.Response.SetBody(b)
}

// gif is a transparent image of one pixel, 43 bytes, GIF89a.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// WriteGIF answers with a transparent image of one pixel, which no cache keeps and pages of any
// origin may show.
func WriteGIF(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("image/gif")
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	ctx.Response.AppendBodyString(gif)
}
