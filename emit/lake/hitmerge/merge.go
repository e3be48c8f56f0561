package hitmerge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// ErrDouble is wrapped by the error for inputs that have the same row.
var ErrDouble = errors.New("a row is there twice")

// Options say how files are merged.
type Options struct {
	// Table is what the files are of.
	Table *hitfile.Table
	// Joins are resolved in hits: each gets the name that its visit has now. Nil for none.
	Joins hits.Joins
	// Erased, if not nil, says of whom some rows are left out: it returns nil for a visitor of whom none is, and else which they are, by
	// the place of the row: of hits the offset of the record, of visits and joins the name of the visit.
	Erased func(site string, visitor event.Visitor) func(place int64) bool
	// Without, if not nil, says which rows of a file are left out beside: by their time, of visits and joins the beginning, and their place.
	Without func(file int, at event.Time, place int64) bool
	// Level is that of zstd. Default zstd.SpeedDefault: a merged file is kept for long.
	Level zstd.EncoderLevel
	// Pace, if not nil, is called now and then: after some hundred to some thousand rows. It may wait. Its error ends the merge.
	Pace func(ctx context.Context) error
}

// Output is a merged file.
type Output struct {
	// Body is the file, sealed.
	Body []byte
	Rows int64
	// Erased is how many rows were left out. If that is all of them there is no Body.
	Erased int64
	// Without is how many more were left out by Options.Without.
	Without int64
	// MinTime and MaxTime are the first and the last time: of hits, and of the beginnings of visits. Joins have none; a file of nothing
	// but joins has 0.
	MinTime, MaxTime event.Time
	// MinSite and MaxSite are the first and the last site in byte order.
	MinSite, MaxSite string
}

// Merge makes one file of files of a table. Its rows are theirs, in the order of the table; its bytes are a function of the rows, the
// joins and the level, and neither of the order of the files nor of which rows were in which.
func Merge(ctx context.Context, o Options, files []*colfile.File) (*Output, error) {
	m, err := newMerger(o, files)
	if err != nil {
		return nil, fmt.Errorf("merge %d files of %s: %w", len(files), o.Table.Name, err)
	}
	if err := m.run(ctx); err != nil {
		return nil, fmt.Errorf("merge %d files of %s: %w", len(files), o.Table.Name, err)
	}
	return &m.out, nil
}

// row is what orders a row.
type row struct {
	site    string
	visitor uint64 // 0 if there is none
	time    int64
	topic   string
	rest    [3]int64
}

func (x *row) compare(y *row) int {
	if x.site != y.site {
		return strings.Compare(x.site, y.site)
	}
	if x.visitor != y.visitor {
		return cmp.Compare(x.visitor, y.visitor)
	}
	if x.time != y.time {
		return cmp.Compare(x.time, y.time)
	}
	return cmp.Or(strings.Compare(x.topic, y.topic), slices.Compare(x.rest[:], y.rest[:]))
}

// input is a file that is being read: a window of its rows.
type input struct {
	file    *colfile.File
	no      int // its place among the files
	group   int // the next row group
	pages   *colfile.Pages
	columns []colfile.Vector
	rows    int // of the window
	at      int
	head    row // at at
	// remap has, by column and code, the code in the output's row group plus one; 0 is not known yet.
	remap [][]int32
	held  int // bytes of the dictionaries of columns
}

// merger merges files.
type merger struct {
	o      Options
	schema *colfile.Schema
	key    []int // places of the table's key
	visit  int   // place of the column that joins change, -1 for none
	into   int   // place of the column that joins have, -1 for none
	inputs []*input
	heap   []*input // of those that have a row, the first has the least
	writer *colfile.Writer

	group []colfile.Vector   // of the output, being filled
	ids   []map[string]int32 // by column, of group's dictionaries
	rows  int                // of group
	text  int                // bytes of its dictionaries
	held  int                // bytes of the dictionaries that the inputs are at: no more can come to text before the next is loaded
	picks []pick

	erased func(place int64) bool // of the site and visitor that last is of

	slow  bool // the row group's texts get their codes row by row
	last  row
	timed bool // out has a time
	out   Output
}

// pick is a row that is next in the output: where it stands in a window.
type pick struct {
	in  *input
	row int32
}

func newMerger(o Options, files []*colfile.File) (*merger, error) {
	if o.Level == 0 {
		o.Level = zstd.SpeedDefault
	}
	s := o.Table.Schema()
	w, err := colfile.NewWriter(s, o.Table.Options(o.Level))
	if err != nil {
		return nil, err
	}
	m := &merger{o: o, schema: s, visit: -1, into: s.Index("into"), writer: w, group: make([]colfile.Vector, len(s.Columns)), ids: make([]map[string]int32, len(s.Columns))}
	for _, name := range o.Table.Key {
		m.key = append(m.key, s.Index(name))
	}
	if o.Table.Visit != "" && len(o.Joins) > 0 {
		m.visit = s.Index(o.Table.Visit)
	}
	for i := range m.ids {
		m.ids[i] = map[string]int32{}
	}
	for i, f := range files {
		in := &input{file: f, no: i, columns: make([]colfile.Vector, len(s.Columns)), remap: make([][]int32, len(s.Columns))}
		m.inputs = append(m.inputs, in)
	}
	return m, nil
}

func (m *merger) run(ctx context.Context) error {
	for _, in := range m.inputs {
		has, err := m.load(in)
		if err != nil {
			return err
		}
		if has {
			m.heap = append(m.heap, in)
		}
	}
	for i := len(m.heap) / 2; i >= 0; i-- {
		m.sift(i)
	}
	for len(m.heap) > 0 {
		in := m.heap[0]
		if err := m.take(in); err != nil {
			return err
		}
		if in.at++; in.at < in.rows {
			m.key1(in)
		} else {
			m.gather() // before the window is gone
			if err := m.pace(ctx); err != nil {
				return err
			}
			has, err := m.load(in)
			if err != nil {
				return err
			}
			if !has {
				m.heap[0] = m.heap[len(m.heap)-1]
				m.heap = m.heap[:len(m.heap)-1]
			}
		}
		m.sift(0)
	}
	return m.finish()
}

func (m *merger) pace(ctx context.Context) error {
	if m.o.Pace != nil {
		if err := m.o.Pace(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sift puts the input at a place of the heap to where it belongs, downwards.
func (m *merger) sift(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(m.heap); c++ {
			if m.heap[c].head.compare(&m.heap[least].head) < 0 {
				least = c
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// load goes on to the next window of an input, and reports whether there is one.
func (m *merger) load(in *input) (bool, error) {
	for {
		if in.pages == nil {
			if in.group == in.file.Groups() {
				return false, nil
			}
			g, err := in.file.Group(in.group, nil)
			if err != nil {
				return false, err
			}
			if in.pages, err = g.Pages(nil); err != nil {
				return false, err
			}
			in.group++
			for i := range in.remap {
				in.remap[i] = in.remap[i][:0] // of other dictionaries
			}
		}
		rows, err := in.pages.Next(in.columns)
		if errors.Is(err, io.EOF) {
			in.pages = nil
			continue
		}
		if err != nil {
			return false, err
		}
		in.rows, in.at = rows, 0
		m.held -= in.held
		in.held = 0
		for i := range in.columns {
			for _, s := range in.columns[i].Dict {
				in.held += len(s)
			}
			if n := len(in.columns[i].Dict) - len(in.remap[i]); n > 0 {
				in.remap[i] = append(in.remap[i], make([]int32, n)...)
			}
		}
		m.held += in.held
		m.key1(in)
		return true, nil
	}
}

// key1 reads what orders the row that an input is at.
func (m *merger) key1(in *input) {
	text := func(column int) string {
		v := &in.columns[column]
		return v.Dict[v.Codes[in.at]]
	}
	h := &in.head
	h.site, h.topic = text(m.key[0]), text(m.key[3])
	h.visitor, h.time = uint64(in.columns[m.key[1]].Ints[in.at]), in.columns[m.key[2]].Ints[in.at]
	for i, column := range m.key[4:] {
		h.rest[i] = in.columns[column].Ints[in.at]
	}
}

// take takes an input's row as the next of the output.
func (m *merger) take(in *input) error {
	first := m.out.Rows+m.out.Erased+m.out.Without == 0
	if !first {
		switch c := m.last.compare(&in.head); {
		case c == 0:
			return fmt.Errorf("%w: of site %q, visitor %016x, %s, record %d", ErrDouble, in.head.site, in.head.visitor, event.Time(in.head.time), in.head.rest[1])
		case c > 0:
			return fmt.Errorf("%w: a file is not sorted: site %q, visitor %016x comes late", colfile.ErrCorrupt, in.head.site, in.head.visitor)
		}
	}
	if m.o.Erased != nil && (first || m.last.visitor != in.head.visitor || m.last.site != in.head.site) {
		m.erased = m.o.Erased(in.head.site, event.Visitor(in.head.visitor))
	}
	m.last = in.head
	if m.erased != nil && m.erased(in.head.rest[1]) {
		m.out.Erased++
		return nil
	}
	if m.o.Without != nil && m.o.Without(in.no, event.Time(in.head.time), in.head.rest[1]) {
		m.out.Without++
		return nil
	}
	if m.out.Rows == 0 {
		m.out.MinSite = strings.Clone(in.head.site)
	}
	m.out.MaxSite = in.head.site
	m.out.Rows++
	if m.into < 0 || in.columns[m.into].Null[in.at] {
		at := event.Time(in.head.time)
		if !m.timed {
			m.out.MinTime, m.out.MaxTime, m.timed = at, at, true
		}
		m.out.MinTime, m.out.MaxTime = min(m.out.MinTime, at), max(m.out.MaxTime, at)
	}
	if m.text+m.held > hitfile.GroupTextBytes {
		if err := m.careful(in); err != nil {
			return err
		}
	}
	m.picks = append(m.picks, pick{in, int32(in.at)})
	if m.rows++; m.rows == hitfile.RowGroupRows {
		return m.write()
	}
	if len(m.picks) == mostPicks {
		m.gather()
	}
	return nil
}

// mostPicks is how many rows are taken before they are gathered.
const mostPicks = 4096

// careful ends the row group before a row that would bring too much text into it, and gives the row's texts their codes.
func (m *merger) careful(in *input) error {
	if !m.slow {
		m.gather() // codes are given in the order of the rows
		m.slow = true
	}
	more := 0
	for i, v := range in.columns {
		if len(v.Codes) > 0 && v.Codes[in.at] >= 0 && in.remap[i][v.Codes[in.at]] == 0 {
			if s := v.Dict[v.Codes[in.at]]; m.ids[i][s] == 0 {
				more += len(s)
			}
		}
	}
	if m.text+more > hitfile.GroupTextBytes && m.rows > 0 {
		if err := m.write(); err != nil {
			return err
		}
	}
	for i := range in.columns {
		if v := &in.columns[i]; len(v.Codes) > 0 && v.Codes[in.at] >= 0 {
			m.code(in, i, v.Codes[in.at])
		}
	}
	return nil
}

// gather copies the rows that were taken to the output's vectors, column by column.
func (m *merger) gather() {
	for i := range m.schema.Columns {
		c, v := &m.schema.Columns[i], &m.group[i]
		if c.Kind == colfile.Text {
			m.codes(i, v)
			continue
		}
		for _, p := range m.picks {
			v.Ints = append(v.Ints, p.in.columns[i].Ints[p.row])
		}
		if c.Optional {
			for _, p := range m.picks {
				v.Null = append(v.Null, p.in.columns[i].Null[p.row])
			}
		}
		if i == m.visit {
			for k := len(v.Ints) - len(m.picks); k < len(v.Ints); k++ {
				v.Ints[k] = int64(m.o.Joins.Of(visit.ID(v.Ints[k])))
			}
		}
	}
	m.picks = m.picks[:0]
}

// codes is gather for a column of text.
func (m *merger) codes(column int, v *colfile.Vector) {
	for _, p := range m.picks {
		code := p.in.columns[column].Codes[p.row]
		if code >= 0 {
			code = m.code(p.in, column, code)
		}
		v.Codes = append(v.Codes, code)
	}
}

// code returns the code in the output's row group of one in an input's.
func (m *merger) code(in *input, column int, code int32) int32 {
	to := in.remap[column][code]
	if to == 0 {
		s := in.columns[column].Dict[code]
		if to = m.ids[column][s]; to == 0 {
			v := &m.group[column]
			v.Dict = append(v.Dict, s)
			to = int32(len(v.Dict))
			m.ids[column][s] = to
			m.text += len(s)
		}
		in.remap[column][code] = to
	}
	return to - 1
}

// write writes the row group.
func (m *merger) write() error {
	m.gather()
	if m.rows == 0 {
		return nil
	}
	if err := m.writer.RowGroup(m.rows, m.group); err != nil {
		return err
	}
	for i := range m.group {
		v := &m.group[i]
		clear(v.Dict)
		v.Codes, v.Dict, v.Ints, v.Null = v.Codes[:0], v.Dict[:0], v.Ints[:0], v.Null[:0]
		clear(m.ids[i])
	}
	for _, in := range m.inputs {
		for _, codes := range in.remap {
			clear(codes)
		}
	}
	m.rows, m.text, m.slow = 0, 0, false
	return nil
}

// finish ends the file.
func (m *merger) finish() error {
	if err := m.write(); err != nil {
		return err
	}
	rows := int64(0)
	for _, in := range m.inputs {
		rows += in.file.Rows()
	}
	if rows != m.out.Rows+m.out.Erased+m.out.Without {
		return fmt.Errorf("%d rows came out of %d, and %d are left out", m.out.Rows, rows, m.out.Erased+m.out.Without)
	}
	if rows == 0 {
		return errors.New("they have no rows")
	}
	if m.out.Rows == 0 {
		return nil
	}
	m.out.MaxSite = strings.Clone(m.out.MaxSite)
	body, err := m.writer.Close(nil)
	m.out.Body = body
	return err
}
