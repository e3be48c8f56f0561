package influx

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
)

// DeadLetter puts a letter where it is not lost. It returns when that is done, and fails only for
// good: the commit waits for it. Letters of a Sink hold a point that InfluxDB refuses, as a line,
// with [NoOffset] for the coordinates it once had. It is called by one goroutine at a time per
// Sink.
type DeadLetter func(ctx context.Context, l deadletter.Letter) error

// NoOffset is the partition and the offset of a letter that holds a point and not a record.
const NoOffset = -1

// Options of a Sink.
type Options struct {
	// DB is the database. Required.
	DB influxdb.Config
	// Dead takes refused points. Required.
	Dead DeadLetter
	// Log takes what an operator should know: an outage at its start, once a minute and at its end.
	// Required.
	Log *slog.Logger

	// MaxLines and MaxBytes bound one request, before compression. Defaults 5,000, the size
	// InfluxData advises, and 4 MiB: far below the 25 MB that 1.x takes, and small enough that a
	// 413 is rare. A single line may be larger.
	MaxLines, MaxBytes int
	// Timeout bounds one request. Default 30 s: InfluxDB gives up on a write by itself after 10 s.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure, which doubles from one to the
	// other and is cut by a random part. Defaults 100 ms and 20 s.
	MinBackoff, MaxBackoff time.Duration
	// PlainText turns compression off.
	PlainText bool
	// Transport makes the requests; nil is TCP.
	Transport http.RoundTripper
}

// maxRetryAfter is the longest pause that a server is granted. A longer one is taken for a mistake:
// a clock, milliseconds for seconds.
const maxRetryAfter = 15 * time.Minute

func (o *Options) setDefaults() error {
	var errs []error
	if err := o.DB.Validate(); err != nil {
		errs = append(errs, err)
	}
	if o.Dead == nil {
		errs = append(errs, errors.New("influx sink: no dead letter"))
	}
	if o.Log == nil {
		errs = append(errs, errors.New("influx sink: no log"))
	}
	if o.MaxLines < 0 || o.MaxBytes < 0 || o.Timeout < 0 || o.MinBackoff < 0 || o.MaxBackoff < 0 {
		errs = append(errs, errors.New("influx sink: negative bound"))
	}
	def(&o.MaxLines, 5000)
	def(&o.MaxBytes, 4<<20)
	def(&o.Timeout, 30*time.Second)
	def(&o.MinBackoff, 100*time.Millisecond)
	def(&o.MaxBackoff, max(20*time.Second, o.MinBackoff))
	return errors.Join(errs...)
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
