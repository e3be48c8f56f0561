package clients

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/front"
	siteconfig "millrace/internal/site"
)

// refusals are those that Millrace makes, by the answer that they are.
var refusals = map[Answer]protocol.Refusal{
	Invalid:     {Status: http.StatusBadRequest, Reason: protocol.ReasonInvalid, Path: "url", Msg: "is longer than 4096 bytes"},
	TooLarge:    {Status: http.StatusRequestEntityTooLarge, Reason: protocol.ReasonTooLarge, Msg: "the body is larger than 1 MiB"},
	TooMany:     {Status: http.StatusTooManyRequests, Reason: protocol.ReasonRate, RetryAfter: "1", Msg: "too many requests"},
	Unavailable: {Status: http.StatusServiceUnavailable, Reason: protocol.ReasonKafka, RetryAfter: "2", Msg: "the log can't be written to"},
	Mistake:     {Status: http.StatusInternalServerError, Reason: protocol.ReasonBug, Msg: "a mistake in Millrace"},
}

// Refusers are collectors, one for each kind of refusal, that refuse every request in the way of
// the protocol it comes in.
type Refusers struct {
	cluster    *kfake.Cluster
	collectors []*ingest.Collector
	servers    []*fasthttp.Server
	served     []chan error
	urls       map[Answer]*url.URL
}

// StartRefusers starts them, with the protocols that they speak and the write keys that they know.
func StartRefusers(ctx context.Context, list []protocol.Protocol, keys siteconfig.Keys) (*Refusers, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, event.Topic))
	if err != nil {
		return nil, fmt.Errorf("start a broker: %w", err)
	}
	r := &Refusers{cluster: cluster, urls: map[Answer]*url.URL{}}
	for answer, ref := range refusals {
		if err := r.start(ctx, answer, refusing(list, ref), keys); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

func (r *Refusers) start(ctx context.Context, answer Answer, list []protocol.Protocol, keys siteconfig.Keys) error {
	secret := make([]byte, identity.SecretLen)
	c, err := ingest.Open(ctx, ingest.Options{
		Kafka:       []kgo.Opt{kgo.SeedBrokers(r.cluster.ListenAddrs()...)},
		CollectorID: "refuser-" + string(answer),
		Secret:      secret,
		Salts:       identity.NewDerived(secret),
		Protocols:   list,
		WriteKeys:   keys,
	})
	if err != nil {
		return fmt.Errorf("start a collector that answers %s: %w", answer, err)
	}
	r.collectors = append(r.collectors, c)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := c.Server(front.ServerOptions{
		Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusNotFound) },
		Log:     slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil),
	})
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	r.servers, r.served = append(r.servers, s), append(r.served, done)
	r.urls[answer] = &url.URL{Scheme: "http", Host: ln.Addr().String()}
	return nil
}

// Close ends them.
func (r *Refusers) Close() error {
	var errs []error
	for i, s := range r.servers {
		errs = append(errs, s.Shutdown(), <-r.served[i])
	}
	for _, c := range r.collectors {
		errs = append(errs, c.Close())
	}
	r.cluster.Close()
	return errors.Join(errs...)
}

// Fault returns what gives an answer; that of Accepted is the collector's own.
func (r *Refusers) Fault(answer Answer) (Fault, error) {
	switch answer {
	case NoCollector:
		return noCollector, nil
	case Closed:
		return closed, nil
	case Lost:
		return lost, nil
	case Accepted:
		return func(w http.ResponseWriter, req *http.Request, next http.Handler) int {
			return answered(next, w, req)
		}, nil
	}
	u, ok := r.urls[answer]
	if !ok {
		return nil, fmt.Errorf("there is no answer %q", answer)
	}
	refuser := forward(u)
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) int {
		return answered(refuser, w, req)
	}, nil
}

// refusing returns the protocols with endpoints that refuse whatever comes.
func refusing(list []protocol.Protocol, ref protocol.Refusal) []protocol.Protocol {
	out := make([]protocol.Protocol, len(list))
	for i, p := range list {
		out[i] = p
		out[i].Endpoints = make([]protocol.Endpoint, len(p.Endpoints))
		for j, e := range p.Endpoints {
			e.Handler = refuser{e.Handler, ref}
			out[i].Endpoints[j] = e
		}
	}
	return out
}

// refuser refuses what it reads.
type refuser struct {
	protocol.Handler
	ref protocol.Refusal
}

// Read reads a request as its protocol does, since the form of an answer may depend on it, and
// refuses it whatever it is.
func (r refuser) Read(req *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.Handler.Read(req)
	return nil, &r.ref
}
