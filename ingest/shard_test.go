package ingest

import (
	"fmt"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/site"
)

// A visitor of a site that is spread stays in one partition when his id changes at midnight, whoever sends for him; the
// visitors are in several; other sites are in one.
func TestShards(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	clock := &fakeClock{t: time.Date(2026, 3, 4, 23, 50, 0, 0, time.UTC)}
	const wide, narrow = "wide.example", "narrow.example"
	c := mustOpen(t, cluster, func(o *Options) {
		o.Now = clock.now
		o.Sites = []site.Site{{ID: wide, Shards: 8}}
		o.AnySite = true
	})
	const visitors = 40
	send := func(moment string) {
		for v := range visitors {
			for _, site := range []string{wide, narrow} {
				for how, who := range map[string]string{
					"address": fmt.Sprintf(`"ip":"192.0.2.%d","ua":%q`, v, chrome),
					"name":    fmt.Sprintf(`"visitor":"user %d"`, v),
				} {
					body := fmt.Sprintf(`{"site":%q,"name":"%s","url":"https://x.example/%s/%d",%s}`, site, moment, how, v, who)
					if res := call(c, loopback, "POST", "/v1/events", body); res.StatusCode() != 202 {
						t.Fatalf("status %d: %s", res.StatusCode(), res.Body())
					}
				}
			}
		}
	}
	send("before")
	clock.set(clock.now().Add(20 * time.Minute))
	send("behind")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		partition int32
		visitor   event.Visitor
	}
	before := map[string]seen{}
	used := map[string]map[int32]bool{wide: {}, narrow: {}}
	changed, moved := 0, 0
	records := readAll(t, cluster)
	for _, name := range []string{"before", "behind"} {
		for _, r := range records {
			for _, e := range r.events {
				if e.Name != name {
					continue
				}
				used[e.Site][r.partition] = true
				who := e.Site + e.URL
				if name == "before" {
					before[who] = seen{r.partition, e.Visitor}
					continue
				}
				if before[who].partition != r.partition {
					moved++
				}
				if before[who].visitor != e.Visitor {
					changed++
				}
			}
		}
	}
	if len(before) != 4*visitors || moved != 0 {
		t.Errorf("%d visitors, %d are in another partition behind midnight", len(before), moved)
	}
	if changed != 2*visitors {
		t.Errorf("%d visitors have another id behind midnight, want the %d without a name", changed, 2*visitors)
	}
	if len(used[narrow]) != 1 || len(used[wide]) < 2 {
		t.Errorf("partitions used: %v", used)
	}
}
