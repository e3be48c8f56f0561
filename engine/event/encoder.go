package event

import (
	"encoding/binary"
	"unsafe"
)

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
// Props that they are ASCII without control characters, quotes and backslashes. Props are those of
// the event as AppendProps has them, "" where that is not known.
func (x *Encoder) Append(dst []byte, e *Event, plain bool, props string) []byte {
	if !plain || e.VisitorPrev != 0 || e.Client == "" {
		return e.append(dst, x, plain)
	}
	// The same in fewer steps, of which each costs more than its bytes.
	dst = append(append(dst, `{"id":"`...), e.ID...)
	dst = append(append(dst, `","site":"`...), e.Site...)
	dst = append(append(dst, `","name":"`...), e.Name...)
	dst = append(dst, '"')
	dst = x.appendTimes(dst, e)
	dst = append(dst, `,"visitor":"`...)
	dst = binary.LittleEndian.AppendUint64(dst, hexOf(uint32(e.Visitor>>32)))
	dst = binary.LittleEndian.AppendUint64(dst, hexOf(uint32(e.Visitor)))
	dst = append(dst, '"')
	if e.URL != "" {
		dst = append(append(dst, `,"url":"`...), e.URL...)
		dst = append(dst, '"')
	}
	if e.Referrer != "" {
		dst = append(append(dst, `,"referrer":"`...), e.Referrer...)
		dst = append(dst, '"')
	}
	dst = x.appendAgent(dst, e)
	if e.Screen != "" {
		dst = append(append(dst, `,"screen":"`...), e.Screen...)
		dst = append(dst, '"')
	}
	dst = x.appendPlace(dst, e)
	if props != "" {
		dst = append(append(dst, `,"props":`...), props...)
	} else if len(e.Props) > 0 {
		dst = appendProps(append(dst, `,"props":`...), e.Props, true)
	}
	if e.isUnusual() {
		return e.appendRest(dst, true)
	}
	dst = append(append(dst, `,"client":"`...), e.Client...)
	return append(dst, `"}`...)
}

// isUnusual reports whether the event has any field of appendRest but Client.
func (e *Event) isUnusual() bool {
	return e.Currency != "" || e.NonInteractive || e.Bot != "" || e.Ping || e.HashRoute
}

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
	if !same(e.UA, x.ua) || !same(e.Language, x.language) {
		x.ua, x.language, x.agent = e.UA, e.Language, e.appendAgent(x.agent[:0])
	}
	return append(dst, x.agent...)
}

func (x *Encoder) appendPlace(dst []byte, e *Event) []byte {
	if x == nil {
		return e.appendPlace(dst)
	}
	if !same(e.Country, x.country) || !same(e.Region, x.region) || !same(e.City, x.city) {
		x.country, x.region, x.city, x.place = e.Country, e.Region, e.City, e.appendPlace(x.place[:0])
	}
	return append(dst, x.place...)
}

// same reports whether two texts are the same: of one request most are in the same memory.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}
