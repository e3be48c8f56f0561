package influx

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"millrace/emit"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
)

// sender brings lines into InfluxDB, whatever it takes. It is for one goroutine at a time.
type sender struct {
	client *influxdb.Client
	opts   *Options
	stats  *counters
	// fence, if set, is called before each request and stops it with its error.
	fence  func() error
	outage outage
	wait   atomic.Pointer[wait] // nil while no request is under way
	zbuf   bytes.Buffer
	zw     *gzip.Writer
}

// deliver writes lines, at most MaxLines and MaxBytes in a request. It returns nil when each of
// them is written or is a dead letter, else the error of ctx, of the fence or of the dead letter.
func (s *sender) deliver(ctx context.Context, lines []byte) error {
	for len(lines) > 0 {
		n := cut(lines, s.opts.MaxLines, s.opts.MaxBytes)
		if err := s.deliverOne(ctx, lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// deliverOne writes one request's worth of lines. What the server refuses is halved until the
// points that it refuses stand alone, and the rest is written: 2·log2(n) requests for one bad
// point. Whether the server wrote the good ones of a refused request (1.x and 3.x do, after
// parsing) does not matter, writing is idempotent.
func (s *sender) deliverOne(ctx context.Context, lines []byte) error {
	err := s.persist(ctx, sort, func() error { return s.post(ctx, lines) })
	if err == nil {
		s.stats.points.Add(int64(countLines(lines)))
		return nil
	}
	var f *finalError
	if !errors.As(err, &f) {
		return err
	}
	n := countLines(lines)
	if n == 1 {
		if all := s.stats.rejected.Add(1); all&(all-1) == 0 { // the 1st, 2nd, 4th, 8th, ...
			s.opts.Log.Warn("InfluxDB refuses points; they become dead letters, with the reason", "points so far", all, "status", statusOf(f.err))
		}
		return s.bury(ctx, f.err, "", bytes.Clone(bytes.TrimSuffix(lines, []byte("\n"))))
	}
	half := cut(lines, n/2, len(lines))
	if err := s.deliverOne(ctx, lines[:half]); err != nil {
		return err
	}
	return s.deliverOne(ctx, lines[half:])
}

// statusOf returns the status of an answer. Its text may repeat the point, with what visitors sent,
// and is not logged.
func statusOf(err error) int {
	var status *influxdb.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

func (s *sender) bury(ctx context.Context, reason error, key string, line []byte) error {
	return s.opts.Dead(ctx, deadletter.Letter{
		Topic: emit.Topic, Partition: NoOffset, Offset: NoOffset, Reason: reason.Error(), Key: key, Value: line,
	})
}

// finalError is an error that repeating does not cure.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// persist calls try until it succeeds or its failure is final: rejected, too large, or ctx at its
// end.
func (s *sender) persist(ctx context.Context, sort func(error) failure, try func() error) error {
	backoff := s.opts.MinBackoff
	began := time.Now()
	s.wait.Store(&wait{since: began})
	defer s.wait.Store(nil)
	for created := false; ; {
		if s.fence != nil {
			if err := s.fence(); err != nil {
				return err
			}
		}
		err := try()
		if err == nil {
			s.outage.end(s.opts.Log)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		kind := sort(err)
		if kind == rejected || kind == tooLarge {
			return &finalError{err}
		}
		s.stats.retries.Add(1)
		s.wait.Store(&wait{began, err})
		if !created && influxdb.NoDatabase(err) {
			if created = s.createDatabase(ctx); created {
				continue
			}
		}
		s.outage.note(s.opts.Log, kind, err)
		pause := backoff/2 + rand.N(backoff/2+1)
		var status *influxdb.StatusError
		if errors.As(err, &status) && status.RetryAfter > 0 {
			pause = min(status.RetryAfter, maxRetryAfter)
		}
		backoff = min(2*backoff, s.opts.MaxBackoff)
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// createDatabase reports whether it did: 1.x can, 2.x and 3.x have other ways, and rights may be
// missing.
func (s *sender) createDatabase(ctx context.Context) bool {
	if s.opts.DB.V2() {
		return false
	}
	if err := s.client.CreateDatabase(ctx); err != nil {
		s.opts.Log.Debug("create database", "db", s.opts.DB.String(), "err", err)
		return false
	}
	s.opts.Log.Info("created database", "db", s.opts.DB.String())
	return true
}

// compressFrom is the size from which compression pays for itself.
const compressFrom = 1 << 10

func (s *sender) post(ctx context.Context, lines []byte) error {
	s.stats.requests.Add(1)
	if s.opts.PlainText || len(lines) < compressFrom {
		return s.client.Write(ctx, lines, "")
	}
	s.zbuf.Reset()
	if s.zw == nil {
		// The fastest level: lines repeat their tags and shrink to a sixth at any level; sketches
		// don't shrink.
		s.zw, _ = gzip.NewWriterLevel(&s.zbuf, gzip.BestSpeed)
	}
	s.zw.Reset(&s.zbuf)
	if _, err := s.zw.Write(lines); err != nil {
		return err
	}
	if err := s.zw.Close(); err != nil {
		return err
	}
	// The transport may still read the body of a request that was cut off: it gets a copy of its
	// own.
	return s.client.Write(ctx, bytes.Clone(s.zbuf.Bytes()), "gzip")
}

// cut returns the length of the longest run of whole lines at the front that is within both bounds;
// at least one line.
func cut(lines []byte, maxLines, maxBytes int) int {
	n := 0
	for range maxLines {
		i := bytes.IndexByte(lines[n:], '\n')
		if i < 0 {
			i = len(lines) - n - 1
		}
		if n > 0 && n+i+1 > maxBytes {
			break
		}
		n += i + 1
		if n == len(lines) {
			break
		}
	}
	return n
}

func countLines(b []byte) int {
	n := bytes.Count(b, []byte("\n"))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}

// complainEvery is how often an outage is logged.
const complainEvery = time.Minute

// outage logs a series of failures: its start, a line each minute, its end.
type outage struct {
	since, logged time.Time
	kind          failure
	tries         int
}

func (o *outage) note(log *slog.Logger, kind failure, err error) {
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	o.tries++
	if o.tries > 1 && kind == o.kind && now.Sub(o.logged) < complainEvery {
		return
	}
	o.kind, o.logged = kind, now
	log.Warn("InfluxDB does not take the rollups; they wait in Kafka until it does",
		"state", kind.String(), "err", err, "tries", o.tries, "for", now.Sub(o.since).Round(time.Second))
}

func (o *outage) end(log *slog.Logger) {
	if o.tries > 0 {
		log.Info("InfluxDB takes the rollups again", "tries", o.tries, "after", time.Since(o.since).Round(time.Second))
	}
	*o = outage{}
}
