package protocol

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// Campaign is what a tracker names of a campaign beside the address of its page; "" where it does
// not.
type Campaign struct {
	Source, Medium, Name, Term, Content string
}

// WithCampaign returns the address of a page with the parameters utm_… of a campaign, by which it
// is counted. An address that has such parameters itself is returned as it is, and so is one that
// would become longer than MaxURL.
func (p *Parser) WithCampaign(url string, c Campaign) string {
	if url == "" || c == (Campaign{}) || strings.Contains(url, "utm_") {
		return url
	}
	page, fragment := url, ""
	if i := strings.IndexByte(url, '#'); i >= 0 {
		page, fragment = url[:i], url[i:]
	}
	separator := byte('?')
	if strings.IndexByte(page, '?') >= 0 {
		separator = '&'
	}
	b := append(make([]byte, 0, len(url)+128), page...)
	for _, part := range [...]struct{ name, value string }{
		{"utm_source=", c.Source}, {"utm_medium=", c.Medium}, {"utm_campaign=", c.Name},
		{"utm_term=", c.Term}, {"utm_content=", c.Content},
	} {
		if part.value == "" {
			continue
		}
		b = append(append(b, separator), part.name...)
		b = fasthttp.AppendQuotedArg(b, []byte(part.value))
		separator = '&'
	}
	if b = append(b, fragment...); len(b) > MaxURL {
		p.Adjust(FieldURL)
		return url
	}
	return View(b)
}
