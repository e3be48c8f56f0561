package site

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"millrace/internal/spelling"
)

// The keys of settings that are mappings.
var (
	quotaFields    = []string{"hour", "day", "month", "past"}
	spellingFields = []string{"trailing_slash", "case", "index_pages"}
)

const (
	// mostRules is the most items of a list that each event is compared with.
	mostRules = 1000
	// mostIndexPages is the most names of index pages.
	mostIndexPages = 20
)

// rules reads a list of texts, and replaces what there was by what parse makes of them. Parse returns
// what is wrong with one, in words that follow it.
func rules[T any](r *fileReader, n *yaml.Node, path, want string, to *[]T, parse func(text string) (T, error)) {
	var all []T
	r.items(n, path, want, func(n *yaml.Node, path string) {
		text, ok := r.text(n, path, "a text")
		if !ok {
			return
		}
		rule, err := parse(text)
		if err != nil {
			r.at(n, "%s: %.80q %v", path, text, err)
			return
		}
		all = append(all, rule)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) > mostRules {
		r.at(n.Content[mostRules], "%s: a list has at most %d items", path, mostRules)
	}
	*to = all
}

func (r *fileReader) origins(n *yaml.Node, path string, to *Senders) {
	rules(r, n, path, "[https://shop.example.com]", &to.Origins, func(text string) (Origin, error) {
		o, ok := parseOrigin(text)
		if !ok {
			return o, fmt.Errorf("is no origin; write https://shop.example.com, shop.example.com for any scheme and port, or *.example.com")
		}
		return o, nil
	})
}

func (r *fileReader) hostnames(n *yaml.Node, path string, to *Senders) {
	rules(r, n, path, "[shop.example.com]", &to.Hostnames, func(text string) (Host, error) {
		h, ok := parseHost(text, spelling.Hostname)
		if !ok {
			return h, fmt.Errorf("is no host; write shop.example.com, or *.example.com for all below one, without scheme, port and path")
		}
		return h, nil
	})
}

func (r *fileReader) excludedPaths(n *yaml.Node, path string, to *Senders) {
	rules(r, n, path, "[/admin/**]", &to.ExcludedPaths, func(text string) (Page, error) {
		p, err := parsePage(text)
		return p, err
	})
}

func (r *fileReader) excludedAddresses(n *yaml.Node, path string, to *Senders) {
	rules(r, n, path, "[203.0.113.0/24]", &to.ExcludedAddresses, parseNetwork)
}

// parseNetwork reads a network or an address.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("is neither an address nor a network; write 203.0.113.7, or 203.0.113.0/24")
	case p.Bits() == 0:
		return p, fmt.Errorf("is every address; to take no events of a site, leave it out of sites")
	case p.Masked() != p:
		return p, fmt.Errorf("has more than the bits of a network; write %s, or %s for the one address", p.Masked(), p.Addr())
	case p.Addr().Is4In6():
		return p, fmt.Errorf("is an IPv4 network in the form of IPv6; write it as 203.0.113.0/24")
	}
	return p, nil
}

func (r *fileReader) quota(n *yaml.Node, path string, to *Quota) {
	if !r.is(n, path, yaml.MappingNode, "a mapping such as {month: 1000000, past: drop}") {
		return
	}
	var q Quota
	before := len(r.findings)
	r.mapping(n, path, quotaFields, map[string]field{
		"hour":  func(n *yaml.Node, path string) { r.events(n, path, &q.Hour) },
		"day":   func(n *yaml.Node, path string) { r.events(n, path, &q.Day) },
		"month": func(n *yaml.Node, path string) { r.events(n, path, &q.Month) },
		"past":  func(n *yaml.Node, path string) { q.Refuse = r.choice(n, path, "drop", "refuse") == "refuse" },
	})
	if len(r.findings) == before && !q.Limited() {
		r.at(n, "%s: has no number of events; write hour, day or month, such as {month: 1000000}", path)
	}
	*to = q
}

// events reads a number of events.
func (r *fileReader) events(n *yaml.Node, path string, to *int64) {
	const most = 1_000_000_000_000
	count, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || count < 1 || count > most {
		r.at(n, "%s: want a number of events from 1 to %d, this is %s", path, most, nodeName(n))
		return
	}
	*to = count
}

// choice returns the one of two or more words that a node is, "" with a finding if it is none.
func (r *fileReader) choice(n *yaml.Node, path string, words ...string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(words, n.Value) {
		return n.Value
	}
	r.at(n, "%s: want %s, this is %s", path, strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1], nodeName(n))
	return ""
}

func (r *fileReader) spelling(n *yaml.Node, path string, to *Spelling) {
	if !r.is(n, path, yaml.MappingNode, "a mapping such as {trailing_slash: cut, case: lower}") {
		return
	}
	var s Spelling
	r.mapping(n, path, spellingFields, map[string]field{
		"trailing_slash": func(n *yaml.Node, path string) { s.CutSlash = r.choice(n, path, "keep", "cut") == "cut" },
		"case":           func(n *yaml.Node, path string) { s.Lower = r.choice(n, path, "keep", "lower") == "lower" },
		"index_pages": func(n *yaml.Node, path string) {
			rules(r, n, path, "[index.html]", &s.IndexPages, func(name string) (string, error) {
				spelled := spelling.PathPart(name)
				if strings.ContainsAny(spelled, "/?#*") || strings.TrimSpace(name) != name || len(spelled) > 100 || strings.Trim(spelled, ".") == "" {
					return "", fmt.Errorf("is no name of an index page such as index.html: it is the last part of a path, without slashes")
				}
				return spelled, nil
			})
		},
	})
	if len(s.IndexPages) > mostIndexPages {
		r.at(n, "%s.index_pages: at most %d names of index pages are taken", path, mostIndexPages)
	}
	for i := range s.IndexPages {
		if s.Lower {
			s.IndexPages[i] = lowerPath(s.IndexPages[i], spelling.PathPart)
		}
	}
	*to = s
}

// bots reads what programs count as.
func (r *fileReader) bots(n *yaml.Node, path string, to *Bots) {
	if word := r.choice(n, path, "apart", string(BotsCounted), string(BotsDropped)); word != "apart" {
		*to = Bots(word)
	} else {
		*to = BotsApart
	}
}

// spelled brings the pages of a site's goals and of what is excluded into the site's spelling.
func (s *Site) spelled() error {
	for i := range s.Goals {
		g := &s.Goals[i]
		if g.Page == "" {
			continue
		}
		p, err := compilePage(s.Spelling.Page(g.Page))
		if err != nil {
			return fmt.Errorf("goals[%d].page: %w", i, err)
		}
		g.Page, g.Pattern = p.Path, p.Pattern
	}
	for i := range s.ExcludedPaths {
		p, err := compilePage(s.Spelling.Page(s.ExcludedPaths[i].Path))
		if err != nil {
			return fmt.Errorf("excluded_paths[%d]: %w", i, err)
		}
		s.ExcludedPaths[i] = p
	}
	return nil
}
