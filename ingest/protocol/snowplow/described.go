package snowplow

import (
	"strings"

	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

const (
	ownVendor   = "com.snowplowanalytics."
	shopVendor  = "com.snowplowanalytics.snowplow.ecommerce"
	mediaVendor = "com.snowplowanalytics.snowplow.media"
)

// described is a self-describing event.
type described struct {
	vendor, name string
	data         *strictjson.Object // nil for none
}

// describe checks the kind of the payload and reads the event of one that is self-describing.
func (rd *reader) describe() (d described, _ *protocol.FieldError) {
	p := &rd.payload
	switch p.kind {
	case "pv", "pp", "tr", "ti":
		return d, nil
	case "se":
		if strings.TrimSpace(p.action) == "" {
			return d, protocol.BadField("se_ac", "is missing")
		}
		return d, nil
	case "ue":
	case "":
		return d, protocol.BadField("e", "is missing")
	default:
		return d, protocol.BadField("e", "%s is none of pv, pp, se, ue, tr, ti", protocol.Quote(p.kind))
	}
	rd.nested = true
	inner := rd.NestedText(rd.unpack(p.selfDescribing, p.selfDescribing64), 0, protocol.FieldProps).Get("data")
	var ok bool
	if d.vendor, d.name, ok = schema(inner); !ok {
		return d, protocol.BadField("ue_pr", "is no self-describing event")
	}
	d.data = inner.GetObject("data")
	return d, nil
}

// schema returns vendor and name of what describes itself: iglu:VENDOR/NAME/FORMAT/VERSION.
func schema(v *strictjson.Value) (vendor, name string, ok bool) {
	rest, iglu := strings.CutPrefix(protocol.View(v.GetStringBytes("schema")), "iglu:")
	vendor, rest, ok = strings.Cut(rest, "/")
	name, _, _ = strings.Cut(rest, "/")
	return vendor, name, iglu && ok && name != ""
}

// isPing reports whether the event is one that trackers send by themselves while a film is played,
// and when the screen of an app is left.
func (d *described) isPing() bool {
	switch d.name {
	case "ping_event":
		return d.vendor == mediaVendor
	case "screen_end", "application_background":
		return strings.HasPrefix(d.vendor, ownVendor)
	}
	return false
}

// selfDescribing sets what a self-describing event has.
func (rd *reader) selfDescribing(in *protocol.Input, d *described) {
	if d.isPing() {
		rd.ping(in, d.name)
		return
	}
	rd.NameEvent(in, d.name)
	if strings.HasPrefix(d.vendor, ownVendor) {
		switch d.name {
		case "web_vitals", "application_error", "timing",
			"create_element", "destroy_element", "expose_element", "obscure_element":
			in.NonInteractive = true
		}
	}
	if d.data != nil {
		rd.LooseTree("", d.data, nil)
	}
}

// entities adds the properties of what is attached to an event, and the revenue of an action in a
// shop.
func (rd *reader) entities(in *protocol.Input, d *described) {
	p := &rd.payload
	text := p.entities
	if text == "" {
		text = protocol.View(rd.unpack("", p.entities64))
	}
	if !anyKept(text) {
		return
	}
	rd.nested = true
	for _, v := range rd.NestedText([]byte(text), 1, protocol.FieldProps).GetArray("data") {
		vendor, name, ok := schema(v)
		if !ok || passedOver(vendor) {
			continue
		}
		data := v.GetObject("data")
		if data == nil {
			continue
		}
		amount := ""
		if vendor == shopVendor && d.vendor == shopVendor && d.data != nil {
			amount = rd.earned(in, d, name, v.Get("data"))
		}
		rd.LooseTree(name, data, func(key string) bool { return key == amount || amount != "" && key == "currency" })
	}
}

// anyKept reports whether entities may have one that is not passed over. Those of most events have
// none, and reading them as JSON would cost more than all else of the event.
func anyKept(entities string) bool {
	for {
		_, rest, ok := strings.Cut(entities, `"iglu:`)
		if !ok {
			return false
		}
		vendor, _, _ := strings.Cut(rest[:min(len(rest), 128)], "/")
		if !passedOver(vendor) {
			return true
		}
		entities = rest
	}
}

// passedOver reports whether entities of a vendor are: of what its trackers attach by themselves,
// ids and what the browser is, nothing is kept.
func passedOver(vendor string) bool {
	return strings.HasPrefix(vendor, ownVendor) && vendor != shopVendor ||
		strings.HasPrefix(vendor, "org.") || strings.HasPrefix(vendor, "com.google.")
}

// earned sets the revenue of an action in a shop of its entity, and returns the key of the amount,
// "" if there is none.
func (rd *reader) earned(in *protocol.Input, d *described, entity string, data *strictjson.Value) string {
	key, refund := "revenue", false
	switch action := protocol.View(d.data.Get("type").GetStringBytes()); {
	case action == "transaction" && entity == "transaction":
	case action == "refund" && entity == "refund":
		key, refund = "refund_amount", true
	default:
		return ""
	}
	currency := protocol.CurrencyOf(rd.sites, in.Site, protocol.TextOf(data.Get("currency")))
	if !rd.LooseRevenue(in, data.Get(key), currency) {
		return ""
	}
	if refund && in.Amount > 0 {
		in.Amount = -in.Amount
	}
	return key
}
