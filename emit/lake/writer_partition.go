package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// ErrGap is wrapped by the error for a log that begins after the archive ends: the records in
// between are lost to the archive, for instance because it was down for longer than the topic keeps
// records.
var ErrGap = errors.New("records are missing between the archive and the log")

// ErrLog is wrapped by the error for a log that is not the one that has been archived: the topic
// was made anew, or the broker has lost records and given their offsets to others.
var ErrLog = errors.New("the log is not the one that was archived")

// errRemoved makes the archiver look again where the archive is.
var errRemoved = errors.New("the archive was removed while it was in use, and begins anew")

// partition archives one partition. All but limit belongs to the goroutine of the partition's
// session; goka ends one session before it starts the next.
type partition struct {
	a     *Archiver
	id    int32
	limit atomic.Int64 // everything below it is archived
	taken atomic.Int64 // everything below it was consumed

	owner   atomic.Pointer[context.Context] // the session, for others
	session context.Context                 // whose records the fields below are about
	done    Progress                        // as stored
	expect  int64                           // next offset
	dec     event.Decoder
	env     event.Envelope

	// The segment [done.NextOffset, expect).
	buf     *buffer
	bytes   int64
	lows    *lows
	starts  map[string]event.Time // lowest low watermark of each collector within the segment
	stands  map[string]int        // ticks of each within the segment since its low moved
	stood   map[string]event.Time // how long each one's low has stood within the segment
	skipped int64
	sum     string // of the last record

	old  []oldProgress  // still in the store, the oldest first
	hits *partitionHits // nil if none are made
}

// oldProgress is a progress object that a later one has replaced.
type oldProgress struct {
	key      string
	replaced time.Time
}

// mostOld is how many progress objects of a partition stay at most, beside the one that counts.
const mostOld = 20

// consume takes the next record. It returns an error if archiving can't go on, or ctx is done.
func (p *partition) consume(ctx context.Context, offset int64, value []byte) error {
	if p.session != ctx {
		// The partition is new here, or was away: what was read before may have been archived by
		// others.
		p.session = nil
		if err := p.begin(ctx, offset, value); err != nil {
			return err
		}
		p.session = ctx
		p.owner.Store(&ctx)
	}
	defer func() { p.taken.Store(p.expect) }()
	switch {
	case offset < p.expect:
		return fmt.Errorf("partition %d: offset %d after %d", p.id, offset, p.expect-1)
	case offset < p.done.NextOffset:
		p.expect = offset + 1
		return p.recognize(offset, value)
	}
	p.expect = offset + 1
	dead := p.add(offset, value)
	if p.hits != nil {
		p.hits.stepDecoded(offset, value, dead)
	}
	if !p.full() {
		return nil
	}
	return p.flush(ctx)
}

// begin finds out where the archive is, at the first record of a session.
func (p *partition) begin(ctx context.Context, offset int64, value []byte) error {
	var stored *Progress
	err := p.a.retry(ctx, "read progress", func() (err error) {
		stored, err = loadProgress(ctx, p.a.o.Store, p.a.o.Topic, p.id)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.checkPrefix(stored); err != nil {
		return err
	}
	if stored == nil {
		if err := p.beginArchive(ctx, offset, value); err != nil {
			return err
		}
	} else {
		p.done = *stored
	}
	if offset > p.done.NextOffset {
		return p.gap(ctx, offset)
	}
	if err := p.checkEnd(ctx, offset); err != nil {
		return err
	}
	p.findOld(ctx)
	p.expect = offset
	if offset == p.done.NextOffset {
		p.limit.Store(offset)
	}
	if p.buf == nil {
		p.buf = newBuffer()
	}
	p.startSegment()
	if p.a.o.Hits == nil {
		return nil
	}
	if p.hits == nil {
		p.hits = newPartitionHits(p)
	}
	return p.hits.resume(ctx, p.done.NextOffset)
}

// gap returns ErrGap of a log that is read from an offset on, behind the end of the archive.
func (p *partition) gap(ctx context.Context, offset int64) error {
	if p.a.o.Begin != nil {
		if first, err := p.a.o.Begin(ctx, p.id); err == nil && first <= p.done.NextOffset {
			return fmt.Errorf("partition %d: the archive ends at offset %d, and its group has got to %d: %w, which Kafka still has from %d on; "+
				"do all processes that archive have the same --s3? With the one that is to be kept, stop them, delete the group %s and start them again",
				p.id, p.done.NextOffset, offset, ErrGap, first, p.a.o.Names.Of(Group))
		}
	}
	return fmt.Errorf("partition %d: the archive ends at offset %d, the log begins at %d: %w; delete the objects %q to accept the loss and go on",
		p.id, p.done.NextOffset, offset, ErrGap, ProgressPattern(p.a.o.Topic, p.id))
}

// beginArchive makes the archive begin at a record. Its progress is stored before the first object,
// for the sake of its Cut.
func (p *partition) beginArchive(ctx context.Context, offset int64, value []byte) error {
	p.done = Progress{
		Version: progressVersion, Topic: p.a.o.Topic, Prefix: p.a.o.Names.Prefix, Partition: p.id, Partitions: p.a.o.Partitions,
		NextOffset: offset, Cut: p.a.o.cut(), Low: p.lowOf(value),
	}
	midst := false
	if offset > 0 {
		err := p.a.retry(ctx, "look for objects", func() (err error) { midst, err = p.lacksObjects(ctx); return err })
		if err != nil {
			return err
		}
	}
	if midst {
		p.done.Began = cmp.Or(p.done.Low, beganUnknown)
	}
	if err := p.store(ctx, &p.done); err != nil {
		return err
	}
	log := p.a.o.Log.With("topic", p.a.o.Topic, "partition", p.id, "offset", offset)
	if midst {
		log.Warn("the archive begins in the midst of the log: what came before can't be counted again from it", "low", p.done.Low)
	} else {
		log.Info("archive begins")
	}
	return nil
}

// lacksObjects reports whether the archive has no object of the partition: it has not lost its
// progress alone.
func (p *partition) lacksObjects(ctx context.Context) (bool, error) {
	for info, err := range p.a.o.Store.List(ctx, "dt=", "") {
		if err != nil {
			return false, fmt.Errorf("list the archive: %w", err)
		}
		if key, err := ParseKey(info.Key); err == nil && key.Topic == p.a.o.Topic && key.Partition == p.id {
			return false, nil
		}
	}
	return true, nil
}

// lowOf returns how far the log had come with its first record: what is older is none of the
// stream's, so that past traffic can be imported and replayed before the first segment is full. 0
// if the record does not decode.
func (p *partition) lowOf(value []byte) event.Time {
	if err := p.dec.Decode(value, &p.env); err != nil {
		return 0
	}
	return p.env.Low
}

// checkEnd returns ErrLog if the log, which begins at offset here, does not reach the end of the
// archive.
func (p *partition) checkEnd(ctx context.Context, offset int64) error {
	if p.a.o.End == nil || offset >= p.done.NextOffset {
		return nil
	}
	end, err := p.a.o.End(ctx, p.id)
	if err != nil {
		return fmt.Errorf("partition %d: %w", p.id, err)
	}
	if end < p.done.NextOffset {
		return fmt.Errorf("partition %d: the archive ends at offset %d, the log at %d: %w: %s", p.id, p.done.NextOffset, end, ErrLog, elsewhere)
	}
	return nil
}

// checkPrefix returns ErrLog if stored progress is of the topic of another prefix. Nil is none.
func (p *partition) checkPrefix(stored *Progress) error {
	if stored == nil {
		return nil
	}
	return stored.CheckPrefix(p.a.o.Store, p.a.o.Names)
}

// elsewhere is what can be done about ErrLog.
const elsewhere = "archive this one into another folder, or below another prefix of the bucket"

// startSegment makes the segment an empty one that begins at done.NextOffset.
func (p *partition) startSegment() {
	p.buf.reset()
	p.bytes, p.skipped, p.sum = 0, 0, p.done.LastSum
	p.lows = newLows(p.done.Collectors, event.Time(p.a.o.SilentAfter.Milliseconds()))
	p.starts, p.stands, p.stood = map[string]event.Time{}, map[string]int{}, map[string]event.Time{}
}

// recognize passes a record over that is archived already, and does so only provisionally: the
// limit moves when the last of them has turned out to be the one that was archived. A log whose end
// was lost and has grown again would otherwise have its new records taken for the old ones.
func (p *partition) recognize(offset int64, value []byte) error {
	if offset+1 < p.done.NextOffset {
		return nil
	}
	if sum := sumOf(value); p.done.LastSum != "" && p.done.LastSum != sum {
		return fmt.Errorf("partition %d: the record at offset %d differs from what the archive has: %w: %s",
			p.id, offset, ErrLog, elsewhere)
	}
	p.limit.Store(p.done.NextOffset)
	return nil
}

func sumOf(value []byte) string { return strconv.FormatUint(xxhash.Sum64(value), 16) }

// add takes a record into the segment. What can't be decoded is counted and passed over: the engine
// puts it into the dead letters; its error is returned.
func (p *partition) add(offset int64, value []byte) (dead error) {
	p.sum = sumOf(value)
	p.bytes += int64(len(value))
	if err := p.dec.Decode(value, &p.env); err != nil {
		if p.done.Skipped+p.skipped == 0 {
			p.a.o.Log.Warn("a record can't be decoded and is left out of the lake; further ones are only counted",
				"topic", p.a.o.Topic, "partition", p.id, "offset", offset, "err", err)
		}
		p.skipped++
		p.a.stats.skipped.Add(1)
		p.env.Collector = "" // it moves no collector's time
		return err
	}
	for i := range p.env.Events {
		p.buf.add(&p.env.Events[i], offset, int32(i))
	}
	name := strings.Clone(p.env.Collector) // a view into the decoder's memory
	if start, ok := p.starts[name]; !ok || p.env.Low < start {
		p.starts[name] = p.env.Low
	}
	p.stand(name)
	p.lows.observe(name, p.env.Low)
	return nil
}

// stand notes how long a collector's low has stood: its clock was ahead and has been set right, and
// until the time comes that it has promised only its ticks, one a second, measure time. The first
// such tick may be that of the millisecond of a batch. REQUIRES: lows has not observed the record.
func (p *partition) stand(name string) {
	switch before, ok := p.lows.byCollector[name]; {
	case !ok || p.env.Low > before.Low:
		p.stands[name] = 0
	case len(p.env.Events) == 0:
		if p.stands[name]++; p.stands[name] > 1 {
			p.stood[name] += event.Second
		}
	}
}

// full reports whether the segment ends with the record just added. Only the log decides, so that a
// segment comes out the same whenever it is read. Time is measured by each collector's own low
// watermark: were it one clock for all, a single collector whose clock runs ahead would stop it.
func (p *partition) full() bool {
	cut := p.done.Cut
	if len(p.buf.rows) >= cut.Rows || p.bytes >= cut.Bytes {
		return true
	}
	start, ok := p.starts[p.env.Collector]
	return ok && p.env.Low-start+p.stood[p.env.Collector] >= cut.Flush
}

// flush stores the segment's objects, then the progress, and lets the offsets be committed only
// then.
func (p *partition) flush(ctx context.Context) error {
	a := p.a
	if err := p.checkPlace(ctx); err != nil {
		return err
	}
	gone, err := a.erased(ctx)
	if err != nil {
		return err
	}
	seg := segment{First: p.done.NextOffset, Next: p.expect, Before: p.done.Rows, Rows: int64(len(p.buf.rows))}
	err = p.buf.objects(a.o.Topic, p.id, seg, gone, a.expired.Load(), func(key Key, body []byte) error {
		err := a.retry(ctx, key.String(), func() error { return a.o.Store.Put(ctx, key.String(), body) })
		if err == nil {
			a.stats.objects.Add(1)
			a.stats.bytes.Add(int64(len(body)))
		}
		return err
	})
	if err != nil {
		return err
	}
	if p.hits != nil {
		if err := p.hits.flush(ctx, p.expect); err != nil {
			return err
		}
	}
	next := p.done
	next.NextOffset, next.LastSum = p.expect, p.sum
	next.Partitions, next.Cut = a.o.Partitions, a.o.cut()
	next.Rows += seg.Rows
	next.Skipped += p.skipped
	next.Low = p.lows.watermark() // before Collectors: it forgets the silent
	if next.Began == beganUnknown {
		next.Began = cmp.Or(next.Low, beganUnknown)
	}
	next.Collectors = p.lows.byCollector
	if err := p.store(ctx, &next); err != nil {
		return err
	}
	previous := p.done.key()
	p.done = next
	p.old = append(p.old, oldProgress{previous, a.o.now()})
	p.limit.Store(next.NextOffset)
	a.stats.rows.Add(seg.Rows)
	a.stats.segments.Add(1)
	a.stats.stored.Store(int64(event.TimeOf(a.o.now())))
	p.startSegment()
	p.dropOld(ctx)
	return nil
}

// dropOld deletes progress that was replaced a while ago. It stays so long for readers that have
// listed the archive as a folder of Parquet files and still read them one after the other. What
// stays behind for good does no harm: the highest counts.
func (p *partition) dropOld(ctx context.Context) {
	for len(p.old) > 0 && (len(p.old) > mostOld || p.a.o.now().Sub(p.old[0].replaced) >= p.a.o.keepProgress) {
		key := p.old[0].key
		p.old = p.old[1:]
		if err := p.a.o.Store.Delete(ctx, key); err != nil && ctx.Err() == nil {
			p.a.o.Log.Debug("delete old progress", "key", key, "err", err)
		}
	}
}

// findOld finds the progress that an owner before has left behind.
func (p *partition) findOld(ctx context.Context) {
	known := map[string]time.Time{}
	for _, o := range p.old {
		known[o.key] = o.replaced
	}
	p.old = nil
	prefix := progressPrefix + p.a.o.Topic + "-" + strconv.Itoa(int(p.id)) + "-"
	for info, err := range p.a.o.Store.List(ctx, prefix, "") {
		if err != nil {
			return // it stays
		}
		if info.Key < p.done.key() && len(p.old) < 10*mostOld {
			replaced, ok := known[info.Key]
			if !ok {
				replaced = p.a.o.now()
			}
			p.old = append(p.old, oldProgress{info.Key, replaced})
		}
	}
}

// checkPlace returns errRemoved if the progress that the segment follows is not in the store: the
// archive was removed while it was in use, or emptied, or another disk is in its place. Going on
// would write a progress that vouches for what is gone, and a replay would take it out of the
// rollups. The next session finds out where the archive begins then.
func (p *partition) checkPlace(ctx context.Context) error {
	var now *Progress
	err := p.a.retry(ctx, "read progress", func() error {
		body, err := p.a.o.Store.Get(ctx, p.done.key())
		if err == nil {
			now = &p.done
			if found, err := decodeProgress(p.done.key(), body); err == nil {
				now = &found // of another prefix, where two archives have begun at once
			}
			return nil
		}
		if !errors.Is(err, blob.ErrNotFound) {
			return err
		}
		now, err = loadProgress(ctx, p.a.o.Store, p.a.o.Topic, p.id)
		return err
	})
	// A later one is a successor's, which takes the old one away: what an owner that was replaced
	// still writes are the same bytes.
	if err == nil && (now == nil || now.NextOffset < p.done.NextOffset) {
		return fmt.Errorf("partition %d: %s has lost %q: %w", p.id, p.a.o.Store, p.done.key(), errRemoved)
	}
	if err != nil {
		return err
	}
	return p.checkPrefix(now)
}

func (p *partition) store(ctx context.Context, progress *Progress) error {
	body, err := progress.encode()
	if err != nil {
		return fmt.Errorf("encode progress of partition %d: %w", p.id, err)
	}
	key := progress.key()
	return p.a.retry(ctx, key, func() error { return p.a.o.Store.Put(ctx, key, body) })
}
