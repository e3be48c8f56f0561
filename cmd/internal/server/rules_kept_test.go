package server_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/cmd/internal/rules"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

func mustStore(tb testing.TB) blob.Store {
	tb.Helper()
	s, err := blob.OpenFolder(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// checkRules compares what is kept.
func checkRules(tb testing.TB, s blob.Store, want engine.Rules) {
	tb.Helper()
	if got, err := rules.Load(tb.Context(), s); err != nil || got != want.WithDefaults() {
		tb.Errorf("%+v, %v; want %+v", got, err, want.WithDefaults())
	}
}

func hours(n event.Time) engine.Rules { return engine.Rules{Lateness: n * event.Hour} }

func TestRulesLeaveAndHold(t *testing.T) {
	s, ctx := mustStore(t), t.Context()
	checkRules(t, s, engine.Rules{}) // an archive of a build before
	must(t, rules.Leave(ctx, s, hours(6)))
	checkRules(t, s, hours(6))
	must(t, rules.Leave(ctx, s, hours(1))) // started later
	checkRules(t, s, hours(1))
	must(t, rules.Hold(ctx, s, hours(6))) // which runs beside
	checkRules(t, s, hours(6))
	must(t, rules.Hold(ctx, s, hours(1)))
	checkRules(t, s, hours(6))

	// Of the rest the last one counts.
	other := engine.Rules{Values: 20, Lateness: event.Hour}
	must(t, rules.Leave(ctx, s, other))
	must(t, rules.Hold(ctx, s, hours(6)))
	other.Lateness = 6 * event.Hour
	checkRules(t, s, other)
}

// counting counts what is put.
type counting struct {
	blob.Store
	puts int
}

func (c *counting) Put(ctx context.Context, key string, body []byte) error {
	c.puts++
	return c.Store.Put(ctx, key, body)
}

// TestRulesLeaveOnce: rules that are kept already are not written again.
func TestRulesLeaveOnce(t *testing.T) {
	s := &counting{Store: mustStore(t)}
	for range 3 {
		must(t, rules.Leave(t.Context(), s, hours(2)))
		must(t, rules.Hold(t.Context(), s, hours(2)))
	}
	if s.puts != 1 {
		t.Errorf("%d objects are put", s.puts)
	}
}

// TestRulesUnreadable: what can't be read is one error with a remedy, and the next serve writes it anew.
func TestRulesUnreadable(t *testing.T) {
	for _, text := range []string{"", "no JSON", `{"version":99}`, `{"version":1,"lateness":-5}`} {
		s := mustStore(t)
		must(t, lake.PutRules(t.Context(), s, []byte(text)))
		_, err := rules.Load(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), "rules.parquet") || strings.Count(err.Error(), "can't be read") != 1 ||
			!strings.Contains(err.Error(), "serve writes them anew") {
			t.Errorf("%q: %v", text, err)
		}
		must(t, rules.Leave(t.Context(), s, hours(3)))
		checkRules(t, s, hours(3))
	}
}

func TestRulesWatch(t *testing.T) {
	s := mustStore(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			rules.Watch(ctx, s, hours(6), slog.New(slog.DiscardHandler))
		}()
		must(t, rules.Leave(ctx, s, hours(1)))
		time.Sleep(rules.WatchEvery + time.Second)
		synctest.Wait()
		checkRules(t, s, hours(6))
		cancel()
		<-done
	})
}
