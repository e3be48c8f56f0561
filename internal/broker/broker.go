package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/internal/lockfile"
)

var (
	// ErrLocked: the data folder is open in another process (or elsewhere in this one).
	ErrLocked = errors.New("in use by another process")
	// ErrDamaged: the data folder holds what no crash of the broker leaves behind.
	ErrDamaged = errors.New("damaged")
	// ErrClosed: the broker has been closed.
	ErrClosed = errors.New("broker is closed")
	// ErrForeignAddr: an address was dialed that is not one of the broker's.
	ErrForeignAddr = errors.New("not an address of the embedded broker")
)

const (
	defaultSegmentBytes   = 16 << 20
	minSegmentBytes       = 4 << 10
	maxSegmentBytes       = 1 << 30
	defaultRetentionEvery = 30 * time.Second

	// maxMessageBytes bounds one record batch. Kafka's own 1 MiB is little for a delta full of
	// sketches.
	maxMessageBytes = 16 << 20

	// pairAddr is what an in-process broker advertises. RFC 2606 reserves .invalid: a client that
	// forgets the dialer gets an error from its resolver instead of a connection elsewhere.
	pairAddr = "broker-0.millrace.invalid:9092"
)

// Options of a [Broker]. The zero value is a broker in memory, for tests.
type Options struct {
	// Dir is the data folder, made if missing (mode 0700: the log holds raw events). Empty: memory
	// only.
	Dir string

	// SyncWrites makes each produce request wait for an fsync of every batch in it. Without it
	// nothing is lost when the process is killed (the page cache outlives it), and the last seconds
	// can be lost when the power goes. With it every other client waits during the fsync too: the
	// broker is one goroutine.
	SyncWrites bool

	// Logger gets warnings about the folder, refused requests, write errors. Nil: slog.Default().
	Logger *slog.Logger

	// TCP listens on 127.0.0.1 instead of in process only, for tools and tests that need a port.
	// There is no authentication: every local user can read and write the log.
	TCP bool

	// Port is the TCP port, 0 (any free one) to 65535. Only with TCP.
	Port int

	// SegmentBytes is the size at which a segment of the log is closed and the next begun; 0 is 16
	// MiB, range 4 KiB to 1 GiB. Retention deletes whole segments, hence not larger: an idle
	// partition that sees only ticks takes more than a day to fill one. Not smaller: each segment
	// that was read holds a file open.
	SegmentBytes int64

	// RetentionEvery is how often old segments are looked for; 0 is 30 s, at least 10 ms.
	RetentionEvery time.Duration
}

// Validate reports everything that is wrong with the options, joined, or nil.
func (o Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.SyncWrites && o.Dir == "" {
		bad("sync writes: a broker in memory has nothing to sync")
	}
	if o.Port != 0 && !o.TCP {
		bad("port %d: only with tcp", o.Port)
	}
	if o.Port < 0 || o.Port > 65535 {
		bad("port %d: not in 0..65535", o.Port)
	}
	if s := o.SegmentBytes; s != 0 && (s < minSegmentBytes || s > maxSegmentBytes) {
		bad("segment bytes %d: not in %d..%d", s, minSegmentBytes, maxSegmentBytes)
	}
	if d := o.RetentionEvery; d != 0 && d < 10*time.Millisecond {
		bad("retention every %v: less than 10ms", d)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("broker options: %w", errors.Join(errs...))
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.RetentionEvery == 0 {
		o.RetentionEvery = defaultRetentionEvery
	}
	return o
}

// cluster is what Broker needs of a kfake.Cluster, whose type would have every package that sees a Broker compile kfake's
// generic types once more.
type cluster interface {
	DeleteRecords(topic string, partition int32, offset int64) error
	Close()
}

// Broker is a running broker. Open makes one.
type Broker struct {
	opts    Options
	lock    *lockfile.Lock // nil in memory
	cluster cluster
	ln      *listener
	opened  time.Time
	watch   watch

	stop      chan struct{}
	retention sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open locks and checks the data folder and starts the broker on it. Errors: the options' findings,
// ErrLocked, ErrDamaged, or those of the file system or the port.
func Open(o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	b := &Broker{opts: o, stop: make(chan struct{})}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("create broker folder: %w", err)
		}
		lock, err := lockFolder(o.Dir)
		if err != nil {
			return nil, err
		}
		b.lock = lock
	}
	if err := b.start(); err != nil {
		return nil, errors.Join(err, b.unlock())
	}
	return b, nil
}

func (b *Broker) start() error {
	if b.opts.Dir != "" {
		if err := prepareFolder(b.opts.Dir, b.opts.Logger); err != nil {
			return err
		}
	}
	ln, err := listen(b.opts)
	if err != nil {
		return err
	}
	b.ln, b.opened = ln, time.Now()
	if b.cluster, err = openCluster(b.opts, ln); err != nil {
		return errors.Join(err, ln.Close())
	}
	if b.opts.Dir != "" {
		b.retention.Go(b.retain)
	}
	return b.Remember()
}

// openCluster starts kfake. Its panics are errors here as far as they happen on this goroutine;
// what it loads on goroutines of its own, prepareFolder has checked.
func openCluster(o Options, ln net.Listener) (c *kfake.Cluster, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, damaged(o.Dir, "", "%v", p)
		}
	}()
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(newClusterID()), // of a new folder; an old one keeps its own
		kfake.ListenFn(func(_, _ string) (net.Listener, error) { return ln, nil }),
		kfake.WithLogger(logger{o.Logger}),
		kfake.BrokerConfigs(brokerConfigs(o)),
	}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	if o.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	c, err = kfake.NewCluster(opts...)
	if err != nil && o.Dir != "" {
		return nil, damaged(o.Dir, "", "%v", err)
	}
	return c, err
}

func brokerConfigs(o Options) map[string]string {
	// On disk kfake's own cleaner stays asleep, see the package doc: the Broker trims.
	cleaner := 10 * 365 * 24 * time.Hour
	if o.Dir == "" {
		cleaner = o.RetentionEvery
	}
	return map[string]string{
		"log.segment.bytes":      strconv.FormatInt(o.SegmentBytes, 10),
		"log.cleaner.backoff.ms": strconv.FormatInt(cleaner.Milliseconds(), 10),
		"message.max.bytes":      strconv.Itoa(maxMessageBytes),
		// Committed offsets must outlive a laptop's holidays: without them a group starts over.
		"offsets.retention.minutes": strconv.Itoa(10 * 365 * 24 * 60),
	}
}

func newClusterID() string {
	var id [8]byte
	rand.Read(id[:]) // never fails
	return "millrace-" + hex.EncodeToString(id[:])
}

// Close stops the broker and waits until everything it started has ended and everything written is
// synced. Clients that are still connected get errors. Later calls return what the first did.
func (b *Broker) Close() error {
	b.closeOnce.Do(func() { b.closeErr = b.close() })
	return b.closeErr
}

func (b *Broker) close() error {
	close(b.stop)
	b.retention.Wait() // it calls into the cluster
	// kfake's Close syncs snapshots of the segments, but not the segments. Most are synced before,
	// so that no snapshot is ahead of its segments for longer than the rest takes.
	err := b.sync()
	b.cluster.Close()
	b.ln.wait()
	return errors.Join(err, b.Remember(), b.sync(), b.unlock())
}

func (b *Broker) sync() error {
	if b.opts.Dir == "" {
		return nil
	}
	return syncFolder(b.opts.Dir, b.opened)
}

func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	return b.lock.Close()
}

// Addrs are the addresses to give to clients as seeds, host:port, together with a dialer of this
// broker.
func (b *Broker) Addrs() []string { return []string{b.ln.Addr().String()} }

// DialContext connects to addr, which must be one of Addrs, else ErrForeignAddr; the network is not
// looked at. It fits kgo.Dialer.
func (b *Broker) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	if addr != b.ln.Addr().String() {
		return nil, fmt.Errorf("dial %q: %w (%s)", addr, ErrForeignAddr, b.ln.Addr())
	}
	conn, err := b.ln.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial embedded broker: %w", err)
	}
	return conn, nil
}

// Dialer is DialContext in the shape of golang.org/x/net/proxy.Dialer, for Sarama:
//
//	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, b.Dialer()
func (b *Broker) Dialer() Dialer { return Dialer{b} }

// Dialer connects to its broker and to nothing else.
type Dialer struct{ b *Broker }

// Dial is DialContext without an end.
func (d Dialer) Dial(network, addr string) (net.Conn, error) {
	return d.b.DialContext(context.Background(), network, addr)
}

// DialContext is that of the broker.
func (d Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.b.DialContext(ctx, network, addr)
}

// logger hands kfake's words on. What it calls info is a request it could not handle.
type logger struct{ l *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelInfo:
	default:
		return
	}
	if l.l.Enabled(context.Background(), to) {
		l.l.Log(context.Background(), to, "broker: "+fmt.Sprintf(format, args...))
	}
}
