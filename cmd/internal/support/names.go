package support

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// names replaces the names of sites.
type names struct {
	key   []byte // nil: they stay as they are
	known map[string]bool
}

func newNames(show bool) *names {
	n := &names{known: map[string]bool{}}
	if !show {
		n.key = make([]byte, 32)
		rand.Read(n.key) // never fails
	}
	return n
}

// of returns what stands for a site.
func (n *names) of(site string) string {
	if n.key == nil || site == "" || strings.HasPrefix(site, "(") { // (other)
		return site
	}
	n.known[site] = true
	sum := hmac.New(sha256.New, n.key)
	sum.Write([]byte(site))
	return "site-" + hex.EncodeToString(sum.Sum(nil)[:4])
}

// siteForm finds a site as an attribute of the log or a label.
var siteForm = regexp.MustCompile(`\b(site|sites|vhost|hostname)=("(?:[^"\\]|\\.)*"|[^\s,}]+)`)

// in replaces the names in a text: after site=, and those that are known, wherever they stand.
func (n *names) in(text string) string {
	if n.key == nil {
		return text
	}
	text = siteForm.ReplaceAllStringFunc(text, func(m string) string {
		name, value, _ := strings.Cut(m, "=")
		return name + "=" + n.of(strings.Trim(value, `"`))
	})
	var pairs []string
	for site := range n.known {
		pairs = append(pairs, site)
	}
	slices.SortFunc(pairs, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	list := make([]string, 0, 2*len(pairs))
	for _, site := range pairs {
		list = append(list, site, n.of(site))
	}
	return strings.NewReplacer(list...).Replace(text)
}
