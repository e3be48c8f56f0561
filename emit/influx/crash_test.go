package influx

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millrace/emit/emittest"
	"millrace/engine/event"
	"millrace/internal/services"
)

// A real InfluxDB of its own is killed with -9 while windows pour in, and comes back on its data:
// nothing that was committed is missing, and every window is there in its newest version.
func TestConsumerAndKilledInflux(t *testing.T) {
	if os.Getenv("MILLRACE_TEST_INFLUX") == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	dir := os.Getenv("MILLRACE_SERVICES_DIR")
	if dir == "" {
		dir, _ = services.DefaultDir()
	}
	m := &services.Manager{Dir: t.TempDir(), Bin: filepath.Join(dir, "bin")}
	running, err := m.Up(t.Context(), services.Influx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	b := &bench{cfg: parseURL(t, running[0].URL)}
	k := emittest.NewKafka(t)
	s, dead := mustSink(t, b, func(o *Options) { o.MaxBackoff = 50 * time.Millisecond })
	k.Start(k.Consumer(s))

	const sites, rounds = 10, 30
	for round := range int64(rounds) {
		for i := range sites {
			at := event.Time(round/5) * event.Minute // each minute fires five times
			k.Windows(win(fmt.Sprintf("s%d.example", i), at, round, fmt.Sprintf("/x=%d /y=1", round+1)))
		}
		switch round % 10 {
		case 4:
			if err := m.Crash(services.Influx); err != nil {
				t.Fatal(err)
			}
		case 7:
			start := time.Now()
			if err := m.Resume(t.Context(), services.Influx); err != nil {
				t.Fatal(err)
			}
			up := time.Since(start)
			k.WaitCommitted(Group)
			t.Logf("InfluxDB is up after %s, the windows that waited are committed after %s", up.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
		}
	}
	k.WaitCommitted(Group)
	for i := range sites {
		var want []string
		for minute := range int64(rounds / 5) {
			v := minute*5 + 4
			want = append(want, fmt.Sprintf("%d page/x=%d v%d", minute*60, v+1, v), fmt.Sprintf("%d page/y=1 v%d", minute*60, v), fmt.Sprintf("%d totals=%d v%d", minute*60, v+2, v))
		}
		b.want(t, fmt.Sprintf("s%d.example", i), want...)
	}
	if dead.len() != 0 {
		t.Errorf("dead letters: %+v", dead.list)
	}
}
