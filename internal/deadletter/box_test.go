package deadletter

import (
	"errors"
	"fmt"
	"millrace/internal/kafka"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

const testTopic = "millrace.events"

func mustBox(tb testing.TB, cluster *kfake.Cluster) *Box {
	tb.Helper()
	b, err := NewBox(kafka.Names{}, kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

func mustCluster(tb testing.TB, topics ...string) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(3, topics...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// mustWrite writes values to a partition of the dead letters.
func mustWrite(tb testing.TB, b *Box, partition int32, values ...[]byte) {
	tb.Helper()
	for _, v := range values {
		if err := b.client.ProduceSync(tb.Context(), &kgo.Record{Topic: Topic, Partition: partition, Value: v}).FirstErr(); err != nil {
			tb.Fatal(err)
		}
	}
}

func letterOf(offset int64, reason string, value []byte) []byte {
	l := Letter{Topic: testTopic, Partition: 1, Offset: offset, Reason: reason, Key: "#1", Value: value}
	return l.Append(nil)
}

func mustEach(tb testing.TB, b *Box, f Filter) []*Entry {
	tb.Helper()
	var all []*Entry
	if err := b.Each(tb.Context(), f, func(e *Entry) error { all = append(all, e); return nil }); err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(all, func(a, b *Entry) int { return int(a.Place.Offset - b.Place.Offset) })
	return all
}

func TestEachFilters(t *testing.T) {
	b := mustBox(t, mustCluster(t, Topic, testTopic))
	mustWrite(t, b, 2, letterOf(7, "Not JSON", []byte("x")), letterOf(8, "unknown version", nil), []byte("junk"))
	other := Letter{Topic: "millrace.windows", Partition: -1, Offset: -1, Reason: "a line", Value: []byte("line")}
	mustWrite(t, b, 2, other.Append(nil))
	one := int32(1)
	f := func(filter Filter, want ...string) {
		t.Helper()
		var got []string
		for _, e := range mustEach(t, b, filter) {
			got = append(got, e.Coord().String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", filter, got, want)
		}
	}
	f(Filter{}, "millrace.events/1/7", "millrace.events/1/8", "millrace.dead/2/2", "millrace.dead/2/3")
	f(Filter{Topic: testTopic}, "millrace.events/1/7", "millrace.events/1/8")
	f(Filter{Partition: &one, Reason: "not json"}, "millrace.events/1/7")
	f(Filter{Reason: "not a dead letter"}, "millrace.dead/2/2")
	f(Filter{Since: time.Now().Add(time.Hour)})
	f(Filter{Since: time.Now().Add(-time.Hour), Topic: "millrace.windows"}, "millrace.dead/2/3")
}

func TestRetry(t *testing.T) {
	cluster := mustCluster(t, Topic, testTopic)
	b := mustBox(t, cluster)
	mustWrite(t, b, 0, letterOf(0, "r", []byte("zero")), letterOf(1, "r", nil), letterOf(2, "r", make([]byte, MaxValue+1)))
	line := Letter{Topic: testTopic, Partition: -1, Offset: -1, Value: []byte("line")}
	mustWrite(t, b, 0, line.Append(nil))
	all := mustEach(t, b, Filter{})
	f := func(e *Entry, value []byte, force bool, wantTo string, want error) {
		t.Helper()
		to, err := b.Retry(t.Context(), e, "#1", value, force)
		if !errors.Is(err, want) || want == nil && to.String() != wantTo {
			t.Errorf("%s: %v, %v; want %s, %v", e.Coord(), to, err, wantTo, want)
		}
	}
	f(all[0], nil, false, "millrace.events/1/0", nil)
	f(all[0], nil, false, "", ErrRetried)
	f(all[0], nil, true, "millrace.events/1/1", nil)
	f(all[1], nil, false, "", ErrNoValue)
	f(all[1], []byte("repaired"), false, "millrace.events/1/2", nil)
	f(all[2], nil, true, "", ErrNoValue)
	f(all[3], []byte("x"), true, "", ErrNoRecord)

	// Another one sees the marks.
	again := mustEach(t, mustBox(t, cluster), Filter{})
	var states []string
	for _, e := range again {
		states = append(states, fmt.Sprint(e.State, " ", e.To))
	}
	if want := []string{"retried 1", "retried 2", "open 0", "open 0"}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if left := mustEach(t, mustBox(t, cluster), Filter{Open: true}); len(left) != 2 {
		t.Errorf("%d are open, want 2", len(left))
	}
	var got []string
	for _, r := range mustRead(t, cluster, 1, 3) {
		got = append(got, string(r.Key)+" "+string(r.Value))
	}
	if want := []string{"#1 zero", "#1 zero", "#1 repaired"}; !slices.Equal(got, want) {
		t.Errorf("put back %q, want %q", got, want)
	}
}

// TestRetryOfTwoLetters: a record that was read again after a crash has two letters; it is put back
// once, whichever is named.
func TestRetryOfTwoLetters(t *testing.T) {
	b := mustBox(t, mustCluster(t, Topic, testTopic))
	mustWrite(t, b, 0, letterOf(7, "r", []byte("seven")), letterOf(7, "r", []byte("seven")))
	all := mustEach(t, b, Filter{})
	if _, err := b.Retry(t.Context(), all[0], "#1", nil, false); err != nil {
		t.Fatal(err)
	}
	if to, err := b.Retry(t.Context(), all[1], "#1", nil, false); !errors.Is(err, ErrRetried) {
		t.Errorf("put back again, as %s: %v", to, err)
	}
}

// TestRetryCutShort: the record could not be written, or nobody knows; it is not written again by
// itself.
func TestRetryCutShort(t *testing.T) {
	cluster := mustCluster(t, Topic, testTopic)
	b := mustBox(t, cluster)
	mustWrite(t, b, 0, letterOf(0, "r", []byte("zero")))
	e := mustEach(t, b, Filter{})[0]
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Err: kerr.InvalidRecord, Count: -1})
	if _, err := b.Retry(t.Context(), e, "#1", nil, false); !errors.Is(err, kerr.InvalidRecord) {
		t.Fatalf("got %v", err)
	}
	fault.Remove()
	b = mustBox(t, cluster)
	e = mustEach(t, b, Filter{})[0]
	if _, err := b.Retry(t.Context(), e, "#1", nil, false); e.State != Begun || !errors.Is(err, ErrRetried) {
		t.Errorf("state %s, %v", e.State, err)
	}
	if to, err := b.Retry(t.Context(), e, "#1", nil, true); err != nil || to.Partition != 1 {
		t.Errorf("forced: %v, %v", to, err)
	}
}

func TestNoTopic(t *testing.T) {
	b := mustBox(t, mustCluster(t, testTopic))
	if err := b.Each(t.Context(), Filter{}, func(*Entry) error { return nil }); !errors.Is(err, ErrNoTopic) {
		t.Error(err)
	}
}

// mustRead reads n records of a partition of the test's topic.
func mustRead(tb testing.TB, cluster *kfake.Cluster, partition int32, n int) []*kgo.Record {
	tb.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{testTopic: {partition: kgo.NewOffset().AtStart()}}))
	if err != nil {
		tb.Fatal(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for len(all) < n {
		fetches := client.PollFetches(tb.Context())
		if err := fetches.Err(); err != nil {
			tb.Fatal(err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func TestCoordAndMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Coord{
			Topic:     rapid.StringMatching(`[a-zA-Z0-9._-]{1,30}`).Draw(t, "topic"),
			Partition: rapid.Int32Min(0).Draw(t, "partition"),
			Offset:    rapid.Int64Min(0).Draw(t, "offset"),
		}
		if got, err := ParseCoord(c.String()); err != nil || got != c {
			t.Fatalf("%s: %v, %v", c, got, err)
		}
		m := Mark{Of: c, State: Begun}
		if rapid.Bool().Draw(t, "retried") {
			m.State, m.To = Retried, rapid.Int64Min(0).Draw(t, "to")
		}
		if got, ok := ParseMark(m.Append(nil)); !ok || got != m {
			t.Fatalf("%s: %v", m.Append(nil), got)
		}
		if _, err := Parse(m.Append(nil)); !errors.Is(err, ErrLetter) {
			t.Fatalf("a mark is a letter: %v", err)
		}
	})
	for _, bad := range []string{"", "a/1", "/1/2", "a/b/2", "a/-1/2", "a/1/-2", "a/1/2/3", "a/4294967296/1"} {
		if c, err := ParseCoord(bad); err == nil {
			t.Errorf("%q: %v", bad, c)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add([]byte(`{"v":1,"retry":{"topic":"t","partition":0,"offset":0,"state":"done","to":3}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := ParseMark(b)
		if len(m.Append(nil)) > maxMark {
			return
		}
		if again, same := ParseMark(m.Append(nil)); ok && (!same || again.State != m.State || again.To != m.To) {
			t.Fatalf("%s: %v, then %v", b, m, again)
		}
	})
}
