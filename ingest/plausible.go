package ingest

import (
	"bytes"
	"strings"

	"github.com/valyala/fastjson"

	"millrace/engine/event"
)

// parsePlausible reads a body of POST /api/event: Plausible's events API, with long or one-letter keys. It gives one
// input per site of the comma list of domains. Unknown keys are passed over: the trackers send some that no server
// reads. The source is Plausible's documentation and what its clients were measured to send.
func (p *Parser) parsePlausible(body []byte) ([]Input, error) {
	p.reset()
	p.err, p.seen = nil, 0
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, badField("body", "is empty")
	}
	root, err := p.json.ParseBytes(body)
	if err != nil {
		return nil, &fieldError{"body", syntaxError(err).Error()}
	}
	obj, err := root.Object()
	if err != nil {
		return nil, badField("body", "a JSON %s, want an object", root.Type())
	}
	var in Input
	var domains string
	var engaged plausibleEngagement
	obj.Visit(func(key []byte, v *fastjson.Value) {
		if p.err == nil {
			p.plausibleField(&in, &domains, &engaged, string(key), v)
		}
	})
	if p.err == nil {
		p.plausibleEvent(&in, &domains, engaged)
	}
	if p.err == nil {
		p.plausibleSites(in, domains)
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.inputs, nil
}

// plausibleEngagement is what an event named "engagement" tells: how far and how long a page was read. Texts of numbers, ""
// for not given.
type plausibleEngagement struct{ depth, msec string }

func (p *Parser) plausibleField(in *Input, domains *string, eng *plausibleEngagement, key string, v *fastjson.Value) {
	switch key {
	case "n", "name":
		if v.Type() == fastjson.TypeNumber {
			in.Name = p.number(v)
			return
		}
		in.Name = p.str(v, "name", bitName, maxName)
	case "u", "url":
		in.URL = p.str(v, "url", bitURL, maxURL)
		p.check("url", checkURL(in.URL))
	case "d", "domain":
		*domains = p.str(v, "domain", bitSite, 10*(event.MaxSiteLen+1))
	case "r", "referrer":
		in.Referrer = p.str(v, "referrer", bitReferrer, maxURL)
	case "p", "props", "m", "meta":
		if p.once("props", bitProps) {
			if v = p.nested(v, 0, "props"); v != nil {
				in.Props = p.properties(v)
			}
		}
	case "$", "revenue":
		if p.once("revenue", bitRevenue) {
			if v = p.nested(v, 1, "revenue"); v != nil {
				p.revenue(in, v, false)
			}
		}
	case "i", "interactive":
		// What is no boolean means true, as Plausible reads it.
		in.NonInteractive = v.Type() == fastjson.TypeFalse
	case "w", "screen_width":
		// Only its width is known; screen classes go by the width.
		if n, err := v.Int(); err == nil && n > 0 && n < 1_000_000 {
			in.Screen = p.keep(itoa(n) + "x0")
		}
	case "sd":
		eng.depth = p.whole(v, "sd", 100)
	case "e":
		eng.msec = p.whole(v, "e", 1<<40)
	}
}

// nested returns v, or what a string v holds as JSON; nil for nothing.
func (p *Parser) nested(v *fastjson.Value, sub int, path string) *fastjson.Value {
	if v.Type() != fastjson.TypeString {
		return v
	}
	b, _ := v.StringBytes()
	if len(b) == 0 {
		return nil
	}
	v, err := p.sub[sub].ParseBytes(b)
	if err != nil {
		p.fail(path, "the string holds %s", syntaxError(err))
		return nil
	}
	return v
}

// whole returns the text of a whole number of 0 to most.
func (p *Parser) whole(v *fastjson.Value, path string, most int64) string {
	if v.Type() == fastjson.TypeNull {
		return ""
	}
	n, err := v.Int64()
	if err != nil || n < 0 || n > most {
		p.fail(path, "%s is not a whole number of 0 to %d", clip(p.number(v)), most)
		return ""
	}
	return p.number(v)
}

func (p *Parser) plausibleEvent(in *Input, domains *string, eng plausibleEngagement) {
	switch {
	case in.Name == "":
		p.fail("name", "is missing")
	case in.URL == "":
		p.fail("url", "is missing")
	case *domains == "":
		*domains = hostOf(in.URL)
	}
	if in.Name == event.Pageview {
		in.NonInteractive = false // what it sends with any event is of no meaning for a view
	}
	if in.Name != "engagement" {
		return
	}
	in.NonInteractive = true // the tracker's doing
	if eng.depth == "" && eng.msec == "" {
		p.fail("sd", "an engagement event needs sd or e")
		return
	}
	start := len(p.props)
	p.props = append(p.props, in.Props...)
	if eng.depth != "" {
		p.props = append(p.props, event.Prop{Key: "scroll_depth", Value: eng.depth})
	}
	if eng.msec != "" {
		p.props = append(p.props, event.Prop{Key: "engagement_ms", Value: eng.msec})
	}
	in.Props = p.props[start:len(p.props):len(p.props)]
	p.checkProps(in.Props)
}

func (p *Parser) plausibleSites(in Input, domains string) {
	for domains != "" {
		site, rest, _ := strings.Cut(domains, ",")
		domains = rest
		site = strings.ToLower(strings.TrimSpace(site))
		if msg := checkSite(site); msg != "" {
			p.fail("domain", "%s", msg)
			return
		}
		in.Site = site
		p.inputs = append(p.inputs, in)
	}
	if len(p.inputs) == 0 {
		p.fail("domain", "is missing")
	}
}

// hostOf returns the host of an address that checkURL let pass, without "www." and port.
func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.TrimPrefix(strings.ToLower(host), "www.")
}
