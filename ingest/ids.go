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

// next returns the number of a new id.
func (s *idSource) next() uint64 { return s.counter.Add(1) }

// append appends the id of an event that has none of its sender's, by the numbers that it was given.
func (s *idSource) append(dst []byte, repeat, serial uint64) []byte {
	if repeat != 0 {
		dst = event.AppendRepeatPrefix(dst, repeat)
	}
	dst = append(dst, s.prefix...)
	return appendBase36(dst, serial)
}

func appendBase36(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b [13]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n%36]
		if n /= 36; n == 0 {
			return append(dst, b[i:]...)
		}
	}
}

// idPrefix is unique per start: collectors of one topic have distinct ids, and two starts of one
// collector differ in time or in four random characters.
func idPrefix(collector string, now time.Time) string {
	b := append([]byte(collector), '-')
	b = appendBase36(b, uint64(now.UnixMilli()))
	b = append(b, rand.Text()[:4]...)
	return string(append(b, '-'))
}
