package blob

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var testObjects = ProbeObjects{
	Prefix: "dt=1970-01-01/hr=10/_progress.probe-", Suffix: ".parquet",
	Body: func(text string) ([]byte, error) { return []byte(text), nil },
}

// A server that is as it should be is left as it was; one that damages or misreports is named.
func TestProbe(t *testing.T) {
	t.Parallel()
	f := func(name string, want error, words string, set func(*fakeS3)) {
		t.Run(name, func(t *testing.T) {
			fake, cfg := newFakeS3(t)
			fake.objects["other"] = []byte("x")
			set(fake)
			report, err := mustOpenConfig(t, cfg).Probe(t.Context(), testObjects)
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Fatalf("%v, want %v", err, want)
			}
			text := strings.Join(report.Notes, "\n")
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, words) || words == "" && text != "" {
				t.Errorf("%s\nwant %q", text, words)
			}
			if len(fake.objects) != 1 || len(report.Left) > 0 {
				t.Errorf("%d objects are there, want 1; left %q: %v", len(fake.objects), report.Left, report.WhyLeft)
			}
			if len(fake.requests) > 18 && !fake.endless {
				t.Errorf("%d requests", len(fake.requests))
			}
		})
	}
	f("as it should be", nil, "", func(*fakeS3) {})
	f("frames in objects", ErrDamages, "frames of the upload", func(f *fakeS3) { f.keepFrames = true })
	f("groups", ErrListing, "groups", func(f *fakeS3) { f.groups = true })
	f("a wrong length", ErrDamages, "gives the length as", func(f *fakeS3) { f.wrongLength = true })
	f("does not replace", ErrDamages, "were put", func(f *fakeS3) { f.staleAfterPut = true })
	f("repeats a page", nil, "continuation tokens", func(f *fakeS3) { f.samePage = true })
	f("never ends", ErrListing, "does not go on", func(f *fakeS3) { f.endless = true })
	f("ignores If-Match", nil, "If-Match", func(f *fakeS3) { f.noIfMatch = true })
}

// Without the right to delete a probe says what it leaves, and the next ones use that again once
// it is old.
func TestProbeWithoutDelete(t *testing.T) {
	fake, cfg := newFakeS3(t)
	fake.noDelete = true
	s := mustOpenConfig(t, cfg)
	for i := range 3 {
		report, err := s.Probe(t.Context(), testObjects)
		if err != nil || len(report.Left) != 2 || report.WhyLeft == nil {
			t.Fatalf("%v, left %q, %v", err, report.Left, report.WhyLeft)
		}
		for _, key := range report.Left {
			if fake.objects[key] == nil {
				t.Errorf("%s is said to be left", key)
			}
		}
		if len(fake.objects) != 2 {
			t.Errorf("%d: %d objects", i, len(fake.objects))
		}
		fake.modified = time.Now().Add(-2 * leftFor)
	}
	fake.noDelete = false
	if report, err := s.Probe(t.Context(), testObjects); err != nil || len(report.Left) > 0 || len(fake.objects) != 0 {
		t.Errorf("with the right to delete: %v, left %q, %d objects", err, report.Left, len(fake.objects))
	}
}

// Probes of several processes at once do not meet, and one that is ended tidies up.
func TestProbesAtOnce(t *testing.T) {
	fake, cfg := newFakeS3(t)
	var wg sync.WaitGroup
	for range 5 {
		s := mustOpenConfig(t, cfg)
		wg.Go(func() {
			if _, err := s.Probe(t.Context(), testObjects); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	ended := testObjects
	ended.Body = func(text string) ([]byte, error) {
		if len(text) < 100 { // the small one, which is made last
			time.AfterFunc(0, cancel)
		}
		return []byte(text), nil
	}
	_, _ = mustOpenConfig(t, cfg).Probe(ctx, ended)
	if len(fake.objects) > 0 {
		t.Errorf("%d objects are left", len(fake.objects))
	}
}

// TestProbeServer probes the server that the other tests of this package use.
func TestProbeServer(t *testing.T) { probeServer(t, "MILLRACE_TEST_S3", nil, "") }

// TestProbeServers probes others, whose addresses are in the environment: what each is known for is
// found.
func TestProbeServers(t *testing.T) {
	f := func(variable string, want error, words string) {
		t.Run(variable, func(t *testing.T) { probeServer(t, variable, want, words) })
	}
	f("MILLRACE_TEST_S3_MOTO", nil, "")
	f("MILLRACE_TEST_S3_S3PROXY", nil, "continuation tokens")
	f("MILLRACE_TEST_S3_S3RVER", ErrDamages, "frames of the upload")
}

func probeServer(t *testing.T, variable string, want error, words string) {
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("set %s=s3://KEY:SECRET@host:port/bucket to test against that server", variable)
	}
	s := mustOpen(t, address).(*S3)
	report, err := s.Probe(t.Context(), testObjects)
	text := strings.Join(report.Notes, "\n")
	if err != nil {
		text += err.Error()
	}
	if !errors.Is(err, want) || (err == nil) != (want == nil) || !strings.Contains(text, words) {
		t.Errorf("%v, notes %q; want %v and %q", err, report.Notes, want, words)
	}
	if err == nil && len(mustList(t, s, testObjects.Prefix, "")) > 0 {
		t.Error("objects are left")
	}
}
