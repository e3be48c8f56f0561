//go:build generated

package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScript: what browsers get is made of what is in the repository, and fits into a kilobyte.
func TestScript(t *testing.T) {
	result := filepath.Join(t.TempDir(), "script.min.js")
	var errs bytes.Buffer
	if code := run([]string{"../../script.js", result}, io.Discard, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	want, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../script.min.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("script.min.js is not what is made of script.js: go generate ./ingest/protocol/script")
	}
}

// TestRefuses: what is too large, and what is no script.
func TestRefuses(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	f := func(bytes int, before, want string) {
		t.Helper()
		text := make([]byte, bytes)
		for i := range text {
			text[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[random.IntN(64)]
		}
		_, err := smaller([]byte(before + string(text) + `"`))
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes behind %q: %v, want %q", bytes, before, err, want)
		}
	}
	f(1200, `a="`, "")
	f(1500, `a="`, "at most 1024 are allowed")
	f(10, `a=("`, "unexpected")
}
