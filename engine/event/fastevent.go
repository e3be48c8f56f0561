package event

// envelope reads record, which is valid UTF-8, into env, which is empty, and says whether it could.
func (f *fast) envelope(record []byte, env *Envelope) bool {
	f.reset(record)
	i := f.must('{', 0)
	seen, key := uint(0), -1
	for more := true; more; more, i = f.more(i) {
		key, i = f.key(envelopeKeys[:], key, &seen, i)
		switch key {
		case keyV:
			i = f.version(i)
		case keyCollector:
			env.Collector, i = f.text(i)
		case keyLow:
			env.Low, i = f.time(i)
		case keyEvents:
			i = f.events(env, i)
		}
	}
	i = f.space(f.must('}', i))
	return i == f.end() && seen == 1<<len(envelopeKeys)-1 && env.Collector != ""
}

func (f *fast) version(i int) int {
	n, i := f.whole(i)
	if n != Version {
		return f.fail()
	}
	return i
}

func (f *fast) events(env *Envelope, i int) int {
	empty, i := f.is(']', f.must('[', i))
	if empty {
		return i
	}
	for more := true; more; more, i = f.more(i) {
		if n := len(env.Events); n < cap(env.Events) {
			env.Events = env.Events[:n+1]
			env.Events[n] = Event{}
		} else {
			env.Events = append(env.Events, Event{})
		}
		i = f.event(&env.Events[len(env.Events)-1], i)
	}
	return f.must(']', i)
}

func (f *fast) event(e *Event, i int) int {
	i = f.must('{', i)
	seen, key := uint(0), -1
	for more := true; more; more, i = f.more(i) {
		key, i = f.key(eventKeys[:], key, &seen, i)
		i = f.field(e, key, i)
	}
	if e.Received == 0 {
		e.Received = e.Time
	}
	if e.Name == "" || e.Time == 0 || !validSite(e.Site) {
		return f.fail()
	}
	return f.must('}', i)
}

func (f *fast) field(e *Event, key, i int) int {
	switch key {
	case keyID:
		e.ID, i = f.text(i)
	case keySite:
		e.Site, i = f.text(i)
	case keyName:
		e.Name, i = f.text(i)
	case keyTime:
		e.Time, i = f.time(i)
	case keyReceived:
		e.Received, i = f.time(i)
	case keyVisitor:
		e.Visitor, i = f.visitor(i)
	case keyVisitorPrev:
		e.VisitorPrev, i = f.visitor(i)
	case keyURL:
		e.URL, i = f.text(i)
	case keyReferrer:
		e.Referrer, i = f.text(i)
	case keyUA:
		e.UA, i = f.text(i)
	case keyLanguage:
		e.Language, i = f.text(i)
	case keyScreen:
		e.Screen, i = f.text(i)
	case keyCountry:
		e.Country, i = f.text(i)
	case keyRegion:
		e.Region, i = f.text(i)
	case keyCity:
		e.City, i = f.text(i)
	case keyProps:
		e.Props, i = f.properties(i)
	case keyRevenue:
		i = f.revenue(e, i)
	case keyNonInteractive:
		e.NonInteractive, i = f.boolean(i)
	case keyClient:
		e.Client, i = f.text(i)
	case keyBot:
		e.Bot, i = f.text(i)
	case keyPing:
		e.Ping, i = f.boolean(i)
	case keyEngaged:
		e.Engaged, i = f.time(i)
	case keyScroll:
		e.Scroll, i = f.percent(i)
	case keyHashRoute:
		e.HashRoute, i = f.boolean(i)
	}
	return i
}

func (f *fast) time(i int) (Time, int) {
	n, i := f.whole(i)
	if Time(n) >= maxTime {
		return 0, f.fail()
	}
	return Time(n), i
}

func (f *fast) percent(i int) (Percent, int) {
	n, i := f.whole(i)
	if n > 100 {
		return 0, f.fail()
	}
	return PercentOf(n), i
}

func (f *fast) visitor(i int) (Visitor, int) {
	s, i := f.text(i)
	if s == "" {
		return 0, i
	}
	if v, ok := visitorOf16(s); ok {
		return v, i
	}
	v, err := ParseVisitor(s)
	if err != nil {
		return 0, f.fail()
	}
	return v, i
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

func (f *fast) properties(i int) ([]Prop, int) {
	start := len(f.props)
	empty, i := f.is('}', f.must('{', i))
	if empty {
		return f.props[start:start:start], i
	}
	for more := true; more; more, i = f.more(i) {
		var p Prop
		p.Key, i = f.text(i)
		p.Value, i = f.text(f.must(':', i))
		f.props = append(f.props, p)
	}
	return f.props[start:len(f.props):len(f.props)], f.must('}', i) // see Decoder.properties
}

func (f *fast) revenue(e *Event, i int) int {
	i = f.must('{', i)
	amount := ""
	seen, key := uint(0), -1
	for more := true; more; more, i = f.more(i) {
		key, i = f.key(revenueKeys[:], key, &seen, i)
		switch key {
		case keyAmount:
			amount, i = f.text(i)
		case keyCurrency:
			e.Currency, i = f.text(i)
		}
	}
	var err error
	if e.Amount, err = ParseMoney(amount); err != nil {
		return f.fail()
	}
	return f.must('}', i)
}

func (f *fast) boolean(i int) (bool, int) {
	i = f.space(i)
	switch b := f.buf[i:]; {
	case string(b[:4]) == "true":
		return true, i + 4
	case string(b[:5]) == "false":
		return false, i + 5
	}
	return false, f.fail()
}
