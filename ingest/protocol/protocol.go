package protocol

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Protocol is the way in which one tracker sends its events: a name, and what it is served at.
type Protocol struct {
	// Name is the value of event.Event.Client of its events, and of labels of the collector's
	// metrics: 1 to 32 of a-z 0-9 -. It is in logs and archives, so it never changes.
	Name string
	// Servers says that a trusted caller is a server that reports for its visitors, so that the
	// user agent of the request is not theirs. Events that bring none then have
	// the client Name + event.ServerSuffix.
	Servers bool
	// Endpoints are at least one. A tracker may have several: for one event, for batches, for its
	// script.
	Endpoints []Endpoint
}

// Endpoint is a path, and the Handler that reads its requests and writes their answers.
type Endpoint struct {
	// Path begins with "/". A segment in braces stands for any one that is not empty, as in
	// "/api/{project}/envelope"; Request.PathValue returns what stands there. A path without braces
	// goes before one with.
	Path string
	// Methods are those that the Handler is called for. Where GET is among them so is HEAD, for
	// which nothing is stored. OPTIONS, and 405 for others, are the collector's.
	Methods []string
	// Credentials lets pages send cookies along, as sendBeacon does by itself: browsers then want
	// an answer that names the page's origin instead of "*". Nothing is done with the cookies.
	Credentials bool
	// BasicToken says that the header Authorization with the scheme Basic has a token of the
	// protocol's own, by which it names the site. It is no write key: who sends it is as trusted as
	// without.
	BasicToken bool
	// SecretParam is the parameter of the query that has the secret of the tracker's servers, "" for
	// none. BasicSecret says that the user of an authorization by Basic is one, which needs
	// BasicToken. A secret in a body is shown to Request.Secret. A secret that an operator has made a
	// write key makes who sends it trusted; any other is passed over.
	SecretParam string
	BasicSecret bool
	// Claims reports whether a request is of this protocol, where another one has the same path. It
	// looks at what is in it: a parameter, a header of the tracker's own, how the body begins
	// (Request.Body, which Read then has to read the same way); a type of content shows nothing. It
	// is called for the endpoint's methods alone, and not where the request is refused before its
	// body is looked at (the write key, the rate). Of the endpoints of a path one at most has nil,
	// and gets what no other claims, of which the refusals are its own too.
	Claims func(r *Request) bool
	// NeverResends says that the clients of the endpoint do not send again what was answered with
	// 503: what Kafka does not take is kept on the collector's disk then, if it has a spool. Where
	// only some of them do not, Read sets Request.NeverResends.
	NeverResends bool
	Handler
}

// Handler reads the requests of an Endpoint and writes their answers. It has no state of its own
// per request, and is called from any number of goroutines.
type Handler interface {
	// Read returns the events of a request, each with a Site that has been checked for its form
	// (CheckSite). They are valid until the next request is read. None is no error: of a request
	// for a script, for example. Whether the sites are configured and the caller may write to them is
	// looked at by the collector.
	Read(r *Request) ([]Input, *Refusal)
	// Accept writes the answer to a request that is not refused: its events are in Kafka.
	Accept(r *Request, o Outcome)
	// Refuse writes the answer to one that is refused, by Read or by the collector, none of whose
	// events may be taken for stored. Ref.Status is what HTTP has for it; a protocol whose clients
	// know others translates. One with Ref.RetryAfter is to be sent again, so the status is one
	// at which the protocol's clients do so; otherwise it is one at which they do not.
	Refuse(r *Request, ref *Refusal)
}

// Outcome is what has become of the events of a request.
type Outcome struct {
	Stored  int // in Kafka
	Dropped int // not counted, and rightly so: the visitor has opted out, or no site has them
}

// Validate reports everything that is wrong with a list of protocols as one error.
func Validate(list []Protocol) error {
	var errs []error
	names, paths := map[string]bool{}, paths{}
	for _, p := range list {
		if !validName(p.Name) {
			errs = append(errs, fmt.Errorf("protocol %q: the name is not 1 to 32 of a-z 0-9 -", p.Name))
		}
		if names[p.Name] {
			errs = append(errs, fmt.Errorf("protocol %q is there twice", p.Name))
		}
		names[p.Name] = true
		if len(p.Endpoints) == 0 {
			errs = append(errs, fmt.Errorf("protocol %q has no endpoints", p.Name))
		}
		for _, e := range p.Endpoints {
			if err := e.validate(); err != nil {
				errs = append(errs, fmt.Errorf("protocol %q: path %q: %w", p.Name, e.Path, err))
			}
			if err := paths.add(p.Name, &e); err != nil {
				errs = append(errs, fmt.Errorf("protocol %q: path %q %w", p.Name, e.Path, err))
			}
		}
	}
	return errors.Join(errs...)
}

// paths are the endpoints of a list of protocols by the shapes of their paths.
type paths map[string]*owners

// owners are the endpoints of a path.
type owners struct {
	path      string
	protocols []string
	rest      string // the protocol that claims nothing, "" if there is none
}

// add adds an endpoint, or returns why it can't have its path.
func (all paths) add(protocol string, e *Endpoint) error {
	o := all[shape(e.Path)]
	if o == nil {
		o = &owners{path: e.Path}
		all[shape(e.Path)] = o
	}
	switch {
	case slices.Contains(o.protocols, protocol):
		return errors.New("is there twice")
	case o.path != e.Path:
		return fmt.Errorf("is spelled %q by protocol %q", o.path, o.protocols[0])
	case e.Claims == nil && o.rest != "":
		return fmt.Errorf("is also protocol %q's, and neither claims its requests", o.rest)
	}
	o.protocols = append(o.protocols, protocol)
	if e.Claims == nil {
		o.rest = protocol
	}
	return nil
}

func (e *Endpoint) validate() error {
	if err := validPath(e.Path); err != nil {
		return err
	}
	if e.Handler == nil {
		return errors.New("it has no handler")
	}
	if e.BasicSecret && !e.BasicToken {
		return errors.New("BasicSecret needs BasicToken")
	}
	if len(e.Methods) == 0 {
		return errors.New("it has no methods")
	}
	for _, m := range e.Methods {
		if m == "" || m != strings.ToUpper(m) || m == fasthttp.MethodHead || m == fasthttp.MethodOptions {
			return fmt.Errorf("the method %q can't be its own", m)
		}
	}
	return nil
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
