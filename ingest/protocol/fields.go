package protocol

import (
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// Props reads custom properties: an object of strings, numbers and booleans, which become the text
// they were sent as. Null means not given.
func (p *Parser) Props(v *strictjson.Value) []event.Prop {
	if v.Type() == strictjson.TypeNull {
		return nil
	}
	obj, err := v.Object()
	if err != nil {
		p.Fail("props", "a JSON %s, want an object", v.Type())
		return nil
	}
	if n := obj.Len(); n > MaxProps {
		p.Fail("props", "%d properties, at most %d are allowed", n, MaxProps)
		return nil
	}
	start := len(p.props)
	obj.Visit(func(key []byte, v *strictjson.Value) {
		if p.err == nil {
			p.property(View(key), v)
		}
	})
	props := p.props[start:len(p.props):len(p.props)]
	p.checkProps(props)
	return props
}

// PlainProps reads the properties of an event from a position on, if they are as they are encoded: an
// object of plain strings, in the order of their keys and without blanks. It returns them, their text
// and the position behind it, which is 0 if they are not, and then nothing is noted.
func (p *Parser) PlainProps(text *strictjson.Parser, from int) (props []event.Prop, raw string, end int) {
	start := len(p.props)
	if i := p.plainProps(text, from); i > 0 && p.Fits("", 0, FieldProps) {
		return p.props[start:len(p.props):len(p.props)], text.Text(from, i), i
	}
	p.props = p.props[:start]
	return nil, "", 0
}

func (p *Parser) plainProps(text *strictjson.Parser, i int) (end int) {
	last, n := "", 0
	for open := byte('{'); text.At(i) == open; open = ',' {
		if text.At(i+1) != '"' {
			return 0
		}
		key, at := text.PlainAt(i + 2)
		if at == 0 || text.At(at) != ':' || text.At(at+1) != '"' {
			return 0
		}
		value, next := text.PlainAt(at + 2)
		if next == 0 || key == "" || last != "" && key[0] <= last[0] && key <= last || len(key) > MaxPropKey || len(value) > MaxPropValue {
			return 0
		}
		p.props = append(p.props, event.Prop{Key: key, Value: value})
		i, last, n = next, key, n+1
	}
	if text.At(i) != '}' || n == 0 || n > MaxProps {
		return 0
	}
	return i + 1
}

func (p *Parser) property(key string, v *strictjson.Value) {
	var value string
	switch v.Type() {
	case strictjson.TypeNull:
		return
	case strictjson.TypeString:
		b, _ := v.StringBytes()
		value = View(b)
	case strictjson.TypeTrue:
		value = "true"
	case strictjson.TypeFalse:
		value = "false"
	case strictjson.TypeNumber:
		value = p.Number(v)
		if _, err := v.Float64(); err != nil || !strictjson.Number(value) {
			p.Fail("props", "the value of %q is not a number", Clip(key))
		}
	default:
		p.Fail("props", "the value of %q is a JSON %s, want a string, number or boolean", Clip(key), v.Type())
	}
	if v.Plain() && key != "" && len(key) <= MaxPropKey && len(value) <= MaxPropValue {
		p.props = append(p.props, event.Prop{Key: key, Value: value})
		return
	}
	p.plain = false
	p.addProp(key, value)
}

func (p *Parser) addProp(key, value string) {
	if msg := CheckText(key, MaxPropKey); msg != "" {
		p.Fail("props", "the key %q %s", Clip(key), msg)
	} else if key == "" {
		p.Fail("props", "a key is empty")
	}
	if msg := CheckText(value, MaxPropValue); msg != "" {
		p.Fail("props", "the value of %q %s", Clip(key), msg)
	}
	p.props = append(p.props, event.Prop{Key: key, Value: value})
}

// checkProps sorts props by key and fails if a key is there twice.
func (p *Parser) checkProps(props []event.Prop) {
	if areSorted(props) {
		return
	}
	slices.SortFunc(props, func(a, b event.Prop) int { return strings.Compare(a.Key, b.Key) })
	for i := 1; i < len(props); i++ {
		if props[i].Key == props[i-1].Key {
			p.Fail("props", "the key %q is given twice", Clip(props[i].Key))
		}
	}
}

// areSorted reports whether each key is behind the one before.
func areSorted(props []event.Prop) bool {
	for i := 1; i < len(props); i++ {
		if props[i-1].Key >= props[i].Key {
			return false
		}
	}
	return true
}

// Interactive reads whether an event is a sign of the visitor's doing. Null means not given.
func (p *Parser) Interactive(in *Input, v *strictjson.Value) {
	switch v.Type() {
	case strictjson.TypeNull, strictjson.TypeTrue:
	case strictjson.TypeFalse:
		in.NonInteractive = true
	default:
		p.Fail("interactive", "a JSON %s, want true or false", v.Type())
	}
}

// CheckInteractive fails if the view of a page is marked as no sign of the visitor's doing.
func (p *Parser) CheckInteractive(in *Input) {
	if in.NonInteractive && in.Name == event.Pageview {
		p.Fail("interactive", "a pageview can't be false: send an event of another name")
	}
}

// Revenue reads {"amount":12.5,"currency":"EUR"}; amount may also be a string. Strict refuses other
// fields, and a currency in other letters than capitals.
func (p *Parser) Revenue(in *Input, v *strictjson.Value, strict bool) {
	if v.Type() == strictjson.TypeNull {
		return
	}
	obj, err := v.Object()
	if err != nil {
		p.Fail("revenue", "a JSON %s, want an object such as {\"amount\":12.5,\"currency\":\"EUR\"}", v.Type())
		return
	}
	var amount, currency string
	obj.Visit(func(key []byte, v *strictjson.Value) {
		switch string(key) {
		case "amount":
			p.Once("revenue.amount", FieldAmount)
			switch v.Type() {
			case strictjson.TypeNumber:
				if amount = p.Number(v); !strictjson.Number(amount) {
					p.Fail("revenue.amount", "%q is not a number", Clip(amount))
				}
			case strictjson.TypeString:
				b, _ := v.StringBytes()
				amount = View(b)
			default:
				p.Fail("revenue.amount", "a JSON %s, want a number", v.Type())
			}
		case "currency":
			p.Once("revenue.currency", FieldCurrency)
			b, err := v.StringBytes()
			if err != nil {
				p.Fail("revenue.currency", "a JSON %s, want a string", v.Type())
			}
			currency = View(b)
		default:
			if strict {
				p.Fail("revenue."+Clip(string(key)), "unknown field")
			}
		}
	})
	if !strict {
		currency = LooseCurrency(currency)
	}
	p.SetRevenue(in, amount, currency)
}

// SetRevenue sets the revenue of an event from an amount and a currency as they were sent.
func (p *Parser) SetRevenue(in *Input, amount, currency string) {
	if p.err != nil {
		return
	}
	if amount == "" {
		p.Fail("revenue.amount", "is missing")
		return
	}
	m, err := event.ParseMoney(amount)
	if err != nil {
		p.Fail("revenue.amount", "%q is not a decimal number of at most 14 places before the point", Clip(amount))
	}
	switch {
	case currency == "":
		p.Fail("revenue.currency", "is missing; an amount goes with a currency such as EUR")
	case !event.ValidCurrency(currency):
		p.Fail("revenue.currency", "%q is not an ISO 4217 code of three capitals", Clip(currency))
	}
	if p.err != nil {
		return
	}
	in.Amount, in.Currency = m, currency
}
