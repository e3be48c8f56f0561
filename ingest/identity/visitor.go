package identity

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"millrace/engine/event"
)

// SecretLen is the length of the secret in bytes.
const SecretLen = 32

// Identity hashes visitors: those that are known by address and user agent under the salts of
// dates, those that have an id of their own under keys of the secret. All hashes are HMAC-SHA256,
// cut to 64 bits.
type Identity struct {
	salts Salts
	named *Salt
	byOwn *Salt // ids of clients
	line  *Salt
	shard *Salt
}

// New returns an Identity over a secret of SecretLen bytes and the salts of dates.
func New(secret []byte, salts Salts) (*Identity, error) {
	if len(secret) != SecretLen {
		return nil, fmt.Errorf("secret has %d bytes, want %d", len(secret), SecretLen)
	}
	return &Identity{
		salts: salts,
		named: derive(secret, "millrace/named-visitor"),
		byOwn: derive(secret, "millrace/client-id"),
		line:  derive(secret, "millrace/digest"),
		shard: derive(secret, "millrace/shard"),
	}, nil
}

// Rule is how the visitors of a site are told apart.
type Rule struct {
	// Zone is the site's time zone, whose midnight ends a visitor's id; nil is UTC.
	Zone *time.Location
	// ByClient takes the id of the client that an event has for its visitor.
	ByClient bool
	// Shards is how many parts the site is spread over; 0 and 1 are one.
	Shards uint16
}

// Moment is when an event was, and where its site has its midnight.
type Moment struct {
	// At is the time of the event, Now that of its receipt; they differ for events that a trusted
	// sender dates.
	At, Now event.Time
	// Zone is the site's time zone; nil is UTC.
	Zone *time.Location
}

// Visitor returns the visitor of a site behind an address and a user agent at a moment. Prev is the
// hash under the salt of the date before, in the first hour of a date at the site, and 0 otherwise:
// by it a visit survives midnight. The zero Addr is allowed and stands for an unknown address.
//
// An event of a date whose salt is gone is hashed under the salt of the date of its receipt
// together with its own date: whoever sends a day of the past at once has its visitors told apart,
// and no salt has to be kept for it.
//
// It returns false if there is no salt for the moment.
func (id *Identity) Visitor(site string, addr netip.Addr, ua string, m Moment) (cur, prev event.Visitor, ok bool) {
	var b [9]byte
	return id.hash(site, appendPrefix(b[:0], addr), ua, m)
}

// HostVisitor is Visitor for the host field of an access log, which is an address or, where the server
// resolves names, a host name.
func (id *Identity) HostVisitor(site, host, ua string, m Moment) (cur, prev event.Visitor, ok bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return id.Visitor(site, addr, ua, m)
	}
	return id.hash(site, append([]byte{'n'}, host...), ua, m)
}

// Named returns the visitor that a trusted caller names itself. It does not change with the day: the caller
// knows who it is.
func (id *Identity) Named(site, visitor string) event.Visitor {
	return id.named.sum(site, nil, visitor)
}

// Shard returns the part of a site, 0 to shards-1, that the visitor behind an address and a user agent is in; 0 if there are
// not several. It is the remainder of a hash that does not change with the day: a visitor whose id changes at midnight stays
// in the partition that has his visit. The hash itself would name him for ever, and stays here.
func (id *Identity) Shard(site string, addr netip.Addr, ua string, shards uint16) uint16 {
	if shards <= 1 {
		return 0
	}
	var b [9]byte
	return uint16(id.shard.sum(site, appendPrefix(b[:0], addr), ua) % event.Visitor(shards))
}

// NamedShard is Shard for a visitor that a trusted caller names.
func (id *Identity) NamedShard(site, visitor string, shards uint16) uint16 {
	if shards <= 1 {
		return 0
	}
	return uint16(id.Named(site, visitor) % event.Visitor(shards))
}

// Client returns the visitor whose client has an id of its own. It does not change with the day, and
// is another one than a visitor who is named so.
func (id *Identity) Client(site, client string) event.Visitor {
	return id.byOwn.sum(site, nil, client)
}

// ClientShard is Shard for a visitor that is known by the id of the client.
func (id *Identity) ClientShard(site, client string, shards uint16) uint16 {
	if shards <= 1 {
		return 0
	}
	return uint16(id.Client(site, client) % event.Visitor(shards))
}

// Digest returns a keyed digest of 64 bits as 16 hexadecimal digits, for ids that must be the same each time the same
// input is read and must not let anybody guess the input, an access-log line with its address, say.
func (id *Identity) Digest(site string, data []byte) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id.line.sum(site, data, "")))
	return hex.EncodeToString(b[:])
}

func (id *Identity) hash(site string, host []byte, ua string, m Moment) (cur, prev event.Visitor, ok bool) {
	day, sinceMidnight := dayOf(m.At, m.Zone)
	if cur, ok = id.on(day, m, site, host, ua); !ok {
		return 0, 0, false
	}
	if sinceMidnight < latestJump {
		if before, _ := dayOf(m.At-event.Hour, m.Zone); before != day {
			prev, _ = id.on(before, m, site, host, ua)
		}
	}
	return cur, prev, true
}

// latestJump is how late it may be by the clocks of a zone an hour after a date began there: they
// may go forward in it, in Antarctica by two hours, in most of the world by one or none.
const latestJump = 4 * event.Hour

// on returns the visitor of a date.
func (id *Identity) on(day Day, m Moment, site string, host []byte, ua string) (event.Visitor, bool) {
	if s := id.salts.Salt(day); s != nil {
		return s.sum(site, host, ua), true
	}
	now, _ := dayOf(m.Now, m.Zone)
	s := id.salts.Salt(now)
	if s == nil || day >= now {
		return 0, false
	}
	return s.sum(site, binary.BigEndian.AppendUint32(append([]byte{'d'}, host...), uint32(day)), ua), true
}

// appendPrefix appends the part of an address that a visitor is told by.
func appendPrefix(dst []byte, addr netip.Addr) []byte {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		a := addr.As4()
		return append(append(dst, '4'), a[:]...)
	case addr.Is6():
		a := addr.As16()
		return append(append(dst, '6'), a[:8]...)
	}
	return dst
}
