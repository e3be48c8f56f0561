package lake

import (
	"context"
	"errors"
	"strings"
	"testing"

	"millrace/engine/event"
)

// TestSeal stops an archiver at each of some places of the log, clean or cut off at each put, and
// goes on with another: every row is in the archive once.
func TestSeal(t *testing.T) {
	t.Parallel()
	log := newGenerator(11).log(400, 70*event.Minute) // over two hours, so that segments have several objects
	places := []int64{151}
	if *thorough {
		places = []int64{1, 151, 400}
	}
	for _, at := range places {
		for cut := range 5 { // 0: clean
			store := newMemory()
			faulty := &faultyStore{Store: store}
			a := mustArchiver(t, smallOptions(faulty))
			if err := feed(session(t), a, log[:at], 0); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if cut > 0 {
				faulty.set(cut-1, cancel, cut%2 == 0)
			}
			a.seal(ctx)
			sealed := a.Limit(testTopic, 0)
			if cut == 0 && sealed != at {
				t.Fatalf("sealed up to %d of %d", sealed, at)
			}
			cancel()
			b := mustArchiver(t, smallOptions(store))
			if err := feed(session(t), b, log, max(sealed-3, 0)); err != nil {
				t.Fatal(err)
			}
			b.seal(t.Context())
			mustCheck(t, store)
			sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", int64(len(log))))
		}
	}
}

// An archiver that has nothing new, or whose store is away, seals nothing.
func TestSealNothing(t *testing.T) {
	t.Parallel()
	store := newMemory()
	a := mustArchiver(t, smallOptions(store))
	a.seal(t.Context())
	log := newGenerator(12).log(60, event.Minute)
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	a.seal(t.Context())
	before := contents(t, store)
	a.seal(t.Context())
	b := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), b, log, 20); err != nil { // all of it is archived
		t.Fatal(err)
	}
	b.seal(t.Context())
	if after := contents(t, store); len(after) != len(before) {
		t.Errorf("%d objects, were %d", len(after), len(before))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("away"))
	c := mustArchiver(t, smallOptions(store))
	more := append(log, newGenerator(13).log(10, event.Minute)...)
	if err := feed(session(t), c, more, 60); err != nil {
		t.Fatal(err)
	}
	c.seal(ctx)
	for key := range contents(t, store) {
		if strings.HasSuffix(key, "70.json") {
			t.Errorf("%s is stored", key)
		}
	}
}
