package hitread_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// newShardedWorld returns two worlds of the same events: in the first, all are in one partition. In the second a site has got another part
// in the midst of the log, as with other --shards at all collectors: from then on one of two visitors is in the other partition, and
// so are late events of its.
func newShardedWorld(t *testing.T, seed uint64, records int, visitors uint64) (one, two *world) {
	t.Helper()
	log, low := makeLog(rand.New(rand.NewPCG(seed, 0)), records, visitors)
	one, two = &world{low: low}, &world{low: low}
	var d event.Decoder
	for i, value := range log {
		var env event.Envelope
		if err := d.Decode(value, &env); err != nil {
			t.Fatal(err)
		}
		var parts [partitions][]byte
		for j := range env.Events {
			e := &env.Events[j]
			p := part(int64(i), int64(records), e.Visitor)
			if len(parts[p]) > 0 {
				parts[p] = append(parts[p], ',')
			}
			parts[p] = e.Append(parts[p])
		}
		one.logs[0] = append(one.logs[0], value)
		one.logs[1] = append(one.logs[1], event.AppendEnvelope(nil, env.Collector, env.Low, nil))
		for p := range parts {
			two.logs[p] = append(two.logs[p], event.AppendEnvelope(nil, env.Collector, env.Low, parts[p]))
		}
	}
	for _, w := range []*world{one, two} {
		for p := range partitions {
			w.lows[p] = low
			l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: int32(p), Rules: rules, Deriver: newDeriver()})
			for i, value := range w.logs[p] {
				w.at = int64(i)
				if err := l.Step(int64(i), value, sink{w, p}); err != nil {
					t.Fatal(err)
				}
			}
			w.count(t, p)
		}
	}
	return one, two
}

// part returns the partition of an event of a world with other shards.
func part(offset, records int64, who event.Visitor) int {
	if offset >= records/2 && who/2%2 == 1 {
		return 1
	}
	return 0
}

// splits returns how many of a world's visits have hits on both sides of a change of shards, and how many there are.
func (w *world) splits() (n, of int) {
	visits := map[visit.ID][partitions]bool{}
	for _, h := range w.hits[0] {
		if h.Visit != 0 && h.Class == hits.Human {
			id := w.joins[0].Of(h.Visit)
			sides := visits[id]
			sides[part(h.Offset, int64(len(w.logs[0])), h.Row.Visitor)] = true
			visits[id] = sides
		}
	}
	for _, sides := range visits {
		if sides[0] && sides[1] {
			n++
		}
	}
	return n, len(visits)
}

// TestShardsChanged: with other shards visits of that moment are two, each with a row of its own that is the fold of its hits; each event
// counts once, and each visitor, in answers of hits as of rollups.
func TestShardsChanged(t *testing.T) {
	one, two := newShardedWorld(t, 6, 500, 60)
	split, visits := one.splits()
	if split < 5 || split > visits/4 {
		t.Fatalf("%d of %d visits are in both partitions", split, visits)
	}
	store := must(blob.OpenFolder(t.TempDir()))
	archive := openArchive(t, store, two.archive(t, store, 40))
	whole, apart := newBrute(one), newBrute(two)
	askers, a := []*asker{newAsker(t, two, two, archive), newAsker(t, two, two, nil)}, newAsking(6, apart)
	same, more, from := 0, 0, map[string]int{}
	for i := range 150 {
		q := a.question(two, a.rng.IntN(3), a.rng.IntN(3))
		if i%3 == 0 {
			q = a.question(two, a.rng.IntN(2), 0)
		}
		for _, asker := range askers {
			got, body, err := asker.ask(q)
			if err != nil {
				continue
			}
			if rows := rowsOf(got); !reflect.DeepEqual(rows, apart.answer(q)) {
				t.Fatalf("query %d: %s in %s, from %s:\n%v\nwant\n%v", i, body, q.zone, got.Meta.Source, rows, apart.answer(q))
			}
			from[got.Meta.Source]++
		}
	}
	// What is of events, and of visitors, is as if nothing had been changed; visits are some more: those that were split, and few others, which an
	// event of the other partition held together.
	for _, site := range sites {
		q := &question{Site: site, Metrics: []string{"visitors", "pageviews", "events"}, Dimensions: []string{"event:page", "visit:browser"}, from: base - event.Hour, to: two.low + event.Hour}
		if x, y := apart.answer(q), whole.answer(q); reflect.DeepEqual(x, y) {
			same += len(x)
		} else {
			t.Errorf("%s: %v\nwere\n%v", site, x, y)
		}
		q.Metrics, q.Dimensions = []string{"visits"}, nil
		more += int(apart.answer(q)[""][0].(float64) - whole.answer(q)[""][0].(float64))
	}
	if more < split || more > split+split/4 || same < 20 || from["lake"] < 40 || from["rollup"] < 40 {
		t.Errorf("%d visits more, %d are split; %d rows are the same; answers from %v", more, split, same, from)
	}
	if n := len(slices.Concat(two.ended[0], two.ended[1])); n < visits/2 {
		t.Errorf("%d of %d visits have ended", n, visits)
	}
}
