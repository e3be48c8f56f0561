package offline

import (
	"context"
	"errors"
	"testing"
	"time"

	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/internal/blob"
)

// noDelete is a bucket whose keys may put and not delete.
type noDelete struct{ blob.Store }

func (noDelete) Delete(context.Context, string) error { return errors.New("forbidden") }

// TestBusy: a command is seen while it is at work, and not when it is over or was killed long ago.
func TestBusy(t *testing.T) {
	folder, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := func(store blob.Store, want string) {
		t.Helper()
		if what, err := Busy(t.Context(), store); what != want || err != nil {
			t.Errorf("%q, %v, want %q", what, err, want)
		}
	}
	names := func() int {
		list, err := lake.NewReader(folder).Notes(t.Context(), busyNote)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for _, store := range []blob.Store{folder, noDelete{folder}} {
		want(store, "")
		release := Use(nil, stores.Set{Lake: store}).hold(t.Context(), "replay")
		want(store, "replay")
		release()
		want(store, "")
		release()
	}
	if n := names(); n != 1 {
		t.Errorf("%d notes", n)
	}
	killed, err := time.Now().Add(-busyFor - time.Second).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := lake.PutNote(t.Context(), folder, busyNote+"x", `{"what":"import","at":"`+string(killed)+`"}`); err != nil {
		t.Fatal(err)
	}
	want(folder, "")
	if err := lake.PutNote(t.Context(), folder, busyNote+"y", "damaged"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := Use(nil, stores.Set{Lake: folder}).hold(ctx, "import")
	want(folder, "import")
	cancel()
	release()
	want(folder, "")
	if n := names(); n != 2 { // the killed one's, and the damaged one
		t.Errorf("%d notes", n)
	}
}
