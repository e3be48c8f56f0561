package lake

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// leastStore refuses what it is told to.
type leastStore struct {
	blob.Store
	refused string
}

var errDenied = errors.New("access denied")

func (s leastStore) may(op string) error {
	if strings.Contains(s.refused, op) {
		return errDenied
	}
	return nil
}

func (s leastStore) Put(ctx context.Context, key string, body []byte) error {
	if err := s.may("put"); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, body)
}

func (s leastStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.may("get"); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s leastStore) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	if err := s.may("list"); err != nil {
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, err) }
	}
	return s.Store.List(ctx, prefix, after)
}

func (s leastStore) Delete(ctx context.Context, key string) error {
	if err := s.may("delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

// Open and Check are for readers of the archive.
func (s leastStore) Open(ctx context.Context, key string) (blob.Object, error) {
	if err := s.may("open"); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

func (s leastStore) Check(context.Context) error { return s.may("check") }

// TestProbeNeedsWhatArchivingNeeds: with each right that archiving can do without taken away the
// probe succeeds and a log is archived; with each one that it can't the probe fails.
func TestProbeNeedsWhatArchivingNeeds(t *testing.T) {
	t.Parallel()
	log := newGenerator(1).log(600, 20*event.Minute)
	for _, op := range []string{"", "delete open check", "put", "get", "list"} {
		lake := mustFolder(t)
		o := smallOptions(leastStore{lake, op})
		a := mustArchiver(t, o)
		able := op == "" || strings.Contains(op, "delete")
		for range 2 { // it is repeated without harm
			if err := a.Probe(t.Context()); able && err != nil || !able && !errors.Is(err, errDenied) {
				t.Errorf("without %q: %v", op, err)
			}
		}
		if !able {
			continue
		}
		if err := feed(session(t), a, log, 0); err != nil {
			t.Fatal(err)
		}
		mustCheck(t, lake)
	}
}

func TestArchiverWaits(t *testing.T) {
	t.Parallel()
	a := mustArchiver(t, testOptions(newMemory()))
	if since, _ := a.Waiting(); !since.IsZero() {
		t.Error("it waits from the beginning")
	}
	began := time.Now()
	tries := 0
	err := a.retry(t.Context(), "put", func() error {
		since, why := a.Waiting()
		if since.Before(began) || (why == nil) != (tries == 0) || tries > 0 && !errors.Is(why, errDenied) {
			t.Errorf("try %d: since %v, why %v", tries, since, why)
		}
		if tries++; tries < 3 {
			return errDenied
		}
		return nil
	})
	if since, _ := a.Waiting(); err != nil || !since.IsZero() {
		t.Errorf("%v, since %v", err, since)
	}
}
