package ga4

import (
	"strconv"
	"strings"

	"millrace/engine/event"
)

// items is what is kept of the items of an event: how many pieces they are together, what they
// cost, and which it is if there is one.
type items struct {
	n        int // items
	pieces   int64
	total    event.Money
	id, name string // of the first
}

// item is one of them, as it was sent.
type item struct{ id, name, price, quantity string }

const (
	maxPieces = 1_000_000
	maxTotal  = event.Money(1) << 52
)

// add adds an item. One without a quantity is one piece.
func (s *items) add(it item) {
	quantity := int64(1)
	if n, err := strconv.ParseInt(it.quantity, 10, 64); err == nil && n >= 0 && n <= maxPieces {
		quantity = n
	}
	if s.n == 0 {
		s.id, s.name = it.id, it.name
	}
	s.n++
	s.pieces = min(s.pieces+quantity, maxPieces)
	price, err := event.ParseMoney(it.price)
	if err != nil || price < 0 || price > maxTotal/maxPieces {
		return
	}
	s.total = min(s.total+price*event.Money(quantity), maxTotal)
}

// parseItem reads an item of /g/collect: fields with "~" between them, each a code of two letters
// and its value.
func parseItem(text string) item {
	var it item
	for part := range strings.SplitSeq(text, "~") {
		if len(part) < 2 {
			continue
		}
		value := part[2:]
		switch part[:2] {
		case "id":
			it.id = value
		case "nm":
			it.name = value
		case "pr":
			it.price = value
		case "qt":
			it.quantity = value
		}
	}
	return it
}

// items adds what is kept of the items to the properties.
func (r *reader) items(s *items) {
	if s.n == 0 {
		return
	}
	r.LooseProp("quantity", strconv.FormatInt(s.pieces, 10))
	if s.n > 1 {
		return
	}
	if s.id != "" {
		r.LooseProp("item_id", s.id)
	}
	if s.name != "" {
		r.LooseProp("item_name", s.name)
	}
}
