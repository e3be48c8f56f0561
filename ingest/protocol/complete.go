package protocol

import (
	"net/netip"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// Sender is what the transport knows of the sender of an Input.
type Sender struct {
	// Addr is the client's address; the zero Addr if unknown.
	Addr netip.Addr
	// Place is where the client is.
	Place identity.Place
	// Places looks up addresses that inputs bring themselves; nil is the table of countries in the
	// program.
	Places identity.Places
	// UA and Language are the user agent and the language of the request.
	UA, Language string
	// Client is the protocol, as in event.Event.
	Client string
	// Server is the client of inputs without a user agent where the request is a server's own,
	// whose UA is not the visitor's; "" where it is not.
	Server string
}

// Visitor is who a sender is at a site now, as in Input, once that is known.
type Visitor struct {
	known     bool
	cur, prev event.Visitor
	shard     uint16
}

// Complete fills in what the sender did not give: user agent, language, place, visitor, shard and
// client. Who is who the sender is at the site, which it notes and looks up; nil for nowhere. The
// visitor is hashed under the salt of the event's own date at the site, or of now's where
// no time is given; false is returned if there is no salt, and the Input must not be used then.
// Afterwards the Input has no address any more. What remains to the caller is ID, Time and Received.
func (in *Input) Complete(id *identity.Identity, rule identity.Rule, from *Sender, who *Visitor, now event.Time) (ok bool) {
	senders := who != nil && !in.IP.IsValid() && in.UA == "" && in.Time == 0
	addr, place := from.Addr, from.Place
	if in.IP.IsValid() {
		addr, place = in.IP, identity.Locate(identity.Place{}, from.Places, in.IP)
		in.IP = netip.Addr{}
	}
	in.Country, in.Region, in.City = place.Country, place.Region, place.City
	in.Client = from.Client
	if in.UA == "" {
		in.UA = from.UA
		if from.Server != "" {
			in.Client = from.Server
		}
	}
	if in.Language == "" {
		in.Language = from.Language
	}
	if in.Named != "" {
		in.Visitor, in.Shard = id.Named(in.Site, in.Named), id.NamedShard(in.Site, in.Named, rule.Shards)
		return true
	}
	if rule.ByClient && in.ClientID != "" {
		in.Visitor, in.Shard = id.Client(in.Site, in.ClientID), id.ClientShard(in.Site, in.ClientID, rule.Shards)
		return true
	}
	if senders && who.known {
		in.Visitor, in.VisitorPrev, in.Shard = who.cur, who.prev, who.shard
		return true
	}
	m := identity.Moment{At: now, Now: now, Zone: rule.Zone}
	if in.Time != 0 {
		m.At = in.Time
	}
	in.Visitor, in.VisitorPrev, ok = id.Visitor(in.Site, addr, in.UA, m)
	in.Shard = id.Shard(in.Site, addr, in.UA, rule.Shards)
	if senders && ok {
		*who = Visitor{true, in.Visitor, in.VisitorPrev, in.Shard}
	}
	return ok
}
