package geo

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"millrace/ingest/enrich"
)

// Options of a DB.
type Options struct {
	// CheckEvery is how often the file is looked at. Default 30 s: such files are replaced once a week, and whoever does it
	// by hand waits a minute.
	CheckEvery time.Duration
	// Log takes what was read, and why a new file is not used. Default: nothing is logged.
	Log *slog.Logger
}

// DB is a database that follows its file.
type DB struct {
	path    string
	opts    Options
	current atomic.Pointer[table]

	// Of the goroutine that follows the file: what it saw last, and what it does not use.
	seen, refused os.FileInfo
	gone          bool

	stop    chan struct{}
	stopped sync.WaitGroup
	close   sync.Once
}

// Open reads a file and follows its changes until Close.
func Open(path string, o Options) (*DB, error) {
	if o.CheckEvery <= 0 {
		o.CheckEvery = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{path: path, opts: o, stop: make(chan struct{})}
	if err := d.load(); err != nil {
		return nil, fmt.Errorf("open geo database %q: %w", path, err)
	}
	d.stopped.Go(d.follow)
	return d, nil
}

// Close stops following the file. Lookups go on with what was read.
func (d *DB) Close() error {
	d.close.Do(func() { close(d.stop) })
	d.stopped.Wait()
	return nil
}

// Place returns where a public address is; it implements enrich.Places.
func (d *DB) Place(addr netip.Addr) enrich.Place {
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return enrich.Place{}
	}
	return d.current.Load().place(addr)
}

// RegionName returns the English name of a region by its code of ISO 3166-2, "" where the file has none.
func (d *DB) RegionName(code string) string { return d.current.Load().regions[code] }

// CityName returns the English name of a city by its GeoNames id, "" where the file has none.
func (d *DB) CityName(id string) string { return d.current.Load().cities[id] }

// load reads the file and puts it in use.
func (d *DB) load() error {
	began := time.Now()
	t, err := load(d.path)
	if err != nil {
		return err
	}
	d.current.Store(t)
	m := &t.reader.Metadata
	d.opts.Log.Info("geo database read", "file", d.path, "type", m.DatabaseType, "built", m.BuildTime().UTC().Format(time.DateOnly),
		"knows", t.knows(), "named regions", len(t.regions), "named cities", len(t.cities), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

func (t *table) knows() string {
	var list []string
	for _, has := range []struct {
		what string
		it   bool
	}{{"country", t.hasCountry}, {"region", t.hasRegion}, {"city", t.hasCity}} {
		if has.it {
			list = append(list, has.what)
		}
	}
	return strings.Join(list, ", ")
}

func (d *DB) follow() {
	t := time.NewTicker(d.opts.CheckEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			d.check()
		case <-d.stop:
			return
		}
	}
}

// check reads the file again if it is another one than is in use, and has not changed since the last check.
func (d *DB) check() {
	now, err := os.Stat(d.path)
	if err != nil {
		if !d.gone {
			d.opts.Log.Error("geo database can't be looked at, the one that was read stays in use", "file", d.path, "err", bare(err))
		}
		d.gone = true
		return
	}
	d.gone = false
	last := d.seen
	d.seen = now
	if same(now, d.current.Load().file) || same(now, d.refused) || !same(now, last) {
		return
	}
	if err := d.load(); err != nil {
		d.refused = now
		d.opts.Log.Error("geo database is not used, the one that was read before stays in use", "file", d.path, "err", err)
	}
}

// same tells whether nothing was done to a file between two looks; nil is no file.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
