package matomo

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// isBulk reports whether a body is a bulk, whatever its type says.
func isBulk(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] == '{' && bytes.Contains(body, []byte(`"requests"`))
}

// readBulk reads the hits of a bulk. What is wrong with one of them is its own matter, unless there
// is nothing else.
func readBulk(r *protocol.Request, rd *reader, body []byte) ([]protocol.Input, *protocol.Refusal) {
	root, err := rd.JSON(body)
	if err == nil {
		err = rd.Strict(body)
	}
	if err != nil {
		return nil, protocol.Invalid(err)
	}
	requests := root.Get("requests")
	list := requests.GetArray()
	switch {
	case requests == nil || requests.Type() != strictjson.TypeArray:
		return nil, protocol.BadRequest(protocol.ReasonInvalid, "requests", "is no list")
	case len(list) == 0:
		return nil, protocol.BadRequest(protocol.ReasonInvalid, "requests", "has no requests")
	case len(list) > protocol.MaxEvents:
		return nil, protocol.Invalid(protocol.BadField("requests", "%d requests, at most %d are allowed", len(list), protocol.MaxEvents))
	}
	rep := &reply{kind: replyBulk, hits: len(list)}
	r.State = rep
	if isOff(root.Get("send_image")) {
		rep.kind = replyNothing
	}
	rd.trusted = r.Secret(root.GetStringBytes("token_auth"))
	var args fasthttp.Args
	var first *protocol.FieldError
	for _, v := range list {
		rd.hit.reset()
		err := rd.setValue(&args, v)
		if err == nil {
			err = rd.add()
		}
		if err == nil {
			continue
		}
		if first == nil {
			first = err
		}
		rep.invalid++
		if err.Path == "idsite" {
			r.Unknown++
		}
	}
	if rep.invalid == rep.hits {
		ref := refusal(first)
		r.Unknown = 0
		return nil, ref
	}
	return rd.Inputs(), nil
}

// setValue reads a request of a bulk into the hit: an address of which the query counts, or an
// object of parameters.
func (rd *reader) setValue(args *fasthttp.Args, v *strictjson.Value) *protocol.FieldError {
	rd.own = true
	switch v.Type() {
	case strictjson.TypeString:
		s, _ := v.StringBytes()
		_, query, ok := bytes.Cut(s, []byte("?"))
		if !ok {
			return protocol.BadField("requests", "%s is no address with a query", protocol.Quote(protocol.View(s)))
		}
		args.ParseBytes(query)
		rd.hit.setAll(args)
		return nil
	case strictjson.TypeObject:
		v.GetObject().Visit(func(key []byte, v *strictjson.Value) {
			switch v.Type() {
			case strictjson.TypeNull:
			case strictjson.TypeString:
				s, _ := v.StringBytes()
				rd.hit.set(protocol.View(key), protocol.View(s))
			default:
				rd.hit.set(protocol.View(key), rd.Number(v)) // its text, whatever it is
			}
		})
		return nil
	}
	return protocol.BadField("requests", "a JSON %s, want a string", v.Type())
}

// isOff reports whether a value is one that PHP takes for false.
func isOff(v *strictjson.Value) bool {
	if v == nil {
		return false
	}
	switch v.Type() {
	case strictjson.TypeFalse:
		return true
	case strictjson.TypeNumber:
		return v.GetFloat64() == 0
	case strictjson.TypeString:
		s := strings.TrimSpace(protocol.View(v.GetStringBytes()))
		return s == "" || s == "0"
	}
	return false
}
