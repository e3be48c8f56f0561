package ingest

import (
	"millrace/ingest/protocol"
)

// request is what serving one request needs; it is reused.
type request struct {
	protocol.Request
	policies   *policies // that it is served by
	who        caller
	head       headers
	memory     reservation
	inputs     []protocol.Input // as they were read; nil before
	kept       []protocol.Input
	left       []leftOut // events that are answered and not counted
	quota      []string  // sites whose quotas have counted an event, once for each
	batches    []*batch
	of         []int   // by input: which of the batches has it, or toSpool
	spooled    bool    // an input goes to the spool
	partitions []int32 // the ids of those that the inputs are of
	sites      requestSites
	picky      bool   // of the sites' policies: any leaves out events or counts them (isPicky)
	room       []byte // for repeatOf
	brief      bool   // its memory is let go while it waits: see await
	note       note   // of one that is brief
	place      place  // of its event
	debug      bool   // nothing is stored: the sender wants to see what would be
	// untrusted says that the sender wants to be treated as any visitor.
	untrusted bool
	broken    bool // reading it has ended in a panic
}

func (c *Collector) newRequest() *request {
	r := &request{memory: reservation{budget: &c.pending}}
	r.Bodies, r.Memory, r.Secrets = c.bodies, &r.memory, r
	return r
}

// letGo ends a request, which is not used from then on.
func (c *Collector) letGo(r *request) {
	if r.release() && !r.broken {
		c.requests.Put(r)
	}
}

// release lets go of the request and gives its memory back. It reports whether r is small enough to
// be kept for reuse.
func (r *request) release() bool {
	small := r.memory.held <= 64<<10
	r.memory.release()
	r.End()
	clear(r.head.forwarded)
	r.head = headers{forwarded: r.head.forwarded[:0]}
	r.who, r.policies, r.Sites, r.inputs = caller{}, nil, nil, nil
	r.debug, r.untrusted, r.picky, r.brief = false, false, false, false
	r.note, r.place = note{}, place{}
	clear(r.batches)
	r.sites.reset()
	clear(r.left)
	clear(r.quota)
	r.left, r.quota = r.left[:0], r.quota[:0]
	return small
}
