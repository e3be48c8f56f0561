package local

import (
	"context"
	"errors"
	"testing"

	"millrace/emit/emittest"
	"millrace/engine/event"
	"millrace/engine/window"
)

// TestConsumer runs the suite of all sinks.
func TestConsumer(t *testing.T) {
	t.Parallel()
	emittest.Run(t, func(t *testing.T) emittest.Store {
		s := mustOpen(t, Options{})
		return emittest.Store{
			Sink:    s,
			Refused: [][]byte{[]byte("totals,site=a sketch=\"AAAA\" 60\n")},
			Totals: func(t *testing.T, k window.Kind, site string, start event.Time) (r *window.Rollup) {
				sel := window.Selection{Kind: k, Site: site, From: start, To: start + 1}
				err := s.Scan(t.Context(), sel, func(_ event.Time, _ bool, p *window.Point) error {
					c := p.Rollup
					c.Sketch = nil
					r = &c
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				return r
			},
			Progress: func(t *testing.T) []window.Progress {
				ps, err := s.Progress(t.Context())
				if err != nil {
					t.Error(err)
				}
				return ps
			},
		}
	})
}

// TestConsumerOfClosedStore: the error of a store that can't be written reaches who runs the
// Consumer.
func TestConsumerOfClosedStore(t *testing.T) {
	k, broken := emittest.NewKafka(t), mustOpen(t, Options{})
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	k.Windows(pageWindow("a.example", 0, 1, 1))
	if err := k.Consumer(broken).Run(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Run: %v, want ErrClosed", err)
	}
	if n := k.Committed(Group); n != 0 {
		t.Errorf("%d records are committed", n)
	}
}

// TestBeginEmit: a new store makes its group begin anew, once, and again if that failed.
func TestBeginEmit(t *testing.T) {
	s := mustOpen(t, Options{})
	down, calls := errors.New("down"), 0
	f := func(answer, want error, wantCalls int) {
		t.Helper()
		err := s.BeginEmit(t.Context(), func(context.Context) error { calls++; return answer })
		if !errors.Is(err, want) || calls != wantCalls {
			t.Errorf("BeginEmit: %v after %d calls, want %v after %d", err, calls, want, wantCalls)
		}
	}
	f(down, down, 1)
	f(nil, nil, 2)
	f(nil, nil, 2)
	f(down, nil, 2)
}
