package ingest

import (
	"bytes"
	"strings"

	"millrace/ingest/identity"
	"millrace/internal/site"
)

// policies finds the settings of a site, and write keys. They never change: a request is served
// by those that it began with. It implements protocol.Sites.
type policies struct {
	sites   map[string]*site.Site
	www     map[string]string     // those that begin with "www.", by the rest
	unnamed map[string]*site.Site // that are not configured by name
	tokens  map[string]string     // the sites by their tokens
	open    bool
	other   site.Site // of sites that are not configured
	keys    site.Keys
}

func newPolicies(o *Options) *policies {
	p := &policies{
		sites:   make(map[string]*site.Site, len(o.Sites)),
		www:     make(map[string]string),
		tokens:  make(map[string]string),
		open:    o.AnySite || len(o.Sites) == 0,
		unnamed: make(map[string]*site.Site, len(o.Unnamed)),
		other:   o.Default,
		keys:    o.WriteKeys,
	}
	for i := range o.Unnamed {
		p.unnamed[o.Unnamed[i].ID] = &o.Unnamed[i]
	}
	for i := range o.Sites {
		s := &o.Sites[i]
		p.sites[s.ID] = s
		if bare, ok := strings.CutPrefix(s.ID, "www."); ok {
			p.www[bare] = s.ID
		}
		for _, token := range s.Tokens {
			p.tokens[token] = s.ID
		}
	}
	return p
}

// Configured reports whether a site has settings of its own.
func (p *policies) Configured(site string) bool {
	_, ok := p.sites[site]
	return ok
}

// ConfiguredWWW returns the site with settings of its own that is "www." and a domain.
func (p *policies) ConfiguredWWW(domain string) (site string, ok bool) {
	site, ok = p.www[domain]
	return site, ok
}

// Any reports whether other sites are accepted too.
func (p *policies) Any() bool { return p.open }

// Token returns the site of a token.
func (p *policies) Token(token string) (site string, ok bool) {
	site, ok = p.tokens[token]
	return site, ok
}

// Currency returns the currency of a site.
func (p *policies) Currency(id string) string {
	if s, ok := p.sites[id]; ok {
		return s.Currency
	}
	return ""
}

// of returns the settings of a site, which the caller must not change; false if it is not accepted.
func (p *policies) of(id string) (*site.Site, bool) {
	if s, ok := p.sites[id]; ok {
		return s, true
	}
	if s, ok := p.unnamed[id]; ok {
		return s, p.open
	}
	return &p.other, p.open
}

// ruleOf returns how the visitors of a site are told apart.
// Objects reports whether this one objects to being recognised.
func ruleOf(s *site.Site, objects bool) identity.Rule {
	return identity.Rule{
		Zone: s.TimeZone, Shards: s.Shards,
		ByClient: s.ClientIDs && (!objects || s.Objections == site.Ignore),
	}
}

func siteIDs(sites []site.Site) []string {
	ids := make([]string, len(sites))
	for i := range sites {
		ids[i] = sites[i].ID
	}
	return ids
}

// limited reports whether a site has a quota.
func (p *policies) limited(id string) bool {
	s := p.sites[id]
	return s != nil && s.Quota.Limited()
}

// writeKey returns the key of an Authorization header, nil if there is none such.
func (p *policies) writeKey(auth []byte) *site.Key {
	const scheme = "bearer "
	if len(auth) <= len(scheme) || !bytes.EqualFold(auth[:len(scheme)], []byte(scheme)) {
		return nil
	}
	return p.keys.Find(bytes.TrimSpace(auth[len(scheme):]))
}

// SetSites sets Sites, Unnamed, AnySite, Default and WriteKeys.
func (o *Options) SetSites(s *site.Sites) {
	o.Sites, o.AnySite, o.Default, o.WriteKeys = s.Named(), s.Any, s.Default, s.WriteKeys
	o.Unnamed = nil
	for _, of := range s.All() {
		if !of.Named {
			o.Unnamed = append(o.Unnamed, of)
		}
	}
}

// SetSites replaces what Options.SetSites sets, for requests that begin from now on. An error
// changes nothing. The caller sees to it that a site keeps its shards: a change splits the visits of
// that moment.
func (c *Collector) SetSites(s *site.Sites) error {
	o := c.opts
	o.SetSites(s)
	if err := o.Validate(); err != nil {
		return err
	}
	p := newPolicies(&o)
	c.policies.Store(p)
	c.quotas.keep(p.limited)
	c.siteCounts.name(siteIDs(o.Sites)...)
	return nil
}
