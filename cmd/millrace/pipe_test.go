//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPipes: a named pipe in the place of a small file ends a start with an error that names it,
// where it waited for a writer for ever.
func TestPipes(t *testing.T) {
	t.Parallel()
	f := func(name, in string, flags ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			pipe := filepath.Join(data, in)
			if err := os.MkdirAll(filepath.Dir(pipe), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data}
			for _, flag := range flags {
				args = append(args, flag, pipe)
			}
			var out, errs bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan int, 1)
			go func() { ended <- run(ctx, args, strings.NewReader(""), &out, &errs) }()
			select {
			case code := <-ended:
				if code == 0 || !strings.Contains(errs.String(), filepath.Base(in)) || !strings.Contains(errs.String(), "regular file") {
					t.Errorf("exit code %d, %s", code, errs.String())
				}
			case <-time.After(30 * time.Second):
				w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				if err == nil {
					w.Close()
				}
				cancel()
				<-ended
				t.Errorf("the start waits for a writer of %s (%v)", in, err)
			}
		})
	}
	for _, flag := range []string{"--config", "--sites-file", "--goals", "--geo-mmdb", "--secret-file", "--write-keys-file"} {
		f(flag, "pipe", flag)
	}
	for _, in := range []string{"secret", "collector-id", "salts", "log-identity.json", "broker/topics.json", "broker/quotas.json"} {
		f(in, in)
	}
}
