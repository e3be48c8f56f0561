package goatcounter

import (
	"strconv"
	"strings"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// maxHits is the most hits of a request to the API, as GoatCounter has it.
const maxHits = 500

// minBot is the least that the script says of browsers that a program steers; what is between it
// and 0 means nothing.
const minBot = 150

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites  protocol.Sites
	now    event.Time
	server string // the host that the request is sent to
}

// hit is a view or an event as it was sent.
type hit struct {
	path, title, referrer, size, query string
	event                              bool
	bot                                int
}

// batch adds the hits of a body. It is its author who reads the answer, so one that can't be taken
// is the end of all.
func (rd *reader) batch(body []byte, site string) *protocol.FieldError {
	root, wrong := rd.Document(body)
	if wrong != nil {
		return wrong
	}
	list := root.GetArray("hits")
	switch {
	case len(list) == 0:
		return protocol.BadField("hits", "is no list of hits")
	case len(list) > maxHits:
		return protocol.BadField("hits", "%d hits, at most %d are allowed", len(list), maxHits)
	}
	for i, v := range list {
		if err := rd.hit(v, site); err != nil {
			err.Path = "hits[" + strconv.Itoa(i) + "]." + err.Path
			return err
		}
	}
	return nil
}

// hit adds a hit of the API.
func (rd *reader) hit(v *strictjson.Value, site string) *protocol.FieldError {
	text := func(key string) string { return protocol.TextOf(v.Get(key)) }
	h := hit{
		path: text("path"), title: text("title"), referrer: text("ref"), query: text("query"),
		event: v.GetBool("event") || truthy(rd.ScalarOf(v.Get("event"))), bot: v.GetInt("bot"),
	}
	if strings.TrimSpace(h.path) == "" {
		return protocol.BadField("path", "is missing: it is the path of the page, or the name of an event")
	}
	size := v.Get("size")
	if h.size = rd.ScalarOf(size); size != nil && size.Type() == strictjson.TypeArray {
		h.size = rd.ScalarOf(size.Get("0"))
	}
	var at event.Time
	if created := text("created_at"); created != "" {
		if at = protocol.LooseTime(created, rd.now); at == 0 {
			return protocol.BadField("created_at", "%s is no time such as 2026-03-04T05:06:07Z that has been", protocol.Quote(created))
		}
	}
	in := rd.add(site, "https://"+site, &h)
	in.Time = at
	in.IP = protocol.LooseAddr(text("ip"))
	in.UA = identity.Clean(text("user_agent"), protocol.MaxUA)
	in.Language = rd.LooseWhole(text("language"), protocol.MaxLanguage, protocol.FieldLanguage, true)
	in.Named = rd.LooseWhole(text("session"), protocol.MaxVisitor, protocol.FieldUnknown, true)
	return nil
}

// add adds a view or an event.
func (rd *reader) add(site, origin string, h *hit) *protocol.Input {
	in := rd.Next()
	in.Site = site
	in.Referrer = rd.LooseText(strings.TrimSpace(h.referrer), protocol.MaxURL, protocol.FieldReferrer)
	width, size, _ := strings.Cut(h.size, ",") // width,height,scale by older scripts
	height, _, _ := strings.Cut(size, ",")
	in.Screen = rd.LooseScreen(width, height)
	if h.bot >= minBot {
		in.Bot = "automated browser"
	}
	if h.event {
		rd.NameEvent(in, strings.TrimLeft(h.path, "/"))
	} else {
		in.Name = event.Pageview
		in.URL = rd.url(origin, strings.TrimSpace(h.path), h.query)
	}
	if h.title != "" {
		rd.LooseProp("title", h.title)
	}
	in.Props = rd.SortedProps()
	return in
}

// url returns the address of a page of a path and the query that is sent beside it.
func (rd *reader) url(origin, path, query string) string {
	if query = strings.TrimPrefix(query, "?"); query != "" && !strings.Contains(path, "?") {
		path = rd.Keep(path + "?" + query)
	}
	return rd.LoosePage(origin, path, protocol.FieldURL)
}
