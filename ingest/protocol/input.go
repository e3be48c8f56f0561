package protocol

import (
	"net/netip"
	"strings"

	"millrace/engine/event"
)

// Input is one event as its sender describes it: of Event the fields ID, Site, Name, Time (0 if not
// given), URL, Referrer, UA, Language, Screen, Props, Amount, Currency, NonInteractive, and what
// a Ping has, each "" or empty if not given.
//
// Its strings are views into the Parser's memory and into the body, and are valid until the Parser
// is reset.
type Input struct {
	event.Event
	// IP is the address a trusted caller gives for its visitor; the zero Addr if it does not.
	IP netip.Addr
	// Named is the visitor's name as a trusted caller gives it.
	Named string

	// ClientID is the id by which the tracker in the visitor's browser knows itself; "" for none. Set
	// by SetClient.
	ClientID string
	// Objects is set where the tracker reports that its visitor has refused to be recognised.
	Objects bool

	// Plain says that the texts of the event which its sender gave are ASCII without control
	// characters, quotes and backslashes: they are encoded as they are. Those that Complete sets are
	// not meant.
	Plain bool

	// PropsText is Props as they are encoded, where that is how they were sent; "" where it is not
	// known to be.
	PropsText string

	// Repeat is the fingerprint by which the event is known if its sender sends it again by itself
	// (event.CutRepeat), for one that has no ID; 0 if there is none. The collector sets it.
	Repeat uint64
	// Serial is the number of the id that the collector has made for an event without one, 0 for
	// none. The collector sets it.
	Serial uint64

	// Number is that of the event's site among those of its request. The collector sets it.
	Number int32

	// Shard is the part that the visitor is in, set by Complete. It is the same on all days.
	Shard uint16
}

// SetClient sets the id of the client to the first of several that is one.
func (in *Input) SetClient(ids ...string) {
	for _, id := range ids {
		if id = strings.TrimSpace(id); isClient(id) {
			in.ClientID = id
			return
		}
	}
}

// isClient reports whether an id is that of one client. Pages whose script has none to send send
// what stands for that in their language, and all their visitors would be one.
func isClient(id string) bool {
	if len(id) > MaxClient || isPlaceholder(id) {
		return false
	}
	switch strings.ToLower(id) {
	case "anonymous", "guest", "unknown", "not_authenticated",
		"id", "distinct_id", "distinctid", "$posthog_cookieless", "[cly]_temp_id":
		return false
	}
	return true
}

// MaxClient is the longest id of a client: a longer one is something else.
const MaxClient = 512

const (
	// eventOverhead is the most that names, numbers and punctuation of an encoded event take;
	// propOverhead is a property's.
	eventOverhead = 512
	propOverhead  = 6
)

// MostBytes returns the most bytes that the encoding of a complete Input has, with each byte of
// text escaped. Texts have no control characters, so that an escape doubles a byte and no more.
func (in *Input) MostBytes() int {
	n := max(len(in.ID), MaxID+event.MaxRepeatPrefix) + len(in.Site) + len(in.Name) + len(in.URL) + len(in.Referrer) + len(in.UA) +
		len(in.Language) + len(in.Screen) + len(in.Country) + len(in.Region) + len(in.City) + len(in.Currency) +
		len(in.Client) + len(in.Bot)
	for _, p := range in.Props {
		n += len(p.Key) + len(p.Value) + propOverhead
	}
	return eventOverhead + 2*n
}
