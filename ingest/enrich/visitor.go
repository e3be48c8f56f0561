package enrich

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"

	"millrace/engine/event"
)

// SecretLen is the length of the secret in bytes.
const SecretLen = 32

const day = 24 * event.Hour

// maxSalts is how many days' salts are kept. A stream needs two; an import walks through a log's days in order.
const maxSalts = 64

// Identity hashes visitors under a secret. Its daily salts are HKDF-SHA256 of the secret and the UTC date; the
// hash is HMAC-SHA256 under the salt, cut to 64 bits.
type Identity struct {
	secret []byte
	named  *salt
	digest *salt
	shard  *salt

	// last is the salt used last: nearly every call wants the same day.
	last atomic.Pointer[daySalt]

	mu    sync.Mutex // guards salts
	salts map[int64]*daySalt
}

type daySalt struct {
	day       int64
	cur, prev *salt
}

// New returns an Identity over a secret of SecretLen bytes; it keeps a copy.
func New(secret []byte) (*Identity, error) {
	if len(secret) != SecretLen {
		return nil, fmt.Errorf("secret has %d bytes, want %d", len(secret), SecretLen)
	}
	id := &Identity{secret: append([]byte(nil), secret...), salts: make(map[int64]*daySalt)}
	id.named = id.derive("millrace/named-visitor")
	id.digest = id.derive("millrace/digest")
	id.shard = id.derive("millrace/shard")
	return id, nil
}

// Visitor returns the visitor of a site behind an address and a user agent at an instant. Prev is the hash under the
// salt of the day before, in the first hour of a UTC day, and 0 otherwise: by it a visit survives midnight.
// The zero Addr is allowed and stands for an unknown address.
func (id *Identity) Visitor(site string, addr netip.Addr, ua string, at event.Time) (cur, prev event.Visitor) {
	var b [9]byte
	return id.hash(site, appendPrefix(b[:0], addr), ua, at)
}

// HostVisitor is Visitor for the host field of an access log, which is an address or, where the server
// resolves names, a host name.
func (id *Identity) HostVisitor(site, host, ua string, at event.Time) (cur, prev event.Visitor) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return id.Visitor(site, addr, ua, at)
	}
	return id.hash(site, append([]byte{'n'}, host...), ua, at)
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

// Digest returns a keyed digest of 64 bits as 16 hexadecimal digits, for ids that must be the same each time the same
// input is read and must not let anybody guess the input, an access-log line with its address, say.
func (id *Identity) Digest(site string, data []byte) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id.digest.sum(site, data, "")))
	return hex.EncodeToString(b[:])
}

func (id *Identity) hash(site string, host []byte, ua string, at event.Time) (cur, prev event.Visitor) {
	s := id.salt(at)
	cur = s.cur.sum(site, host, ua)
	if at-at.Floor(day) < event.Hour {
		prev = s.prev.sum(site, host, ua)
	}
	return cur, prev
}

func (id *Identity) salt(at event.Time) *daySalt {
	d := int64(at.Floor(day) / day)
	if s := id.last.Load(); s != nil && s.day == d {
		return s
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	s := id.salts[d]
	if s == nil {
		if len(id.salts) >= maxSalts {
			clear(id.salts)
		}
		s = &daySalt{day: d, cur: id.daily(d), prev: id.daily(d - 1)}
		id.salts[d] = s
	}
	id.last.Store(s)
	return s
}

func (id *Identity) daily(d int64) *salt {
	return id.derive("millrace/visitor/" + strconv.FormatInt(d, 10))
}

func (id *Identity) derive(info string) *salt {
	key, err := hkdf.Key(sha256.New, id.secret, nil, info, sha256.Size)
	if err != nil {
		panic("BUG: hkdf of a fixed length: " + err.Error())
	}
	s := new(salt)
	s.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return s
}

// salt is one key of HMAC-SHA256. Its pool keeps keyed states, because keying costs two of the four compressions
// of a short message and all of the allocations.
type salt struct{ pool sync.Pool }

type mac struct {
	hash.Hash
	buf []byte
}

// sum hashes its three fields, each but the last with its length in front, so that no two inputs collide by
// moving a border.
func (s *salt) sum(site string, host []byte, ua string) event.Visitor {
	m := s.pool.Get().(*mac)
	m.Reset()
	b := binary.AppendUvarint(m.buf[:0], uint64(len(site)))
	b = append(b, site...)
	b = binary.AppendUvarint(b, uint64(len(host)))
	b = append(b, host...)
	b = append(b, ua...)
	m.Write(b)
	b = m.Sum(b[:0])
	v := event.Visitor(binary.BigEndian.Uint64(b))
	clear(b[:cap(b)]) // the address goes no further
	m.buf = b[:0]
	s.pool.Put(m)
	if v == 0 {
		v = 1 // 0 means unknown
	}
	return v
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
