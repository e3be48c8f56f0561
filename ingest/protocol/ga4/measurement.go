package ga4

import (
	"strconv"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// maxEvents is the most events of a request of the Measurement Protocol, which is Google's limit.
const maxEvents = 25

// payload is a body of the Measurement Protocol, as far as it is about all of its events.
type payload struct {
	token          string
	micros         *strictjson.Value
	userProperties *strictjson.Value
	ip, agent      string
	draft          draft // of device: language and screen
}

// measurement reads a body of /mp/collect. An event without a name is refused and all with it: its
// sender is a program, whose author reads the answer.
func (r *reader) measurement(token string, body []byte) *protocol.FieldError {
	r.Reset()
	root, ref := r.object(body)
	if ref != nil {
		return ref
	}
	list := root.Get("events")
	if list == nil {
		return protocol.BadField("events", "is missing")
	}
	events, err := list.Array()
	switch {
	case err != nil:
		return protocol.BadField("events", "a JSON %s, want an array", list.Type())
	case len(events) == 0:
		return protocol.BadField("events", "is empty")
	case len(events) > maxEvents:
		return protocol.BadField("events", "%d events, at most %d are allowed in a request", len(events), maxEvents)
	}
	p := payload{token: token, micros: root.Get("timestamp_micros"), userProperties: root.Get("user_properties")}
	p.draft.client = text(root.Get("client_id"))
	first(&p.draft.client, text(root.Get("app_instance_id")))
	p.ip, p.agent = text(root.Get("ip_override")), text(root.Get("user_agent"))
	if device := root.Get("device"); device != nil {
		p.draft.language, p.draft.screen = text(device.Get("language")), text(device.Get("screen_resolution"))
	}
	for i, v := range events {
		if err := r.event(&p, v); err != nil {
			path := "events[" + strconv.Itoa(i) + "]."
			if r.noSite {
				path = ""
			}
			return &protocol.FieldError{Path: path + err.Path, Msg: err.Msg}
		}
	}
	return nil
}

// object reads a body that is one JSON object.
func (r *reader) object(body []byte) (*strictjson.Value, *protocol.FieldError) {
	root, wrong := r.Document(body)
	if wrong != nil {
		return nil, wrong
	}
	if root.Type() != strictjson.TypeObject {
		return nil, protocol.BadField("body", "a JSON %s, want an object", root.Type())
	}
	return root, nil
}

// event reads an event of the list.
func (r *reader) event(p *payload, v *strictjson.Value) *protocol.FieldError {
	if v.Type() != strictjson.TypeObject {
		return protocol.BadField("name", "is missing: an event is a JSON object, this is a JSON %s", v.Type())
	}
	d := p.draft
	d.token, d.name = p.token, text(v.Get("name"))
	if r.LooseName(d.name) == "" {
		return protocol.BadField("name", "is missing")
	}
	if passedOver(d.name) {
		return nil
	}
	in := r.Next()
	at := p.micros
	if own := v.Get("timestamp_micros"); own != nil {
		at = own
	}
	if params := v.Get("params"); params != nil {
		if own := params.Get("timestamp_micros"); own != nil {
			at = own
		}
		r.params(&d, params)
	}
	r.users(p.userProperties)
	if r.trusted {
		r.trustedFields(in, p, at)
	}
	return r.finish(in, &d)
}

// trustedFields sets what is taken of trusted callers alone: when it was, where the visitor is, and
// with what.
func (r *reader) trustedFields(in *protocol.Input, p *payload, at *strictjson.Value) {
	in.IP = protocol.LooseAddr(p.ip)
	in.UA = r.LooseText(p.agent, protocol.MaxUA, protocol.FieldUA)
	if at == nil {
		return
	}
	if t, err := micros(at); err == nil && protocol.CheckTime(t, r.now, "microseconds") == "" {
		in.Time = t
	}
}

// micros returns a time that was sent in microseconds.
func micros(v *strictjson.Value) (event.Time, error) {
	if v.Type() == strictjson.TypeString {
		n, err := strconv.ParseInt(text(v), 10, 64)
		return event.Time(n / 1000), err
	}
	n, err := v.Int64()
	return event.Time(n / 1000), err
}

// params reads the parameters of an event.
func (r *reader) params(d *draft, v *strictjson.Value) {
	obj, err := v.Object()
	if err != nil {
		r.Adjust(protocol.FieldProps)
		return
	}
	obj.Visit(func(key []byte, v *strictjson.Value) { r.param(d, protocol.View(key), v) })
}

// param reads a parameter of an event. The ids of visits are passed over, and so is what stands for
// the time and for debugging.
func (r *reader) param(d *draft, key string, v *strictjson.Value) {
	switch key {
	case "page_location":
		d.page = text(v)
	case "page_referrer":
		d.referrer = text(v)
	case "page_title":
		d.title = text(v)
	case "language":
		d.language = text(v)
	case "screen_resolution":
		d.screen = text(v)
	case "campaign_source":
		first(&d.campaign.Source, text(v))
	case "campaign_medium":
		first(&d.campaign.Medium, text(v))
	case "campaign_name":
		first(&d.campaign.Name, text(v))
	case "campaign_term":
		first(&d.campaign.Term, text(v))
	case "campaign_content":
		first(&d.campaign.Content, text(v))
	case "engagement_time_msec":
		d.engaged = r.scalar(v)
	case "value":
		d.amount = r.scalar(v)
	case "currency":
		d.currency = text(v)
	case "items":
		for _, it := range v.GetArray() {
			d.items.add(item{text(it.Get("item_id")), text(it.Get("item_name")),
				r.scalar(it.Get("price")), r.scalar(it.Get("quantity"))})
		}
	case "session_id", "ga_session_id", "session_number", "ga_session_number", "timestamp_micros", "debug_mode":
	default:
		r.prop(key, v)
	}
}

// users adds the properties of the user, {"name":{"value":"…"}}; some libraries send the value
// alone.
func (r *reader) users(v *strictjson.Value) {
	if v == nil || v.Type() == strictjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		r.Adjust(protocol.FieldProps)
		return
	}
	obj.Visit(func(key []byte, v *strictjson.Value) {
		if v.Type() == strictjson.TypeObject {
			v = v.Get("value")
		}
		r.prop(protocol.View(key), v)
	})
}

// prop adds a property that is a text, a number or a boolean.
func (r *reader) prop(key string, v *strictjson.Value) {
	switch {
	case v == nil || v.Type() == strictjson.TypeNull:
	case v.Type() == strictjson.TypeObject || v.Type() == strictjson.TypeArray:
		r.Adjust(protocol.FieldProps)
	default:
		r.LooseProp(key, r.scalar(v))
	}
}

// scalar returns a text, a number or a boolean as a text, "" for anything else.
func (r *reader) scalar(v *strictjson.Value) string {
	if v == nil {
		return ""
	}
	switch v.Type() {
	case strictjson.TypeNumber:
		return r.Number(v)
	case strictjson.TypeTrue:
		return "true"
	case strictjson.TypeFalse:
		return "false"
	}
	return text(v)
}

// text returns a view of a text, "" for anything else.
func text(v *strictjson.Value) string {
	if v == nil || v.Type() != strictjson.TypeString {
		return ""
	}
	b, _ := v.StringBytes()
	return protocol.View(b)
}
