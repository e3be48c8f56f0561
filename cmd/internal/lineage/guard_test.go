package lineage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"millrace/engine"
	"millrace/internal/kafka"
)

func TestFirstBehind(t *testing.T) {
	ends := map[string]map[int32]int64{"log": {0: 10, 1: 0}, "table": {0: 3}}
	f := func(want string, marks ...Mark) {
		t.Helper()
		err := firstBehind(marks, ends)
		if want == "" && err != nil || want != "" && (!errors.Is(err, errLog) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v; want %q", marks, err, want)
		}
	}
	f("")
	f("", Mark{"log", 0, 10, "x"}, Mark{"log", 1, 0, "x"}, Mark{"table", 0, 3, "x"})
	f("topic log, partition 0 ends at offset 10, but x has got to offset 11", Mark{"log", 0, 11, "x"})
	f("topic table, partition 0 ends at offset 3, but y has got to offset 4", Mark{"log", 0, 10, "x"}, Mark{"table", 0, 4, "y"})
	f("topic log, partition 1 ends at offset 0, but x has got to offset 1 (and 1 more", Mark{"log", 1, 1, "x"}, Mark{"log", 2, 7, "x"})
}

// TestWaysOut: what to do names what this process uses.
func TestWaysOut(t *testing.T) {
	g := New(Options{Bucket: true})
	for _, want := range []string{engine.EventsTopic + ", ", kafka.TableTopic(engine.Group), "new prefix", "OLD-ADDRESS"} {
		if got := g.waysOut(); !strings.Contains(got, want) {
			t.Errorf("%s\nwant %q", got, want)
		}
	}
	if got := g.forgetGroup(engine.Group); !strings.Contains(got, `"kafka-consumer-groups --delete --group millrace.engine"`) {
		t.Error(got)
	}
}

// TestRole: a role that fails for good logs why, with what to do, and stays away until its end; a
// refusal from outside ends one that runs, and keeps away one that starts later.
func TestRole(t *testing.T) {
	behind := fmt.Errorf("partition 0:\n%w", engine.ErrBehind)
	f := func(want string, outside error, run func(context.Context) error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			g := New(Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
			refused, ended := 0, atomic.Int32{}
			role := g.Role("process", run, func(error) { refused++ })
			ctx, cancel := context.WithCancel(t.Context())
			for range 2 {
				go func() {
					if err := role(ctx); err != nil {
						t.Errorf("the role would be started again: %v", err)
					}
					ended.Add(1)
				}()
				synctest.Wait()
				if outside != nil {
					g.refusals.stop(outside)
					synctest.Wait()
				}
			}
			if refused != 2 || ended.Load() != 0 || strings.Count(out.String(), want) != 2 {
				t.Errorf("refused %d times, ended %d\n%s\nwant twice %q", refused, ended.Load(), out.String(), want)
			}
			cancel()
			synctest.Wait()
			if ended.Load() != 2 {
				t.Error("a role does not end")
			}
		})
	}
	f("kafka-consumer-groups --delete", nil, func(context.Context) error { return behind })
	f("made anew: x", fmt.Errorf("%w: x", errLog), func(ctx context.Context) error { <-ctx.Done(); return nil })
}
