package ingest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/ingest/salt"
	"millrace/internal/broker"
	"millrace/internal/site"
)

// mustKeeper opens the salts of a collector.
func mustKeeper(tb testing.TB, o salt.Options) *salt.Keeper {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	k, err := salt.Open(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { k.Close() })
	return k
}

// visitorsOf returns the visitors of all events by the events' names, cur and prev.
func visitorsOf(tb testing.TB, cluster *kfake.Cluster) map[string][2]event.Visitor {
	tb.Helper()
	all := map[string][2]event.Visitor{}
	for _, r := range readAll(tb, cluster) {
		for _, e := range r.events {
			all[e.Name] = [2]event.Visitor{e.Visitor, e.VisitorPrev}
		}
	}
	return all
}

// view sends a view from a visitor's browser.
func view(tb testing.TB, c *Collector, site, name string) {
	tb.Helper()
	res := call(c, outside, "POST", "/v1/events", fmt.Sprintf(`{"site":%q,"name":%q,"url":"https://x.example/"}`, site, name))
	if res.StatusCode() != 202 {
		tb.Fatalf("%s: status %d: %s", name, res.StatusCode(), res.Body())
	}
}

// TestMidnights: on one Kafka two collectors, one of which restarts, give one person one visitor from midnight to midnight of the
// site, in three zones, and what ties a visit across it.
func TestMidnights(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	if err := cluster.CreateTopic(salt.Topic, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
	kafka := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	zones := map[string]string{"kiritimati.example": "Pacific/Kiritimati", "berlin.example": "Europe/Berlin", "honolulu.example": "Pacific/Honolulu"}
	var sites []site.Site
	for id, zone := range zones {
		z, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site.Site{ID: id, TimeZone: z})
	}
	clock := &fakeClock{t: time.Date(2026, 3, 3, 0, 30, 0, 0, time.UTC)}
	dir := t.TempDir()
	open := func(name string) (*Collector, *salt.Keeper) {
		k := mustKeeper(t, salt.Options{Path: filepath.Join(dir, name), Kafka: kafka, Collector: name, Now: clock.now})
		return mustOpen(t, cluster, func(o *Options) {
			o.CollectorID, o.Salts, o.Sites, o.Now = name, k, sites, clock.now
		}), k
	}
	c1, k1 := open("c1")
	c2, k2 := open("c2")
	for hour := range 48 {
		for id := range zones {
			view(t, c1, id, fmt.Sprintf("%s %d c1", id, hour))
			view(t, c2, id, fmt.Sprintf("%s %d c2", id, hour))
		}
		clock.set(clock.now().Add(time.Hour))
		if hour == 20 {
			c2.Close()
			k2.Close()
			c2, k2 = open("c2")
		}
		for _, k := range []*salt.Keeper{k1, k2} {
			if err := k.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	c1.Close()
	c2.Close()

	all := visitorsOf(t, cluster)
	for _, s := range sites {
		var before [2]event.Visitor
		days := 0
		for hour := range 48 {
			c1, c2 := all[fmt.Sprintf("%s %d c1", s.ID, hour)], all[fmt.Sprintf("%s %d c2", s.ID, hour)]
			if c1[0] == 0 || c1 != c2 {
				t.Fatalf("%s, hour %d: one collector has %s, the other %s", s.ID, hour, c1, c2)
			}
			at := time.Date(2026, 3, 3, hour, 30, 0, 0, time.UTC).In(s.TimeZone)
			midnight := at.Hour() == 0
			if midnight {
				days++
			}
			switch {
			case hour == 0:
			case midnight && (c1[0] == before[0] || c1[1] != before[0]):
				t.Errorf("%s at %s: %s behind %s", s.ID, at, c1, before)
			case !midnight && (c1[0] != before[0] || c1[1] != 0):
				t.Errorf("%s at %s: %s behind %s, and it is no midnight", s.ID, at, c1, before)
			}
			before = c1
		}
		if days != 2 {
			t.Errorf("%s had %d midnights", s.ID, days)
		}
	}
}

// TestNoSalt: without a salt of the day an event is refused, to be sent again, and one by name is taken.
func TestNoSalt(t *testing.T) {
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.Salts = noSalts{} })
	res := call(c, outside, "POST", "/v1/events", `{"site":"a.example","name":"x"}`)
	if res.StatusCode() != 503 || len(res.Header.Peek("Retry-After")) == 0 || !bytes.Contains(res.Body(), []byte("salt")) {
		t.Errorf("%d: %s", res.StatusCode(), res.Body())
	}
	if res := call(c, loopback, "POST", "/v1/events", `{"site":"a.example","name":"x","visitor":"7"}`); res.StatusCode() != 202 {
		t.Errorf("by name: %d: %s", res.StatusCode(), res.Body())
	}
}

type noSalts struct{}

func (noSalts) Salt(identity.Day) *identity.Salt { return nil }

// TestForgotten: three days later nothing in the data folder, whose log still has the events, computes the ids of a day, from the address
// and agent that they are of: whatever 32 bytes of whatever file are taken for the salt or the secret, as they are or
// in hexadecimal digits. The same search finds the salt while there is one.
func TestForgotten(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Open(broker.Options{Dir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	kafka := []kgo.Opt{kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext)}
	client, err := kgo.NewClient(kafka...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, testTopic); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(hex.EncodeToString(testSecret)), 0o600); err != nil {
		t.Fatal(err)
	}
	first := time.Now() // the embedded broker's
	clock := &fakeClock{t: first}
	k := mustKeeper(t, salt.Options{Path: filepath.Join(dir, "salts"), Now: clock.now})
	c, err := Open(t.Context(), Options{Kafka: kafka, CollectorID: "c1", Secret: testSecret, Salts: k, Protocols: all.Protocols(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	view(t, c, "a.example", "x")

	day := event.TimeOf(first).Floor(24 * event.Hour)
	wanted := func(salts identity.Salts) event.Visitor {
		id, err := identity.New(testSecret, salts)
		if err != nil {
			t.Fatal(err)
		}
		v, _, _ := id.Visitor("a.example", netip.MustParseAddr(outside), chrome, identity.Moment{At: day, Now: day})
		return v
	}
	is := wanted(k)
	if files := finds(t, dir, is, wanted); len(files) != 1 || files[0] != "salts" {
		t.Errorf("on the day itself the salt is in %q", files)
	}
	for range 3 * 24 {
		clock.set(clock.now().Add(time.Hour))
		if err := k.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if files := finds(t, dir, is, wanted); len(files) != 0 {
		t.Errorf("three days later the salt is in %q", files)
	}
	if wanted(k) != 0 {
		t.Error("three days later the salt is in memory")
	}
}

// finds returns the files below a folder of which some bytes compute a visitor.
func finds(tb testing.TB, dir string, is event.Visitor, visitor func(identity.Salts) event.Visitor) (files []string) {
	tb.Helper()
	computes := func(key []byte) bool {
		return visitor(oneSalt{identity.NewSalt(key)}) == is || visitor(identity.NewDerived(key)) == is
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range data {
			raw, digits := data[i:min(i+32, len(data))], make([]byte, 32)
			n, bad := hex.Decode(digits, data[i:min(i+64, len(data))])
			if len(raw) == 32 && computes(raw) || n == 32 && bad == nil && computes(digits) {
				name, err := filepath.Rel(dir, path)
				files = append(files, name)
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// oneSalt has the same salt on all days.
type oneSalt struct{ salt *identity.Salt }

func (s oneSalt) Salt(identity.Day) *identity.Salt { return s.salt }
