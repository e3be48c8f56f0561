package storesocket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/emit/local"
	"millrace/engine/event"
	"millrace/engine/window"
)

func mustStore(tb testing.TB) *local.Store {
	tb.Helper()
	s, err := local.Open(local.Options{Dir: filepath.Join(tb.TempDir(), "rollups"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func mustListen(tb testing.TB, store Store) (*Server, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	s, err := Listen(path, "build", store)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s, path
}

func mustDial(tb testing.TB, path string) *Client {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := Dial(tb.Context(), path, "build")
		if err == nil {
			tb.Cleanup(func() { c.Close() })
			return c
		}
		// The server may not have seen yet that the last client is gone.
		if !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			tb.Fatal(err)
		}
	}
}

const noon event.Time = 1_772_625_600_000

func windowOf(version int64, pages ...string) *window.Window {
	w := &window.Window{Kind: window.Minute, Site: "a.example", Start: noon, Version: version, Final: true}
	for i, page := range pages {
		w.Points = append(w.Points, window.Point{
			Family: window.Pages, Dims: [2]string{page},
			Rollup: window.Rollup{Events: int64(i + 1), Pageviews: 1 << 40, Visitors: 7, Revenue: 5, Paid: 1, Sketch: []byte{0, 1, 0xff}},
		})
	}
	return w
}

// TestSameAnswers: a client reads what the store has, and writes as the store does.
func TestSameAnswers(t *testing.T) {
	ctx, store := t.Context(), mustStore(t)
	_, path := mustListen(t, store)
	c := mustDial(t, path)
	if !c.HasStore() {
		t.Error("there is no store")
	}
	if err := errors.Join(
		store.Write(ctx, []*window.Window{windowOf(10, "/", "/a")}),
		store.WriteProgress(ctx, []window.Progress{{Partition: 3, Low: noon, Hours: 5, Offset: 12}})); err != nil {
		t.Fatal(err)
	}
	type reader interface {
		Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error
		Sites(context.Context) ([]string, error)
		Progress(context.Context) ([]window.Progress, error)
		Fired(context.Context, window.Kind, string, event.Time) ([]window.Window, error)
	}
	read := func(r reader) string {
		var text string
		sel := window.Selection{Kind: window.Minute, Site: "a.example", Family: window.Pages, To: noon * 2}
		err := r.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
			text += fmt.Sprintf("%s %v %+v\n", start, final, *p)
			return nil
		})
		sites, err1 := r.Sites(ctx)
		progress, err2 := r.Progress(ctx)
		fired, err3 := r.Fired(ctx, window.Minute, "a.example", noon)
		if err := errors.Join(err, err1, err2, err3); err != nil || len(fired) != 1 {
			t.Errorf("%v, %d windows have fired", err, len(fired))
		}
		return text + fmt.Sprintln(sites, progress, fired)
	}
	if got, want := read(c), read(store); got != want || len(want) < 100 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var all string
	sel := window.Selection{Kind: window.Minute, Site: "a.example", To: noon * 2}
	err := c.ScanFamilies(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
		all += fmt.Sprintf("%s %v %+v\n", start, final, *p)
		return nil
	})
	if err != nil || all == "" || !strings.HasPrefix(read(store), all) {
		t.Errorf("all families are %s, %v", all, err)
	}
	// What fired later than what the client knows stays.
	if err := c.Replace(ctx, []*window.Window{windowOf(9, "/old"), {Kind: window.Hour, Site: "b.example", Start: noon, Points: windowOf(0, "/b").Points}}); err != nil || c.Left() != 1 {
		t.Errorf("%d windows are left, %v", c.Left(), err)
	}
	if sites, err := store.Sites(ctx); err != nil || !reflect.DeepEqual(sites, []string{"a.example", "b.example"}) {
		t.Errorf("sites %q, %v", sites, err)
	}
	if err := c.Replace(ctx, []*window.Window{windowOf(10, "/new")}); err != nil || c.Left() != 1 {
		t.Errorf("%d windows are left, %v", c.Left(), err)
	}
	if got, want := read(c), read(store); got != want || strings.Contains(got, "/a ") || !strings.Contains(got, "/new") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// An error of the callback ends the scan and is returned; the next call works.
	stop := errors.New("enough")
	err = c.Scan(ctx, window.Selection{Kind: window.Minute, Site: "a.example", Family: window.Pages, To: noon * 2}, func(event.Time, bool, *window.Point) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Sites(ctx); err != nil {
		t.Error(err)
	}
}

// TestOneAtATime: there is one session, and room for the next once it is over, whichever way it ends.
func TestOneAtATime(t *testing.T) {
	store := mustStore(t)
	server, path := mustListen(t, store)
	c := mustDial(t, path)
	if _, err := Dial(t.Context(), path, "build"); !errors.Is(err, ErrBusy) {
		t.Errorf("the second client: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	d := mustDial(t, path)
	if _, err := c.Sites(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("a call of a session that is over: %v", err)
	}
	if _, err := d.Sites(t.Context()); err != nil {
		t.Error(err)
	}
	d.Close()
	mustDial(t, path).Close()
	for {
		_, err := Dial(t.Context(), path, "another build")
		if errors.Is(err, ErrOther) {
			break
		}
		if !errors.Is(err, ErrBusy) {
			t.Fatalf("another build: %v", err)
		}
	}
	e := mustDial(t, path)
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Sites(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("a call of a server that is closed: %v", err)
	}
	if _, err := Dial(t.Context(), path, "build"); !errors.Is(err, ErrNone) {
		t.Errorf("a server that is closed: %v", err)
	}
}

// TestStoreFails: the store's error comes through.
func TestStoreFails(t *testing.T) {
	store := mustStore(t)
	_, path := mustListen(t, store)
	c := mustDial(t, path)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sites(t.Context()); err == nil || errors.Is(err, ErrStopped) {
		t.Errorf("got %v", err)
	}
	if err := c.Replace(t.Context(), []*window.Window{windowOf(1, "/")}); err == nil {
		t.Error("a closed store takes windows")
	}
}

// TestCallAfterClose: a call that was on its way when the server was closed does not reach the store.
func TestCallAfterClose(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	s := &Server{store: mustStore(t), http: &http.Server{}, ended: ended, stop: func() {}, session: &session{token: "x"}}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "/sites", http.NoBody)
	req.Header.Set(tokenHeader, "x")
	w := httptest.NewRecorder()
	s.call(s.sites)(w, req)
	if w.Code != http.StatusForbidden {
		t.Errorf("a call after Close: %d", w.Code)
	}
}
