package lockfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const childEnv = "MILLRACE_TEST_LOCKFILE"

// TestMain holds a lock until it is killed, in the child of TestOtherProcess.
func TestMain(m *testing.M) {
	path := os.Getenv(childEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := Open(path); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	fmt.Println("held")
	time.Sleep(time.Minute)
}

func mustOpen(tb testing.TB, path string) *Lock {
	tb.Helper()
	lock, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { lock.Close() })
	return lock
}

// TestSameProcess: the second one is refused, by any spelling of the path, until the first is closed.
func TestSameProcess(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	path := filepath.Join(dir, "lock")
	t.Chdir(dir)
	lock := mustOpen(t, path)
	for _, name := range []string{path, "lock", filepath.Join(dir, ".", "lock"), filepath.Join(link, "lock")} {
		if _, err := Open(name); !errors.Is(err, ErrHeld) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}
	mustOpen(t, "lock")
}

// TestOtherProcess: the end of a process, killed too, is the end of its lock.
func TestOtherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the child printed %q, %v", line, err)
	}
	if _, err := Open(path); !errors.Is(err, ErrHeld) {
		t.Errorf("two processes have it: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Wait(short, path); !errors.Is(err, ErrHeld) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	long, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lock, err := Wait(long, path)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
}

// TestNoFolder: a file that can't be made is not taken for a lock that is held.
func TestNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", filepath.Join("none", "lock")} {
		_, err := Open(filepath.Join(dir, name))
		if _, ok := errors.AsType[*fs.PathError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
