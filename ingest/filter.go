package ingest

import (
	"millrace/ingest/protocol"
	"millrace/internal/site"
	"millrace/internal/spelling"
)

// Reasons an event is answered with 2xx and not counted for: the label of
// millrace_ingest_events_dropped_total, and the header X-Millrace-Dropped.
const (
	reasonDNT      = "dnt"      // the visitor does not want to be counted
	reasonPrefetch = "prefetch" // the page has not been looked at
	reasonSite     = "site"     // no site of this installation
	reasonOrigin   = "origin"   // a page of another origin than the site's
	reasonHostname = "hostname" // the page is on a host that is not the site's
	reasonPath     = "path"     // a page that the site leaves out
	reasonAddress  = "address"  // a sender that the site leaves out
	reasonQuota    = "quota"    // past the site's quota
)

// dropReasons are all of them, in the order in which an answer names them.
var dropReasons = [...]string{
	reasonDNT, reasonPrefetch, reasonSite, reasonOrigin, reasonHostname, reasonPath, reasonAddress, reasonQuota,
}

// leftOut is an event that is answered and not counted.
type leftOut struct {
	site, name, url, reason string
}

// leave notes that an event is not counted.
func (r *request) leave(in *protocol.Input, reason string) {
	r.left = append(r.left, leftOut{in.Site, in.Name, in.URL, reason})
}

// isPicky reports whether a site has any setting by which reasonAgainst or takeQuota may leave out an
// event.
func isPicky(s *site.Site) bool {
	return s.HonourDNT || s.Objections == site.Drop || len(s.Origins)+len(s.Hostnames)+len(s.ExcludedPaths)+len(s.ExcludedAddresses) > 0 ||
		s.Quota.Limited()
}

// filter returns the inputs that are counted by what their sites say of senders and pages; the
// others are noted in the request.
func (c *Collector) filter(inputs []protocol.Input, r *request) []protocol.Input {
	all := true
	for i := range inputs {
		in := &inputs[i]
		reason := r.reasonAgainst(r.sites.of(in).policy, in)
		if reason == "" {
			if !all {
				r.kept = append(r.kept, *in)
			}
			continue
		}
		if all {
			r.kept, all = append(r.kept[:0], inputs[:i]...), false
		}
		r.leave(in, reason)
	}
	if all {
		return inputs
	}
	return r.kept
}

// objects reports whether the visitor of an event objects to being recognised.
func (r *request) objects(in *protocol.Input) bool { return r.who.optOut || in.Objects }

// reasonAgainst returns why an event is not counted, "" if it is.
//
// What a trusted sender reports is not from a page of his own, and his address is not the
// visitor's: he shows no origin, and only the address and the host count that he gives.
func (r *request) reasonAgainst(pol *site.Site, in *protocol.Input) string {
	if r.who.optOut && pol.HonourDNT || pol.Objections == site.Drop && r.objects(in) {
		return reasonDNT
	}
	if len(pol.Origins) > 0 && !r.who.trusted && !pol.TakesOrigin(r.origin()) {
		return reasonOrigin
	}
	if len(pol.ExcludedAddresses) > 0 {
		addr := r.who.addr
		if in.IP.IsValid() || r.who.trusted {
			addr = in.IP
		}
		if pol.ExcludesAddress(addr) {
			return reasonAddress
		}
	}
	if len(pol.Hostnames) == 0 && len(pol.ExcludedPaths) == 0 {
		return ""
	}
	host, path, _ := spelling.SplitURL(in.URL)
	host = spelling.WithoutWWW(host)
	if !(host == "" && r.who.trusted) && !pol.TakesHost(host) {
		return reasonHostname
	}
	if len(pol.ExcludedPaths) > 0 && path != "" {
		if in.HashRoute {
			path = spelling.WithRoute(path, in.URL)
		}
		if pol.ExcludesPage(pol.Spelling.Page(spelling.Path(path))) {
			return reasonPath
		}
	}
	return ""
}

// origin returns the origin of the page that has made a request: of images it is in the referrer
// alone. It is "" for a request that names none.
func (r *request) origin() string {
	h := &r.Ctx.Request.Header
	if o := h.Peek("Origin"); len(o) > 0 {
		return protocol.View(o)
	}
	return protocol.View(h.Peek("Referer"))
}
