package replay

import (
	"context"
	"slices"
	"strings"

	"millrace/engine/event"
)

// cursor reads the log of one partition in its own order, as far as each hour needs.
//
// Files of events that are far from the log's own time (they came more than reach late, or lie that far in the
// future) are not read with their segment, since their windows would have to stay open all the while, but when
// their hour comes: those of the future before the first other file of the hour, the late ones after the last. In this
// they differ from the stream, which has dropped the late ones.
type cursor struct {
	source
	pass     *pass
	segments []segment // ascending
	next     int       // the first one that has not been read
	// byHour has, for each hour, the segments with a file of it, ascending.
	byHour map[event.Time][]int
	// far holds, by hour, the files that were left out of their segment.
	far map[event.Time][]File
	// ahead are places read that lie behind the beginning of the next segment. Segments overlap only where somebody has
	// deleted the archive's progress; what they both hold counts once.
	ahead map[place]struct{}
}

// segment is a piece of the log: its files, by hour.
type segment struct {
	first int64
	files []File
}

func (s *segment) file(hour event.Time) File {
	i, _ := slices.BinarySearchFunc(s.files, hour, func(f File, h event.Time) int { return int(f.Hour/event.Hour - h/event.Hour) })
	return s.files[i]
}

// last returns the last hour of the segment's files.
func (s *segment) last() event.Time { return s.files[len(s.files)-1].Hour }

// place is an event's place in the log of a partition.
type place struct {
	offset int64
	index  int
}

// newCursor returns a cursor over the files of one partition, sorted.
func newCursor(r *run, index int, files []File) *cursor {
	c := &cursor{byHour: map[event.Time][]int{}, far: map[event.Time][]File{}, ahead: map[place]struct{}{}}
	partition, shards := files[0].Partition, map[string]uint16{}
	c.source = newSource(r, index, func(site string) uint16 {
		if r.o.Partitions <= 1 {
			return 0
		}
		n, ok := shards[site]
		if !ok {
			n = event.ShardOf(site, partition, r.o.Partitions)
			shards[strings.Clone(site)] = n
		}
		return n
	})
	c.topic, c.partition = files[0].Topic, partition
	if sink := r.hitsOf(partition); sink != nil {
		c.giveHits(&hitsOf{sink: sink, nameOf: nameInLog})
	}
	c.pass = c.newPass()
	for _, f := range files {
		n := len(c.segments)
		if n == 0 || c.segments[n-1].first != f.First {
			c.segments = append(c.segments, segment{first: f.First})
			n++
		}
		c.segments[n-1].files = append(c.segments[n-1].files, f)
		c.byHour[f.Hour] = append(c.byHour[f.Hour], n-1)
	}
	return c
}

// advance reads on until all events of an hour have been counted. Hours come in ascending order.
func (c *cursor) advance(ctx context.Context, hour event.Time) error {
	last, err := c.lastOf(ctx, hour)
	if err != nil {
		return err
	}
	for c.next <= last {
		if err := c.segment(ctx, hour); err != nil {
			return err
		}
	}
	if err := c.readFar(ctx, hour); err != nil {
		return err
	}
	delete(c.byHour, hour)
	c.forget(hour + event.Hour)
	return nil
}

// lastOf returns the last segment that has to be read for an hour, and puts the files behind it among those that are
// far. That a segment is so late that it must not be read yet can only be if there are files of much later hours
// before it; then the receive times of its events tell.
func (c *cursor) lastOf(ctx context.Context, hour event.Time) (int, error) {
	list := c.byHour[hour]
	for n := len(list) - 1; n >= 0 && list[n] >= c.next; n-- {
		last := list[n]
		if !slices.ContainsFunc(c.segments[c.next:last+1], func(s segment) bool { return s.last() > hour+c.run.reach }) {
			return last, nil
		}
		f := c.segments[last].file(hour)
		received, err := c.run.o.Lake.LastReceived(ctx, f)
		if err != nil {
			return 0, err
		}
		if received < hour+event.Hour+c.run.reach {
			return last, nil
		}
		c.far[hour] = append(c.far[hour], f)
	}
	return -1, nil
}

// segment reads the next segment, while hour is the one that is wanted. Files of earlier hours were far and have been
// read.
func (c *cursor) segment(ctx context.Context, hour event.Time) error {
	s := &c.segments[c.next]
	c.next++
	var files []File
	for _, f := range s.files {
		switch {
		case f.Hour < hour:
		case f.Hour > hour+c.run.reach:
			c.far[f.Hour] = append(c.far[f.Hour], f)
		default:
			if err := c.readFar(ctx, f.Hour); err != nil {
				return err
			}
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil
	}
	if c.next == len(c.segments) && len(c.ahead) == 0 {
		return c.pass.read(ctx, files, nil)
	}
	return c.pass.read(ctx, files, c.twice)
}

// twice reports whether a place has been read already.
func (c *cursor) twice(offset int64, index int) bool {
	at := place{offset, index}
	if len(c.ahead) > 0 {
		if _, ok := c.ahead[at]; ok {
			return true
		}
	}
	if c.next < len(c.segments) && offset >= c.segments[c.next].first {
		c.ahead[at] = struct{}{}
	}
	return false
}

// readFar reads the far files of an hour that there are. Their receive times have nothing to do with the log's, so
// duplicates are looked for among them only.
func (c *cursor) readFar(ctx context.Context, hour event.Time) error {
	files := c.far[hour]
	if len(files) == 0 {
		return nil
	}
	delete(c.far, hour)
	slices.SortFunc(files, File.compare)
	ids := c.run.o.Rules.IDs()
	ids.Holes = true // most of the log lies between its far events
	p := c.newPassOver(ids)
	for i := range files {
		if err := p.read(ctx, files[i:i+1], nil); err != nil {
			return err
		}
	}
	return nil
}
