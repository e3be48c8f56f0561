package visit

import (
	"unsafe"

	"millrace/engine/event"
)

// visit is one live visit: 64 bytes without a pointer.
type visit struct {
	visitor event.Visitor
	first   event.Time // of its events
	// Places in the visit, in ms after first: of the last event, of the event whose dimensions it has, and, if
	// it has pageviews, of the last of them.
	span, entry, exit uint32
	views             uint32
	dims              ref   // see appendDims
	exitPage          ref   // 0 if it is the entry page or there is none
	next              int32 // visit of the same visitor, in order of time; 0 none
	site              int32 // -1 for a slot that is free
	touch             int32 // 1 + its index in Table.touches; 0 if the record has not touched it
	due               int32 // number of the minute under which it is in Table.due
	flags             visitFlags
}

type visitFlags uint8

const (
	// interactive: it has an event that is no pageview and not marked non-interactive.
	interactive visitFlags = 1 << iota
	// pinged: a ping has lengthened it.
	pinged
	// dirty: it has changed since the last Checkpoint.
	dirty
	// follows: another visit of its visitor comes before it.
	follows
)

func (v *visit) last() event.Time { return v.first + event.Time(v.span) }

func (v *visit) bounced() bool { return bounced(v.views, v.flags&interactive != 0) }

// bounced reports whether a visit with so many pageviews is a bounce.
func bounced(views uint32, interactive bool) bool { return views == 1 && !interactive }

// alone reports whether its visitor has no other visit.
func (v *visit) alone() bool { return v.next == 0 && v.flags&follows == 0 }

// seconds returns the visit's duration.
func (v *visit) seconds() int64 {
	return seconds(event.Time(v.span), v.bounced(), v.flags&pinged != 0)
}

// seconds returns the duration of a visit between whose first and last event or ping so much time lies.
func seconds(span event.Time, bounced, pinged bool) int64 {
	if bounced && !pinged {
		return 0
	}
	return int64(span / event.Second)
}

// slab keeps visits in slots, numbered from 1, that do not move.
type slab struct {
	chunks []*[slabChunk]visit
	made   int32
	free   []int32
}

const slabChunk = 256

func (s *slab) at(i int32) *visit { return &s.chunks[(i-1)/slabChunk][(i-1)%slabChunk] }

func (s *slab) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	if int(s.made) == len(s.chunks)*slabChunk {
		s.chunks = append(s.chunks, new([slabChunk]visit))
	}
	s.made++
	return s.made
}

func (s *slab) release(i int32) {
	*s.at(i) = visit{site: -1}
	s.free = append(s.free, i)
}

func (s *slab) bytes() int { return len(s.chunks) * slabChunk * int(unsafe.Sizeof(visit{})) }
