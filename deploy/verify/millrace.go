package verify

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Binary returns the program under test, MILLRACE_BINARY.
func Binary(t testing.TB) string {
	t.Helper()
	binary := os.Getenv("MILLRACE_BINARY")
	if binary == "" {
		t.Skip("MILLRACE_BINARY is not set; deploy/build.sh makes one")
	}
	return binary
}

// NoKafka is an address where no Kafka is, and is known not to be at once.
const NoKafka = "127.0.0.1:1"

// Accepts starts serve with settings whose Kafka is NoKafka, and fails the test unless it gets as far
// as that, or runs without it: every flag is known, every value right, every file there.
func Accepts(t testing.TB, env []string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + cmd.Dir}, env...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.CloseWithError(cmd.Wait()) }()
	var out strings.Builder
	accepted := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		out.WriteString(line + "\n")
		if strings.Contains(line, NoKafka) || strings.Contains(line, " is running: ") {
			accepted = true
			cancel() // and read what is left, until it is gone
		}
	}
	if !accepted || strings.Contains(out.String(), "--help") {
		t.Errorf("%s with %q does not start\n%s", strings.Join(args, " "), env, out.String())
	}
}
