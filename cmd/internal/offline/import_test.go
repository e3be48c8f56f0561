package offline

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// TestImportBehindStream tells events before, within the last hour of and behind the archived
// stream apart.
func TestImportBehindStream(t *testing.T) {
	var text strings.Builder
	end := event.TimeOf(time.Date(2024, 3, 1, 12, 0, 30, 0, time.UTC))
	i := newImport(&Session{}, ImportOptions{Log: slog.New(slog.NewTextHandler(&text, nil))}, engine.Rules{}.WithDefaults())
	i.end, i.streams = end, true
	for _, before := range []event.Time{2 * event.Hour, event.Hour, event.Minute, 31 * event.Second, 30 * event.Second, -event.Hour} {
		i.note(&event.Event{Site: "a.example", Name: event.Pageview, Time: end - before})
	}
	i.warn()
	if got := text.String(); !strings.Contains(got, "in an hour\" events=3 ") || !strings.Contains(got, "an hour later\" events=2 ") {
		t.Errorf("the log is %s", got)
	}
}

// TestStreamBeginsMeanwhile: a serve begins the archive of its stream while files are read. Until
// each of its partitions has begun nothing can be counted, which is no error.
func TestStreamBeginsMeanwhile(t *testing.T) {
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	i, err := Use(nil, stores.Set{Lake: store}).NewImport(t.Context(), ImportOptions{Log: slog.New(slog.NewTextHandler(&text, nil))})
	if err != nil {
		t.Fatal(err)
	}
	i.note(&event.Event{Site: "a.example", Name: event.Pageview, Time: event.TimeOf(time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC))})
	i.sum.Events++
	key := fmt.Sprintf("_progress/%s-0-%020d.json", event.Topic, 10)
	begun := fmt.Sprintf(`{"version":1,"topic":%q,"partition":0,"partitions":2,"nextOffset":10,"low":%d}`, event.Topic, event.TimeOf(time.Now()))
	if err := store.Put(t.Context(), key, []byte(begun)); err != nil {
		t.Fatal(err)
	}
	if err := i.Count(t.Context()); err != nil {
		t.Error(err)
	}
	i.warn()
	if got := text.String(); i.sum.Visits != 0 || !strings.Contains(got, "not counted") || !strings.Contains(got, "events=1 ") {
		t.Errorf("%d visits; the log is %s", i.sum.Visits, got)
	}
}
