package visit

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// ID names a visit of a partition's log, by the place of the event that began it (IDOf, HashedID). It stays the visit's own whatever late
// events do to its beginning, its dimensions or its visitor. 0 is none.
type ID uint64

// indexBits are those of an ID that hold the index of an event in its record, plus one: a record has at most a million events.
const indexBits = 20

// IDOf returns the ID of a visit that the event at a place in the log begins.
func IDOf(offset int64, index int) ID { return ID(uint64(offset)<<indexBits | uint64(index+1)) }

// HashedID returns the ID of a visit that an event of an imported file begins: a hash of its place. There is no one log that the
// files are of, so no number counts their events. At ten million visits of a site two have one ID with a probability of three in a million.
func HashedID(topic string, offset int64, index int) ID {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint64(append(b, topic...), uint64(offset))
	return max(ID(xxhash.Sum64(binary.BigEndian.AppendUint32(b, uint32(index)))), 1) // 0 is none
}

// Place returns the offset and the index in its record of the event that began the visit. REQUIRES: id is IDOf's.
func (id ID) Place() (offset int64, index int) {
	return int64(id >> indexBits), int(id&(1<<indexBits-1)) - 1
}

// Visit is a visit as its table knows it.
type Visit struct {
	ID   ID
	Site string
	// Visitor is who the visit belongs to now: after a change of salt the hash under the new one.
	Visitor event.Visitor
	// Begin is the time of its first event, End that of its last event or ping.
	Begin, End event.Time
	// Events is the number of its events, Views how many of them are pageviews.
	Events, Views uint32
	// Interactive: it has an event that is no pageview and not marked non-interactive. Pinged: a ping has lengthened it.
	Interactive, Pinged bool
	// Dims holds the dimensions of the visit (Dim.OfVisit), its Hostname and its ExitPage.
	Dims [window.NumDims]string
}

// Bounced reports whether the visit is a bounce.
func (v *Visit) Bounced() bool { return bounced(v.Views, v.Interactive) }

// Seconds returns the visit's duration.
func (v *Visit) Seconds() int64 { return seconds(v.End-v.Begin, v.Bounced(), v.Pinged) }

// Join is a visit that has been taken into another, and is no more. All its events are the other's from there on.
type Join struct {
	Visit, Into ID
	// Site, Visitor and Begin are those of Visit, as they were.
	Site    string
	Visitor event.Visitor
	Begin   event.Time
}

// Watcher is told what becomes of visits that have names.
type Watcher interface {
	// Joined: a visit has been taken into another. Its strings are valid during the call.
	Joined(j Join)
	// Ended: nothing can change the visit any more. It is valid during the call. Of each visit one of both is called once,
	// and of those that end with the same record or Expire in an order that the log decides.
	Ended(v *Visit)
}

// naming is what a table holds beside its visits if they have names.
type naming struct {
	watcher Watcher
	list    []name // of the visits in slots, less one
	next    ID     // of a visit that the event in hand begins
	taken   int32  // slot of the visit that has taken the event in hand, 0 for none
	// What a call works with, kept for its memory.
	over     []int32
	visit    Visit
	visitors []event.Visitor
}

type name struct {
	id     ID
	events uint32
}

// Watch makes a table name its visits and call w, which may be nil for none. REQUIRES: the table is empty, or has been made by
// Apply after Watch(nil).
//
// Before each Observe or Ping Name is to be called, and EndRecord may take the place of Flush.
func (t *Table) Watch(w Watcher) {
	if t.naming == nil {
		t.naming = &naming{}
	}
	t.naming.watcher = w
}

// Name gives the ID of the visit that the next event may begin. REQUIRES: Watch.
func (t *Table) Name(id ID) { t.naming.next, t.naming.taken = id, 0 }

// Taker returns the visit that has taken the event since Name, 0 if none has. If r is not nil it gets the entry page and the
// Origin of that visit, as by Observe.
func (t *Table) Taker(r *window.Row) ID {
	n := t.naming
	if n.taken == 0 {
		return 0
	}
	if r != nil {
		v := t.visits.at(n.taken)
		r.Dims[window.EntryPage], _, r.Origin, _ = cutDims(t.arena.get(v.dims), t.sites[v.site].name)
	}
	return n.list[n.taken-1].id
}

// TakerBegan returns when the visit that Taker returns began, by the events so far. REQUIRES: Taker returned a visit.
func (t *Table) TakerBegan() event.Time { return t.visits.at(t.naming.taken).first }

func (n *naming) took(i int32, events uint32) {
	n.taken = i
	n.list[i-1].events += events
}

func (n *naming) begin(i int32) {
	for len(n.list) < int(i) {
		n.list = append(n.list, name{})
	}
	n.list[i-1] = name{id: n.next}
}

// join notes that a visit of a site takes in another.
func (t *Table) join(s *site, i, other int32) {
	n, o := t.naming, t.visits.at(other)
	n.list[i-1].events += n.list[other-1].events
	if n.watcher != nil {
		n.watcher.Joined(Join{Visit: n.list[other-1].id, Into: n.list[i-1].id, Site: s.name, Visitor: o.visitor, Begin: o.first})
	}
}

// set takes over what a journal has of a visit.
func (n *naming) set(i int32, as name, whole bool) {
	if !whole {
		as.id = n.list[i-1].id
	}
	n.list[i-1] = as
}

// append appends to a visit in a journal.
func (n *naming) append(b []byte, i int32, whole bool) []byte {
	b = binary.AppendUvarint(b, uint64(n.list[i-1].events))
	if whole {
		b = binary.AppendUvarint(b, uint64(n.list[i-1].id))
	}
	return b
}

// tell tells the watcher of a visit that has ended.
func (t *Table) tell(i int32) {
	n := t.naming
	if n.watcher == nil {
		return
	}
	v, s, out := t.visits.at(i), t.sites[t.visits.at(i).site], &n.visit
	*out = Visit{
		ID: n.list[i-1].id, Site: s.name, Visitor: v.visitor, Begin: v.first, End: v.last(), Events: n.list[i-1].events, Views: v.views,
		Interactive: v.flags&interactive != 0, Pinged: v.flags&pinged != 0,
	}
	entry, host, origin, _ := cutDims(t.arena.get(v.dims), s.name)
	window.ReadOrigin(origin, &out.Dims)
	out.Dims[window.EntryPage], out.Dims[window.Hostname], out.Dims[window.ExitPage] = entry, host, t.exitPage(v)
	n.watcher.Ended(out)
}

// dropNamed drops the visits that Expire has found to be over, in order of their IDs: in which order it found them depends on
// whether the table was made by Apply.
func (t *Table) dropNamed() {
	n := t.naming
	slices.SortFunc(n.over, func(a, b int32) int {
		return cmp.Or(cmp.Compare(n.list[a-1].id, n.list[b-1].id), cmp.Compare(a, b))
	})
	n.over = slices.Compact(n.over) // a slot that was used again may have been found twice
	for _, i := range n.over {
		t.tell(i)
		t.forget(i)
	}
	n.over = n.over[:0]
}

// changed returns the visitors of a site whose visits the next Checkpoint holds, ascending: the order in which they changed is
// mixed with that of slots, which a table made by Apply has others of.
func (t *Table) changed(s *site) []event.Visitor {
	list := append(t.naming.visitors[:0], s.gone...)
	for _, i := range s.dirty {
		if v := t.visits.at(i); v.site == s.number && v.flags&dirty != 0 {
			list = append(list, v.visitor)
		}
	}
	t.naming.visitors = list
	slices.Sort(list)
	return slices.Compact(list)
}
