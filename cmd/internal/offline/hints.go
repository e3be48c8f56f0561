package offline

import (
	"strings"

	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/ingest/importer/accesslog"
)

// Hints are what access logs show of being another site's than the one they were imported for, or
// of lacking their clients, over all files. The events are in the archive by then; what is hinted
// at is no error, only likely a mistake. A hint whose count is zero is not given.
type Hints struct {
	Lines int64 // of all files

	// Vhost is the virtual host of VhostLines lines.
	Vhost      string
	VhostLines int64

	// Referrer is the host of Referrers of Referred referrers, and likely the site's own name.
	Referrer            string
	Referrers, Referred int64

	// Inner is how many clients have a private or loopback address.
	Inner int64
}

// signs adds up the signs of files.
type signs struct {
	lines, inner, referred int64
	vhosts, referrers      map[string]int64
}

func (h *signs) add(s accesslog.Signs) {
	if h.vhosts == nil {
		h.vhosts, h.referrers = map[string]int64{}, map[string]int64{}
	}
	h.lines += s.Lines
	h.inner += s.Inner
	h.referred += s.AllReferrers
	if s.Vhosts > 0 {
		h.vhosts[s.Vhost] += s.Vhosts
	}
	if s.Referrers > 0 {
		h.referrers[s.Referrer] += s.Referrers
	}
}

// minInner is from how many lines on private addresses are a sign of a proxy.
const minInner = 20

// hints returns what the signs are of.
func (h *signs) hints(site string, d *enrich.Deriver) Hints {
	out := Hints{Lines: h.lines}
	if vhost, n := most(h.vhosts); n > 0 {
		out.Vhost, out.VhostLines = vhost, n
	}
	if host, n := most(h.referrers); n > 1 && 2*n > h.referred && isPlainSource(d, site, host) {
		out.Referrer, out.Referrers, out.Referred = host, n, h.referred
	}
	if h.lines >= minInner && 10*h.inner > 9*h.lines {
		out.Inner = h.inner
	}
	return out
}

func most(of map[string]int64) (name string, n int64) {
	for k, c := range of {
		if c > n || c == n && k < name {
			name, n = k, c
		}
	}
	return name, n
}

// isPlainSource reports whether a referrer's host is none of the search engines and networks that
// are known by a name of their own; of those, most visits of a site may come.
func isPlainSource(d *enrich.Deriver, site, host string) bool {
	var r window.Row
	const person = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	e := event.Event{Site: site, Name: event.Pageview, URL: "https://" + site + "/", Referrer: "https://" + host + "/", UA: person}
	d.Row(&e, &r)
	d.Origin(&e, &r)
	return strings.EqualFold(r.Dims[window.Source], host)
}
