package hits

import (
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Class is what a hit counts as.
type Class uint8

const (
	// Human hits are counted in every family but Bots and Dropped.
	Human Class = iota
	// Bot hits are counted in the family Bots only.
	Bot
	// Dropped hits came after their minute had closed: they are counted in the family Dropped only, in another minute, and are
	// of no visit.
	Dropped
	// Ping hits are no events (event.Event.Ping) and counted in no window.
	Ping
)

// NumClasses is the number of classes.
const NumClasses = 4

var classes = [NumClasses]string{"human", "bot", "dropped", "ping"}

func (c Class) String() string { return classes[c] }

// Hit is one event and what is derived of it.
type Hit struct {
	// Topic, Partition, Offset and Index say where the event stands: in which record, and the how manieth of it, from 0.
	Topic     string
	Partition int32
	Offset    int64
	Index     int32

	Site     string
	Class    Class
	Time     event.Time
	Received event.Time
	// Minute is the start of the minute that counts the hit: that of Time, but the watermark's of a Dropped one; of a Ping the
	// same as of an event.
	Minute event.Time
	// Visit is the visit that took the hit, 0 if none did: it may have joined another since, see Join.
	Visit visit.ID
	// VisitBegan is when Visit began, by the events up to this one; 0 without a visit. A late event may move it to before.
	VisitBegan event.Time
	// Row is what is counted of it: visitor, values of dimensions, revenue, properties. Goals are those of the rules that it was
	// derived by. Dims completes its dimensions.
	Row *window.Row
	// NonInteractive, Currency, Engaged and Scroll are the event's own. Currency is set where Row.Paid is.
	NonInteractive bool
	Currency       string
	Engaged        event.Time
	Scroll         event.Percent
}

// Dims returns the values of all dimensions that an event has, "" where there is none: those that the windows count it under.
func (h *Hit) Dims() *[window.NumDims]string {
	if h.Row.Origin != nil {
		window.ReadOrigin(h.Row.Origin, &h.Row.Dims) // it comes from package visit, which has checked it
	}
	return &h.Row.Dims
}

// Pageview reports whether the hit is a view of a page.
func (h *Hit) Pageview() bool { return h.Row.Flags&window.PageviewRow != 0 }

// Clone returns a copy that shares no memory with h, for one that is kept.
func (h *Hit) Clone() *Hit {
	c, row := *h, *h.Row
	c.Row = &row
	c.Topic, c.Site, c.Currency = strings.Clone(h.Topic), strings.Clone(h.Site), strings.Clone(h.Currency)
	row.Origin, row.Goals, row.Props = slices.Clone(row.Origin), slices.Clone(row.Goals), slices.Clone(row.Props)
	for i := range row.Goals {
		row.Goals[i] = strings.Clone(row.Goals[i])
	}
	for i := range row.Props {
		row.Props[i] = event.Prop{Key: strings.Clone(row.Props[i].Key), Value: strings.Clone(row.Props[i].Value)}
	}
	for i := range row.Dims {
		row.Dims[i] = strings.Clone(row.Dims[i])
	}
	return &c
}

// Join says that a visit has become a part of another: hits that have the one as their Visit are the other's.
type Join struct {
	// Offset is that of the record whose event closed the gap between the two.
	Offset int64
	// Visit is no more; Into is what it is a part of. Into may join another one later.
	Visit, Into visit.ID
	// Site, Visitor and Begin are those of Visit, as they were before.
	Site    string
	Visitor event.Visitor
	Begin   event.Time
}

// Sink takes what a Ledger of package engine makes of a log, in an order that the log decides: the hits of a record in their order, each after the joins
// that it brought about, then the visits that have ended with the record. What it is given is valid during the call.
type Sink interface {
	Hit(h *Hit)
	Join(j Join)
	// Visit is called once for each visit that has not joined another, when nothing can change it any more.
	Visit(v *visit.Visit)
}
