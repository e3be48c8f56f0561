package lake

import (
	"fmt"
	"strings"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"millrace/engine/event"
)

// row is the schema of the lake's files; only its type is used. The package comment documents the
// columns for readers.
//
// Strings that repeat have dictionaries; the others are compressed as they are. A column whose
// dictionary would outgrow dictionaryBytes is plain in that row group, so that one of unique
// addresses costs no table of them all.
type row struct {
	ID              string `parquet:"id"`
	Site            string `parquet:"site,dict"`
	Name            string `parquet:"name,dict"`
	Time            int64  `parquet:"ts,timestamp(millisecond),delta"`
	Received        int64  `parquet:"received,timestamp(millisecond),delta"`
	Visitor         string `parquet:"visitor,optional,dict"`
	VisitorPrev     string `parquet:"visitor_prev,optional,dict"`
	URL             string `parquet:"url,dict"`
	Hostname        string `parquet:"hostname,dict"`
	Path            string `parquet:"path,dict"`
	Referrer        string `parquet:"referrer,dict"`
	UA              string `parquet:"ua,dict"`
	Language        string `parquet:"language,dict"`
	Screen          string `parquet:"screen,dict"`
	Country         string `parquet:"country,dict"`
	Region          string `parquet:"region,dict"`
	City            string `parquet:"city,dict"`
	Props           string `parquet:"props,optional,dict"`
	RevenueAmount   *int64 `parquet:"revenue_amount,optional,decimal(4:18)"`
	RevenueCurrency string `parquet:"revenue_currency,dict"`
	NonInteractive  bool   `parquet:"non_interactive"`
	Ping            bool   `parquet:"ping"`
	Engaged         *int64 `parquet:"engaged_ms,optional"`
	Scroll          *int32 `parquet:"scroll_depth,optional"`
	HashRoute       bool   `parquet:"hash_route"`
	Client          string `parquet:"client,dict"`
	Bot             string `parquet:"bot,dict"`
	Topic           string `parquet:"source_topic,dict"`
	Partition       int32  `parquet:"source_partition,dict"`
	Offset          int64  `parquet:"source_offset,delta"`
	Index           int32  `parquet:"source_index,delta"`
}

const (
	// rowGroupRows bounds a row group: a reader holds a column of one at a time. A segment that is
	// cut at the default MaxRows is one row group.
	rowGroupRows = 256 << 10
	// dictionaryBytes bounds a dictionary, which a reader needs whole before the first value.
	dictionaryBytes = 1 << 20
	// segmentKey is where a file's metadata has the facts about its segment, as JSON.
	segmentKey = "millrace.segment"
)

// schema returns the schema of row; it is cheap, because the library caches it by type.
func schema() *pq.Schema { return pq.SchemaOf(row{}) }

// splitURL returns the host, in lower case and without a port, and the path, as sent, of an
// address. An address without "//" is a path. Neither is validated: the columns are a convenience
// for SQL, and url beside them is what was sent.
func splitURL(u string) (host, path string) {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	_, rest, found := strings.Cut(u, "//")
	if !found {
		return "", u
	}
	host, path = rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.ToLower(host), path
}

func parseHour(date, hour string) (event.Time, error) {
	t, err := time.Parse("2006-01-02 15", date+" "+hour)
	if err != nil {
		return 0, fmt.Errorf("hour %s %s: %w", date, hour, err)
	}
	return event.TimeOf(t), nil
}
