package lake

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// mostSeen returns the visitor of a site who has the most events in a log.
func mostSeen(log []record) commits.Erasure {
	seen, best := map[commits.Erasure]int{}, commits.Erasure{}
	for _, r := range log {
		for _, e := range r.events {
			of := commits.Erasure{Site: e.Site, Visitor: e.Visitor}
			if e.Visitor == 0 {
				continue
			}
			if seen[of]++; seen[of] > seen[best] || seen[of] == seen[best] && (of.Visitor < best.Visitor || of.Visitor == best.Visitor && of.Site < best.Site) {
				best = of
			}
		}
	}
	return best
}

// mustErase erases a visitor before a time.
func mustErase(tb testing.TB, store blob.Store, e commits.Erasure, before event.Time) commits.Erasure {
	tb.Helper()
	e.Before = before
	if err := PutErasure(context.Background(), store, e); err != nil {
		tb.Fatal(err)
	}
	return e
}

// left returns the rows that erasures leave.
func left(rows []placed, gone ...commits.Erasure) (list []placed) {
	for _, r := range rows {
		of := func(who event.Visitor) bool {
			return who != 0 && slices.ContainsFunc(gone, func(e commits.Erasure) bool {
				return e.Site == r.Site && e.Visitor == who && r.Received < e.Before
			})
		}
		if of(r.Visitor) {
			continue
		}
		if of(r.VisitorPrev) {
			r.VisitorPrev = 0
		}
		list = append(list, r)
	}
	return list
}

// eraseOptions cuts segments of a few objects.
func eraseOptions(store blob.Store) Options {
	o := smallOptions(store)
	o.FlushInterval = 20 * time.Minute
	return o
}

// mustArchive archives a log and returns up to where it is archived.
func mustArchive(tb testing.TB, store blob.Store, log []record) int64 {
	tb.Helper()
	a := mustArchiver(tb, eraseOptions(store))
	if err := feed(session(tb), a, log, 0); err != nil {
		tb.Fatal(err)
	}
	return a.Limit(testTopic, 0)
}

func rawObjects(tb testing.TB, store blob.Store) map[string]string {
	all := contents(tb, store)
	for key := range all {
		if !isObject(key) {
			delete(all, key)
		}
	}
	return all
}

// TestErase: rows are hidden from the moment of the erasure, and then gone. The archive lacks none by its own proofs, and is the one that
// an archiver would have written who had known of it from the beginning.
func TestErase(t *testing.T) {
	t.Parallel()
	log := hitLog(11, 120)
	store := newMemory()
	end := mustArchive(t, store, log)
	all := wantRows(log, 0, "", end)
	who, second := mostSeen(log), commits.Erasure{Site: "site0.example.com", Visitor: 77} // who was somebody's id of the day before
	half := all[len(all)/2].Received
	l := NewReader(store)
	dry, err := l.Erase(t.Context(), EraseOptions{Of: []event.Visitor{who.Visitor}, Site: who.Site, Before: half, DryRun: true})
	if err != nil || dry.Rows < 5 || dry.Changed != 0 {
		t.Fatalf("a dry run finds %+v, %v", dry, err)
	}
	before := rawObjects(t, store)
	who, second = mustErase(t, store, who, half), mustErase(t, store, second, math.MaxInt64)
	want := left(all, who, second)
	if len(all)-len(want) != int(dry.Rows) {
		t.Errorf("%d of %d rows are left, and a dry run found %d", len(want), len(all), dry.Rows)
	}
	sameRows(t, readAll(t, store, ""), want)

	done, err := l.Erase(t.Context(), EraseOptions{Of: []event.Visitor{who.Visitor}, Site: who.Site})
	if err != nil || done.Rows != dry.Rows || done.First != dry.First || done.Last != dry.Last || done.Changed == 0 || done.Changed == done.Objects {
		t.Fatalf("%+v, %v; a dry run found %+v", done, err, dry)
	}
	sameRows(t, readAll(t, store, ""), want)
	if r := mustCheck(t, store); r.Rows != int64(len(want)) || r.Erased != dry.Rows {
		t.Errorf("%+v, want %d rows and %d erased", r, len(want), dry.Rows)
	}
	if err := errors.Join(l.Whole(t.Context(), firstHour, lastHour), l.Lost(t.Context(), firstHour, lastHour)); err != nil {
		t.Error(err)
	}
	hour := done.First.Floor(event.Hour)
	for site, want := range map[string]bool{who.Site: true, "site2.example.com": false} {
		if has, err := l.HasErased(t.Context(), site, hour, hour+event.Hour); err != nil || has != want {
			t.Errorf("%s: has erased %v, %v", site, has, err)
		}
	}
	erased := rawObjects(t, store)
	for key, body := range erased {
		if body == before[key] {
			continue
		}
		if done.Changed--; len(body) > len(before[key])+1000 {
			t.Errorf("%s has grown from %d to %d bytes", key, len(before[key]), len(body))
		}
	}
	if done.Changed > 0 {
		t.Errorf("%d objects were written again and are as before", done.Changed)
	}
	if again, err := l.Erase(t.Context(), EraseOptions{}); err != nil || again.Rows != 0 || again.Changed != 0 {
		t.Errorf("the second time: %+v, %v", again, err)
	}

	anew := newMemory()
	mustErase(t, anew, who, who.Before)
	mustErase(t, anew, second, second.Before)
	mustArchive(t, anew, log)
	sameContents(t, rawObjects(t, anew), erased)
	list, err := l.Erasures(t.Context())
	slices.SortFunc(list, func(x, y commits.Erasure) int { return strings.Compare(x.Site, y.Site) })
	if err != nil || len(list) != 2 || !slices.Contains(list, who) || !slices.Contains(list, second) {
		t.Errorf("erasures are %+v, %v", list, err)
	}
}

// TestEraseNobody: an object that is written again without a row less is the same.
func TestEraseNobody(t *testing.T) {
	t.Parallel()
	store := newMemory()
	mustArchive(t, store, hitLog(12, 100))
	for key, body := range rawObjects(t, store) {
		o, err := openObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := o.rows("")
		if err != nil {
			t.Fatal(err)
		}
		again, err := o.without(rows, must(ParseKey(key)), nil, nil)
		if err != nil || string(again) != body {
			t.Fatalf("%s: %d bytes of %d, %v", key, len(again), len(body), err)
		}
	}
}

// TestEraseWhole: an object whose rows are all erased stays, empty, and says what it had.
func TestEraseWhole(t *testing.T) {
	t.Parallel()
	store := newMemory()
	end := mustArchive(t, store, hitLog(13, 60))
	all := wantRows(hitLog(13, 60), 0, "", end)
	bots := 0
	for _, r := range all {
		if r.Visitor == 0 {
			bots++
			continue
		}
		mustErase(t, store, commits.Erasure{Site: r.Site, Visitor: r.Visitor}, math.MaxInt64)
	}
	done, err := NewReader(store).Erase(t.Context(), EraseOptions{})
	if err != nil || done.Rows != int64(len(all)-bots) {
		t.Fatalf("%+v of %d, %v", done, len(all), err)
	}
	if r := mustCheck(t, store); r.Rows != int64(bots) {
		t.Errorf("%+v, want %d rows", r, bots)
	}
	empty := 0
	for _, body := range rawObjects(t, store) {
		if o, err := openObject([]byte(body)); err != nil {
			t.Error(err)
		} else if o.file.NumRows() == 0 {
			empty++
		}
	}
	if empty == 0 {
		t.Error("no object is empty")
	}
}

// TestEraseCrashes: an archiver that is cut off anywhere, an erasure and its work at any time, also cut off, and the log read again: what
// is erased is never seen again, and all else is there once.
func TestEraseCrashes(t *testing.T) {
	t.Parallel()
	log := hitLog(14, 60)
	seeds := uint64(4)
	if *thorough {
		seeds = 200
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		inner := newMemory()
		store := &faultyStore{Store: inner}
		who := mostSeen(log)
		asked, commit := false, int64(0)
		for restart := 0; ; restart++ {
			ctx, kill := context.WithCancel(context.Background())
			crash := cutter{n: rng.IntN(25), kill: kill, after: rng.IntN(2) == 0}
			if restart > 6 {
				crash.n = -1
			}
			store.hook = crash.at
			if restart > 0 && rng.IntN(2) == 0 || restart > 5 {
				if !asked {
					who = mustErase(t, inner, who, math.MaxInt64)
				}
				asked = true
				_, _ = NewReader(store).Erase(ctx, EraseOptions{})
			}
			a := mustArchiver(t, eraseOptions(store))
			err := feed(ctx, a, log, commit)
			if limit := a.Limit(testTopic, 0); limit > commit {
				commit += rng.Int64N(limit - commit + 1)
			}
			kill()
			if asked {
				for _, r := range readAll(t, inner, who.Site) {
					if r.Visitor == who.Visitor {
						t.Fatalf("seed %d, restart %d: %s is there again", seed, restart, r.Source)
					}
				}
			}
			if err == nil && restart > 6 {
				break
			}
			if err == nil {
				commit = rng.Int64N(commit + 1) // read again
			}
		}
		store.hook = nil
		if _, err := NewReader(store).Erase(t.Context(), EraseOptions{}); err != nil {
			t.Fatal(err)
		}
		l := mustArchiver(t, eraseOptions(store))
		if err := feed(t.Context(), l, log, commit); err != nil {
			t.Fatal(err)
		}
		whole := &Reader{store: inner, whole: true}
		rows := int64(0)
		for key := range rawObjects(t, inner) {
			stored, err := whole.readObject(t.Context(), must(ParseKey(key)), who.Site)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range stored {
				if rows++; r.Visitor == who.Visitor && r.Site == who.Site {
					t.Fatalf("seed %d: %s has a row of who is erased", seed, key)
				}
			}
		}
		sameRows(t, readAll(t, inner, ""), left(wantRows(log, 0, "", l.Limit(testTopic, 0)), who))
		mustCheck(t, inner)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
