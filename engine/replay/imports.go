package replay

import (
	"context"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
)

// imports counts the events of imported files: hour by hour, in an hour by topic, partition and row position. There
// is no log of them whose order could matter; the visits of all files are one Table, so that a log that was rotated
// gives the visits of the whole one.
type imports struct {
	source
	pass  *pass
	files map[event.Time][]File // in order
}

func newImports(r *run, index int, files []File) *imports {
	m := &imports{source: newSource(r, index, func(string) uint16 { return 0 }), files: map[event.Time][]File{}}
	m.pass = m.newPass()
	for _, f := range files {
		m.files[f.Hour] = append(m.files[f.Hour], f)
	}
	return m
}

// count counts the files of an hour. A log that has grown is imported whole again, and its lines keep their ids: an
// event counts once, whatever number of files hold it. An id comes again in its own hour only, since the event is the
// same. Of events that builds before imported too the newer ones count, whose lines were read by better rules.
func (m *imports) count(ctx context.Context, hour event.Time) error {
	r, seen := m.run, make(map[uint64]struct{})
	var ranks map[string]int64
	slices.SortFunc(m.files[hour], func(a, b File) int {
		if a.placed() != b.placed() {
			if b.placed() {
				return -1
			}
			return 1
		}
		return a.compare(b)
	})
	topic := ""
	for _, f := range m.files[hour] {
		if f.Topic != topic {
			m.pass.endRecord()
			topic, ranks = f.Topic, make(map[string]int64)
			m.pass.topic, m.pass.partition = f.Topic, f.Partition
		}
		err := r.o.Lake.ReadSegment(ctx, []File{f}, r.o.Site, func(e *event.Event, offset int64, index int) error {
			line := offset
			if offset /= importRecord; offset != m.pass.offset {
				m.pass.endRecord()
				m.pass.offset = offset
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			if e.Site == "" || r.o.Site != "" && e.Site != r.o.Site {
				return nil
			}
			if err := inHours(e, []File{f}, offset, index); err != nil {
				return err
			}
			if e.ID != "" {
				n, id := len(seen), e.ID
				if f.placed() {
					id = rankedID(id, line, e.Site, ranks)
				}
				if seen[eventHash(e.Site, id)] = struct{}{}; len(seen) == n {
					r.duplicate(e)
					return nil
				}
			}
			once := *e
			once.ID = "" // so that no clock has a say
			m.pass.place = place{line, index}
			m.pass.event(&once)
			return nil
		})
		if err != nil {
			return err
		}
	}
	m.pass.endRecord()
	delete(m.files, hour)
	m.forget(hour + event.Hour)
	return nil
}

// importRecord is how many lines are taken together, as the events of a record of the stream are.
const importRecord = 256

// eventHash stands for an event's site and id. At ten million imported events in one hour two of them are taken for one
// with a probability of three in a million.
func eventHash(site, id string) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.WriteString(site)
	d.WriteString("\x00")
	d.WriteString(id)
	return d.Sum64()
}

// rankedID returns the id that an event of a line has today. Builds before made it of the line's digest and number, so that
// two files that hold the line gave two ids; now its rank among the equal lines of its file stands in for the
// number. Equal lines have one time, so ranks counted in an hour are those in the file. Ids of another form were in the
// line itself, and stay.
func rankedID(id string, line int64, site string, ranks map[string]int64) string {
	const digits = 16
	if len(id) < digits+2 || id[digits] != '-' || id[digits+1:] != strconv.FormatInt(line+1, 10) {
		return id
	}
	digest := id[:digits]
	key := digest + site
	rank := ranks[key]
	ranks[key]++
	return digest + "." + strconv.FormatInt(rank, 10)
}
