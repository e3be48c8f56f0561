package posthog

import (
	"bytes"
	"encoding/base64"

	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// isForm reports whether a body is a form with data=….
func isForm(body []byte) bool {
	return body[0] != '{' && body[0] != '[' && bytes.Contains(body, []byte("data="))
}

// decoded returns what data of a form or a query hold: base64 of JSON, or JSON itself. A plus may
// have become a blank on the way.
func decoded(data []byte) ([]byte, *protocol.FieldError) {
	if data = bytes.TrimSpace(data); len(data) > 0 && (data[0] == '{' || data[0] == '[') {
		return bytes.Clone(data), nil
	}
	text := bytes.TrimRight(bytes.ReplaceAll(data, []byte(" "), []byte("+")), "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	out, err := enc.AppendDecode(make([]byte, 0, len(text)), text)
	if err != nil {
		return nil, protocol.BadField("data", "is neither base64 nor JSON")
	}
	return out, nil
}

// read reads a body. It returns an error if nothing of it can be taken.
func (r *reader) read(body []byte) *protocol.FieldError {
	r.Reset()
	root, wrong := r.Document(body)
	if wrong != nil {
		return wrong
	}
	list := []*strictjson.Value{root}
	switch root.Type() {
	case strictjson.TypeArray:
		list = root.GetArray()
	case strictjson.TypeObject:
		r.token = tokenOf(root)
		if batch := root.Get("batch"); batch != nil {
			if batch.Type() != strictjson.TypeArray {
				return protocol.BadField("batch", "a JSON %s, want a list", batch.Type())
			}
			list = batch.GetArray()
		}
	default:
		return protocol.BadField("body", "a JSON %s, want an object or a list", root.Type())
	}
	return r.all(list)
}

// all adds the events of a list. One that can't be taken is left out, unless there is no other.
func (r *reader) all(list []*strictjson.Value) *protocol.FieldError {
	if n := len(list); n == 0 || n > protocol.MaxEvents {
		return protocol.BadField("batch", "%d events, 1 to %d are allowed", n, protocol.MaxEvents)
	}
	unknown, first := r.AddEach(list, tokenPath, r.add)
	r.unknown += unknown
	if len(r.Inputs()) > 0 {
		return nil
	}
	return first
}

// tokenOf returns the project's key that an object has.
func tokenOf(v *strictjson.Value) string {
	for _, key := range [...]string{"api_key", "token", "$token"} {
		if s := protocol.TextOf(v.Get(key)); s != "" {
			return s
		}
	}
	return ""
}
