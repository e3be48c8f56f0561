package openpanel

import (
	"strings"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// reader reads the event of one request.
type reader struct {
	*protocol.Parser
	sites          protocol.Sites
	trusted        bool
	now            event.Time
	token          string
	origin         string // of the page that sends, "" for none
	address, agent string // of the visitor, as headers of a server's request have them
}

// read reads a body.
func (r *reader) read(body []byte) *protocol.FieldError {
	root, wrong := r.Document(body)
	switch {
	case wrong != nil:
		return wrong
	case root.Type() != strictjson.TypeObject:
		return protocol.BadField("body", "a JSON %s, want an object", root.Type())
	}
	switch kind := protocol.TextOf(root.Get("type")); kind {
	case "track":
		return r.track(root.Get("payload"))
	case "identify", "group", "assign_group", "increment", "decrement", "alias", "replay":
		return nil // people, groups and recordings are not kept
	case "":
		return protocol.BadField("type", "is missing")
	default:
		return protocol.BadField("type", "%s is none of track, identify, group", protocol.Quote(kind))
	}
}

// track adds an event.
func (r *reader) track(payload *strictjson.Value) *protocol.FieldError {
	name := protocol.TextOf(payload.Get("name"))
	if r.LooseName(name) == "" {
		return protocol.BadField("payload.name", "is missing")
	}
	props := payload.Get("properties")
	path := strings.TrimSpace(protocol.TextOf(props.Get("__path")))
	url := r.page(path)
	host := protocol.HostOf(url)
	if host == "" {
		host = protocol.HostOf(r.origin)
	}
	site, ok := protocol.FindSite(r.sites, r.token, host)
	if !ok {
		return protocol.NoSite(clientID, r.token, host)
	}
	in := r.Next()
	in.Site, in.URL = site, url
	in.SetClient(protocol.TextOf(payload.Get("profileId")))
	in.Referrer = r.LooseText(strings.TrimSpace(protocol.TextOf(props.Get("__referrer"))), protocol.MaxURL, protocol.FieldReferrer)
	r.privileged(in, payload, props)
	switch {
	case name != "screen_view":
		r.NameEvent(in, name)
	case in.URL != "":
		in.Name = event.Pageview
	default:
		in.Name = name
		r.add("path", path)
	}
	r.add("title", protocol.TextOf(props.Get("__title")))
	earned := r.revenue(in, props)
	if obj := props.GetObject(); obj != nil {
		r.LooseTree("", obj, func(key string) bool {
			return strings.HasPrefix(key, "__") || earned && key == "currency"
		})
	} else if props != nil && props.Type() != strictjson.TypeNull {
		r.Adjust(protocol.FieldProps)
	}
	in.Props = r.SortedProps()
	return nil
}

// page returns the address of a page that __path names, "" for none.
func (r *reader) page(path string) string {
	url := path
	if strings.HasPrefix(path, "/") && protocol.CheckURL(r.origin) == "" && r.origin != "" {
		url = r.Keep(r.origin + path)
	}
	if url = r.LooseText(url, protocol.MaxURL, protocol.FieldURL); protocol.CheckURL(url) != "" {
		return ""
	}
	return url
}

// add adds a property that is a text, unless it is none.
func (r *reader) add(key, value string) {
	if value != "" {
		r.LooseProp(key, value)
	}
}

// privileged sets what only trusted callers may.
func (r *reader) privileged(in *protocol.Input, payload, props *strictjson.Value) {
	if !r.trusted {
		return
	}
	in.IP = protocol.LooseAddr(strings.TrimSpace(r.address))
	in.UA = identity.Clean(r.agent, protocol.MaxUA)
	at := protocol.TextOf(props.Get("__timestamp"))
	if at == "" {
		at = protocol.TextOf(payload.Get("timestamp"))
	}
	in.Time = protocol.LooseTime(at, r.now)
}

// revenue sets the revenue of an event, and reports whether it has one. An amount without a currency
// is a property.
func (r *reader) revenue(in *protocol.Input, props *strictjson.Value) bool {
	amount := props.Get("__revenue")
	if r.LooseRevenue(in, amount, protocol.CurrencyOf(r.sites, in.Site, protocol.TextOf(props.Get("currency")))) {
		return true
	}
	r.add("revenue", r.ScalarOf(amount))
	return false
}
