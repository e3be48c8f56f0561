package secretfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	f := func(text string, many bool, want string, lines ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, many)
		if (err == nil) != (want == "") || err != nil && err.Error() != want || !slices.Equal(got, lines) {
			t.Errorf("%.20q: %q, %v; want %q, %s", text, got, err, lines, want)
		}
	}
	f("one\n", false, "", "one")
	f("\ufeff# of whom\r\n\r\n  one \r\ntwo", true, "", "one", "two")
	f("one\ntwo\n", false, "the file has 2 lines, where one is wanted")
	f("\n#\n", true, "the file is empty")
	f("a\x00b", true, "the file is not text")
	f(strings.Repeat("x", MaxBytes+1), true, "the file has more than 1048576 bytes")
	if _, err := Read(path+".none", true); err == nil || strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
}
