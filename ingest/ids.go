package ingest

import (
	"crypto/rand"
	"sync/atomic"
	"time"

	"millrace/engine/event"
)

// idSource makes event ids that no other event has: the collector's id, a part that is drawn at
// start, and a counter.
type idSource struct {
	prefix  string
	counter atomic.Uint64
}

// serials are the numbers of new ids, of which it takes many at once from an idSource: each partition
// has its own, so that an event changes no memory that another's does.
type serials struct{ last, end uint64 }

// serialBlock is how many are taken at once.
const serialBlock = 256

func (n *serials) next(s *idSource) uint64 {
	if n.last == n.end {
		n.end = s.counter.Add(serialBlock)
		n.last = n.end - serialBlock
	}
	n.last++
	return n.last
}

// append appends the id of an event that has none of its sender's, by the numbers that it was given.
func (s *idSource) append(dst []byte, repeat, serial uint64) []byte {
	if repeat != 0 {
		dst = event.AppendRepeatPrefix(dst, repeat)
	}
	dst = append(dst, s.prefix...)
	return appendBase36(dst, serial)
}

func appendBase36(dst []byte, n uint64) []byte {
	var b [14]byte
	i := len(b)
	for n >= 36*36 {
		i -= 2
		copy(b[i:], pairs36[n%(36*36)][:])
		n /= 36 * 36
	}
	i -= 2
	copy(b[i:], pairs36[n][:])
	if n < 36 {
		i++
	}
	return append(dst, b[i:]...)
}

// pairs36 are the numbers of two digits.
var pairs36 = func() (of [36 * 36][2]byte) {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for n := range of {
		of[n] = [2]byte{digits[n/36], digits[n%36]}
	}
	return of
}()

// idPrefix is unique per start: collectors of one topic have distinct ids, and two starts of one
// collector differ in time or in four random characters.
func idPrefix(collector string, now time.Time) string {
	b := append([]byte(collector), '-')
	b = appendBase36(b, uint64(now.UnixMilli()))
	b = append(b, rand.Text()[:4]...)
	return string(append(b, '-'))
}
