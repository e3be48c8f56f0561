package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"millrace/engine/event"
)

// Day is a calendar date: the days since 1970-01-01.
type Day int32

// day is a calendar day without changes of clocks.
const day = 24 * event.Hour

// String returns the date as 2006-01-02.
func (d Day) String() string { return (event.Time(d) * day).Std().UTC().Format(time.DateOnly) }

// ParseDay reads a date as 2006-01-02.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	return Day(event.TimeOf(t).Floor(day) / day), nil
}

// dayOf returns the date in a zone at an instant, and how late it is by the clocks there.
func dayOf(at event.Time, zone *time.Location) (Day, event.Time) {
	if zone != nil && zone != time.UTC {
		_, offset := at.Std().In(zone).Zone()
		at += event.Time(offset) * event.Second
	}
	midnight := at.Floor(day)
	return Day(midnight / day), at - midnight
}

// Salts has the salts of dates, a random key each. Any goroutine may call it; it is called for each
// event and takes no lock.
type Salts interface {
	// Salt returns the salt of a date, nil if there is none: not yet, or no longer.
	Salt(Day) *Salt
}

// maxDerived is how many days' salts of a Derived are kept. An import walks through a log's days in order.
const maxDerived = 64

// Derived are salts that are computed of a key, with HKDF-SHA256 of it and the date. They are
// for what has to be the same when it is done again, an import: whoever has the key can compute
// the visitor of each address and user agent on each date, until the key is destroyed.
type Derived struct {
	key []byte
	// last is the salt used last: nearly every call wants the same date, or the one before.
	last [2]atomic.Pointer[derivedDay]

	mu   sync.Mutex // guards days
	days map[Day]*derivedDay
}

type derivedDay struct {
	day  Day
	salt *Salt
}

// NewDerived returns the salts of a key, of which it keeps a copy.
func NewDerived(key []byte) *Derived {
	return &Derived{key: append([]byte(nil), key...), days: make(map[Day]*derivedDay)}
}

// Salt returns the salt of a date. There is one of each.
func (d *Derived) Salt(day Day) *Salt {
	last := &d.last[day&1]
	if s := last.Load(); s != nil && s.day == day {
		return s.salt
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.days[day]
	if s == nil {
		if len(d.days) >= maxDerived {
			clear(d.days)
		}
		s = &derivedDay{day, derive(d.key, "millrace/visitor/"+strconv.Itoa(int(day)))}
		d.days[day] = s
	}
	last.Store(s)
	return s.salt
}

func derive(secret []byte, info string) *Salt {
	key, err := hkdf.Key(sha256.New, secret, nil, info, sha256.Size)
	if err != nil {
		panic("BUG: hkdf of a fixed length: " + err.Error())
	}
	return NewSalt(key)
}

// Salt is one key of HMAC-SHA256. Its pool keeps keyed states, because keying costs two of the four compressions
// of a short message and all of the allocations.
type Salt struct{ pool sync.Pool }

type mac struct {
	hash.Hash
	buf []byte
}

// NewSalt returns the salt of a key.
func NewSalt(key []byte) *Salt {
	key = append([]byte(nil), key...)
	s := new(Salt)
	s.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return s
}

// sum hashes its three fields, each but the last with its length in front, so that no two inputs collide by
// moving a border.
func (s *Salt) sum(site string, host []byte, ua string) event.Visitor {
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
