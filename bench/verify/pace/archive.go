package pace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/bench"
	"millrace/emit/lake"
	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	of "millrace/engine/visit"
	"millrace/internal/blob"
)

const day = 24 * event.Hour

// made is what an archive consists of, as it stands in its folder.
type made struct {
	What string
	hitread.List
	// Rows are the numbers of hits, by site.
	Rows map[string]int
}

// List implements hitread.Lister.
func (m *made) list() *hitread.List { return &m.List }

// segmentEvents is how many events a file has before it is merged.
const segmentEvents = 20_000

// segments takes the hits and visits of a ledger, and makes a file of each day of them now and then.
type segments struct {
	rows   map[string]*int
	hits   map[event.Time]*hitfile.Buffer
	visits map[event.Time]*hitfile.VisitBuffer
	joins  hits.Joins
	// Files, not merged yet, by table and day.
	files map[*hitfile.Table]map[event.Time][]*colfile.File
}

// Hit implements hits.Sink.
func (s *segments) Hit(h *hits.Hit) {
	at := h.VisitBegan
	if h.Visit == 0 {
		at = h.Time
	}
	at = at.Floor(day)
	if s.hits[at] == nil {
		s.hits[at] = hitfile.NewBuffer()
	}
	s.hits[at].Hit(h)
	n := s.rows[h.Site]
	if n == nil { // a map would keep the text of the last one, which is the ledger's
		n = new(int)
		s.rows[strings.Clone(h.Site)] = n
	}
	*n++
}

// Visit implements hits.Sink.
func (s *segments) Visit(v *of.Visit) { s.visitsOf(v.Begin).Visit(v) }

// Join implements hits.Sink.
func (s *segments) Join(j hits.Join) {
	s.visitsOf(j.Begin).Join(j)
	s.joins.Add(j)
}

func (s *segments) visitsOf(at event.Time) *hitfile.VisitBuffer {
	at = at.Floor(day)
	if s.visits[at] == nil {
		s.visits[at] = hitfile.NewVisitBuffer(event.Topic, 0)
	}
	return s.visits[at]
}

// flush makes files of what there is.
func (s *segments) flush() error {
	for at, b := range s.hits {
		if err := s.file(hitfile.Hits, at, b.Len(), b.Encode); err != nil {
			return err
		}
		b.Reset()
	}
	for at, b := range s.visits {
		if err := s.file(hitfile.Visits, at, b.Len(), b.Encode); err != nil {
			return err
		}
		b.Reset()
	}
	return nil
}

func (s *segments) file(t *hitfile.Table, at event.Time, rows int, encode func(*bytes.Buffer) error) error {
	if rows == 0 {
		return nil
	}
	var out bytes.Buffer
	if err := encode(&out); err != nil {
		return err
	}
	f, err := t.Open(t.Name, bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		return err
	}
	if s.files[t] == nil {
		s.files[t] = map[event.Time][]*colfile.File{}
	}
	s.files[t][at] = append(s.files[t][at], f)
	return nil
}

// merge makes one file of each day, and puts it into the store.
func (s *segments) merge(ctx context.Context, store blob.Store, t *hitfile.Table) ([]hitread.File, error) {
	var list []hitread.File
	for at, files := range s.files[t] {
		out, err := hitmerge.Merge(ctx, hitmerge.Options{Table: t, Joins: s.joins}, files)
		if err != nil {
			return nil, err
		}
		key := fmt.Sprintf("%s/%s-0/dt=%s/day.parquet", t.Name, event.Topic, at.Std().Format(time.DateOnly))
		if err := store.Put(ctx, key, out.Body); err != nil {
			return nil, err
		}
		list = append(list, hitread.File{
			Key: key, Size: int64(len(out.Body)), MinTime: out.MinTime, MaxTime: out.MaxTime, MinSite: out.MinSite, MaxSite: out.MaxSite, Day: at,
		})
	}
	slices.SortFunc(list, func(x, y hitread.File) int { return int((x.Day - y.Day) / day) })
	return list, nil
}

// archive returns the archive in a folder, which it makes if it is not there.
func (o *Options) archive(ctx context.Context, store blob.Store) (*made, error) {
	m := &made{}
	index := filepath.Join(o.Dir, "made.json")
	what := fmt.Sprintf("%d events, %d days, %d sites, seed %d", o.Events, o.Days, o.Sites, o.Seed)
	if o.Count != nil {
		what += ", with rollups"
	}
	text, err := os.ReadFile(index)
	if err == nil {
		err = json.Unmarshal(text, m)
	}
	if err == nil && m.What != what {
		return nil, fmt.Errorf("folder %s is of %s: name another one", o.Dir, m.What)
	}
	if err == nil || !os.IsNotExist(err) {
		return m, err
	}
	s := &segments{
		rows: map[string]*int{}, hits: map[event.Time]*hitfile.Buffer{}, visits: map[event.Time]*hitfile.VisitBuffer{}, joins: hits.Joins{},
		files: map[*hitfile.Table]map[event.Time][]*colfile.File{},
	}
	last, err := o.log(ctx, s)
	if err != nil {
		return nil, err
	}
	m.What, m.Rows = what, map[string]int{}
	for id, n := range s.rows {
		m.Rows[id] = *n
	}
	m.Partitions = []hitread.Partition{{Watermark: last}}
	if m.Hits, err = s.merge(ctx, store, hitfile.Hits); err != nil {
		return nil, err
	}
	if m.Visits, err = s.merge(ctx, store, hitfile.Visits); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(m); err != nil {
		return nil, err
	}
	return m, os.WriteFile(index, text, 0o600)
}

// log makes hits and visits of the traffic, and returns the watermark in the end.
func (o *Options) log(ctx context.Context, s *segments) (event.Time, error) {
	ledger := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Deriver: enrich.New(enrich.Options{})})
	stream := newTraffic(o.Seed, o.Events, o.Days, o.Sites)
	end := bench.DefaultStart + event.Time(o.Days)*day
	offset, since := int64(0), 0
	raw, err := o.rawRows()
	if err != nil {
		return 0, err
	}
	step := func(low event.Time, list []byte) error {
		err := ledger.Step(offset, event.AppendEnvelope(nil, "c1", low, list), s)
		offset++
		return err
	}
	for over := false; !over; {
		var list []byte
		var at event.Time
		for n := range 100 {
			e := stream.event()
			if over = e.Time >= end; over {
				break
			}
			if n > 0 {
				list = append(list, ',')
			}
			list, at = e.Append(list), e.Time
			if raw != nil {
				if err := raw.Add(ctx, e, offset); err != nil {
					return 0, err
				}
			}
			since++
		}
		if len(list) == 0 {
			break
		}
		if err := step(at, list); err != nil {
			return 0, err
		}
		if since >= segmentEvents {
			since = 0
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	if raw != nil {
		if err := raw.Close(ctx); err != nil {
			return 0, err
		}
	}
	// Two days without an event: all visits end.
	for low := end; low <= end+2*day; low += event.Hour {
		if err := step(low, nil); err != nil {
			return 0, err
		}
	}
	return end + 2*day, s.flush()
}

// rawRows returns what takes the raw rows that rollups are counted from, nil if there are to be none.
func (o *Options) rawRows() (*lake.Importer, error) {
	if o.Count == nil {
		return nil, nil
	}
	store, err := blob.OpenFolder(filepath.Join(o.Dir, "raw"))
	if err != nil {
		return nil, err
	}
	topic, err := lake.ImportTopic(make([]byte, 16))
	return lake.NewImporter(store, topic), err
}
