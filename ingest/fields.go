package ingest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

// Limits of fields in bytes. Browsers cut referrers at 4096; the others are far above what trackers send.
const (
	maxID        = 64
	maxName      = 120
	maxURL       = 4096
	maxUA        = enrich.MaxUA
	maxLanguage  = 35
	maxScreen    = 16
	maxVisitor   = 256
	maxProps     = 30
	maxPropKey   = 300
	maxPropValue = 2000
)

// properties reads custom properties: an object of strings, numbers and booleans, which become the text they were sent as.
// Null means not given.
func (p *Parser) properties(v *fastjson.Value) []event.Prop {
	if v.Type() == fastjson.TypeNull {
		return nil
	}
	obj, err := v.Object()
	if err != nil {
		p.fail("props", "a JSON %s, want an object", v.Type())
		return nil
	}
	if n := obj.Len(); n > maxProps {
		p.fail("props", "%d properties, at most %d are allowed", n, maxProps)
		return nil
	}
	start := len(p.props)
	obj.Visit(func(key []byte, v *fastjson.Value) {
		if p.err == nil {
			p.property(view(key), v)
		}
	})
	props := p.props[start:len(p.props):len(p.props)]
	p.checkProps(props)
	return props
}

func (p *Parser) property(key string, v *fastjson.Value) {
	var value string
	switch v.Type() {
	case fastjson.TypeNull:
		return
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		value = view(b)
	case fastjson.TypeTrue:
		value = "true"
	case fastjson.TypeFalse:
		value = "false"
	case fastjson.TypeNumber:
		if _, err := v.Float64(); err != nil {
			p.fail("props", "the value of %q is not a number", clip(key))
		}
		value = p.number(v)
	default:
		p.fail("props", "the value of %q is a JSON %s, want a string, number or boolean", clip(key), v.Type())
	}
	p.addProp(key, value)
}

func (p *Parser) addProp(key, value string) {
	if msg := checkText(key, maxPropKey); msg != "" {
		p.fail("props", "the key %q %s", clip(key), msg)
	} else if key == "" {
		p.fail("props", "a key is empty")
	}
	if msg := checkText(value, maxPropValue); msg != "" {
		p.fail("props", "the value of %q %s", clip(key), msg)
	}
	p.props = append(p.props, event.Prop{Key: key, Value: value})
}

// checkProps sorts props by key and fails if a key is there twice.
func (p *Parser) checkProps(props []event.Prop) {
	slices.SortFunc(props, func(a, b event.Prop) int { return strings.Compare(a.Key, b.Key) })
	for i := 1; i < len(props); i++ {
		if props[i].Key == props[i-1].Key {
			p.fail("props", "the key %q is given twice", clip(props[i].Key))
		}
	}
}

// interactive reads whether an event is a sign of somebody's doing. Null means not given.
func (p *Parser) interactive(in *Input, v *fastjson.Value) {
	switch v.Type() {
	case fastjson.TypeNull, fastjson.TypeTrue:
	case fastjson.TypeFalse:
		in.NonInteractive = true
	default:
		p.fail("interactive", "a JSON %s, want true or false", v.Type())
	}
}

// checkInteractive fails if a page is viewed by nobody's doing.
func (p *Parser) checkInteractive(in *Input) {
	if in.NonInteractive && in.Name == event.Pageview {
		p.fail("interactive", "a pageview can't be false: send an event of another name")
	}
}

// revenue reads {"amount":12.5,"currency":"EUR"}; amount may also be a string. Strict refuses other fields.
func (p *Parser) revenue(in *Input, v *fastjson.Value, strict bool) {
	if v.Type() == fastjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		p.fail("revenue", "a JSON %s, want an object with amount and currency", v.Type())
		return
	}
	var amount, currency string
	obj.Visit(func(key []byte, v *fastjson.Value) {
		switch string(key) {
		case "amount":
			switch v.Type() {
			case fastjson.TypeNumber:
				amount = p.number(v)
			case fastjson.TypeString:
				b, _ := v.StringBytes()
				amount = view(b)
			default:
				p.fail("revenue.amount", "a JSON %s, want a number", v.Type())
			}
		case "currency":
			b, err := v.StringBytes()
			if err != nil {
				p.fail("revenue.currency", "a JSON %s, want a string", v.Type())
			}
			currency = view(b)
		default:
			if strict {
				p.fail("revenue."+clip(string(key)), "unknown field")
			}
		}
	})
	p.setRevenue(in, amount, currency)
}

func (p *Parser) setRevenue(in *Input, amount, currency string) {
	if p.err != nil {
		return
	}
	if amount == "" {
		p.fail("revenue.amount", "is missing")
		return
	}
	m, err := event.ParseMoney(amount)
	if err != nil {
		p.fail("revenue.amount", "%q is not a decimal number of at most 14 places before the point", clip(amount))
	}
	if !event.ValidCurrency(currency) {
		p.fail("revenue.currency", "%q is not an ISO 4217 code of three capitals", clip(currency))
	}
	in.Amount, in.Currency = m, currency
}

// checkText returns what is wrong with s as a text of at most so many bytes, "" for nothing.
func checkText(s string, most int) string {
	if len(s) > most {
		return "is " + itoa(len(s)) + " bytes long, at most " + itoa(most) + " are allowed"
	}
	wide := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return "holds a control character at byte " + itoa(i)
		}
		wide = wide || c >= utf8.RuneSelf
	}
	if wide && !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

// checkSite returns what is wrong with s as a site id.
func checkSite(s string) string {
	if event.ValidSite(s) != nil {
		return quote(s) + " is no site id: 1 to 253 of a-z 0-9 . -"
	}
	return ""
}

// checkURL returns what is wrong with s as the address of a page. It is no parser: what looks like an address is kept as it
// was sent.
func checkURL(s string) string {
	if s == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) || rest == "" || rest[0] == '/' {
		return quote(s) + " is not a full address such as https://example.com/page"
	}
	return ""
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// checkScreen returns what is wrong with s as WIDTHxHEIGHT.
func checkScreen(s string) string {
	if s == "" {
		return ""
	}
	w, h, ok := strings.Cut(s, "x")
	if !ok || !isNumber(w) || !isNumber(h) {
		return quote(s) + " is not WIDTHxHEIGHT, such as 1280x720"
	}
	return ""
}

func isNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 6
}
