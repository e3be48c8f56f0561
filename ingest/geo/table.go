package geo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"

	"millrace/ingest/identity"
	"millrace/internal/smallfile"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 2 << 30

// table is a file that has been read.
type table struct {
	file    os.FileInfo
	reader  *maxminddb.Reader
	regions map[string]string // names by code
	cities  map[string]string // names by GeoNames id
	// what at least one record has
	hasCountry, hasRegion, hasCity bool

	// recent are places by a hash of where their record is in the file: many networks share a record, and most visitors come from
	// a few thousand of them. A hit costs a third of a miss and allocates nothing.
	recent [1 << recentBits]atomic.Pointer[recentPlace]
}

const recentBits = 12

type recentPlace struct {
	at uintptr // the record's offset
	identity.Place
}

// load reads a file, and every record in it.
func load(path string) (*table, error) {
	t := new(table)
	data, err := t.read(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return nil, errors.New("it is compressed: unpack it first")
	}
	if t.reader, err = maxminddb.OpenBytes(data); err != nil {
		return nil, fmt.Errorf("it is no MaxMind DB file, or cut short: %w", err)
	}
	if err := t.walk(len(data)); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if !t.hasCountry && !t.hasRegion && !t.hasCity {
		return nil, fmt.Errorf("it is of the type %q, whose records name neither country nor region nor city: use one of cities", t.reader.Metadata.DatabaseType)
	}
	return t, nil
}

func (t *table) read(path string) ([]byte, error) {
	f, err := smallfile.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	if t.file, err = f.Stat(); err != nil {
		return nil, bare(err)
	}
	size := t.file.Size()
	switch {
	case !t.file.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case size > maxFile:
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", size, int64(maxFile))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read it: %w", bare(err))
	}
	return data, nil
}

// bare takes the path out of an error, which the caller names.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// walk reads every record of a file of so many bytes, once, for the names in it and to know that it can be read.
func (t *table) walk(size int) error {
	t.regions, t.cities = map[string]string{}, map[string]string{}
	seen := make([]uint64, size/64+1) // a bit for each offset
	// A tree has one leaf more than nodes. Where there are many more it is damaged: if each node led to the next by both
	// branches, a hundred nodes would be enough for never getting through.
	leaves := 2*t.reader.Metadata.NodeCount + 1024
	for result := range t.reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if leaves--; leaves == 0 {
			return errors.New("the search tree has more leaves than it can have")
		}
		if err := result.Err(); err != nil {
			return err
		}
		if !result.Found() {
			continue
		}
		at := result.Offset()
		if at/64 < uintptr(len(seen)) {
			if seen[at/64]&(1<<(at%64)) != 0 {
				continue
			}
			seen[at/64] |= 1 << (at % 64)
		}
		r := record{names: true}
		if err := result.Decode(&r); err != nil {
			return fmt.Errorf("network %s: %w", result.Prefix(), err)
		}
		t.learn(&r)
	}
	return nil
}

// learn takes the names of a record. Of several for one code the first stays.
func (t *table) learn(r *record) {
	p := r.place()
	t.hasCountry = t.hasCountry || p.Country != ""
	t.hasRegion = t.hasRegion || p.Region != ""
	t.hasCity = t.hasCity || p.City != ""
	learn(t.regions, p.Region, r.region.name)
	if r.city.id != 0 {
		learn(t.cities, p.City, r.city.name)
	}
}

func learn(names map[string]string, code, name string) {
	if code == "" || name == "" {
		return
	}
	if _, ok := names[code]; !ok {
		names[code] = identity.Clean(name, identity.MaxCity)
	}
}

// place looks an address up. A record that can't be read says nothing: walk has seen that there is none.
func (t *table) place(addr netip.Addr) identity.Place {
	if t.reader.Metadata.IPVersion == 4 && !addr.Is4() {
		return identity.Place{} // a tree of 32 bits leads every longer address somewhere
	}
	result := t.reader.Lookup(addr)
	if !result.Found() {
		return identity.Place{}
	}
	at := result.Offset()
	slot := &t.recent[uint64(at)*0x9e3779b97f4a7c15>>(64-recentBits)]
	if p := slot.Load(); p != nil && p.at == at {
		return p.Place
	}
	var r record
	if result.Decode(&r) != nil {
		return identity.Place{}
	}
	p := r.place()
	slot.Store(&recentPlace{at, p})
	return p
}
