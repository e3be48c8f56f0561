package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/datadir"
	"millrace/internal/testlog"
)

// TestOrder: a server stops in the order that the package's doc argues, and logs it at level debug.
func TestOrder(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	o := options(t.TempDir())
	o.Demo = true
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, stop := mustStart(t, o)
	stop()
	var got []string
	for _, m := range regexp.MustCompile(`msg=stopped what="?([^"]*?)"? took=`).FindAllStringSubmatch(log.String(), -1) {
		got = append(got, m[1])
	}
	want := []string{
		"demo history", "demo",
		"listener", "collector",
		"watch", "headroom", "look at emit reads", "look at process reads", "look at archive reads", "processors",
		"rules", "folders", "retention", "look at query", "look at kafka", "prober", "look at log", "salts", "salt of imports",
		"rollup store's socket", "rollup store",
		"broker's socket", "broker",
		"public address", "admin port", "data folder",
	}
	if !slices.Equal(got, want) {
		t.Errorf("stopped %q\nwant    %q", got, want)
	}
}

// TestRun: a server reports where it is, drains when its context ends, unless the cause says
// otherwise, and ends without an error.
func TestRun(t *testing.T) {
	t.Parallel()
	f := func(name string, skip bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := errors.New("end of the test")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			up := make(chan Up, 1)
			var log testlog.Buffer
			o := options(t.TempDir())
			o.Up = func(u Up) { up <- u }
			o.Drain = time.Millisecond
			o.SkipDrain = func(cause error) bool { return skip && errors.Is(cause, why) }
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			ended := make(chan error, 1)
			go func() { ended <- Run(ctx, o) }()
			var u Up
			select {
			case u = <-up:
			case err := <-ended:
				t.Fatal(err)
			}
			if u.URL != "http://"+u.Listen || u.DemoPast || !strings.HasPrefix(u.AdminURL, "http://127.0.0.1:") {
				t.Errorf("%+v", u)
			}
			resp, err := http.Get(u.AdminURL + "/livez")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Error(resp, err)
			} else {
				resp.Body.Close()
			}
			cancel(why)
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if drained := strings.Contains(log.String(), "draining"); drained == skip {
				t.Errorf("drained: %t\n%s", drained, log.String())
			}
		})
	}
	f("drains", false)
	f("does not drain", true)
}

// TestFailedStart: a start that fails is undone, and its reason is what Run returns.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(change func(*Options), want string) {
		t.Helper()
		o := options(t.TempDir())
		change(&o)
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		dir, err := datadir.Open(o.Data) // its lock is free
		if err != nil {
			t.Fatal(err)
		}
		dir.Close()
	}
	f(func(o *Options) { o.Drain = -1 }, "--drain: ")
	f(func(o *Options) { o.Admin = taken.Addr().String() }, "--admin "+taken.Addr().String()+": the port is in use")
	f(func(o *Options) { o.Listen = taken.Addr().String() }, "--listen "+taken.Addr().String()+": the port is in use")
	f(func(o *Options) { o.Access.GeoMMDB = []string{"missing.mmdb"} }, "--geo-mmdb: ")
	f(func(o *Options) { o.Access.Secret = []byte("short") }, "start role collect: ")
}

// TestToldToStopAtTheStart: whatever the start was waiting for, that is not its reason.
func TestToldToStopAtTheStart(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t.TempDir())
	o.Kafka.Brokers = []string{silent.Addr().String()}
	go func() {
		if c, err := silent.Accept(); err == nil {
			defer c.Close()
			cancel()
			<-t.Context().Done()
		}
	}()
	if err := Run(ctx, o); err == nil || err.Error() != "told to stop before everything was up" {
		t.Error(err)
	}
}

// TestClosers: each is called, the last one first, whatever the others return.
func TestClosers(t *testing.T) {
	var called []string
	c := closers{log: slog.New(slog.DiscardHandler)}
	for _, what := range []string{"a", "b", "c"} {
		c.add(what, func() error {
			called = append(called, what)
			if what == "a" {
				return nil
			}
			return errors.New("no " + what)
		})
	}
	if err := c.close(); err == nil || err.Error() != "stop c: no c\nstop b: no b" {
		t.Error(err)
	}
	if err := c.close(); err != nil || !slices.Equal(called, []string{"c", "b", "a"}) {
		t.Error(err, called)
	}
}
