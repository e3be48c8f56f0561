package site

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"millrace/engine/event"
	"millrace/internal/secretfile"
	"millrace/internal/zones"
)

// The keys of a file of sites, in the order in which findings name them.
var (
	topFields     = []string{"any_site", "defaults", "sites"}
	defaultFields = []string{"time_zone", "honour_dnt", "identity", "objections", "excluded_addresses", "spelling", "bots", "retention"}
	siteFields    = []string{
		"time_zone", "currency", "goals", "aliases", "write_keys", "write_keys_file", "query_keys", "query_keys_file", "shards", "honour_dnt",
		"identity", "objections", "origins", "hostnames", "excluded_paths", "excluded_addresses", "quota", "spelling", "bots", "retention", "segments",
	}
	goalFields    = []string{"name", "event", "page"}
	segmentFields = []string{"id", "name", "filters"}
)

// maxAlias is the most bytes of an alias.
const maxAlias = 200

// file reads the whole file. Defaults come first, wherever they are.
func (r *fileReader) file(root *yaml.Node) {
	var defaults, sites *yaml.Node
	r.mapping(root, "", topFields, map[string]field{
		"any_site": func(n *yaml.Node, path string) { r.boolean(n, path, &r.sites.Any) },
		"defaults": func(n *yaml.Node, _ string) { defaults = n },
		"sites":    func(n *yaml.Node, _ string) { sites = n },
	})
	if defaults != nil && r.is(defaults, "defaults", yaml.MappingNode, "a mapping such as {time_zone: Europe/Berlin}") {
		r.mapping(defaults, "defaults", defaultFields, map[string]field{
			"time_zone":          func(n *yaml.Node, path string) { r.zone(n, path, &r.sites.Default) },
			"honour_dnt":         func(n *yaml.Node, path string) { r.boolean(n, path, &r.sites.Default.HonourDNT) },
			"excluded_addresses": func(n *yaml.Node, path string) { r.excludedAddresses(n, path, &r.sites.Default.Senders) },
			"spelling":           func(n *yaml.Node, path string) { r.spelling(n, path, &r.sites.Default.Spelling) },
			"bots":               func(n *yaml.Node, path string) { r.bots(n, path, &r.sites.Default.Bots) },
			"retention":          func(n *yaml.Node, path string) { r.retention(n, path, &r.sites.Default.Retention) },
			"identity":           func(n *yaml.Node, path string) { r.identity(n, path, &r.sites.Default) },
			"objections":         func(n *yaml.Node, path string) { r.objections(n, path, &r.sites.Default) },
		})
	}
	if sites != nil && r.is(sites, "sites", yaml.MappingNode, "a mapping of settings by site, such as {shop.example.com: {}}") {
		r.pairs(sites, "sites", r.site)
	}
	r.checkAliases()
	if len(r.sites.names) == 0 && !r.sites.Any && len(r.findings) == 0 {
		r.at(root, "names no site; write sites: {shop.example.com: {}}, or any_site: true")
	}
}

// site reads the settings of a site, which may have none: "blog.example.com:".
func (r *fileReader) site(key, value *yaml.Node, path string) {
	id := key.Value
	if err := validSites("sites", []string{id}); err != nil {
		r.at(key, "%v", err)
		return
	}
	r.sites.name(id)
	if isNull(value) || !r.is(value, path, yaml.MappingNode, "the site's settings, such as {time_zone: Europe/Berlin}, or {}") {
		return
	}
	of := func() *Site { return r.sites.at(id) }
	r.mapping(value, path, siteFields, map[string]field{
		"time_zone":       func(n *yaml.Node, path string) { r.zone(n, path, of()) },
		"currency":        func(n *yaml.Node, path string) { r.currency(n, path, of()) },
		"goals":           func(n *yaml.Node, path string) { r.goals(n, path, of()) },
		"aliases":         func(n *yaml.Node, path string) { r.tokens(n, path, of()) },
		"shards":          func(n *yaml.Node, path string) { r.shards(n, path, of()) },
		"honour_dnt":      func(n *yaml.Node, path string) { r.boolean(n, path, &of().HonourDNT) },
		"identity":        func(n *yaml.Node, path string) { r.identity(n, path, of()) },
		"objections":      func(n *yaml.Node, path string) { r.objections(n, path, of()) },
		"write_keys":      func(n *yaml.Node, path string) { r.keys(n, path, id, r.sites.WriteKeys) },
		"query_keys":      func(n *yaml.Node, path string) { r.keys(n, path, id, r.sites.QueryKeys) },
		"write_keys_file": func(n *yaml.Node, path string) { r.keysFile(n, path, id, r.sites.WriteKeys) },
		"query_keys_file": func(n *yaml.Node, path string) { r.keysFile(n, path, id, r.sites.QueryKeys) },

		"origins":            func(n *yaml.Node, path string) { r.origins(n, path, &of().Senders) },
		"hostnames":          func(n *yaml.Node, path string) { r.hostnames(n, path, &of().Senders) },
		"excluded_paths":     func(n *yaml.Node, path string) { r.excludedPaths(n, path, &of().Senders) },
		"excluded_addresses": func(n *yaml.Node, path string) { r.excludedAddresses(n, path, &of().Senders) },
		"quota":              func(n *yaml.Node, path string) { r.quota(n, path, &of().Quota) },
		"spelling":           func(n *yaml.Node, path string) { r.spelling(n, path, &of().Spelling) },
		"bots":               func(n *yaml.Node, path string) { r.bots(n, path, &of().Bots) },
		"retention":          func(n *yaml.Node, path string) { r.retention(n, path, &of().Retention) },
		"segments":           func(n *yaml.Node, path string) { r.segments(n, path, of()) },
	})
	if err := of().spelled(); err != nil {
		r.at(value, "%s.%v", path, err)
	}
}

// is reports whether a node is of a kind; if not that is a finding.
func (r *fileReader) is(n *yaml.Node, path string, kind yaml.Kind, want string) bool {
	if n.Kind != kind {
		r.at(n, "%s: want %s, this is %s", path, want, nodeName(n))
	}
	return n.Kind == kind
}

// text returns a text, false with a finding if the node is none.
func (r *fileReader) text(n *yaml.Node, path, want string) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value != "":
		return n.Value, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!str" && !isNull(n):
		r.at(n, "%s: want %s, this is %s; if it is meant as a text, write it in quotes", path, want, nodeName(n))
	default:
		r.at(n, "%s: want %s, this is %s", path, want, nodeName(n))
	}
	return "", false
}

func (r *fileReader) boolean(n *yaml.Node, path string, to *bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		r.at(n, "%s: want true or false, this is %s", path, nodeName(n))
		return
	}
	*to = strings.EqualFold(n.Value, "true")
}

// cookieless and clientID are the values of identity; the first is one of objections too.
const (
	cookieless = "cookieless"
	clientID   = "client-id"
)

func (r *fileReader) identity(n *yaml.Node, path string, to *Site) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == clientID:
		to.ClientIDs = true
	case n.Kind == yaml.ScalarNode && n.Value == cookieless:
		to.ClientIDs = false
	default:
		r.at(n, "%s: want %s or %s, this is %s", path, cookieless, clientID, nodeName(n))
	}
}

func (r *fileReader) objections(n *yaml.Node, path string, to *Site) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == cookieless:
		to.Objections = Cookieless
	case n.Kind == yaml.ScalarNode && (n.Value == string(Drop) || n.Value == string(Ignore)):
		to.Objections = Objections(n.Value)
	default:
		r.at(n, "%s: want %s, %s or %s, this is %s", path, cookieless, Drop, Ignore, nodeName(n))
	}
}

func (r *fileReader) zone(n *yaml.Node, path string, to *Site) {
	name, ok := r.text(n, path, "a time zone such as Europe/Berlin")
	if !ok {
		return
	}
	zone, known := r.zones[name]
	if !known {
		var err error
		if zone, err = zones.Load(name); err != nil {
			r.at(n, "%s: %v", path, err)
			return
		}
		r.zones[name] = zone
	}
	to.TimeZone = zone
}

func (r *fileReader) currency(n *yaml.Node, path string, to *Site) {
	code, ok := r.text(n, path, "an ISO 4217 code such as EUR")
	switch {
	case !ok:
	case event.ValidCurrency(code):
		to.Currency = code
	default:
		r.at(n, "%s: want an ISO 4217 code of three capitals such as EUR, this is %s", path, nodeName(n))
	}
}

func (r *fileReader) shards(n *yaml.Node, path string, to *Site) {
	parts, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || parts < 1 || parts > MaxShards {
		r.at(n, "%s: want a number from 1 to %d, this is %s", path, MaxShards, nodeName(n))
		return
	}
	to.Shards = uint16(parts)
}

// items calls fn for each item of a list that is not empty.
func (r *fileReader) items(n *yaml.Node, path, want string, fn func(n *yaml.Node, path string)) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		kind := nodeKind(n) // the values may be keys
		if n.Kind == yaml.SequenceNode {
			kind = "an empty one; leave the key out"
		}
		r.at(n, "%s: want a list such as %s, this is %s", path, want, kind)
		return
	}
	for i, item := range n.Content {
		fn(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (r *fileReader) goals(n *yaml.Node, path string, to *Site) {
	const want = "{name: Order, event: purchase}"
	r.items(n, path, "["+want+"]", func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.MappingNode, "a goal such as "+want) {
			return
		}
		var g Goal
		before := len(r.findings)
		r.mapping(n, path, goalFields, map[string]field{
			"name":  func(n *yaml.Node, path string) { r.goalValue(n, path, &g.Name) },
			"event": func(n *yaml.Node, path string) { r.goalValue(n, path, &g.Event) },
			"page":  func(n *yaml.Node, path string) { r.goalPage(n, path, &g) },
		})
		if len(r.findings) > before {
			return
		}
		if err := g.check(); err != nil {
			r.at(n, "%s: %v", path, err)
			return
		}
		to.Goals = append(to.Goals, g)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) > MaxGoals {
		r.at(n.Content[MaxGoals], "%s[%d]: a site has at most %d goals", path, MaxGoals, MaxGoals)
	}
}

func (r *fileReader) goalValue(n *yaml.Node, path string, to *string) {
	text, ok := r.text(n, path, "a text")
	if !ok {
		return
	}
	var err error
	if *to, err = goalValue(text); err != nil {
		r.at(n, "%s: %v", path, err)
	}
}

func (r *fileReader) goalPage(n *yaml.Node, path string, g *Goal) {
	if text, ok := r.text(n, path, "a page such as /blog/**"); ok {
		if err := g.setPage(text); err != nil {
			r.at(n, "%s: %v", path, err)
		}
	}
}

// tokens reads the aliases of a site. A number is the text that it is written as.
func (r *fileReader) tokens(n *yaml.Node, path string, to *Site) {
	id := to.ID
	r.items(n, path, "[G-AB12CD34EF, 7]", func(n *yaml.Node, path string) {
		tag := n.ShortTag()
		if n.Kind != yaml.ScalarNode || tag != "!!str" && tag != "!!int" {
			r.at(n, "%s: want a text or a whole number, this is %s; if it is meant as a text, write it in quotes", path, nodeName(n))
			return
		}
		token := n.Value
		if token == "" || len(token) > maxAlias || strings.TrimSpace(token) != token || hasControl(token) || !utf8.ValidString(token) {
			r.at(n, "%s: an alias has 1 to %d bytes, no control characters, and no blanks at its ends", path, maxAlias)
			return
		}
		if other, taken := r.aliases[token]; taken {
			r.at(n, "%s: %q is an alias of %s already, in line %d; it can stand for one site only", path, token, other.site, other.node.Line)
			return
		}
		r.aliases[token] = alias{id, n}
		to.Tokens = append(to.Tokens, token)
	})
}

// checkAliases finds aliases that are the id of another site.
func (r *fileReader) checkAliases() {
	for token, a := range r.aliases {
		if token != a.site && r.sites.Of(token).Named {
			r.at(a.node, "sites.%s.aliases: %q is a site of this file itself; it can stand for one site only", a.site, token)
		}
	}
}

// keys reads a site's list of hashes of keys. Findings show none.
func (r *fileReader) keys(n *yaml.Node, path, id string, to Keys) {
	const want = `["sha256:" and 64 hexadecimal digits]`
	own := NewKeys()
	r.items(n, path, want, func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || !strings.HasPrefix(n.Value, hashPrefix) {
			r.at(n, "%s: the value, which is not shown, does not begin with sha256: and is %s; write the hash of the key (printf %%s KEY | sha256sum), "+
				"or the path of a file with the key under %s_file", path, keyKind(n), strings.TrimSuffix(path, path[strings.LastIndex(path, "["):]))
			return
		}
		if err := own.addOf(id, n.Value); err != nil {
			r.at(n, "%s: %v", path, err)
		}
	})
	to.addAll(own)
}

// keyKind is what is shown of a value that may be a key.
func keyKind(n *yaml.Node) string { return strings.Replace(nodeKind(n), "the ", "a ", 1) }

// keysFile reads a site's file of keys, as --write-keys-file is read.
func (r *fileReader) keysFile(n *yaml.Node, path, id string, to Keys) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		r.at(n, "%s: want the path of a file, this is %s", path, keyKind(n)) // it may be a key itself
		return
	}
	if r.keyFile == nil {
		return
	}
	data, err := r.keyFile(n.Value)
	var lines []string
	if err == nil {
		lines, err = secretfile.Parse(data, true)
	}
	if err != nil {
		r.at(n, "%s: read the file, whose path is not shown: %v", path, err)
		return
	}
	own := NewKeys()
	for i, line := range lines {
		if err := own.addOf(id, line); err != nil {
			r.at(n, "%s: key %d of the file: %v", path, i+1, err)
		}
	}
	to.addAll(own)
}

// addOf adds a key of one site.
func (ks Keys) addOf(id, text string) error {
	k, err := parseKey(text)
	switch {
	case err != nil:
		return err
	case len(k.Sites) > 0:
		return errors.New("names sites behind @; a key in the file of sites is for the site that it is under")
	case ks[k.Hash] != nil:
		return errors.New("is there twice")
	}
	k.Sites = []string{id}
	ks.add(k)
	return nil
}
