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

	"millrace/ingest/identity"
)

// Options of a DB.
type Options struct {
	// CheckEvery is how often the file is looked at. Default 30 s: such files are replaced once a week, and whoever does it
	// by hand waits a minute.
	CheckEvery time.Duration
	// Log takes what was read, and why a new file is not used. Default: nothing is logged.
	Log *slog.Logger
}

// DB is one or more databases that follow their files.
type DB struct {
	files []*file // in the order in which they are asked
	opts  Options

	stop    chan struct{}
	stopped sync.WaitGroup
	close   sync.Once
}

// file is a database and the file that it follows.
type file struct {
	path    string
	log     *slog.Logger
	current atomic.Pointer[table]

	// Of the goroutine that follows the files: what it saw last, and what it does not use.
	seen, refused os.FileInfo
	gone          bool
}

// Open reads files and follows their changes until Close. Of several, each fills in what those before it do
// not know of an address: a file of cities after one of countries, say, or one of IPv6 after one of IPv4.
// REQUIRES: at least one path.
func Open(paths []string, o Options) (*DB, error) {
	if o.CheckEvery <= 0 {
		o.CheckEvery = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{opts: o, stop: make(chan struct{})}
	for _, path := range paths {
		f := &file{path: path, log: o.Log}
		if err := f.load(); err != nil {
			return nil, fmt.Errorf("open geo database %q: %w", path, err)
		}
		d.files = append(d.files, f)
	}
	d.stopped.Go(d.follow)
	return d, nil
}

// Close stops following the files. Lookups go on with what was read.
func (d *DB) Close() error {
	d.close.Do(func() { close(d.stop) })
	d.stopped.Wait()
	return nil
}

// Place returns where a public address is; it implements identity.Places.
func (d *DB) Place(addr netip.Addr) identity.Place {
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return identity.Place{}
	}
	p := d.files[0].current.Load().place(addr)
	for _, f := range d.files[1:] {
		if p.Country != "" && p.Region != "" && p.City != "" {
			break
		}
		p = filledIn(p, f.current.Load().place(addr))
	}
	return p
}

// filledIn returns p with what q knows beyond it. What contradicts p is left out: the city of one file may
// lie in another country or region than the other file's.
func filledIn(p, q identity.Place) identity.Place {
	if p == (identity.Place{}) {
		return q
	}
	if p.Country != q.Country {
		return p
	}
	if p.Region == "" && (p.City == "" || p.City == q.City) {
		p.Region = q.Region
	}
	if p.City == "" && (q.Region == "" || q.Region == p.Region) {
		p.City = q.City
	}
	return p
}

// RegionName returns the English name of a region by its code of ISO 3166-2, "" where no file has it.
func (d *DB) RegionName(code string) string {
	for _, f := range d.files {
		if name := f.current.Load().regions[code]; name != "" {
			return name
		}
	}
	return ""
}

// CityName returns the English name of a city by its GeoNames id, "" where no file has it.
func (d *DB) CityName(id string) string {
	for _, f := range d.files {
		if name := f.current.Load().cities[id]; name != "" {
			return name
		}
	}
	return ""
}

// load reads the file and puts it in use.
func (f *file) load() error {
	began := time.Now()
	t, err := load(f.path)
	if err != nil {
		return err
	}
	f.current.Store(t)
	m := &t.reader.Metadata
	f.log.Info("geo database read", "file", f.path, "type", m.DatabaseType, "built", m.BuildTime().UTC().Format(time.DateOnly),
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
			for _, f := range d.files {
				f.check()
			}
		case <-d.stop:
			return
		}
	}
}

// check reads the file again if it is another one than is in use, and has not changed since the last check.
func (f *file) check() {
	now, err := os.Stat(f.path)
	if err != nil {
		if !f.gone {
			f.log.Error("geo database can't be looked at, the one that was read stays in use", "file", f.path, "err", bare(err))
		}
		f.gone = true
		return
	}
	f.gone = false
	last := f.seen
	f.seen = now
	if same(now, f.current.Load().file) || same(now, f.refused) || !same(now, last) {
		return
	}
	if err := f.load(); err != nil {
		f.refused = now
		f.log.Error("geo database is not used, the one that was read before stays in use", "file", f.path, "err", err)
	}
}

// same tells whether nothing was done to a file between two looks; nil is no file.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
