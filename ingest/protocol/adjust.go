package protocol

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/internal/strictjson"
)

// The protocols of browsers lose no event because of a field beside the matter: no one reads the
// answer in a visitor's browser, and the view would be missing. They need a site, a name and, where
// the protocol has it so, a page; of everything else what can't be used is cut or left out, and the
// answer's header X-Millrace-Adjusted names it. What is no JSON is refused all the same: then there
// is no telling what was meant. Senders of our own events are programs whose author reads the
// answer, so there the event is refused.

// Adjust notes that a field was cut to what fits or left out. An amount and a currency are the
// revenue.
func (p *Parser) Adjust(field Fields) {
	if field&(FieldAmount|FieldCurrency) != 0 {
		field = FieldRevenue
	}
	p.adjusted |= field
}

// Forgiven reports whether there was an error since the last call, and makes it an adjustment.
func (p *Parser) Forgiven(field Fields) bool {
	if p.err == nil {
		return false
	}
	p.err = nil
	p.Adjust(field)
	return true
}

// First reports whether a field that may be left out comes for the first time.
func (p *Parser) First(field Fields) bool {
	if p.seen&field != 0 {
		p.Adjust(field)
		return false
	}
	p.seen |= field
	return true
}

// LooseText makes an address or the like fit: at most so many bytes, without control characters.
func (p *Parser) LooseText(s string, most int, field Fields) string {
	return p.instead(s, identity.Clean(s, most), field)
}

// LoosePage is LooseText of an address that may be a path of an origin such as https://example.com;
// "" for what is none.
func (p *Parser) LoosePage(origin, s string, field Fields) string {
	if s != "" && CheckURL(s) != "" {
		if !strings.HasPrefix(s, "/") {
			s = "/" + s
		}
		s = p.Keep(origin + s)
	}
	s = p.LooseText(s, MaxURL, field)
	if CheckURL(s) != "" {
		p.Adjust(field)
		return ""
	}
	return s
}

// LooseWords makes a name or a value fit: at most so many bytes, with blanks for control
// characters.
func (p *Parser) LooseWords(s string, most int, field Fields) string {
	return p.instead(s, identity.CleanWords(s, most), field)
}

// LooseName is LooseWords for a name. Blanks at its ends are no part of it: "pageview" with a line
// break is a view.
func (p *Parser) LooseName(s string) string {
	return strings.Trim(p.LooseWords(s, MaxName, FieldName), " ")
}

// LooseNameOf is LooseName of a string.
func (p *Parser) LooseNameOf(v *strictjson.Value) string {
	b, _ := v.StringBytes()
	if v.Plain() && len(b) <= MaxName {
		return strings.Trim(View(b), " ")
	}
	p.plain = false
	return p.LooseName(View(b))
}

// NameEvent sets the name of an event that is no view to its tracker. One that would count as a
// view, or has no name that is left, is "event" with what it was called as the property name.
func (p *Parser) NameEvent(in *Input, name string) {
	if in.Name = p.LooseName(name); in.Name == event.Pageview || in.Name == "" {
		in.Name = "event"
		p.LooseProp("name", name)
	}
}

// instead returns what is taken instead of a text, and adjusts its field unless they are the same.
func (p *Parser) instead(s, clean string, field Fields) string {
	if len(clean) != len(s) || clean != s {
		p.Adjust(field)
	}
	return clean
}

// LooseString is String for an address that may be left out: null and what is no string is "", and
// blanks at its ends are no part of it. Of two the first counts, which was given before.
func (p *Parser) LooseString(was string, v *strictjson.Value, most int, field Fields) string {
	switch {
	case p.seen&field != 0:
		p.Adjust(field)
		return was
	case v.Type() == strictjson.TypeString:
		p.seen |= field
		b, _ := v.StringBytes()
		if v.Plain() && len(b) <= most {
			return strings.Trim(View(b), " ")
		}
		p.plain = false
		return p.LooseText(View(bytes.TrimSpace(b)), most, field)
	case v.Type() != strictjson.TypeNull:
		p.Adjust(field)
	}
	p.seen |= field
	return ""
}

// LooseNumber returns a number of 0 to most, rounded down; false for null and what is none.
func (p *Parser) LooseNumber(v *strictjson.Value, most float64, field Fields) (int64, bool) {
	n, err := v.Float64()
	switch {
	case v.Type() == strictjson.TypeNull:
		return 0, false
	case err != nil || !(n >= 0 && n <= most):
		p.Adjust(field)
		return 0, false
	}
	return int64(math.Floor(n)), true
}

// LooseWhole returns a text that is of no use when it is cut, "" if it is not usable.
func (p *Parser) LooseWhole(s string, most int, field Fields, usable bool) string {
	if s != "" && (!usable || CheckText(s, most) != "") {
		p.Adjust(field)
		return ""
	}
	return s
}

// LooseID returns the id that a sender gives an event, "" for one that can't be used. One that is too
// long, or no text, becomes a hash, so that what is sent again is still known by it. One of the form
// that collectors give to events without an id is none, since the engine would know it for seconds,
// and so is what programs send that have none ("undefined"): all their events would be one.
func (p *Parser) LooseID(id string) string {
	_, made := event.CutRepeat(id)
	switch {
	case id == "":
		return ""
	case made, isPlaceholder(id):
		p.Adjust(FieldID)
		return ""
	case CheckText(id, MaxID) == "":
		return id
	}
	p.Adjust(FieldID)
	return p.Keep("hash-" + strconv.FormatUint(xxhash.Sum64String(id), 16))
}

// isPlaceholder reports whether an id is what programs send that have none.
func isPlaceholder(id string) bool {
	id = strings.TrimSpace(id)
	if strings.Trim(id, "0-") == "" {
		return true
	}
	switch strings.ToLower(id) {
	case "undefined", "null", "nil", "none", "nan", "true", "false", "[object object]":
		return true
	}
	return false
}

// LooseScreen returns the size of a screen of its width and height in pixels, "" if it is not known.
// A height that is not known is 0: the classes of screens go by the width.
func (p *Parser) LooseScreen(width, height string) string {
	if width == "" || width == "0" {
		return ""
	}
	if height == "" {
		height = "0"
	}
	screen := p.Keep(width + "x" + height)
	return p.LooseWhole(screen, MaxScreen, FieldScreen, CheckScreen(screen) == "")
}

// LooseAddr returns an address of a visitor as a trusted caller gives it, the zero Addr for what is
// none.
func LooseAddr(s string) netip.Addr {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// LooseCurrency returns a currency in capitals and without blanks, in which nothing is lost.
func LooseCurrency(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

// CurrencyOf returns the currency of an amount: the one that was sent with it, else that of the site;
// "" where neither is known.
func CurrencyOf(sites Sites, site, sent string) string {
	if sent = LooseCurrency(sent); sent != "" {
		return sent
	}
	return sites.Currency(site)
}

// LooseRevenue sets the revenue of an event from an amount, a number or the text of one, and reports
// whether it is one. Without a currency it is none; an amount or a currency that can't be used is
// left out.
func (p *Parser) LooseRevenue(in *Input, amount *strictjson.Value, currency string) bool {
	text := p.ScalarOf(amount)
	if text == "" || currency == "" {
		return false
	}
	p.SetRevenue(in, text, LooseCurrency(currency))
	return !p.Forgiven(FieldRevenue)
}

// LooseData adds the properties of an object as LooseTree does. Of them revenue is the revenue, in
// currency or else in the one given; an amount that is none, or has no currency, is a property.
func (p *Parser) LooseData(in *Input, v *strictjson.Value, currency string) {
	if v == nil || v.Type() == strictjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		p.Adjust(FieldProps)
		return
	}
	if own := TextOf(obj.Get("currency")); own != "" {
		currency = own
	}
	paid := p.LooseRevenue(in, obj.Get("revenue"), currency)
	p.LooseTree("", obj, func(key string) bool { return paid && (key == "revenue" || key == "currency") })
}

// LooseProps adds what can be used of an object to the properties of the event. Values are cut.
func (p *Parser) LooseProps(v *strictjson.Value) {
	if v.Type() == strictjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		p.Adjust(FieldProps)
		return
	}
	obj.Visit(func(key []byte, v *strictjson.Value) {
		if p.plainProp(View(key), v) {
			return
		}
		p.plain = p.plain && v.Plain()
		if b, err := v.StringBytes(); err == nil {
			p.LooseProp(View(key), View(b))
			return
		}
		n := len(p.props)
		if p.property(View(key), v); p.Forgiven(FieldProps) {
			p.props = p.props[:n]
		} else if len(p.props) > n {
			last := p.props[n]
			p.props = p.props[:n]
			p.LooseProp(last.Key, last.Value)
		}
	})
}

// plainProp adds a property that is a plain text and can be used as it is, or returns false.
func (p *Parser) plainProp(key string, v *strictjson.Value) bool {
	if v.Type() != strictjson.TypeString || !v.Plain() || len(p.props)-p.firstProp == MaxProps {
		return false
	}
	b, _ := v.StringBytes()
	if key == "" || len(key) > MaxPropKey || len(b) > MaxPropValue {
		return false
	}
	p.props = append(p.props, event.Prop{Key: key, Value: View(b)})
	return true
}

// LooseProp adds a property to those of the event, unless they are as many as there may be.
func (p *Parser) LooseProp(key, value string) {
	if len(p.props)-p.firstProp == MaxProps {
		p.Adjust(FieldProps)
		return
	}
	n := len(p.props)
	if p.addProp(key, p.LooseWords(value, MaxPropValue, FieldProps)); p.Forgiven(FieldProps) {
		p.props = p.props[:n]
	}
}

// SortedProps returns the properties that were added to the event, sorted by key; of those with one
// key the first that was added.
func (p *Parser) SortedProps() []event.Prop {
	props := p.props[p.firstProp:len(p.props):len(p.props)]
	if areSorted(props) {
		return props
	}
	slices.SortStableFunc(props, func(a, b event.Prop) int { return strings.Compare(a.Key, b.Key) })
	once := slices.CompactFunc(props, func(a, b event.Prop) bool { return a.Key == b.Key })
	if len(once) < len(props) {
		p.Adjust(FieldProps)
	}
	return once
}

// maxDepth is how deep objects may lie in each other whose properties are taken.
const maxDepth = 8

// LooseTree adds the properties of an object behind a prefix, those of objects in it by keys with
// dots, and lists as JSON; null means not given. Skip reports which keys of the outer object are
// left out; nil is none.
func (p *Parser) LooseTree(prefix string, obj *strictjson.Object, skip func(key string) bool) {
	p.looseTree(prefix, obj, skip, 1)
}

func (p *Parser) looseTree(prefix string, obj *strictjson.Object, skip func(key string) bool, depth int) {
	obj.Visit(func(k []byte, v *strictjson.Value) {
		key := View(k)
		if skip != nil && skip(key) {
			return
		}
		if prefix != "" {
			key = prefix + "." + key
		}
		p.looseValue(key, v, depth)
	})
}

// LooseValue adds a property as LooseTree adds one of an object.
func (p *Parser) LooseValue(key string, v *strictjson.Value) { p.looseValue(key, v, 1) }

func (p *Parser) looseValue(key string, v *strictjson.Value, depth int) {
	switch v.Type() {
	case strictjson.TypeNull:
	case strictjson.TypeString:
		p.LooseProp(key, View(v.GetStringBytes()))
	case strictjson.TypeObject:
		if depth == maxDepth {
			p.Adjust(FieldProps)
			return
		}
		p.looseTree(key, v.GetObject(), nil, depth+1)
	default:
		p.LooseProp(key, p.Number(v)) // the text that it was sent as
	}
}
