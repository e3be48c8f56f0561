package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/event"
)

// mustMetrics reads the metrics that begin with a prefix, by name and labels as they are written.
func (s *serving) mustMetrics(tb testing.TB, prefix string) map[string]float64 {
	tb.Helper()
	code, body, err := get(s.admin + "/metrics")
	if err != nil || code != http.StatusOK {
		tb.Fatalf("metrics: status %d, %v", code, err)
	}
	values := map[string]float64{}
	for in := bufio.NewScanner(strings.NewReader(body)); in.Scan(); {
		name, text, ok := strings.Cut(in.Text(), "} ")
		if !strings.HasPrefix(name, prefix) || !ok {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			tb.Fatalf("%s: %v", in.Text(), err)
		}
		values[name+"}"] = v
	}
	return values
}

const scraper = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

// TestAccounting writes a log of events of all kinds to the partitions, and finds each event in exactly one of the outcomes that
// the metrics tell, by partition: on time + late + dropped + bots + duplicates = events. Records that can't be read are counted
// apart. The other metrics of the engine are there, and say that nothing is left to do.
func TestAccounting(t *testing.T) {
	t.Parallel()
	const partitions, perPartition = 3, 400
	at := localPlace(t)
	s := mustServe(t, at, "--partitions", fmt.Sprint(partitions))
	client := mustClient(t, at)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	// The collector's ticks have to have moved the watermark, else nothing is late.
	waitFor(t, 10*time.Second, func() error {
		for p := range partitions {
			if s.mustMetrics(t, "millrace_engine_watermark_seconds")[fmt.Sprintf(`millrace_engine_watermark_seconds{partition="%d"}`, p)] < 1e9 {
				return errors.New("no watermark yet")
			}
		}
		return nil
	})
	want := map[string]float64{}
	for p := range int32(partitions) {
		outcomes := map[string]float64{"on_time": 0, "late": 0, "dropped": 0, "bot": 0, "duplicate": 0, "ping": 0}
		dead := 0.0
		var records []*kgo.Record
		write := func(value []byte) {
			records = append(records, &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(event.Key(p)), Value: value})
		}
		var list []byte
		var ids []string
		for i := range perPartition {
			now := event.TimeOf(time.Now())
			e := event.Event{ID: fmt.Sprintf("%d-%d", p, i), Site: siteOf(p, partitions), Name: event.Pageview, Time: now, Received: now,
				Visitor: event.Visitor(1 + rng.IntN(50)), URL: "https://x.example/", UA: firefox, Client: "v1"}
			outcome := []string{"on_time", "late", "dropped", "bot", "duplicate", "ping"}[rng.IntN(6)]
			if len(ids) == 0 {
				outcome = "on_time"
			}
			switch outcome {
			case "on_time":
				e.Time += 30 * event.Second // however slow the machine is
			case "late":
				e.Time -= 10 * event.Minute
			case "dropped":
				e.Time -= 3 * event.Hour
			case "bot":
				e.UA = scraper
				e.Time -= event.Time(rng.IntN(3)) * event.Hour // whenever it came
			case "ping":
				e.Ping = true
				e.Time -= event.Time(rng.IntN(3)) * event.Hour // whenever it came
			case "duplicate":
				e.ID = ids[rng.IntN(len(ids))] // whatever became of that one
				e.Time -= event.Time(rng.IntN(3)) * event.Hour
			}
			if outcome != "duplicate" {
				ids = append(ids, e.ID)
			}
			outcomes[outcome]++
			if len(list) > 0 {
				list = append(list, ',')
			}
			list = e.Append(list)
			if rng.IntN(10) == 0 || i == perPartition-1 {
				write(event.AppendEnvelope(nil, "generator", now, list))
				list = nil
			}
			if rng.IntN(40) == 0 {
				write([]byte(`{"v":1,`))
				dead++
			}
		}
		mustProduce(t, client, records...)
		for outcome, n := range outcomes {
			want[fmt.Sprintf(`millrace_engine_events_total{outcome="%s",partition="%d"}`, outcome, p)] = n
		}
		want[fmt.Sprintf(`millrace_engine_dead_records_total{partition="%d"}`, p)] = dead
	}
	waitFor(t, 20*time.Second, func() error {
		got := s.mustMetrics(t, "millrace_engine_events_total")
		for name, v := range s.mustMetrics(t, "millrace_engine_dead_records_total") {
			got[name] = v
		}
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("got  %v\nwant %v", got, want)
		}
		return nil
	})

	// What is done is committed within a moment, and the ends of the log are asked for every two seconds.
	waitFor(t, 20*time.Second, func() error {
		all := s.mustMetrics(t, "millrace_engine_")
		var errs []error
		f := func(name string, least, most float64) {
			for p := range partitions {
				v, ok := all[fmt.Sprintf(`millrace_engine_%s{partition="%d"}`, name, p)]
				if !ok || v < least || v > most {
					errs = append(errs, fmt.Errorf("%s of partition %d is %v (there: %v), want %v to %v", name, p, v, ok, least, most))
				}
			}
		}
		f("partition_owned", 1, 1)
		f("lag_records", 0, 5) // ticks come all the time
		f("lag_seconds", 0, 5)
		f("lag_events", 0, 500)
		f("uncommitted_seconds", 0, 5)
		f("outbox_deltas", 0, 5)
		f("watermark_delay_seconds", -1, 10)
		f("open_windows", 1, 10)
		f("live_visits", 1, 50)
		f("remembered_ids", 100, perPartition)
		f("untracked_events_total", 0, 0)
		f("state_bytes", 1, 1<<30)
		f("records_total", 10, 1e6)
		f("offset", 10, 1e6)
		f("fire_latency_seconds_count", 1, 1000)
		return errors.Join(errs...)
	})
	s.mustStop(t)
}
