package ingest

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// endpoint is an endpoint of a protocol with what is known of it beforehand, so that a request
// computes and looks up nothing of it.
type endpoint struct {
	protocol.Endpoint
	client string // the protocol's name
	number int    // the protocol's position in Options.Protocols
	server string // the client of a server's events without a user agent, "" where there are none

	accepted prometheus.Counter
	seconds  prometheus.Observer
}

// route is a path and the endpoints that have it: one, or several of which each but the last claims
// its requests by what is in them (protocol.Endpoint.Claims). Before a request is claimed it is
// looked at by what they have together.
type route struct {
	endpoints []*endpoint
	methods   []string // of any
	// Credentials and Basic tokens are let pass as those of any are.
	credentials, basicToken bool
	allow, cors             string // of the headers Allow and Access-Control-Allow-Methods
}

// endpoints finds the route of a path.
type endpoints struct {
	exact    map[string]*route
	patterns []*route
}

// newEndpoints makes the routes of protocols that protocol.Validate has let pass.
func newEndpoints(list []protocol.Protocol, m *metrics) endpoints {
	all := endpoints{exact: map[string]*route{}}
	for number, p := range list {
		server := ""
		if p.Servers {
			server = p.Name + event.ServerSuffix
		}
		// A lookup by label costs more than a count: resolve them here.
		accepted, seconds := m.accepted.WithLabelValues(p.Name), m.seconds.WithLabelValues(p.Name)
		for _, e := range p.Endpoints {
			all.add(&endpoint{Endpoint: e, client: p.Name, number: number, server: server, accepted: accepted, seconds: seconds})
		}
	}
	return all
}

// add adds an endpoint to the route of its path.
func (all *endpoints) add(e *endpoint) {
	rt := all.exact[e.Path]
	if i := slices.IndexFunc(all.patterns, func(rt *route) bool { return rt.path() == e.Path }); i >= 0 {
		rt = all.patterns[i]
	}
	if rt == nil {
		rt = &route{}
		if protocol.HasPattern(e.Path) {
			all.patterns = append(all.patterns, rt)
		} else {
			all.exact[e.Path] = rt
		}
	}
	rt.add(e)
}

func (rt *route) add(e *endpoint) {
	if n := len(rt.endpoints); n > 0 && rt.endpoints[n-1].Claims == nil {
		rt.endpoints = slices.Insert(rt.endpoints, n-1, e)
	} else {
		rt.endpoints = append(rt.endpoints, e)
	}
	for _, m := range e.Methods {
		if !slices.Contains(rt.methods, m) {
			rt.methods = append(rt.methods, m)
		}
	}
	rt.credentials = rt.credentials || e.Credentials
	rt.basicToken = rt.basicToken || e.BasicToken
	methods := append(slices.Clone(rt.methods), fasthttp.MethodOptions)
	rt.cors = strings.Join(methods, ", ") // HEAD needs no leave
	if i := slices.Index(methods, fasthttp.MethodGet); i >= 0 {
		methods = slices.Insert(methods, i+1, fasthttp.MethodHead)
	}
	rt.allow = strings.Join(methods, ", ")
}

func (rt *route) path() string { return rt.endpoints[0].Path }

// rest is the endpoint of what no other claims.
func (rt *route) rest() *endpoint { return rt.endpoints[len(rt.endpoints)-1] }

// owner returns the endpoint of a request whose method is one of the route's.
func (rt *route) owner(r *protocol.Request) *endpoint {
	for _, e := range rt.endpoints[:len(rt.endpoints)-1] {
		if takes(e.Methods, r.Ctx) && e.Claims(r) {
			return e
		}
	}
	return rt.rest()
}

// find returns the route of a path, nil for none.
func (all *endpoints) find(path []byte) *route {
	if rt := all.exact[string(path)]; rt != nil {
		return rt
	}
	for _, rt := range all.patterns {
		if protocol.MatchPath(rt.path(), protocol.View(path)) {
			return rt
		}
	}
	return nil
}

// takes reports whether the method of a request is among some: HEAD wherever GET is.
func takes(methods []string, ctx *fasthttp.RequestCtx) bool {
	method := ctx.Method()
	for _, m := range methods {
		if string(method) == m || m == fasthttp.MethodGet && ctx.IsHead() {
			return true
		}
	}
	return false
}

var allowOriginName, anyOrigin = []byte("Access-Control-Allow-Origin"), []byte("*")

// allowOrigin lets pages of any origin send: beacons come from any page. Credentials are of no use
// to us, and allowed only where a tracker sends them.
func allowOrigin(ctx *fasthttp.RequestCtx, credentials bool) {
	h := &ctx.Response.Header
	if !credentials {
		h.SetCanonical(allowOriginName, anyOrigin)
		return
	}
	h.Set("Vary", "Origin")
	if origin := ctx.Request.Header.Peek("Origin"); len(origin) > 0 {
		h.SetBytesV("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight answers a browser that asks whether a page may send.
func (rt *route) preflight(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Methods", rt.cors)
	// "*" is the name of a header for requests with credentials, and is not Authorization for any.
	if wanted := ctx.Request.Header.Peek("Access-Control-Request-Headers"); len(wanted) > 0 {
		h.SetBytesV("Access-Control-Allow-Headers", wanted)
	} else {
		h.Set("Access-Control-Allow-Headers", "*")
	}
	h.Set("Access-Control-Max-Age", "86400")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}
