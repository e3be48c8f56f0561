package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options configure a Client. The zero value of a field means its default.
type Options struct {
	// URL is the address of the collector, such as "https://stats.example.com", with the path at which
	// a proxy has it, if it does. Needed.
	URL string
	// Site is the site of events that name none. Default "": each has to name its own.
	Site string
	// Key is a write key of the collector. Default "": the collector has to run on this machine, and
	// without --no-loopback-trust; it refuses the events otherwise.
	Key string

	// BatchEvents is the most events of a request, 1 to 1,000, which is what the collector takes.
	// Default 500.
	BatchEvents int
	// BatchWait is how long an event waits for more to be sent with it, 1 ms to 1 h. Default 1 s. A
	// request is sent earlier when it has BatchEvents or 512 KiB.
	BatchWait time.Duration
	// MaxPendingBytes bounds the events that are kept, those being sent among them, as they are encoded
	// and with 128 bytes for each: at least 64 KiB. Beside it there is one request, of at most 512 KiB.
	// Default 16 MiB, some 50,000 page views. What is over it is not taken: Track returns ErrFull.
	MaxPendingBytes int64

	// TrustedProxies are the networks whose X-Forwarded-For and X-Forwarded-Proto FromRequest believes.
	// Default none: the address of a visitor is that of the connection.
	TrustedProxies []netip.Prefix

	// OnError is called with events that were given up, and why: a *Refusal, or ErrClosed in what
	// Close's context ended before. It runs on the goroutine that sends, which waits for it: it may call
	// Track, but neither Flush nor Close. Default nil: they are counted in Stats and, with a Log, logged.
	OnError func(events []Event, err error)
	// Log takes what an operator should know: that the collector can't be reached and is again, and what
	// was given up. Default: nothing is logged.
	Log *slog.Logger
	// HTTPClient makes the requests. It follows no redirects, whatever its CheckRedirect says. Default: a
	// client of its own, with the proxies of the environment.
	HTTPClient *http.Client
}

// Bounds of what may be set, and the sizes that are fixed.
const (
	mostBatchEvents = 1000
	leastBatchWait  = time.Millisecond
	mostBatchWait   = time.Hour
	leastPending    = 64 << 10

	// mostBody is the most bytes of a request: half of what a collector takes by default (--max-body),
	// and more than an event has of which each field is as long as it may be.
	mostBody = 512 << 10
	// itemOverhead is what an event takes beside its encoding.
	itemOverhead = 128
)

// withDefaults returns a copy with defaults filled in.
func (o Options) withDefaults() Options {
	if o.BatchEvents == 0 {
		o.BatchEvents = 500
	}
	if o.BatchWait == 0 {
		o.BatchWait = time.Second
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = 16 << 20
	}
	if o.OnError == nil {
		o.OnError = func([]Event, error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports everything that is wrong with the options, defaults filled in, as one error.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch u, err := url.Parse(o.URL); {
	case o.URL == "":
		bad("URL: is needed")
	case err != nil:
		bad("URL: %w", err)
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		bad("URL: %q is not an address such as https://stats.example.com", o.URL)
	case u.RawQuery != "" || u.Fragment != "":
		bad("URL: %q has a query or a fragment", o.URL)
	}
	if strings.ContainsFunc(o.Key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		bad("Key: has a character that no key has, such as a line end")
	}
	if o.BatchEvents < 1 || o.BatchEvents > mostBatchEvents {
		bad("BatchEvents: %d is not between 1 and %d", o.BatchEvents, mostBatchEvents)
	}
	if o.BatchWait < leastBatchWait || o.BatchWait > mostBatchWait {
		bad("BatchWait: %v is not between %v and %v", o.BatchWait, leastBatchWait, mostBatchWait)
	}
	if o.MaxPendingBytes < leastPending {
		bad("MaxPendingBytes: %d is less than %d", o.MaxPendingBytes, leastPending)
	}
	for i, p := range o.TrustedProxies {
		if !p.IsValid() {
			bad("TrustedProxies[%d]: not a network", i)
		} else if p.Bits() == 0 {
			bad("TrustedProxies[%d]: %s trusts everybody's X-Forwarded-For", i, p)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("client options: %w", err)
	}
	return nil
}
