package lake

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	pq "github.com/parquet-go/parquet-go"

	"millrace/engine/event"
)

// ReadSegment calls fn for each event in the objects of one segment of a partition's log, in order
// of the log: by offset and index. It stops at fn's first error and returns it.
//
// With a site, events of other sites come as their receive time only, and not each of them, but
// enough to know, before each event of the site, each minute of which one was the first and the
// latest so far. They have Site "", and the place of the event they came before.
//
// An event may be kept; its Props must not be changed, other events may share them. Memory: the
// rows of the segment, about 400 bytes each and their strings.
func (l *Reader) ReadSegment(ctx context.Context, keys []Key, site string, fn func(*event.Event, Source) error) error {
	var all segmentRows
	for _, key := range keys {
		if key.Topic != keys[0].Topic || key.Partition != keys[0].Partition || key.First != keys[0].First {
			return fmt.Errorf("read segment %q: object %q is of another", keys[0], key)
		}
		err := openKey(ctx, l, key, func(o *object) error { return o.segmentRows(site, &all) })
		if err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return all.each(Source{Topic: keys[0].Topic, Partition: keys[0].Partition}, fn)
}

// LastReceived returns the greatest receive time of the events in an object.
func (l *Reader) LastReceived(ctx context.Context, key Key) (last event.Time, err error) {
	err = openKey(ctx, l, key, func(o *object) error {
		first := true
		for _, rg := range o.file.RowGroups() {
			err := readInts(o.chunk(rg, "received"), 0, rg.NumRows(), func(_ int, n int64) {
				if t := event.Time(n); first || t > last {
					last, first = t, false
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return last, err
}

// segmentRows are the rows of a segment as they come out of its objects.
type segmentRows struct {
	rows   []stored // of the site of the query
	others []arrival
}

// arrival is what is read of a row of another site.
type arrival struct {
	offset   int64
	index    int32
	received event.Time
}

// segmentRows adds the rows of an object.
func (o *object) segmentRows(site string, to *segmentRows) error {
	rows, err := o.rows(site)
	if err != nil {
		return err
	}
	if to.rows == nil {
		to.rows = rows
	} else {
		to.rows = append(to.rows, rows...)
	}
	if site == "" {
		return nil
	}
	for _, rg := range o.file.RowGroups() {
		lo, n, err := o.siteRange(rg, site)
		if err != nil {
			return err
		}
		for _, part := range [2][2]int64{{0, lo}, {lo + n, rg.NumRows()}} {
			if part[0] < part[1] {
				if to.others, err = o.arrivals(rg, part[0], part[1]-part[0], to.others); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// arrivals adds rows [lo, lo+n) of a row group to list.
func (o *object) arrivals(rg pq.RowGroup, lo, n int64, list []arrival) ([]arrival, error) {
	from := len(list)
	list = append(list, make([]arrival, n)...)
	for _, column := range []struct {
		name string
		set  func(a *arrival, n int64)
	}{
		{"source_offset", func(a *arrival, n int64) { a.offset = n }},
		{"source_index", func(a *arrival, n int64) { a.index = int32(n) }},
		{"received", func(a *arrival, n int64) { a.received = event.Time(n) }},
	} {
		err := readInts(o.chunk(rg, column.name), lo, n, func(i int, n int64) { column.set(&list[from+i], n) })
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// each calls fn in order of the log.
func (s *segmentRows) each(src Source, fn func(*event.Event, Source) error) error {
	type place struct {
		offset int64
		index  int32
		row    int32
	}
	order := make([]place, len(s.rows))
	for i := range s.rows {
		order[i] = place{s.rows[i].offset, s.rows[i].index, int32(i)}
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.offset != b.offset {
			return cmp.Compare(a.offset, b.offset)
		}
		return cmp.Compare(a.index, b.index)
	})
	slices.SortFunc(s.others, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.index, b.index))
	})
	others := s.others
	clock := event.Time(math.MinInt64) // the latest minute so far
	// announce calls fn for the others that come first, if they are of a later minute than all before.
	announce := func(before int) error {
		for _, a := range others[:before] {
			if m := a.received.Floor(event.Minute); m > clock {
				clock = m
				if err := fn(&event.Event{Received: a.received}, src); err != nil {
					return err
				}
			}
		}
		others = others[before:]
		return nil
	}
	for _, p := range order {
		src.Offset, src.Index = p.offset, p.index
		n := 0
		for n < len(others) && (others[n].offset < p.offset || others[n].offset == p.offset && others[n].index < p.index) {
			n++
		}
		if err := announce(n); err != nil {
			return err
		}
		e := &s.rows[p.row].Event
		clock = max(clock, e.Received.Floor(event.Minute))
		if err := fn(e, src); err != nil {
			return err
		}
	}
	if n := len(others); n > 0 {
		src.Offset, src.Index = others[n-1].offset, others[n-1].index
	}
	return announce(len(others))
}
