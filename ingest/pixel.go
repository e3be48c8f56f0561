package ingest

import (
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

// gif is a transparent image of one pixel, 43 bytes, GIF89a.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// parsePixel reads the query of GET /v1/pixel.gif: site, name (default "pageview"), url (default the Referer header), referrer,
// language, screen, id, amount with currency, interactive ("false" or "true"), and p.KEY for the property KEY. A parameter "_" is passed over:
// pages add one to get past caches.
func (p *Parser) parsePixel(args *fasthttp.Args, referer []byte) ([]Input, error) {
	p.reset()
	p.err, p.seen = nil, 0
	p.inputs = append(p.inputs, Input{})
	in := &p.inputs[0]
	var amount string
	for key, value := range args.All() {
		p.pixelField(in, &amount, view(key), view(value))
		if p.err != nil {
			return nil, p.err
		}
	}
	in.Props = p.props
	p.checkProps(in.Props)
	if len(in.Props) > maxProps {
		p.fail("p", "%d properties, at most %d are allowed", len(in.Props), maxProps)
	}
	if amount != "" || in.Currency != "" {
		p.setRevenue(in, amount, in.Currency)
	}
	if in.URL == "" && len(referer) > 0 && checkURL(view(referer)) == "" {
		in.URL = enrich.Clean(view(referer), maxURL)
	}
	if in.Name == "" {
		in.Name = event.Pageview
	}
	if in.Site == "" {
		p.fail("site", "is missing")
	}
	p.checkInteractive(in)
	if p.err != nil {
		return nil, p.err
	}
	return p.inputs, nil
}

func (p *Parser) pixelField(in *Input, amount *string, key, value string) {
	text := func(dst *string, bit uint32, most int) {
		if p.once(key, bit) {
			p.check(key, checkText(value, most))
			*dst = value
		}
	}
	switch key {
	case "site":
		text(&in.Site, bitSite, event.MaxSiteLen)
		p.check("site", checkSite(value))
	case "name":
		text(&in.Name, bitName, maxName)
	case "url":
		text(&in.URL, bitURL, maxURL)
		p.check("url", checkURL(value))
	case "referrer":
		text(&in.Referrer, bitReferrer, maxURL)
	case "language":
		text(&in.Language, bitLanguage, maxLanguage)
	case "screen":
		text(&in.Screen, bitScreen, maxScreen)
		p.check("screen", checkScreen(value))
	case "id":
		text(&in.ID, bitID, maxID)
	case "amount":
		text(amount, bitRevenue, 32)
	case "currency":
		text(&in.Currency, bitProps, 3)
	case "interactive":
		if p.once(key, bitInteractive) && value != "true" && value != "false" {
			p.fail(key, "%s is neither true nor false", quote(value))
		}
		in.NonInteractive = value == "false"
	case "_":
	default:
		if name, ok := strings.CutPrefix(key, "p."); ok {
			p.addProp(name, value)
			return
		}
		p.fail(clip(key), "unknown parameter")
	}
}
