package datadir

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func mustOpen(tb testing.TB, path string) *Dir {
	tb.Helper()
	d, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

func TestSecretAndCollectorStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := mustOpen(t, path)
	secret, err := d.Secret()
	if err != nil || len(secret) != SecretSize {
		t.Fatalf("secret %x, %v", secret, err)
	}
	id, err := d.CollectorID()
	if err != nil || !strings.HasPrefix(id, "c-") {
		t.Fatalf("collector id %q, %v", id, err)
	}
	info, err := os.Stat(filepath.Join(path, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret has mode %v, %v", info.Mode(), err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	again := mustOpen(t, path)
	if s, err := again.Secret(); err != nil || !bytes.Equal(s, secret) {
		t.Errorf("the secret changed: %v", err)
	}
	if i, err := again.CollectorID(); err != nil || i != id {
		t.Errorf("the collector id changed: %q, %v", i, err)
	}
}

func TestDamagedSecretIsRefused(t *testing.T) {
	d := mustOpen(t, t.TempDir())
	path := filepath.Join(d.Path(), "secret")
	for _, text := range []string{"", "abc", strings.Repeat("x", 64), strings.Repeat("a", 66)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Secret(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("secret file %q gives error %v", text, err)
		}
	}
}

func TestDamagedCollectorIDIsRefused(t *testing.T) {
	d := mustOpen(t, t.TempDir())
	path := filepath.Join(d.Path(), "collector-id")
	for _, text := range []string{"", "\n", "C-1", "a b", "\x00\xff", strings.Repeat("c", 33)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.CollectorID(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("file %q gives error %v", text, err)
		}
	}
}

func TestOpenWhatIsNoFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || errors.Is(err, ErrInUse) {
		t.Errorf("Open of a file: %v", err)
	}
}

func TestOpenWithoutAName(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Open(""); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("Open without a path: %v", err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A lock that can't be had for another reason than a process that has it, a read-only disk say, is not called one in use.
func TestOpenWhereTheLockCantBeMade(t *testing.T) {
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "lock: is a directory") {
		t.Errorf("Open where the lock can't be made: %v", err)
	}
}

// TestSecondProcess starts the test binary again: the lock is one between processes.
func TestSecondProcess(t *testing.T) {
	const env = "DATADIR_TEST_OPEN"
	if path := os.Getenv(env); path != "" {
		if _, err := Open(path); !errors.Is(err, ErrInUse) {
			t.Fatalf("Open of a folder that is in use: %v", err)
		}
		return
	}
	d := mustOpen(t, t.TempDir())
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcess$")
	cmd.Env = append(os.Environ(), env+"="+d.Path())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
