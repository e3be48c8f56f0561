package ingest

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

// endpoint is one of the protocols.
type endpoint struct {
	path, method, client string
	parse                func(c *Collector, ctx *fasthttp.RequestCtx, r *request) ([]Input, *refusal)
	accepted             func(ctx *fasthttp.RequestCtx, n, dropped int)
	refused              func(ctx *fasthttp.RequestCtx, ref *refusal)
}

var endpoints = [...]endpoint{
	{"/v1/events", "POST", clientV1, parseV1, acceptV1, refuseJSON},
	{"/api/event", "POST", clientPlausible, parsePlausible, acceptPlausible, refusePlausible},
	{"/v1/pixel.gif", "GET", clientPixel, parsePixel, acceptPixel, refuseJSON},
}

func findEndpoint(path []byte) *endpoint {
	for i := range endpoints {
		if string(path) == endpoints[i].path {
			return &endpoints[i]
		}
	}
	return nil
}

// Match reports whether a path is one of the collector's.
func (c *Collector) Match(path []byte) bool { return findEndpoint(path) != nil }

// Handler serves the collector's paths; on another one it answers 404. It returns when the request is answered, which for an
// event is when Kafka has it.
func (c *Collector) Handler(ctx *fasthttp.RequestCtx) {
	e := findEndpoint(ctx.Path())
	if e == nil {
		refuseJSON(ctx, &refusal{status: fasthttp.StatusNotFound, msg: "there is nothing here"})
		return
	}
	// Beacons come from any page, so any origin may send them; credentials are of no use to us and not allowed.
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	if ctx.IsOptions() {
		h := &ctx.Response.Header
		h.Set("Access-Control-Allow-Methods", e.method+", OPTIONS")
		h.Set("Access-Control-Allow-Headers", "*")
		h.Set("Access-Control-Max-Age", "86400")
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	start := c.now()
	r := c.requests.Get().(*request)
	if ref := c.serve(ctx, e, r, start); ref != nil {
		c.refuse(ctx, ref, e.refused)
	}
	if r.release(&c.pending) {
		c.requests.Put(r)
	}
	c.metrics.seconds[e].Observe(c.now().Sub(start).Seconds())
}

// refuse counts a refusal and answers it.
func (c *Collector) refuse(ctx *fasthttp.RequestCtx, ref *refusal, write func(*fasthttp.RequestCtx, *refusal)) {
	c.metrics.refused[ref.reason].Inc()
	if ref.retryAfter != "" {
		ctx.Response.Header.Set("Retry-After", ref.retryAfter)
	}
	write(ctx, ref)
}

// serve takes the events of a request in. It answers unless it returns a refusal.
func (c *Collector) serve(ctx *fasthttp.RequestCtx, e *endpoint, r *request, now time.Time) *refusal {
	if string(ctx.Method()) != e.method {
		ctx.Response.Header.Set("Allow", e.method+", OPTIONS")
		return &refusal{status: fasthttp.StatusMethodNotAllowed, reason: reasonMethod, msg: "use " + e.method}
	}
	if c.closing.Load() {
		return refuseClosing
	}
	var ref *refusal
	if r.who, ref = c.caller(ctx); ref != nil {
		return ref
	}
	if c.byAddress != nil && !c.byAddress.allow(addressPrefix(r.who.addr), 1, now) {
		return refuseRate
	}
	r.now = event.TimeOf(now)
	inputs, ref := e.parse(c, ctx, r)
	if ref != nil {
		return ref
	}
	kept, ref := c.admit(inputs, r, now)
	if ref != nil {
		return ref
	}
	if ref := c.store(ctx, e, kept, r); ref != nil {
		return ref
	}
	dropped := len(inputs) - len(kept)
	if dropped > 0 {
		ctx.Response.Header.Set("X-Millrace-Dropped", "dnt")
		c.metrics.droppedDNT.Add(float64(dropped))
	}
	c.metrics.accepted[e.client].Add(float64(len(kept)))
	e.accepted(ctx, len(kept), dropped)
	return nil
}

// admit checks the sites of all inputs and returns those that are not dropped because the visitor does not want to be
// counted.
func (c *Collector) admit(inputs []Input, r *request, now time.Time) ([]Input, *refusal) {
	for i := range inputs {
		site := inputs[i].Site
		if _, ok := c.policies.of(site); !ok {
			return nil, badRequest(reasonSite, inputPath(inputs, i, "site"), quote(site)+" is not a configured site")
		}
		if !r.who.allows(site) {
			return nil, &refusal{status: fasthttp.StatusForbidden, reason: reasonKey,
				path: inputPath(inputs, i, "site"), msg: "the write key is not for " + quote(site)}
		}
	}
	if c.bySite != nil {
		for i, n := 0, 0; i < len(inputs); i += n {
			for n = 1; i+n < len(inputs) && inputs[i+n].Site == inputs[i].Site; n++ {
			}
			if !c.bySite.allow(strings.Clone(inputs[i].Site), n, now) {
				return nil, refuseRate
			}
		}
	}
	if !r.who.optOut {
		return inputs, nil
	}
	r.kept = r.kept[:0]
	for i := range inputs {
		if pol, _ := c.policies.of(inputs[i].Site); !pol.dnt {
			r.kept = append(r.kept, inputs[i])
		}
	}
	return r.kept, nil
}

func inputPath(inputs []Input, i int, field string) string {
	if len(inputs) == 1 {
		return field
	}
	return "events[" + itoa(i) + "]." + field
}

// store adds the inputs to their partitions and waits until Kafka has them.
func (c *Collector) store(ctx *fasthttp.RequestCtx, e *endpoint, inputs []Input, r *request) *refusal {
	h := &ctx.Request.Header
	from := Sender{
		Addr:     r.who.addr,
		Place:    enrich.Locate(r.who.place, c.opts.Places, r.who.addr),
		Places:   c.opts.Places,
		UA:       enrich.Clean(view(h.UserAgent()), maxUA),
		Language: firstLanguage(view(h.Peek("Accept-Language"))),
		Client:   e.client,
		Server:   r.who.trusted && e.client == clientV1,
	}
	most := 0
	for i := range inputs {
		pol, _ := c.policies.of(inputs[i].Site)
		inputs[i].Shards = pol.shards
		inputs[i].Complete(c.identity, from, r.now)
		most += inputs[i].mostBytes()
	}
	if !r.charge(&c.pending, most) {
		return refuseCapacity
	}
	if !c.add(inputs, r, most) {
		return refuseClosing
	}
	var failed error
	for _, b := range r.batches {
		<-b.done
		if b.err != nil {
			failed = b.err
		}
	}
	if failed != nil {
		return refuseKafka
	}
	return nil
}

// add hands the inputs to their partitions, for which most bytes are reserved, and gives back what they did not need. The
// batches to wait for are in r. It returns false if the collector is closing.
func (c *Collector) add(inputs []Input, r *request, most int) bool {
	r.batches = r.batches[:0]
	open, used := true, 0
	for i := 0; i < len(inputs) && open; i++ {
		in := &inputs[i]
		b, cost, err := c.partition(in).add(in)
		used += cost
		if open = err == nil; open && !slices.Contains(r.batches, b) {
			r.batches = append(r.batches, b)
		}
	}
	r.charged -= most
	c.pending.give(int64(most - used))
	return open
}

// request is what serving one request needs; it is reused.
type request struct {
	parser   Parser
	who      caller
	now      event.Time
	raw      []byte
	unpacked []byte
	kept     []Input
	batches  []*batch
	charged  int
}

// charge reserves n bytes until release.
func (r *request) charge(b *budget, n int) bool {
	if !b.take(int64(n), int64(r.charged)) {
		return false
	}
	r.charged += n
	return true
}

// release gives the reserved bytes back and reports whether r is small enough to be kept for reuse.
func (r *request) release(b *budget) bool {
	small := r.charged <= 64<<10
	b.give(int64(r.charged))
	r.charged = 0
	r.who = caller{addr: netip.Addr{}}
	clear(r.batches)
	return small
}
