package blob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// listIn lists in pages of so many.
func listIn(s *S3, prefix, after string, size int) (keys []string, err error) {
	for info, err := range s.list(context.Background(), prefix, after, size) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

// A list comes whole, or its error says what the server does wrong. It ends.
func TestS3List(t *testing.T) {
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf("dt=2026-11-%02d/e", 10+i))
	}
	f := func(name, wrong, requests string, set func(*fakeS3)) {
		t.Run(name, func(t *testing.T) {
			fake, cfg := newFakeS3(t)
			cfg.Prefix = "lake"
			for _, key := range all {
				fake.objects["lake/"+key] = []byte("x")
			}
			fake.objects["lake/dt=2026-11-15/not ours"] = []byte("x")
			fake.objects["lakes/beside"] = []byte("x")
			set(fake)
			s := mustOpenConfig(t, cfg)
			for range 2 { // what was learned of the server is used again
				keys, err := listIn(s, "", "", 3)
				switch {
				case wrong == "" && (err != nil || !slices.Equal(keys, all)):
					t.Fatalf("%q, %v", keys, err)
				case wrong != "" && (!errors.Is(err, ErrListing) || !strings.Contains(err.Error(), wrong) || len(keys) > 4):
					t.Fatalf("%q, %v; want %q", keys, err, wrong)
				}
			}
			if text := strings.Join(fake.requests, "\n"); !strings.Contains(text, requests) || strings.Contains(text, "delimiter") {
				t.Errorf("want %q and no delimiter in\n%s", requests, text)
			}
			for _, text := range fake.requests {
				if strings.Contains(text, "continuation-token") && strings.Contains(text, "start-after") {
					t.Errorf("both in one request: %s", text)
				}
			}
		})
	}
	f("as it should be", "", "continuation-token=", func(*fakeS3) {})
	f("repeats a page", "", "start-after=", func(f *fakeS3) { f.samePage = true })
	f("refuses tokens", "", "start-after=", func(f *fakeS3) { f.refuseToken = true })
	f("repeats a page by either", "does not go on", "start-after=", func(f *fakeS3) { f.samePage, f.stopsAtStart = true, true })
	f("a token for ever", "does not go on", "start-after=", func(f *fakeS3) { f.endless = true })
	f("groups", `groups the keys at "l"`, "", func(f *fakeS3) { f.groups = true })
	f("backwards", "behind", "", func(f *fakeS3) { f.backwards = true })
}

// A key to begin after that the server ignores, as rclone does where there is no such object, is
// obeyed even so.
func TestS3ListAfter(t *testing.T) {
	for _, ignored := range []bool{false, true} {
		fake, cfg := newFakeS3(t)
		for i := range 9 {
			fake.objects[fmt.Sprintf("k%d", i)] = []byte("x")
		}
		fake.stopsAtStart = ignored
		size := 2
		if ignored {
			size = 0 // without tokens of a next page
		}
		keys, err := listIn(mustOpenConfig(t, cfg), "", "k6x", size)
		if err != nil || !slices.Equal(keys, []string{"k7", "k8"}) {
			t.Errorf("ignored: %t: %q, %v", ignored, keys, err)
		}
	}
}

// The server's own words are in the error.
func TestS3ListRefused(t *testing.T) {
	fake, cfg := newFakeS3(t)
	fake.denied = true
	_, err := listIn(mustOpenConfig(t, cfg), "", "", 0)
	if err == nil || !strings.Contains(err.Error(), "message of AccessDenied") || !strings.Contains(err.Error(), "do not allow") {
		t.Error(err)
	}
}
