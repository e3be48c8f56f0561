package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/certstest"
)

// TestCheck: the command takes what serve takes, and its exit code is for scripts.
func TestCheck(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		args = append([]string{"check", "--data", filepath.Join(t.TempDir(), "data")}, args...)
		got := run(t.Context(), args, strings.NewReader(""), &out, &errs)
		if text := out.String() + errs.String(); got != code || !strings.Contains(text, want) || strings.Contains(text, theSecret) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", args, got, code, want, text)
		}
	}
	cert, key := certstest.New(t).Write(t, t.TempDir(), time.Now().Add(time.Hour), "localhost")
	f(exitOK, "data folder", "--tls-cert", cert, "--tls-key", key)
	f(exitError, "2 of 3 are not as they have to be", "--tls-cert", key, "--tls-key", key, "--s3", "s3://k:"+theSecret+"@127.0.0.1:1/bucket")
	f(exitUsage, "--partitions", "--partitions", "0")
}
