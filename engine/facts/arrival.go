package facts

import (
	"net/url"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
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
	case refHost == trimWWW(host) || refHost == trimWWW(e.Site):
		// A step within the site: "" and "".
	default:
		from = *d.sourceOfHost(refHost)
		r.Dims[window.Referrer] = clean(refPage)
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
	scheme, authority, path, ok := cutAuthority(ref)
	if !ok {
		first, _, _ := strings.Cut(ref, "/")
		if !bareHost(first) {
			return "", ""
		}
		authority, path = first, ref[len(first):]
	}
	switch scheme {
	case "http", "https", "", "android-app", "ios-app":
	default:
		return "", ""
	}
	host = trimWWW(hostOf(authority))
	if !validHost(host) {
		return "", ""
	}
	// Path is the end of ref. Nearly always host lies right before it, so that both together are a view.
	end := len(ref) - len(path)
	path = strings.TrimRight(path, "/")
	switch {
	case path == "":
		return host, host
	case strings.HasSuffix(ref[:end], host):
		return host, ref[end-len(host) : end+len(path)]
	}
	return host, host + path[:min(len(path), maxPathLen)]
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
	return d.tags.put(raw, d.tables.parseTag(strings.Clone(raw)))
}

// maxTagLen cuts a tag before it is unescaped; an escaped byte is three.
const maxTagLen = 3 * window.MaxValueLen

// parseTag unescapes a tag, and gives it the name of the site it means, so that "google", "Google" and "google.com"
// are one source; any other tag stays as its author wrote it.
func (t *tables) parseTag(v string) tag {
	if strings.ContainsAny(v, "%+") {
		if u, err := url.QueryUnescape(v); err == nil {
			v = u
		}
	}
	if strings.TrimSpace(v) == "" {
		return tag{}
	}
	v = clean(v)
	low := strings.ToLower(v)
	name, ok := t.tagNames[low]
	if !ok {
		name = v
		if host := trimWWW(low); strings.Contains(host, ".") && validHost(host) {
			name = nameOfHost(host)
		}
	}
	return tag{value: v, lower: low, source: source{name, sourceKinds[name]}}
}

// sourceOfHost returns the source that a referrer's host belongs to, from the cache if it is there.
func (d *Deriver) sourceOfHost(host string) *source {
	if s, ok := d.hosts.get(host); ok {
		return s
	}
	name := strings.Clone(nameOfHost(host))
	return d.hosts.put(host, source{name, sourceKinds[name]})
}

// nameOfHost returns the name of the site that a host belongs to, the host itself if it is not a known one.
func nameOfHost(host string) string {
	for h := host; h != ""; {
		if name, ok := hostNames[h]; ok {
			return name
		}
		first, rest, _ := strings.Cut(h, ".")
		if name, ok := countryHosts[first]; ok && isCountryDomain(rest) {
			return name
		}
		h = rest
	}
	return clean(host)
}

// isCountryDomain says whether s looks like the end of a name that a company has in many countries: "de", "com",
// "co.uk", "com.br".
func isCountryDomain(s string) bool {
	first, second, two := strings.Cut(s, ".")
	if !two {
		return len(s) == 2 || s == "com"
	}
	return (first == "co" || first == "com") && len(second) == 2
}
