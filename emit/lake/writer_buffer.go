package lake

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"millrace/engine/event"
)

// segment is what part of a partition's log a set of objects holds; each of them carries it as
// metadata.
type segment struct {
	// Format is that of the file, as a number above 1, by which a build that does not know its columns
	// refuses it. Files of format 1 have none.
	Format int   `json:"format,omitempty"`
	First  int64 `json:"first"`  // offset of its first record
	Next   int64 `json:"next"`   // offset after its last record
	Before int64 `json:"before"` // rows of the partition in all segments before
	Rows   int64 `json:"rows"`   // rows in all objects of this segment
}

// The strings of a packed row.
const (
	strID = iota
	strSite
	strName
	strURL
	strReferrer
	strUA
	strLanguage
	strScreen
	strCountry
	strRegion
	strCity
	strProps
	strCurrency
	strClient
	strBot
	strCount
)

// packed is a row as the buffer holds it: 128 bytes without a pointer, so that a quarter of a
// million of them are 30 MB and nothing for the garbage collector to follow.
type packed struct {
	time, received    event.Time
	visitor, previous event.Visitor
	amount            event.Money
	engaged           event.Time
	offset            int64
	index             int32
	nonInteractive    bool
	ping, hashRoute   bool
	scroll            event.Percent
	str               [strCount]uint32 // indexes of buffer.table
}

// buffer holds the rows of a segment until it is cut.
type buffer struct {
	rows  []packed
	table []string          // table[0] is ""
	ids   map[string]uint32 // index in table of the strings that may come again
	chunk []byte            // where the table's strings are being copied to
	json  []byte

	groupRows int // rows of a row group; rowGroupRows, but for tests
}

// chunkBytes is the size of the pieces that strings are copied into.
const chunkBytes = 64 << 10

func newBuffer() *buffer {
	b := &buffer{ids: map[string]uint32{}, groupRows: rowGroupRows}
	b.reset()
	return b
}

// reset forgets all rows and keeps the memory of what does not hold strings.
func (b *buffer) reset() {
	clear(b.ids)
	clear(b.table)
	b.rows, b.table, b.chunk = b.rows[:0], append(b.table[:0], ""), nil
}

// add copies an event.
func (b *buffer) add(e *event.Event, offset int64, index int32) {
	b.rows = append(b.rows, packed{
		time: e.Time, received: e.Received,
		visitor: e.Visitor, previous: e.VisitorPrev,
		offset: offset, index: index, nonInteractive: e.NonInteractive,
		ping: e.Ping, engaged: e.Engaged, scroll: e.Scroll, hashRoute: e.HashRoute,
	})
	r := &b.rows[len(b.rows)-1]
	if e.Currency != "" {
		r.amount = e.Amount
	}
	if len(e.Props) > 0 {
		b.json = event.AppendProps(b.json[:0], e.Props)
		r.str[strProps] = b.intern(unsafe.String(unsafe.SliceData(b.json), len(b.json)))
	}
	if e.ID != "" { // unique, or nearly so: not worth an entry in the map
		r.str[strID] = b.append(e.ID)
	}
	r.str[strSite] = b.intern(e.Site)
	r.str[strName] = b.intern(e.Name)
	r.str[strURL] = b.intern(e.URL)
	r.str[strReferrer] = b.intern(e.Referrer)
	r.str[strUA] = b.intern(e.UA)
	r.str[strLanguage] = b.intern(e.Language)
	r.str[strScreen] = b.intern(e.Screen)
	r.str[strCountry] = b.intern(e.Country)
	r.str[strRegion] = b.intern(e.Region)
	r.str[strCity] = b.intern(e.City)
	r.str[strCurrency] = b.intern(e.Currency)
	r.str[strClient] = b.intern(e.Client)
	r.str[strBot] = b.intern(e.Bot)
}

func (b *buffer) intern(s string) uint32 {
	if s == "" {
		return 0
	}
	if id, ok := b.ids[s]; ok {
		return id
	}
	id := b.append(s)
	b.ids[b.table[id]] = id
	return id
}

func (b *buffer) append(s string) uint32 {
	if len(s) > cap(b.chunk)-len(b.chunk) {
		b.chunk = make([]byte, 0, max(chunkBytes, len(s)))
	}
	start := len(b.chunk)
	b.chunk = append(b.chunk, s...)
	// The view stays valid: a chunk's bytes are written once and a full chunk is left, not moved.
	b.table = append(b.table, unsafe.String(&b.chunk[start], len(s)))
	return uint32(len(b.table) - 1)
}

// sortKey orders rows in a file: by site and time, as readers ask for them; what is equal stays in
// order of the log, since rows were added in it.
type sortKey struct {
	hour, time event.Time
	site, row  uint32
}

func (b *buffer) sorted() []sortKey {
	rank := b.siteRanks()
	keys := make([]sortKey, len(b.rows))
	for i := range b.rows {
		r := &b.rows[i]
		keys[i] = sortKey{hour: hourOf(r.time), time: r.time, site: rank[r.str[strSite]], row: uint32(i)}
	}
	slices.SortFunc(keys, func(x, y sortKey) int {
		if c := cmp.Compare(x.hour, y.hour); c != 0 {
			return c
		}
		if c := cmp.Compare(x.site, y.site); c != 0 {
			return c
		}
		if c := cmp.Compare(x.time, y.time); c != 0 {
			return c
		}
		return cmp.Compare(x.row, y.row)
	})
	return keys
}

// siteRanks maps a site's index in the table to its place among the sites.
func (b *buffer) siteRanks() map[uint32]uint32 {
	rank := map[uint32]uint32{}
	for i := range b.rows {
		rank[b.rows[i].str[strSite]] = 0
	}
	sites := make([]uint32, 0, len(rank))
	for id := range rank {
		sites = append(sites, id)
	}
	slices.SortFunc(sites, func(x, y uint32) int { return cmp.Compare(b.table[x], b.table[y]) })
	for i, id := range sites {
		rank[id] = uint32(i)
	}
	return rank
}

// objects encodes the segment, one object for each hour in order, and gives each to put. The body
// is valid until put returns. The objects are a pure function of the rows and the arguments. Of rows that are
// erased or expired they have the places.
func (b *buffer) objects(topic string, partition int32, seg segment, gone erased, expired *Expired, put func(key Key, body []byte) error) error {
	e, err := newEncoder(b)
	if err != nil {
		return err
	}
	e.gone, e.expired = gone, expired
	for keys := b.sorted(); len(keys) > 0; {
		hour := keys[0].hour
		n := slices.IndexFunc(keys, func(k sortKey) bool { return k.hour != hour })
		if n < 0 {
			n = len(keys)
		}
		key := Key{Hour: hour, Topic: topic, Partition: partition, First: seg.First}
		body, err := e.encode(keys[:n], key, seg)
		if err != nil {
			return fmt.Errorf("encode %q: %w", key, err)
		}
		if err := put(key, body); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
