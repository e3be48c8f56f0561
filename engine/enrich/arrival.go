package enrich

import (
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/referrer"
	"millrace/internal/spelling"
)

// A source is who sent a visitor.
type source struct {
	name string
	kind kind
}

// A tag is the value of a query parameter that says how a visitor came.
type tag struct {
	value string // clean, "" if nothing is left
	lower string
	// source is the site that the tag means, if it is one that names a source.
	source source
}

// noTag is the tag of a parameter that is not there.
var noTag tag

// arrival fills the dimensions that say how the visitor came to the page with this host and query.
func (d *Deriver) arrival(e *event.Event, host, query string, r *window.Row) {
	refHost, refPage := splitReferrer(e.Referrer)
	var from source // "" within the site
	switch {
	case refHost == "":
		from = source{name: window.None}
		r.Dims[window.Referrer] = window.None
	case refHost == spelling.WithoutWWW(host) || refHost == spelling.Hostname(e.Site):
		// A step within the site: "" and "".
	default:
		from = *d.sourceOfHost(refHost)
		r.Dims[window.Referrer] = spelling.Value(refPage)
	}
	r.Dims[window.Source] = from.name
	p := parseParams(query)
	if p.none() {
		r.Dims[window.Channel] = channelOfSource(from)
		return
	}
	d.tagged(&p, from, r)
}

// tagged fills in what the page's address says.
func (d *Deriver) tagged(p *params, from source, r *window.Row) {
	utmSource, medium, campaign := d.tag(p.source), d.tag(p.medium), d.tag(p.campaign)
	r.Dims[window.UTMSource] = utmSource.value
	r.Dims[window.UTMMedium] = medium.value
	r.Dims[window.UTMCampaign] = campaign.value
	r.Dims[window.UTMContent] = d.tag(p.content).value
	r.Dims[window.UTMTerm] = d.tag(p.term).value
	t := utmSource
	for _, raw := range [...]string{p.plainSource, p.ref} {
		if t.value == "" {
			t = d.tag(raw)
		}
	}
	if t.value != "" {
		from = t.source
		r.Dims[window.Source] = from.name
	}
	r.Dims[window.Channel] = channel(from, t.lower, medium.lower, campaign.lower, p.click)
}

// splitReferrer returns host (lower case, without "www." and port) and host+path of a referrer; "" for none or for
// one that is no page of a site.
func splitReferrer(ref string) (host, page string) {
	ref, _, _ = strings.Cut(strings.TrimLeft(ref, " "), "#")
	ref, _, _ = strings.Cut(ref, "?")
	scheme, authority, path, ok := spelling.CutAuthority(ref)
	if !ok {
		first, _, _ := strings.Cut(ref, "/")
		if !spelling.BareHost(first) {
			return "", ""
		}
		authority, path = first, ref[len(first):]
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "", "android-app", "ios-app":
	default:
		return "", ""
	}
	host = spelling.Hostname(authority)
	if !spelling.ValidHost(host) {
		return "", ""
	}
	// Path is the end of ref. Nearly always host lies right before it and path is spelled right, so that both together
	// are a view.
	end := len(ref) - len(path)
	spelled := spelling.ReferrerPath(path)
	switch {
	case spelled == "":
		return host, host
	case strings.HasSuffix(ref[:end], host) && strings.HasPrefix(path, spelled):
		return host, ref[end-len(host) : end+len(spelled)]
	}
	return host, host + spelled[:min(len(spelled), 4*window.MaxValueLen)]
}

// tag returns what a parameter says, from the cache if it is there: campaigns send many visitors by one link.
func (d *Deriver) tag(raw string) *tag {
	if raw == "" {
		return &noTag
	}
	raw = raw[:min(len(raw), maxTagLen)]
	if t, ok := d.tags.get(raw); ok {
		return t
	}
	return d.tags.put(raw, parseTag(strings.Clone(raw)))
}

// maxTagLen cuts a tag before it is unescaped; an escaped byte is three.
const maxTagLen = 3 * window.MaxValueLen

// parseTag unescapes a tag, and gives it the name of the site it means.
func parseTag(v string) tag {
	v = spelling.Unescape(v)
	if strings.TrimSpace(v) == "" {
		return tag{}
	}
	spelled := spelling.Value(v)
	name := referrer.NameOfTag(spelled)
	if name != window.None { // a source that is none by its tag is none
		name = window.LiteralSource(window.Literal(name))
	}
	return tag{value: window.LiteralTag(value(v)), lower: strings.ToLower(spelled), source: source{name, sourceKinds[name]}}
}

// sourceOfHost returns the source that a referrer's host belongs to, from the cache if it is there.
func (d *Deriver) sourceOfHost(host string) *source {
	if s, ok := d.hosts.get(host); ok {
		return s
	}
	name := strings.Clone(referrer.NameOfHost(host))
	return d.hosts.put(host, source{name, sourceKinds[name]})
}
