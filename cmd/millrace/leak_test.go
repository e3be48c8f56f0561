package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"millrace/internal/testlog"

	"go.uber.org/goleak"
)

// TestServeLeavesNothingBehind runs serve in this process, all roles and the demo, and stops it.
func TestServeLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs testlog.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--demo", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
			strings.NewReader(""), &out, &errs)
	}()
	errStarting := errors.New("not up yet")
	waitFor(t, 20*time.Second, func() error {
		_, admin, ok := strings.Cut(out.String(), "metrics, health      ")
		if !ok {
			return errStarting
		}
		admin, _, _ = strings.Cut(admin, "\n")
		status, _, err := get(admin + "/readyz")
		if err == nil && status != 200 {
			err = errStarting
		}
		return err
	})
	cancel()
	select {
	case c := <-code:
		if c != exitOK {
			t.Errorf("exit code %d\n%s", c, errs.String())
		}
	case <-time.After(15 * time.Second):
		t.Fatalf("still running 15 s after its context ended\n%s", errs.String())
	}
	goleak.VerifyNone(t, before,
		// Three that libraries start once in a process, or end by themselves some seconds after their server.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}
