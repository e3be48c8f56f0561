package broker

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	killDirEnv  = "MILLRACE_TEST_BROKER_KILL_DIR"
	killFromEnv = "MILLRACE_TEST_BROKER_KILL_FROM"
)

func isKillChild() bool { return os.Getenv(killDirEnv) != "" }

// killChild produces numbered records to partition 0 and prints the offset of each that was acked,
// until it is killed.
func killChild() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	from, err := strconv.Atoi(os.Getenv(killFromEnv))
	fail(err)
	b, err := Open(Options{Dir: os.Getenv(killDirEnv), SegmentBytes: 64 << 10})
	fail(err)
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.WithLogger(nil))
	fail(err)
	if from == 0 {
		fail(createTopic(context.Background(), c, testTopic, 1, nil))
	}
	pad := strings.Repeat("x", 300)
	for i := from; ; i++ {
		r := &kgo.Record{Topic: testTopic, Value: []byte(strconv.Itoa(i) + " " + pad)}
		c.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			fail(err)
			n, _, _ := strings.Cut(string(r.Value), " ")
			fmt.Println(n, r.Offset)
		})
	}
}

func TestKill9LosesNothingAcked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	acked := make(map[int64]int) // number by offset
	from := 0
	for range 4 {
		from = runAndKill(t, dir, from, 20+rng.IntN(3000), acked)
	}
	b := mustOpen(t, Options{Dir: dir})
	start, values := mustConsume(t, b, testTopic, 0)
	if start != 0 {
		t.Fatalf("log starts at %d", start)
	}
	last := -1
	for offset, v := range values {
		n := mustNumber(t, v)
		if n <= last {
			t.Fatalf("offset %d: record %d follows %d", offset, n, last)
		}
		last = n
		if want, ok := acked[int64(offset)]; ok && want != n {
			t.Fatalf("offset %d: record %d, acked was %d", offset, n, want)
		}
		delete(acked, int64(offset))
	}
	if len(acked) > 0 {
		t.Fatalf("%d acked records are gone", len(acked))
	}
	t.Logf("%d records", len(values))
}

// runAndKill runs a child until it has acked some records, kills it, adds what it acked and returns
// a number that it has not used.
func runAndKill(t *testing.T, dir string, from, acks int, acked map[int64]int) (next int) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), os.Args[0])
	cmd.Env = append(os.Environ(), killDirEnv+"="+dir, killFromEnv+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number int
		var offset int64
		if _, err := fmt.Sscan(lines.Text(), &number, &offset); err != nil {
			break // the line that the kill cut off
		}
		acked[offset] = number
		if n++; n == acks {
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() == 3 || n < acks {
		t.Fatalf("child: %v after %d acks", err, n)
	}
	return from + 10_000_000 // the child ran ahead of its acks
}

func mustNumber(t *testing.T, v string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.SplitN(v, " ", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReopenTime is a measurement: MILLRACE_TEST_REOPEN=1 go test -run ReopenTime -v
func TestReopenTime(t *testing.T) {
	if os.Getenv("MILLRACE_TEST_REOPEN") == "" {
		t.Skip("a measurement, set MILLRACE_TEST_REOPEN=1")
	}
	dir := t.TempDir()
	o := Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	b := mustOpen(t, o)
	c := mustClient(t, b, kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	mustCreate(t, c, testTopic, 4, nil)
	pad := []byte(strings.Repeat("0123456789abcdef", 22))
	for i := range 1_000_000 {
		c.Produce(t.Context(), &kgo.Record{Topic: testTopic, Partition: int32(i % 4), Value: pad}, nil)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	crashed := crashCopy(t, dir)
	c.Close()
	timed := func(what string, f func()) {
		began := time.Now()
		f()
		t.Logf("%s: %v", what, time.Since(began))
	}
	timed("close", func() { mustClose(t, b) })
	timed("reopen after close", func() { mustClose(t, mustOpen(t, o)) })
	timed("prepare after crash", func() {
		if err := prepareFolder(crashed, o.Logger); err != nil {
			t.Fatal(err)
		}
	})
	o.Dir = crashed
	timed("reopen and close after that", func() { mustClose(t, mustOpen(t, o)) })
}
