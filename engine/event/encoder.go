package event

// Encoder appends events as Event.Append does. It remembers what those of a request have in common,
// encoded: their sender's agent, language and place, and their times. The zero value is ready. It
// belongs to one goroutine at a time.
//
// It keeps views of the last event's texts, which have to stay as they are until Reset.
type Encoder struct {
	ua, language          string
	agent                 []byte
	country, region, city string
	place                 []byte
	at                    Time
	times                 []byte
}

// Reset forgets the texts.
func (x *Encoder) Reset() {
	x.ua, x.language, x.agent = "", "", x.agent[:0]
	x.country, x.region, x.city, x.place = "", "", "", x.place[:0]
}

// Append appends the JSON of one event. Plain says of ID, Site, Name, URL, Referrer, Screen, Client and
// Props that they are ASCII without control characters, quotes and backslashes.
func (x *Encoder) Append(dst []byte, e *Event, plain bool) []byte { return e.append(dst, x, plain) }

func (x *Encoder) appendTimes(dst []byte, e *Event) []byte {
	if x == nil || e.Time != e.Received {
		return e.appendTimes(dst)
	}
	if e.Time != x.at || len(x.times) == 0 {
		x.at, x.times = e.Time, e.appendTimes(x.times[:0])
	}
	return append(dst, x.times...)
}

func (x *Encoder) appendAgent(dst []byte, e *Event) []byte {
	if x == nil {
		return e.appendAgent(dst)
	}
	if e.UA != x.ua || e.Language != x.language {
		x.ua, x.language, x.agent = e.UA, e.Language, e.appendAgent(x.agent[:0])
	}
	return append(dst, x.agent...)
}

func (x *Encoder) appendPlace(dst []byte, e *Event) []byte {
	if x == nil {
		return e.appendPlace(dst)
	}
	if e.Country != x.country || e.Region != x.region || e.City != x.city {
		x.country, x.region, x.city, x.place = e.Country, e.Region, e.City, e.appendPlace(x.place[:0])
	}
	return append(dst, x.place...)
}
