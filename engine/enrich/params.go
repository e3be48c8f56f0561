package enrich

import (
	"strings"

	"millrace/internal/spelling"
)

// params are the parameters of a page's address that say how the visitor came: views, still
// escaped, "" if not there. Of a parameter that is there several times the first that is not empty
// counts.
type params struct {
	source, medium, campaign, content, term string // utm_*
	plainSource, ref                        string // source and ref, which many use in place of utm_source
	click                                   click
}

// click is what an advertiser's click id says that was clicked on.
type click uint8

const (
	noClick      click = iota
	adClick            // an advertisement, most often a search engine's
	displayClick       // one of a display network
)

// none says that the address says nothing about how the visitor came.
func (p *params) none() bool { return *p == params{} }

func parseParams(query string) (p params) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if value == "" {
			continue
		}
		var to *string
		switch paramName(name) {
		case "utm_source":
			to = &p.source
		case "utm_medium":
			to = &p.medium
		case "utm_campaign":
			to = &p.campaign
		case "utm_content":
			to = &p.content
		case "utm_term":
			to = &p.term
		case "source":
			to = &p.plainSource
		case "ref":
			to = &p.ref
		case "gclid", "gbraid", "wbraid", "msclkid", "yclid": // Google Ads, Microsoft Advertising, Yandex Direct
			p.click = max(p.click, adClick)
			continue
		case "dclid": // Campaign Manager 360
			p.click = displayClick
			continue
		default:
			continue
		}
		if *to == "" {
			*to = value
		}
	}
	return p
}

// paramName returns the name of a parameter: unescaped, and without what is left of "&amp;".
func paramName(name string) string {
	name = spelling.ParamName(name)
	if strings.IndexByte(name, '%') >= 0 {
		name = spelling.Unescape(name)
	}
	return name
}
