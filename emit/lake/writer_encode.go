package lake

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"millrace/emit/lake/colfile"
	"millrace/engine/event"
)

// fileSchema is the schema of row for package colfile.
var fileSchema = colfile.Lazy(row{})

// fileOptions are the settings of all files.
func fileOptions() colfile.Options {
	return colfile.Options{
		CreatedBy: "millrace version 1 (build lake.v1)", Level: zstd.SpeedDefault, DictionaryBytes: dictionaryBytes,
		Sorted: []string{"site", "ts"}, Index: []string{"site", "ts"},
	}
}

// textColumns are those of the strings of a packed row.
var textColumns = [strCount]string{
	strID: "id", strSite: "site", strName: "name", strURL: "url", strReferrer: "referrer", strUA: "ua", strLanguage: "language", strScreen: "screen",
	strCountry: "country", strRegion: "region", strCity: "city", strProps: "props", strCurrency: "revenue_currency", strClient: "client", strBot: "bot",
}

// numberColumns are how the others get their values: ok is false for a null.
var numberColumns = []struct {
	name  string
	value func(r *packed) (n int64, ok bool)
}{
	{"ts", func(r *packed) (int64, bool) { return int64(r.time), true }},
	{"received", func(r *packed) (int64, bool) { return int64(r.received), true }},
	{"revenue_amount", func(r *packed) (int64, bool) { return int64(r.amount), r.str[strCurrency] != 0 }},
	{"non_interactive", func(r *packed) (int64, bool) { return bit(r.nonInteractive), true }},
	{"ping", func(r *packed) (int64, bool) { return bit(r.ping), true }},
	{"engaged_ms", func(r *packed) (int64, bool) { return int64(r.engaged), r.engaged != 0 }},
	{"scroll_depth", func(r *packed) (int64, bool) { n, ok := r.scroll.Value(); return int64(n), ok }},
	{"hash_route", func(r *packed) (int64, bool) { return bit(r.hashRoute), true }},
	{"source_offset", func(r *packed) (int64, bool) { return r.offset, true }},
	{"source_index", func(r *packed) (int64, bool) { return int64(r.index), true }},
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// encoder writes the objects of a segment, by columns: the buffer has codes of all texts, which become those of the file's dictionaries.
type encoder struct {
	buf     *buffer
	writer  *colfile.Writer
	columns []colfile.Vector // by the schema
	code    []int32          // by index in buf.table: the code in a dictionary, plus one; all 0 between columns
	gone    erased           // whose rows are left out
	expired *Expired         // likewise, of hours that are past a site's retention; nil for none
	had     []place          // of rows of the file that were erased before
	places  []place          // of all that are
}

func newEncoder(b *buffer) (*encoder, error) {
	w, err := colfile.NewWriter(fileSchema(), fileOptions())
	return &encoder{buf: b, writer: w, columns: make([]colfile.Vector, len(fileSchema().Columns)), code: make([]int32, len(b.table))}, err
}

// encode returns a file of the rows that keys name, in their order, sealed. It is valid until the next call.
func (e *encoder) encode(keys []sortKey, key Key, seg segment) ([]byte, error) {
	meta, err := json.Marshal(seg)
	if err != nil {
		return nil, err
	}
	facts := []format.KeyValue{{Key: segmentKey, Value: string(meta)}}
	if keys = e.leaveOut(keys, key.Hour); len(e.places) > 0 {
		facts = append(facts, format.KeyValue{Key: erasedKey, Value: encodePlaces(e.places)})
	}
	e.writer.Reset(nil)
	for len(keys) > 0 {
		n := min(e.buf.groupRows, len(keys))
		e.fill(keys[:n], key)
		if err := e.writer.RowGroup(n, e.columns); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return e.writer.Close(facts)
}

// leaveOut returns the keys of the rows of an hour that are neither erased nor expired, and sets the places of the others. Of a row whose
// visitor had an erased id on the day before, only that id goes.
func (e *encoder) leaveOut(keys []sortKey, hour event.Time) []sortKey {
	e.places = append(e.places[:0], e.had...)
	old := e.expired != nil && past(e.expired.greatest(), hour)
	if len(e.gone) == 0 && !old {
		return keys
	}
	left := make([]sortKey, 0, len(keys))
	for _, k := range keys {
		r := &e.buf.rows[k.row]
		site := e.buf.table[r.str[strSite]]
		if e.gone.row(site, r.visitor, r.received) || old && e.expired.gone(site, hour) {
			e.places = append(e.places, place{r.offset, r.index})
			continue
		}
		if e.gone.row(site, r.previous, r.received) {
			r.previous = 0
		}
		left = append(left, k)
	}
	slices.SortFunc(e.places, comparePlaces)
	return left
}

func comparePlaces(x, y place) int {
	return cmp.Or(cmp.Compare(x.offset, y.offset), cmp.Compare(x.index, y.index))
}

// vector returns that of a column, empty.
func (e *encoder) vector(name string) (*colfile.Vector, *colfile.Column) {
	i := fileSchema().Index(name)
	v := &e.columns[i]
	v.Codes, v.Dict, v.Ints, v.Null = v.Codes[:0], nil, v.Ints[:0], v.Null[:0]
	return v, &fileSchema().Columns[i]
}

// fill makes the vectors of a row group.
func (e *encoder) fill(keys []sortKey, key Key) {
	for str, name := range textColumns {
		e.texts(keys, str, name)
	}
	url := &e.columns[fileSchema().Index("url")]
	hosts, paths := make([]string, len(url.Dict)), make([]string, len(url.Dict))
	for i, u := range url.Dict {
		hosts[i], paths[i] = splitURL(u)
	}
	e.derived("hostname", url.Codes, hosts)
	e.derived("path", url.Codes, paths)
	e.visitors(keys, "visitor", func(r *packed) event.Visitor { return r.visitor })
	e.visitors(keys, "visitor_prev", func(r *packed) event.Visitor { return r.previous })
	for i := range numberColumns {
		c := &numberColumns[i]
		v, column := e.vector(c.name)
		for _, k := range keys {
			n, ok := c.value(&e.buf.rows[k.row])
			if !ok {
				n = 0
			}
			v.Ints = append(v.Ints, n)
			if column.Optional {
				v.Null = append(v.Null, !ok)
			}
		}
	}
	topic, _ := e.vector("source_topic")
	partition, _ := e.vector("source_partition")
	topic.Dict = []string{key.Topic}
	for range keys {
		topic.Codes, partition.Ints = append(topic.Codes, 0), append(partition.Ints, int64(key.Partition))
	}
}

// texts makes the vector of one of the strings. In an optional column "" is a null.
func (e *encoder) texts(keys []sortKey, str int, name string) {
	v, column := e.vector(name)
	for _, k := range keys {
		id := e.buf.rows[k.row].str[str]
		switch {
		case id == 0 && column.Optional:
			v.Codes = append(v.Codes, -1)
			continue
		case e.code[id] == 0:
			v.Dict = append(v.Dict, e.buf.table[id])
			e.code[id] = int32(len(v.Dict))
		}
		v.Codes = append(v.Codes, e.code[id]-1)
	}
	for _, k := range keys {
		e.code[e.buf.rows[k.row].str[str]] = 0
	}
}

// derived makes a vector of values that follow from those of another column, whose codes are given.
func (e *encoder) derived(name string, codes []int32, values []string) {
	v, _ := e.vector(name)
	known, to := map[string]int32{}, make([]int32, len(values))
	for i, s := range values {
		code, ok := known[s]
		if !ok {
			code = int32(len(v.Dict))
			known[s] = code
			v.Dict = append(v.Dict, s)
		}
		to[i] = code
	}
	for _, code := range codes {
		v.Codes = append(v.Codes, to[code])
	}
}

// visitors makes a vector of visitors' digits; 0 is a null.
func (e *encoder) visitors(keys []sortKey, name string, of func(r *packed) event.Visitor) {
	v, _ := e.vector(name)
	known := map[event.Visitor]int32{}
	for _, k := range keys {
		who := of(&e.buf.rows[k.row])
		if who == 0 {
			v.Codes = append(v.Codes, -1)
			continue
		}
		code, ok := known[who]
		if !ok {
			code = int32(len(v.Dict))
			known[who] = code
			v.Dict = append(v.Dict, digitsOf(who))
		}
		v.Codes = append(v.Codes, code)
	}
}

// digitsOf returns the 16 digits of a visitor.
func digitsOf(v event.Visitor) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[v>>(60-4*i)&15]
	}
	return string(b[:])
}
