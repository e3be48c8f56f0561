package ua

import (
	"math/bits"
	"strconv"
	"strings"

	"millrace/ingest/protocol"
)

// propNames are the properties that parameters become, by the names that gtag.js gave them.
var propNames = map[string]string{
	"ec": "event_category", "el": "event_label", "ev": "event_value",
	"sn": "social_network", "sa": "social_action", "st": "social_target",
	"exd": "description", "exf": "fatal",
	"utc": "timing_category", "utv": "timing_var", "utl": "timing_label", "utt": "timing_value",
	"ti": "transaction_id", "ta": "affiliation", "ts": "shipping", "tt": "tax", "tcc": "coupon",
	"in": "item_name", "ic": "item_id", "iv": "item_category", "iq": "quantity", "ip": "price",
	"cd": "screen_name", "an": "app_name", "av": "app_version",
}

// prop adds the property that a parameter becomes; what becomes none is passed over.
func (h *hit) prop(key, value string) {
	if name := propNames[key]; name != "" {
		h.LooseProp(name, value)
		return
	}
	if len(key) < 3 || !digits(key[2:]) {
		return
	}
	switch key[:2] {
	case "cd":
		h.LooseProp("dimension"+key[2:], value)
	case "cm":
		h.LooseProp("metric"+key[2:], value)
	case "cg":
		h.LooseProp("contentGroup"+key[2:], value)
	}
}

// earned sets what a purchase has earned, in the site's currency unless it names one. Where neither
// is known it is a property.
func (h *hit) earned(kind string) {
	if h.productAction != "" {
		h.LooseProp("product_action", h.productAction)
	}
	purchase := kind == "transaction" || h.productAction == "purchase" || h.productAction == "refund"
	if purchase && h.currency == "" {
		h.currency = h.sites.Currency(h.in.Site)
	}
	switch {
	case h.revenue == "":
	case !purchase || h.currency == "":
		h.LooseProp("value", h.revenue)
	default:
		h.SetRevenue(h.in, h.revenue, protocol.LooseCurrency(h.currency))
		if !h.Forgiven(protocol.FieldRevenue) && h.productAction == "refund" && h.in.Amount > 0 {
			h.in.Amount = -h.in.Amount
		}
	}
}

// products is what is kept of the products of a hit: how many pieces they are together, and which
// it is if there is one.
type products struct {
	seen, counted [4]uint64 // by number, 1 to 200, those that have any parameter, and a quantity
	pieces        int64
	id, name      string
}

const maxPieces = 1_000_000

// add reads a parameter of a product, prNUMBERid and so on, and reports whether it is one.
func (p *products) add(key, value string) bool {
	rest, ok := strings.CutPrefix(key, "pr")
	if !ok || len(rest) < 3 {
		return false
	}
	end := len(rest) - 2
	n, err := strconv.ParseUint(rest[:end], 10, 8)
	if err != nil || n == 0 || n > 200 {
		return false
	}
	word, bit := n/64, uint64(1)<<(n%64)
	p.seen[word] |= bit
	switch rest[end:] {
	case "id":
		first(&p.id, value)
	case "nm":
		first(&p.name, value)
	case "qt":
		if q, err := strconv.ParseInt(value, 10, 64); err == nil && q >= 0 && p.counted[word]&bit == 0 {
			p.counted[word] |= bit
			p.pieces = min(p.pieces+min(q, maxPieces), maxPieces)
		}
	}
	return true
}

// props adds the properties that the products become.
func (p *products) props(to *protocol.Parser) {
	n, pieces := 0, p.pieces
	for i := range p.seen {
		n += bits.OnesCount64(p.seen[i])
		pieces += int64(bits.OnesCount64(p.seen[i] &^ p.counted[i])) // one without a quantity is one piece
	}
	if n == 0 {
		return
	}
	to.LooseProp("quantity", strconv.FormatInt(pieces, 10))
	if n > 1 {
		return
	}
	if p.id != "" {
		to.LooseProp("item_id", p.id)
	}
	if p.name != "" {
		to.LooseProp("item_name", p.name)
	}
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
