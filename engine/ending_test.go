package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/lovoo/goka/storage"

	"millrace/engine"
	"millrace/engine/derivetest"
	"millrace/state"
)

var errRefused = errors.New("the disk refuses")

// refusing is a Table whose storage of partition 0 refuses what before says.
type refusing struct {
	*state.Table
	before func() error
}

func (r refusing) Builder(topic string, partition int32) (storage.Storage, error) {
	s, err := r.Table.Builder(topic, partition)
	if partition == 0 {
		s = refusingStorage{s, r.before}
	}
	return s, err
}

type refusingStorage struct {
	storage.Storage
	before func() error
}

func (s refusingStorage) Set(key string, value []byte) error {
	if err := s.before(); err != nil {
		return err
	}
	return s.Storage.Set(key, value)
}

// A record that fails while the session ends (another partition has failed too, or the process is told to stop) is not
// finished: it comes again, and is counted.
func TestFailsAsTheSessionEnds(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"delta refused", "state not open"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.write(rand.New(rand.NewPCG(4, 4)), 0, 60, 0)
			w.finish(60)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var n atomic.Int32
			ends := func(where string) bool { // the 21st record of partition 0 is the first to fail
				if where != what || n.Add(1) <= 20 {
					return false
				}
				cancel()
				return true
			}
			table := state.NewTable(func(p int32) state.Options {
				return state.Options{
					Dir: filepath.Join(w.dir, strconv.Itoa(int(p))), MemTableBytes: 1 << 20, Limit: engine.Rules{}.WithDefaults().Values,
				}
			})
			proc, err := engine.New(engine.Options{
				Cluster: w.cluster,
				Table: refusing{table, func() error {
					if ends("delta refused") {
						return errRefused
					}
					return nil
				}},
				Store: func(p int32) (engine.Store, bool) {
					if p == 0 && ends("state not open") {
						return nil, false
					}
					return table.Store(p)
				},
				NewDeriver: func() engine.Deriver { return derivetest.Deriver{} },
				Partitions: partitions,
				Log:        slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := proc.Run(ctx); err == nil {
				t.Error("Run says nothing of the record that failed")
			}
			if n.Load() <= 20 {
				t.Fatalf("only %d records came", n.Load())
			}
			r := w.run()
			w.reached(r, 1)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			w.check()
		})
	}
}
