package event

import "unicode/utf8"

// envelope reads record into env and says whether it could.
func (f *fast) envelope(record []byte, env *Envelope) bool {
	f.reset(record)
	f.must('{')
	seen, key := uint(0), -1
	for more := true; more; more = f.more('}') {
		key = f.key(envelopeKeys[:], key, &seen)
		switch key {
		case keyV:
			if f.whole() != Version {
				f.fail()
			}
		case keyCollector:
			env.Collector = f.text()
		case keyLow:
			env.Low = f.time()
		case keyEvents:
			f.events(env)
		}
	}
	f.space()
	all := seen == 1<<len(envelopeKeys)-1 && env.Collector != ""
	return all && !f.bad && f.pos == f.end() && (f.high&highBits == 0 || utf8.Valid(record))
}

func (f *fast) events(env *Envelope) {
	f.must('[')
	if f.accept(']') {
		return
	}
	for more := true; more; more = f.more(']') {
		if n := len(env.Events); n < cap(env.Events) {
			env.Events = env.Events[:n+1]
			env.Events[n] = Event{}
		} else {
			env.Events = append(env.Events, Event{})
		}
		f.event(&env.Events[len(env.Events)-1])
	}
}

func (f *fast) event(e *Event) {
	f.must('{')
	seen, key := uint(0), -1
	for more := true; more; more = f.more('}') {
		key = f.key(eventKeys[:], key, &seen)
		f.field(e, key)
	}
	if e.Received == 0 {
		e.Received = e.Time
	}
	if e.Name == "" || e.Time == 0 || !validSite(e.Site) {
		f.fail()
	}
}

func (f *fast) field(e *Event, key int) {
	switch key {
	case keyID:
		e.ID = f.text()
	case keySite:
		e.Site = f.text()
	case keyName:
		e.Name = f.text()
	case keyTime:
		e.Time = f.time()
	case keyReceived:
		e.Received = f.time()
	case keyVisitor:
		e.Visitor = f.visitor()
	case keyVisitorPrev:
		e.VisitorPrev = f.visitor()
	case keyURL:
		e.URL = f.text()
	case keyReferrer:
		e.Referrer = f.text()
	case keyUA:
		e.UA = f.text()
	case keyLanguage:
		e.Language = f.text()
	case keyScreen:
		e.Screen = f.text()
	case keyCountry:
		e.Country = f.text()
	case keyRegion:
		e.Region = f.text()
	case keyCity:
		e.City = f.text()
	case keyProps:
		e.Props = f.properties()
	case keyRevenue:
		f.revenue(e)
	case keyNonInteractive:
		e.NonInteractive = f.boolean()
	case keyClient:
		e.Client = f.text()
	case keyBot:
		e.Bot = f.text()
	}
}

func (f *fast) time() Time {
	t := Time(f.whole())
	if t >= maxTime {
		f.fail()
	}
	return t
}

func (f *fast) visitor() Visitor {
	s := f.text()
	if s == "" {
		return 0
	}
	v, ok := visitorOf16(s)
	if !ok {
		var err error
		if v, err = ParseVisitor(s); err != nil {
			f.fail()
		}
	}
	return v
}

// visitorOf16 reads the form the encoder writes, 16 digits, in half of ParseVisitor's time.
func visitorOf16(s string) (Visitor, bool) {
	if len(s) != 16 {
		return 0, false
	}
	v, bad := Visitor(0), int8(0)
	for i := range 16 {
		d := hexDigits[s[i]]
		v, bad = v<<4|Visitor(d), bad|d
	}
	return v, bad >= 0
}

func (f *fast) properties() []Prop {
	start := len(f.props)
	f.must('{')
	if !f.accept('}') {
		for more := true; more; more = f.more('}') {
			key := f.text()
			f.must(':')
			f.props = append(f.props, Prop{Key: key, Value: f.text()})
		}
	}
	return f.props[start:len(f.props):len(f.props)] // see Decoder.properties
}

func (f *fast) revenue(e *Event) {
	f.must('{')
	amount := ""
	seen, key := uint(0), -1
	for more := true; more; more = f.more('}') {
		key = f.key(revenueKeys[:], key, &seen)
		switch key {
		case keyAmount:
			amount = f.text()
		case keyCurrency:
			e.Currency = f.text()
		}
	}
	var err error
	if e.Amount, err = ParseMoney(amount); err != nil {
		f.fail()
	}
}

func (f *fast) boolean() bool {
	f.space()
	want, is := "false", false
	if f.buf[f.pos] == 't' {
		want, is = "true", true
	}
	if string(f.buf[f.pos:f.pos+len(want)]) != want {
		f.fail()
		return false
	}
	f.pos += len(want)
	return is
}
