//go:build unix

package smallfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	f := func(path, want string, is error) {
		t.Helper()
		data, err := Read(path, 5)
		if is == nil && (err != nil || string(data) != want) {
			t.Errorf("%s: %q, %v; want %q", path, data, err, want)
		}
		if is != nil && (!errors.Is(err, is) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1) {
			t.Errorf("%s: %q, %v; want an error with %q", path, data, err, want)
		}
		if _, ok := errors.AsType[*fs.PathError](err); err != nil && !ok {
			t.Errorf("%s: %v has no path", path, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("file"), []byte("12345"), 0o600))
	must(os.WriteFile(at("empty"), nil, 0o600))
	must(os.WriteFile(at("long"), []byte("123456"), 0o600))
	// As Kubernetes mounts a Secret.
	must(os.Mkdir(at("..2026"), 0o700))
	must(os.WriteFile(at("..2026/key"), []byte("k"), 0o600))
	must(os.Symlink("..2026", at("..data")))
	must(os.Symlink("..data/key", at("key")))
	must(syscall.Mkfifo(at("pipe"), 0o600))
	must(os.Symlink("pipe", at("link to a pipe")))
	socket, err := net.Listen("unix", at("socket"))
	must(err)
	defer socket.Close()

	f(at("file"), "12345", nil)
	f(at("empty"), "", nil)
	f(at("key"), "k", nil)
	f(os.DevNull, "", nil)
	f(at("missing"), "no such file", fs.ErrNotExist)
	f(at("pipe"), "it is a named pipe: a regular file is needed here", ErrIrregular)
	f(at("link to a pipe"), "it is a named pipe", ErrIrregular)
	f(at("socket"), "it is a socket", ErrIrregular)
	f("/dev/zero", "it is a device", ErrIrregular)
	f(dir, "is a directory", syscall.EISDIR)
	if _, err := Read(at("long"), 5); err == nil || !strings.Contains(err.Error(), "more than 5 bytes") {
		t.Error(err)
	}

	// As a shell passes <(printf ab), in two writes.
	r, w, err := os.Pipe()
	must(err)
	defer r.Close()
	go func() {
		w.WriteString("a")
		w.WriteString("b")
		w.Close()
	}()
	f(fmt.Sprintf("/dev/fd/%d", r.Fd()), "ab", nil)
}
