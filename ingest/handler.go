package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/front"
)

// Match reports whether a path is one of the collector's.
func (c *Collector) Match(path []byte) bool { return c.endpoints.find(path) != nil }

// Handler serves the collector's paths; on another one it answers 404. It returns when the request
// is answered, which for an event is when Kafka has it.
func (c *Collector) Handler(ctx *fasthttp.RequestCtx) {
	rt := c.endpoints.find(ctx.Path())
	if rt == nil {
		protocol.RefuseJSON(ctx, &protocol.Refusal{Status: fasthttp.StatusNotFound, Msg: "there is nothing here"})
		return
	}
	if ctx.IsOptions() {
		allowOrigin(ctx, rt.credentials)
		rt.preflight(ctx)
		return
	}
	start := c.now()
	r := c.requests.Get().(*request)
	r.Begin(ctx, rt.path(), event.TimeOf(start))
	r.policies = c.policies.Load()
	r.Sites = r.policies
	e, ref := rt.rest(), c.enter(rt, r, start)
	if ref == nil && len(rt.endpoints) > 1 {
		e, ref = c.owner(rt, r)
	}
	allowOrigin(ctx, e.Credentials)
	if ref == nil {
		r, ref = c.serve(e, r, start)
	}
	if ref != nil {
		c.refuse(e, r, ref)
	}
	c.letGo(r)
	e.seconds.Observe(c.now().Sub(start).Seconds())
}

// refuse counts a refusal and answers it.
func (c *Collector) refuse(e *endpoint, r *request, ref *protocol.Refusal) {
	c.count(r.Ctx, ref)
	c.refused(e, r, ref)
	if c.opts.Log.Enabled(context.Background(), slog.LevelDebug) {
		c.opts.Log.Debug("a request is refused", "reason", string(ref.Reason), "status", ref.Status, "protocol", e.client,
			"request_id", front.RequestID(r.Ctx))
	}
	e.Refuse(&r.Request, ref)
}

// count counts a refusal, and writes into the answer when to send again.
func (c *Collector) count(ctx *fasthttp.RequestCtx, ref *protocol.Refusal) {
	c.metrics.refused[ref.Reason].Inc()
	if ref.RetryAfter != "" {
		ctx.Response.Header.Set("Retry-After", ref.RetryAfter)
		// Without this no page can read it, and trackers that wait for as long guess: Segment's,
		// Mixpanel's.
		ctx.Response.Header.Set("Access-Control-Expose-Headers", "Retry-After")
	}
}

// enter finds out who calls, and refuses what is refused whatever it says.
func (c *Collector) enter(rt *route, r *request, now time.Time) (ref *protocol.Refusal) {
	ctx := r.Ctx
	if !takes(rt.methods, ctx) {
		ctx.Response.Header.Set("Allow", rt.allow)
		return refuseMethod(rt.methods)
	}
	if c.closing.Load() && c.spooler == nil {
		return refuseClosing
	}
	r.head.read(&ctx.Request.Header)
	if r.who, ref = c.caller(ctx, &r.head, rt.basicToken, r.policies); ref != nil {
		return ref
	}
	if c.byAddress != nil && !c.byAddress.allow(addressPrefix(r.who.addr), 1, now) {
		return refuseRate
	}
	r.Trusted, r.KeySite = r.who.trusted, r.who.site()
	return nil
}

func refuseMethod(methods []string) *protocol.Refusal {
	return &protocol.Refusal{Status: fasthttp.StatusMethodNotAllowed, Reason: protocol.ReasonMethod,
		Msg: "use " + strings.Join(methods, " or ")}
}

// owner returns the endpoint that a request is for, of those that have its path.
func (c *Collector) owner(rt *route, r *request) (e *endpoint, ref *protocol.Refusal) {
	defer func() {
		if p := recover(); p != nil {
			r.broken = true
			c.reportBug(rt.rest(), p)
			e, ref = rt.rest(), refuseBug
		}
	}()
	if e = rt.owner(&r.Request); !takes(e.Methods, r.Ctx) {
		r.Ctx.Response.Header.Set("Allow", rt.allow)
		return e, refuseMethod(e.Methods)
	}
	return e, nil
}

// serve takes the events of a request in. It answers unless it returns a refusal. The request that
// goes on is the one that it returns (await).
func (c *Collector) serve(e *endpoint, r *request, now time.Time) (*request, *protocol.Refusal) {
	r.NeverResends = e.NeverResends
	r.trust(e)
	if ref := r.wantsDebug(); ref != nil {
		return r, ref
	}
	inputs, ref := c.read(e, r)
	if ref != nil {
		return r, ref
	}
	r.inputs = inputs
	kept, ref := c.admit(inputs, r, now)
	if ref != nil {
		return r, ref
	}
	if r.Ctx.IsHead() {
		// Monitors and link checkers look whether the pixel is there. No browser shows an image by HEAD:
		// it is no view.
		e.Accept(&r.Request, protocol.Outcome{})
		return r, nil
	}
	if r.Prefetched {
		for i := range kept {
			r.leave(&kept[i], reasonPrefetch)
		}
		kept = nil
	}
	if r.debug {
		return r, c.explain(e, kept, r)
	}
	if ref := c.admitNew(kept, r, now); ref != nil {
		return r, ref
	}
	if r.picky {
		if kept, ref = c.takeQuota(kept, r, now); ref != nil {
			return r, ref
		}
	}
	return c.store(e, kept, r)
}

// taken counts the events of a request that are stored, and answers it.
func (c *Collector) taken(e *endpoint, kept []protocol.Input, r *request) {
	c.dropped(r)
	if adj := r.Parser.Adjusted(); adj != 0 {
		c.adjusted(r.Ctx, adj)
	}
	e.accepted.Add(float64(len(kept)))
	c.arrived(e, r, kept)
	e.Accept(&r.Request, protocol.Outcome{Stored: len(kept), Dropped: len(r.left) + r.Unknown})
}

// read has the protocol read a request. A panic there is a mistake of ours that one request has met:
// it is refused, and does not end the process, which has the beacons of all others in hand. That is
// safe because Read has no effect but on its Request, which is not used again.
func (c *Collector) read(e *endpoint, r *request) (inputs []protocol.Input, ref *protocol.Refusal) {
	defer func() {
		if p := recover(); p != nil {
			r.broken = true
			c.reportBug(e, p)
			inputs, ref = nil, refuseBug
		}
	}()
	return e.Read(&r.Request)
}

// reportBug logs a panic once a minute at most, without what was sent: of a value that is no error
// of the runtime only the type.
func (c *Collector) reportBug(e *endpoint, p any) {
	now, last := c.now().Unix(), c.lastBug.Load()
	if last != 0 && now-last < 60 || !c.lastBug.CompareAndSwap(last, now) {
		return
	}
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	c.opts.Log.Error("BUG: a request could not be read; further ones of this minute are not logged",
		"protocol", e.client, "path", e.Path, "panic", what, "stack", string(debug.Stack()))
}

// dropped writes into the answer and the metrics why events of a request are not counted.
func (c *Collector) dropped(r *request) {
	if len(r.left) == 0 && r.Unknown == 0 {
		return
	}
	var reasons []string
	for _, reason := range dropReasons {
		n := 0
		for i := range r.left {
			if r.left[i].reason == reason {
				n++
			}
		}
		if reason == reasonSite {
			n += r.Unknown
		}
		if n > 0 {
			c.metrics.dropped[reason].Add(float64(n))
			reasons = append(reasons, reason)
		}
	}
	r.Ctx.Response.Header.Set("X-Millrace-Dropped", strings.Join(reasons, ", "))
}

// adjusted writes into the answer and the metrics which fields of a request are not as they were
// sent.
func (c *Collector) adjusted(ctx *fasthttp.RequestCtx, fields protocol.Fields) {
	ctx.Response.Header.Set("X-Millrace-Adjusted", fields.String())
	for i := range c.metrics.adjusted {
		if fields.Has(i) {
			c.metrics.adjusted[i].Inc()
		}
	}
}

// admit checks the sites of all inputs and returns those that are counted.
func (c *Collector) admit(inputs []protocol.Input, r *request, now time.Time) ([]protocol.Input, *protocol.Refusal) {
	for i := range inputs {
		site, fresh := inputs[i].Site, false
		if inputs[i].Number, fresh = r.sites.number(site); !fresh {
			continue
		}
		pol, ok := r.policies.of(site)
		r.sites.of(&inputs[i]).policy, r.picky = pol, r.picky || isPicky(pol)
		if !ok {
			return nil, protocol.BadRequest(protocol.ReasonSite, protocol.InputPath(inputs, i, "site"), protocol.Quote(site)+" is not a configured site")
		}
		if !r.who.allows(site) {
			return nil, &protocol.Refusal{Status: fasthttp.StatusForbidden, Reason: protocol.ReasonKey,
				Path: protocol.InputPath(inputs, i, "site"), Msg: "the write key is not for " + protocol.Quote(site)}
		}
	}
	if c.bySite != nil {
		for i, n := 0, 0; i < len(inputs); i += n {
			for n = 1; i+n < len(inputs) && inputs[i+n].Site == inputs[i].Site; n++ {
			}
			if !c.bySite.allow(inputs[i].Site, n, now) {
				return nil, refuseRate
			}
		}
	}
	if !r.picky {
		return inputs, nil
	}
	return c.filter(inputs, r), nil
}

// store adds the inputs to their partitions, and when Kafka or the spool has them it answers.
func (c *Collector) store(e *endpoint, inputs []protocol.Input, r *request) (*request, *protocol.Refusal) {
	if c.spooler != nil {
		c.spooler.waiting.Add(1)
		defer c.spooler.waiting.Add(-1)
	}
	most, ref := c.complete(e, inputs, r)
	if ref == nil && !c.add(inputs, r, most) {
		ref = refuseClosing
	}
	if ref == nil && r.brief && !r.spooled {
		return c.await(e, r)
	}
	if ref == nil {
		ref = c.settle(inputs, r)
	}
	if ref != nil {
		c.giveQuota(r)
		return r, ref
	}
	c.taken(e, inputs, r)
	return r, nil
}

// complete completes the inputs, and reserves so many bytes for them.
func (c *Collector) complete(e *endpoint, inputs []protocol.Input, r *request) (most int, ref *protocol.Refusal) {
	from := c.sender(e, r)
	page, sent := r.who.key == nil && r.head.page, uint64(0)
	if page {
		sent = sumOf(&r.Request)
	}
	for i := range inputs {
		in := &inputs[i]
		s := r.sites.of(in)
		if !in.Complete(c.identity, ruleOf(s.policy, r.objects(in)), &from, &s.visitor, r.Now) {
			return 0, refuseSalt
		}
		if page && in.ID == "" {
			in.Repeat, r.room = repeatOf(in, i, sent, r.room[:0])
		}
		most += recordOverhead + in.MostBytes()
	}
	if c.someAway(inputs) && !c.spools(r) {
		return 0, c.refusal(c.health.cause())
	}
	if r.brief = r.isBrief(inputs); r.brief {
		r.note, most = note{e: e, at: r.Now, trusted: r.who.trusted, adjusted: r.Parser.Adjusted()}, most+mostNote(&inputs[0])
	}
	if !r.memory.Reserve(most) {
		return 0, protocol.NoMemory()
	}
	return most, nil
}

// settle waits until Kafka or the spool has the inputs.
func (c *Collector) settle(inputs []protocol.Input, r *request) *protocol.Refusal {
	var failed error
	for _, b := range r.batches {
		<-b.done
		if b.err != nil {
			failed = b.err
		}
	}
	if (failed != nil || r.spooled) && c.spools(r) {
		return c.spooler.keep(inputs, r)
	}
	if failed != nil {
		return c.refusal(failed)
	}
	return nil
}

// refusal returns the answer to a request whose events Kafka did not take.
func (c *Collector) refusal(failed error) *protocol.Refusal {
	switch {
	case errors.Is(failed, kerr.InvalidTimestamp):
		return refuseClock
	case isDenied(failed):
		return refuseRight
	case errors.Is(failed, kerr.MessageTooLarge), errors.Is(failed, kerr.RecordListTooLarge):
		return refuseSize
	}
	return refuseKafka
}

// sender is who sent a request, as its events are completed by.
func (c *Collector) sender(e *endpoint, r *request) protocol.Sender {
	h := &r.Ctx.Request.Header
	from := protocol.Sender{
		Addr:     r.who.addr,
		Place:    identity.Locate(r.who.place, c.opts.Places, r.who.addr),
		Places:   c.opts.Places,
		UA:       identity.Clean(protocol.View(h.UserAgent()), protocol.MaxUA),
		Language: protocol.FirstLanguage(protocol.View(r.head.language)),
		Client:   e.client,
	}
	if r.who.trusted || r.Server {
		from.Server = e.server
	}
	return from
}

// add hands the inputs to their partitions, for which most bytes are reserved, and gives back what
// they did not need. The batches to wait for are in r, and which of them each input is in, or that
// it goes to the spool. It returns false if the collector is closing.
func (c *Collector) add(inputs []protocol.Input, r *request, most int) bool {
	r.batches, r.partitions, r.spooled = r.batches[:0], r.partitions[:0], false
	for i := range inputs {
		r.partitions = append(r.partitions, r.sites.partition(&inputs[i], len(c.partitions)))
	}
	r.of = slices.Grow(r.of[:0], len(inputs))[:len(inputs)]
	open, used := true, 0
	for i := 0; i < len(inputs) && open; i++ {
		if slices.Contains(r.partitions[:i], r.partitions[i]) {
			continue // it has taken this one with the first of its inputs
		}
		var cost int
		cost, open = c.partitions[r.partitions[i]].add(inputs, r)
		used += cost
	}
	r.memory.handOver(most, used)
	return open
}
