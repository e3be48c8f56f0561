package lake

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/blob"
)

func TestRules(t *testing.T) {
	t.Parallel()
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(store)
	if text, err := r.Rules(t.Context()); text != nil || err != nil {
		t.Errorf("an archive without rules: %q, %v", text, err)
	}
	for _, want := range []string{`{"version":1}`, `{"version":1,"lateness":7}`} {
		if err := PutRules(t.Context(), store, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if text, err := r.Rules(t.Context()); string(text) != want || err != nil {
			t.Errorf("%q, %v, want %q", text, err, want)
		}
	}
	// The object is no row, no progress, and no file of a name that readers of Parquet refuse.
	if hours, err := r.Hours(t.Context(), 0, 1<<50); len(hours) != 0 || err != nil {
		t.Errorf("hours %v, %v", hours, err)
	}
	if all, err := r.Progress(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("progress %v, %v", all, err)
	}
	if !strings.HasSuffix(rulesObject, ".parquet") || !isProgress(rulesObject) {
		t.Error(rulesObject)
	}

	body, err := store.Get(t.Context(), rulesObject)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"empty": {}, "cut off": body[:len(body)-9], "JSON": []byte(`{"version":1}`)} {
		if err := store.Put(t.Context(), rulesObject, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Rules(t.Context()); !errors.Is(err, ErrRules) || !strings.Contains(err.Error(), rulesObject) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
