package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cespare/xxhash/v2"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// worldRecords is a log of some days: few visitors, of whom late events join visits, across midnights too; events days late, events that
// come again; pauses of hours.
func worldRecords(rng *rand.Rand, n int) (log []record) {
	var sent []event.Event
	now := t0
	for i := range n {
		switch rng.IntN(20) {
		case 0:
			now += event.Hour + event.Time(rng.IntN(6))*event.Hour
		case 1, 2, 3, 4:
			now += event.Time(2+rng.IntN(5)) * event.Minute
		default:
			now += event.Time(10+rng.IntN(110)) * event.Second
		}
		var r record
		for j := range rng.IntN(5) {
			who := event.Visitor(rng.IntN(7))
			e := event.Event{
				ID: fmt.Sprintf("%08d%02d", i, j), Site: []string{"a.example", "b.example"}[rng.IntN(2)], Name: event.Pageview, Client: "v1",
				Time: now - event.Time(rng.IntN(900)), Received: now, Visitor: who, URL: fmt.Sprintf("https://a.example/%d", rng.IntN(4)),
				UA: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
			}
			switch rng.IntN(24) {
			case 0, 1, 2, 3:
				e.Time -= event.Time(rng.IntN(40)) * event.Minute
			case 4:
				e.Time -= 3 * day
			case 5:
				e.Bot, e.Visitor = "ua", 0
			case 6:
				e.Ping, e.Name, e.Engaged = true, "engagement", 2*event.Second
			case 7:
				e.VisitorPrev = event.Visitor(1 + rng.IntN(6))
			case 8, 9:
				if len(sent) > 0 {
					e = sent[len(sent)-1-rng.IntN(min(len(sent), 20))]
				}
			}
			sent, r.events = append(sent, e), append(r.events, e)
		}
		var events []byte
		for j, e := range r.events {
			if j > 0 {
				events = append(events, ',')
			}
			events = e.Append(events)
		}
		r.value = event.AppendEnvelope(nil, fmt.Sprintf("c%d", 1+rng.IntN(2)), now-event.Second, events)
		log = append(log, r)
	}
	return log
}

// worldRow is a row of a file of hits or of visits.
type worldRow struct {
	key   [2]int64 // a hit's coordinates, or the visit of a row of visits
	visit visit.ID // of a hit
	sum   uint64   // a hash of all values but visit, which joins change
}

// worldRows reads a file.
func worldRows(t commits.Table, body []byte) (list []worldRow, err error) {
	of := hitfile.Hits
	if t == commits.Visits {
		of = hitfile.Visits
	}
	f, err := of.Open("a file", bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	s := of.Schema()
	is := s.Index("visit")
	key := [2]int{is, is}
	if t == commits.Hits {
		key = [2]int{s.Index("source_offset"), s.Index("source_index")}
	}
	columns := make([]colfile.Vector, len(s.Columns))
	for i := range f.Groups() {
		g, err := f.Group(i, nil)
		if err != nil {
			return nil, err
		}
		for c := range columns {
			if err := g.Column(c, &columns[c]); err != nil {
				return nil, err
			}
		}
		for row := range g.Rows() {
			var b []byte
			for c := range columns {
				v := &columns[c]
				switch {
				case c == is && t == commits.Hits:
				case len(v.Codes) > 0 && v.Codes[row] >= 0:
					b = append(append(b, 's'), v.Dict[v.Codes[row]]...)
				case len(v.Codes) > 0 || len(v.Null) > 0 && v.Null[row]:
					b = append(b, '0')
				default:
					b = binary.AppendVarint(append(b, 'i'), v.Ints[row])
				}
			}
			r := worldRow{sum: xxhash.Sum64(b)}
			for k, c := range key {
				r.key[k] = columns[c].Ints[row]
			}
			if v := &columns[is]; t == commits.Hits && !(len(v.Null) > 0 && v.Null[row]) {
				r.visit = visit.ID(v.Ints[row])
			}
			list = append(list, r)
		}
	}
	return list, nil
}

// truth is what one reading of a log makes, without a stop.
type truth struct {
	both
	at    int64 // the record that is read
	rows  [2]map[[2]int64]worldRow
	given map[[2]int64]int64 // by visit, the record that its row is of
	whose [2]map[[2]int64]worldOwner
	joins []hits.Join
	upTo  []int // by offset, how many joins there are of the records before it
	sizes [2][]int
}

// worldOwner is whose a row is, and when it was received; of a visit, when it began.
type worldOwner struct {
	site    string
	visitor event.Visitor
	at      event.Time
}

func (t *truth) Hit(h *hits.Hit) {
	t.whose[0][[2]int64{h.Offset, int64(h.Index)}] = worldOwner{strings.Clone(h.Site), h.Row.Visitor, h.Received}
	t.both.Hit(h)
}

// erased reports whether a row is erased, and whether readers have to hide it, if it is there.
func (t *truth) erased(table commits.Table, key [2]int64, e *commits.Erasure) (erased, hidden bool) {
	of := t.whose[table][key]
	if e == nil || of.site != e.Site || of.visitor != e.Visitor {
		return false, false
	}
	hidden = covers(e, table, key[0])
	return hidden || of.at < e.Before, hidden
}

func (t *truth) Visit(v *visit.Visit) {
	t.whose[1][[2]int64{int64(v.ID), int64(v.ID)}] = worldOwner{strings.Clone(v.Site), v.Visitor, v.Begin}
	t.given[[2]int64{int64(v.ID), int64(v.ID)}] = t.at
	t.both.Visit(v)
}

func (t *truth) Join(j hits.Join) {
	t.whose[1][[2]int64{int64(j.Visit), int64(j.Visit)}] = worldOwner{strings.Clone(j.Site), j.Visitor, j.Begin}
	t.given[[2]int64{int64(j.Visit), int64(j.Visit)}] = t.at
	t.joins = append(t.joins, j)
	t.both.Join(j)
}

func truthOf(log []record) (*truth, error) {
	t := &truth{both: both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}, given: map[[2]int64]int64{}}
	t.whose = [2]map[[2]int64]worldOwner{{}, {}}
	l := newTestLedger(0)
	for offset, r := range log {
		t.note()
		t.at = int64(offset)
		_ = l.Step(int64(offset), r.value, t)
	}
	t.note()
	for i, b := range []table{t.Buffer, t.VisitBuffer} {
		var out bytes.Buffer
		if err := b.Encode(&out); err != nil {
			return nil, err
		}
		list, err := worldRows(commits.Tables()[i], out.Bytes())
		if err != nil {
			return nil, err
		}
		t.rows[i] = map[[2]int64]worldRow{}
		for _, r := range list {
			t.rows[i][r.key] = r
		}
	}
	return t, nil
}

// note keeps how much there is before a record.
func (t *truth) note() {
	t.upTo = append(t.upTo, len(t.joins))
	t.sizes[0], t.sizes[1] = append(t.sizes[0], t.Buffer.Len()), append(t.sizes[1], t.VisitBuffer.Len())
}

// joinsOf returns the joins of the records before an offset.
func (t *truth) joinsOf(next int64) hits.Joins {
	joins := hits.Joins{}
	for _, j := range t.joins[:t.upTo[next]] {
		joins.Add(j)
	}
	return joins
}

// check returns what is wrong with the rows of a snapshot up to an offset, "" for nothing: each is there once, or erased (I1), as the log
// has it (I2, I5).
func (t *truth) check(table commits.Table, next int64, e *commits.Erasure, rows [][]worldRow) string {
	if next < 0 || next >= int64(len(t.upTo)) {
		return fmt.Sprintf("it is of a log of %d records, and there are %d", next, len(t.upTo)-1)
	}
	i, seen, joins := 0, map[[2]int64]bool{}, hits.Joins(nil)
	if table == commits.Visits {
		i = 1
	} else {
		joins = t.joinsOf(next)
	}
	var bad []string
	for _, file := range rows {
		for _, r := range file {
			want, ok := t.rows[i][r.key]
			of := r.key[0]
			if i == 1 {
				of = t.given[r.key]
			}
			erased, hidden := t.erased(table, r.key, e)
			switch {
			case hidden:
				continue
			case erased:
				bad = append(bad, fmt.Sprintf("%v is erased, and shown", r.key))
			case !ok || of >= next:
				bad = append(bad, fmt.Sprintf("%v is none of the first %d records", r.key, next))
			case seen[r.key]:
				bad = append(bad, fmt.Sprintf("%v is there twice", r.key))
			case r.sum != want.sum:
				bad = append(bad, fmt.Sprintf("%v is another row", r.key))
			case joins.Of(r.visit) != joins.Of(want.visit):
				bad = append(bad, fmt.Sprintf("%v is of visit %d, and of %d in the log", r.key, r.visit, want.visit))
			}
			seen[r.key] = true
		}
	}
	if len(bad) > 3 {
		bad = append(bad[:3], fmt.Sprintf("and %d more", len(bad)-3))
	}
	n := t.sizes[i][next]
	for key := range t.rows[i] {
		of := key[0]
		if i == 1 {
			of = t.given[key]
		}
		if gone, _ := t.erased(table, key, e); gone && of < next {
			n--
		}
	}
	if len(seen) != n {
		bad = append(bad, fmt.Sprintf("%d rows, want %d", len(seen), n))
	}
	return strings.Join(bad, "; ")
}
