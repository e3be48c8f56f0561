package ingest

import (
	"hash/maphash"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/site"
)

// requestSites are the sites of a request's events, each once, so that what is the same for all
// events of a site is looked up once. An input has its site's number here (Input.Number).
type requestSites struct {
	list []requestSite
	// slots has, by hash, 1 + the number of the last site that was added with it. One site alone is in
	// none.
	slots [128]int32
}

// requestSite is one of them.
type requestSite struct {
	id       string // a view
	next     int32  // as in slots, of the one before
	admitted bool   // by admitNew
	policy   *site.Site
	visitor  protocol.Visitor // who the sender is there
	// placed says that shard, of the site's, is in partition.
	placed    bool
	shard     uint16
	partition int32
	stored    int // events
}

// siteSeed spreads sites over slots in a way that no sender can foresee.
var siteSeed = maphash.MakeSeed()

// number returns the number of a site, and whether it is new.
func (s *requestSites) number(id string) (n int32, fresh bool) {
	if len(s.list) == 0 {
		s.list = append(s.list, requestSite{id: id})
		return 0, true
	}
	if len(s.list) == 1 {
		if s.list[0].id == id {
			return 0, false
		}
		*s.slot(s.list[0].id) = 1
	}
	slot := s.slot(id)
	for n := *slot; n != 0; n = s.list[n-1].next {
		if s.list[n-1].id == id {
			return n - 1, false
		}
	}
	n = int32(len(s.list))
	s.list = append(s.list, requestSite{id: id, next: *slot})
	*slot = n + 1
	return n, true
}

func (s *requestSites) slot(id string) *int32 {
	return &s.slots[maphash.String(siteSeed, id)%uint64(len(s.slots))]
}

// of returns the site of an input that has its number.
func (s *requestSites) of(in *protocol.Input) *requestSite { return &s.list[in.Number] }

// partition returns the id of the partition of an input, of so many.
func (s *requestSites) partition(in *protocol.Input, partitions int) int32 {
	of := s.of(in)
	if !of.placed || of.shard != in.Shard {
		of.placed, of.shard, of.partition = true, in.Shard, event.Partition(in.Site, in.Shard, int32(partitions))
	}
	return of.partition
}

// reset forgets all sites.
func (s *requestSites) reset() {
	if len(s.list) > 1 {
		clear(s.slots[:])
	}
	clear(s.list)
	s.list = s.list[:0]
}
