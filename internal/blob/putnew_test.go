package blob

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// plain is a Store that knows no conditions.
type plain struct{ Store }

// TestPutNew: an object that is there stays, and of several that put one at once one does.
func TestPutNew(t *testing.T) {
	t.Parallel()
	_, c := newFakeS3(t)
	for name, s := range map[string]Store{
		"folder": mustOpen(t, t.TempDir()), "s3": mustOpenConfig(t, c), "any": plain{mustOpen(t, t.TempDir())},
	} {
		ctx := context.Background()
		var put atomic.Int32
		var all sync.WaitGroup
		writers := 8
		if name == "any" {
			writers = 1
		}
		for i := range writers {
			all.Go(func() {
				if ok, err := PutNew(ctx, s, "a/b", fmt.Append(nil, i)); err != nil {
					t.Error(err)
				} else if ok {
					put.Add(1)
				}
			})
		}
		all.Wait()
		before, err := s.Get(ctx, "a/b")
		if err != nil || put.Load() != 1 {
			t.Errorf("%s: %d have put it, %v", name, put.Load(), err)
		}
		ok, err := PutNew(ctx, s, "a/b", []byte("other"))
		after, _ := s.Get(ctx, "a/b")
		if ok || err != nil || string(after) != string(before) {
			t.Errorf("%s: put in the place of another: %v, %v, %q", name, ok, err, after)
		}
		if keys := mustList(t, s, "", ""); len(keys) != 1 {
			t.Errorf("%s: %v is left", name, keys)
		}
	}
}
