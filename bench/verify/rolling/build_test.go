//go:build heavy

package rolling

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The commit before the day of HEAD is found, and its files are unpacked beside a repository that
// stays as it is.
func TestYesterday(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	repo := t.TempDir()
	commit := func(at, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(repo, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("GIT_AUTHOR_DATE", at)
		t.Setenv("GIT_COMMITTER_DATE", at)
		for _, args := range [][]string{{"add", "file"}, {"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", text}} {
			if _, err := git(t.Context(), repo, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := git(t.Context(), repo, "init", "-q"); err != nil {
		t.Fatal(err)
	}
	commit("2026-11-29T10:00:00Z", "one")
	if got, err := Yesterday(t.Context(), repo); err == nil {
		t.Errorf("of a first day there is %s", got)
	}
	commit("2026-11-29T23:59:59Z", "two")
	commit("2026-11-30T00:00:01Z", "three")
	commit("2026-11-30T12:00:00Z", "four")
	hash, err := Yesterday(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unpack(t.Context(), repo, hash, dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "two" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := git(t.Context(), repo, "status", "--porcelain"); err != nil || text != "" {
		t.Errorf("the repository has %q, %v", text, err)
	}
}
