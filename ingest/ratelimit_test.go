package ingest

import (
	"strings"
	"testing"

	"millrace/ingest/protocol"
)

// TestLimiterCopiesKeys: a site is a view into the memory of a request, which the next one uses. It is
// copied when it is kept, and not each time it is looked up.
func TestLimiterCopiesKeys(t *testing.T) {
	l := newLimiter(0.5, strings.Clone) // a burst of one
	text := []byte("a.example")
	key := protocol.View(text)
	if !l.allow(key, 1, testTime) {
		t.Fatal("the first one is refused")
	}
	copy(text, "b.example")
	if l.allow("a.example", 1, testTime) {
		t.Error("what is remembered has changed with the memory of the request")
	}
	if !l.allow(key, 1, testTime) {
		t.Error("another key has no bucket of its own")
	}
	if n := testing.AllocsPerRun(100, func() { l.allow(key, 1, testTime) }); n != 0 {
		t.Errorf("a key that is known takes %v allocations", n)
	}
}
