package ingest

import (
	"net/netip"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

// Sender is what the transport says about who sent an Input.
type Sender struct {
	// Addr is the client's address; the zero Addr if unknown.
	Addr netip.Addr
	// Place is where the client is.
	Place enrich.Place
	// Places looks up addresses that inputs bring themselves; nil is the table of countries in the program.
	Places enrich.Places
	// UA and Language are the user agent and the language of the request.
	UA, Language string
	// Client is the protocol, as in event.Event.
	Client string
	// Server tells that the request is a server's own: UA then says nothing about the visitor.
	Server bool
}

// Complete fills in what the sender did not say: user agent, language, place, visitor, shard and client. The visitor is hashed under
// the salt of the event's own time, or of at where that is not given. Afterwards the Input has no address any
// more. What remains to the caller is ID, Time and Received.
func (in *Input) Complete(id *enrich.Identity, from Sender, at event.Time) {
	addr, place := from.Addr, from.Place
	if in.IP.IsValid() {
		addr, place = in.IP, enrich.Locate(enrich.Place{}, from.Places, in.IP)
		in.IP = netip.Addr{}
	}
	in.Country, in.Region, in.City = place.Country, place.Region, place.City
	in.Client = from.Client
	if in.UA == "" {
		in.UA = from.UA
		if from.Server {
			in.Client = serverClient(from.Client)
		}
	}
	if in.Language == "" {
		in.Language = from.Language
	}
	if in.Time != 0 {
		at = in.Time
	}
	if in.Named != "" {
		in.Visitor, in.Shard = id.Named(in.Site, in.Named), id.NamedShard(in.Site, in.Named, in.Shards)
		return
	}
	in.Visitor, in.VisitorPrev = id.Visitor(in.Site, addr, in.UA, at)
	in.Shard = id.Shard(in.Site, addr, in.UA, in.Shards)
}

// serverClient appends ".server" without allocating for the clients there are.
func serverClient(client string) string {
	switch client {
	case clientV1:
		return clientV1 + ".server"
	case clientImport:
		return clientImport + ".server"
	}
	return client + ".server"
}

// Values of event.Event.Client.
const (
	clientV1        = "v1"
	clientPlausible = "plausible"
	clientPixel     = "pixel"
	clientImport    = "import"
)
