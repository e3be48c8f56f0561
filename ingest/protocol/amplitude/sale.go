package amplitude

import (
	"strconv"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// sale is what an event has earned, as it was sent.
type sale struct {
	revenue, price, quantity, currency string
	product, kind                      string
}

const (
	maxPieces = 1_000_000
	maxTotal  = event.Money(1) << 52
)

// amount returns the revenue, or price times quantity; "" for none. One without a quantity is one
// piece.
func (s *sale) amount() string {
	if s.revenue != "" || s.price == "" {
		return s.revenue
	}
	price, err := event.ParseMoney(s.price)
	if err != nil {
		return s.price // which is found to be none
	}
	pieces := event.Money(1)
	if n, err := strconv.ParseInt(s.quantity, 10, 64); err == nil && n >= 0 && n <= maxPieces {
		pieces = event.Money(n)
	}
	if pieces > 1 && max(price, -price) > maxTotal/pieces {
		return ""
	}
	return (price * pieces).String()
}

// sale sets the revenue of fields of an event and reports whether that is known. What is not in the
// revenue is a property by its own name.
func (rd *reader) sale(in *protocol.Input, s *sale) bool {
	earned := rd.earn(in, s)
	for _, f := range [...]struct{ name, value string }{
		{"price", s.price}, {"quantity", s.quantity}, {"productId", s.product}, {"revenueType", s.kind},
	} {
		if f.value != "" {
			rd.LooseProp(f.name, f.value)
		}
	}
	if earned {
		return true
	}
	if s.revenue != "" {
		rd.LooseProp("revenue", s.revenue)
	}
	if s.currency != "" {
		rd.LooseProp("currency", s.currency)
	}
	return false
}

// earn sets the revenue, in the site's currency unless it names one, and reports whether there is
// one.
func (rd *reader) earn(in *protocol.Input, s *sale) bool {
	amount, currency := s.amount(), protocol.CurrencyOf(rd.sites, in.Site, s.currency)
	if amount == "" || currency == "" {
		return false
	}
	rd.SetRevenue(in, amount, currency)
	return !rd.Forgiven(protocol.FieldRevenue)
}
