package ingest

import (
	"slices"
	"sync"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/arrivals"
	"millrace/ingest/protocol"
)

// A request is brief if all that is needed of it while Kafka is waited for is in a few words, as of
// nearly all beacons: it has one event, nothing of it is left out, and its protocol answers without
// what it has read. Its memory then serves the next request meanwhile. A thousand that wait are no
// thousand of those, each of some kilobytes that no cache has when its turn comes again: that took
// longer than all that is done with them.
//
// What becomes of its event is counted and remembered with the batch, whose requests have most of
// that in common. If Kafka does not take the event it is read again, from the record.

// isBrief reports whether a request that is about to be stored is brief.
func (r *request) isBrief(inputs []protocol.Input) bool {
	return len(inputs) == 1 && len(r.left) == 0 && len(r.quota) == 0 && r.Unknown == 0 && r.State == nil
}

// place is where the event of a brief request is.
type place struct {
	batch     *batch
	from, to  int // in its record
	partition int32
}

// waiting is what is left of a brief request.
type waiting struct {
	place
	ctx          *fasthttp.RequestCtx
	policies     *policies
	pattern      string
	keySite      string
	at           event.Time
	adjusted     protocol.Fields
	trusted      bool
	server       bool
	neverResends bool
	noCORS       bool
}

// await lets a brief request go, waits for its batch, and answers. It returns the request that goes
// on.
func (c *Collector) await(e *endpoint, r *request) (*request, *protocol.Refusal) {
	w := waiting{
		place: r.place, ctx: r.Ctx, policies: r.policies, pattern: e.Path, keySite: r.KeySite, at: r.Now, adjusted: r.note.adjusted,
		trusted: r.who.trusted, server: r.Server, neverResends: r.NeverResends, noCORS: r.head.noCORS,
	}
	c.letGo(r)
	<-w.batch.done
	r = c.requests.Get().(*request)
	r.Begin(w.ctx, w.pattern, w.at)
	r.policies, r.Sites, r.who.trusted, r.head.noCORS = w.policies, w.policies, w.trusted, w.noCORS
	r.Trusted, r.KeySite, r.Server, r.NeverResends = w.trusted, w.keySite, w.server, w.neverResends
	if w.adjusted != 0 {
		r.Parser.Adjust(w.adjusted)
	}
	if w.batch.err != nil {
		return r, c.failedBrief(e, r, &w.place)
	}
	if w.adjusted != 0 {
		c.adjusted(w.ctx, w.adjusted)
	}
	e.Accept(&r.Request, protocol.Outcome{Stored: 1})
	return r, nil
}

// failedBrief is settle and taken for a brief request whose batch has failed.
func (c *Collector) failedBrief(e *endpoint, r *request, at *place) *protocol.Refusal {
	var d event.Decoder
	inputs := make([]protocol.Input, 1)
	if err := d.DecodeEvent(at.text(c), &inputs[0].Event); err != nil {
		c.opts.Log.Error("BUG: an event that Kafka has not taken can't be read again", "err", err)
		return c.refusal(at.batch.err)
	}
	inputs[0].Number, _ = r.sites.number(inputs[0].Site)
	r.inputs = inputs
	r.batches, r.of, r.partitions = append(r.batches[:0], at.batch), append(r.of[:0], 0), append(r.partitions[:0], at.partition)
	r.spooled = false
	if ref := c.settle(inputs, r); ref != nil {
		return ref
	}
	c.taken(e, inputs, r)
	return nil
}

// text returns a copy of the event of a batch that has failed.
func (at *place) text(c *Collector) []byte {
	p := c.partitions[at.partition]
	p.mu.Lock() // it may not be sealed yet
	defer p.mu.Unlock()
	record := at.batch.sealed
	if record == nil {
		record = at.batch.record
	}
	return slices.Clone(record[at.from:at.to])
}

// note is what is counted and remembered of the event of a brief request when Kafka has it. Site, name
// and url are how long these are.
type note struct {
	e               *endpoint
	at              event.Time
	adjusted        protocol.Fields
	site, name, url int
	trusted         bool
}

// notes are those of a batch.
type notes struct {
	list  []note
	texts []byte // one behind the other
}

// noteOverhead is how many bytes a note has beside its texts, roughly.
const noteOverhead = 80

// mostNote is how many bytes notes.add adds.
func mostNote(in *protocol.Input) int {
	return noteOverhead + len(in.Site) + len(in.Name) + len(in.URL)
}

// bytes is how many bytes have been added.
func (n *notes) bytes() int { return noteOverhead*len(n.list) + len(n.texts) }

// notesPool is a pool of notes.
type notesPool struct{ pool sync.Pool }

func (p *notesPool) get() *notes {
	if n, ok := p.pool.Get().(*notes); ok {
		return n
	}
	return &notes{}
}

func (p *notesPool) put(n *notes) {
	if n.list, n.texts = n.list[:0], n.texts[:0]; cap(n.texts) <= maxPooled {
		p.pool.Put(n)
	}
}

// add adds a note of an event, and returns how many bytes it has.
func (n *notes) add(of *note, in *protocol.Input) int {
	of.site, of.name, of.url = len(in.Site), len(in.Name), len(in.URL)
	n.list = append(n.list, *of)
	n.texts = append(append(append(n.texts, in.Site...), in.Name...), in.URL...)
	return mostNote(in)
}

// takenNotes is what taken does but for the answers.
func (c *Collector) takenNotes(n *notes) {
	texts := protocol.View(n.texts)
	next := func(length int) (text string) {
		text, texts = texts[:length], texts[length:]
		return text
	}
	for i := range n.list {
		of := &n.list[i]
		entry := arrivals.Entry{At: of.at, Protocol: of.e.client, Path: of.e.Path, Outcome: arrivals.Stored, Trusted: of.trusted,
			Adjusted: of.adjusted, Events: 1, Site: next(of.site), Name: next(of.name), URL: next(of.url)}
		c.arrivals.Add(&entry)
		c.siteCounts.of(entry.Site).add(of.e.number, countStored, 1)
		of.e.accepted.Inc()
	}
}
