package hitread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	pq "github.com/parquet-go/parquet-go"

	"millrace/internal/blob"
)

// counter counts what is read of a store.
type counter struct{ requests, bytes, files atomic.Int64 }

// footers remembers the footers of files: an object never changes. It forgets about half of them when it is full: those that
// have not been used since the last time.
type footers struct {
	most int
	mu   sync.Mutex
	// new and old are what has been used since the last time, and before.
	new, old map[string]*pq.File
}

func newFooters(most int) footers {
	return footers{most: most, new: map[string]*pq.File{}, old: map[string]*pq.File{}}
}

func (c *footers) get(key string) *pq.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.new[key]
	if f == nil {
		if f = c.old[key]; f != nil {
			c.put(key, f)
		}
	}
	return f
}

func (c *footers) put(key string, f *pq.File) {
	if len(c.new) >= c.most/2 {
		c.old, c.new = c.new, make(map[string]*pq.File, c.most/2)
	}
	c.new[key] = f
}

// opened is a file at work. Its object is opened when something of it is read.
type opened struct {
	*pq.File
	a   *Archive
	ctx context.Context
	key string

	mu     sync.Mutex
	object blob.Object
	users  atomic.Int64
}

// take adds a user, done takes one away: the last one closes the object.
func (o *opened) take() { o.users.Add(1) }

func (o *opened) done() {
	if o.users.Add(-1) == 0 {
		o.Close() // it was only read
	}
}

// open returns a file with its footer, of which the caller is a user.
func (a *Archive) open(ctx context.Context, f *File) (*opened, error) {
	o := &opened{a: a, ctx: ctx, key: f.Key, File: a.files.get(f.Key)}
	o.take()
	if o.File != nil {
		return o, nil
	}
	a.reads.files.Add(1)
	object, err := o.get()
	if err != nil {
		return nil, err
	}
	tail := &tailReader{r: o, size: object.Size()}
	// Offset indexes are read with the footer, and bloom filters are not.
	if o.File, err = pq.OpenFile(tail, object.Size(), pq.SkipBloomFilters(true), pq.ReadBufferSize(pageBuffer)); err != nil {
		return nil, errors.Join(fmt.Errorf("open hits %q: %w", f.Key, err), o.Close())
	}
	a.files.mu.Lock()
	defer a.files.mu.Unlock()
	a.files.put(f.Key, o.File)
	return o, nil
}

// pageBuffer is how much of a page is read at a time from what is in memory already.
const pageBuffer = 16 << 10

func (o *opened) get() (blob.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.object == nil {
		object, err := o.a.o.Store.Open(o.ctx, o.key)
		if err != nil {
			return nil, err
		}
		o.object = object
	}
	return o.object, nil
}

// ReadAt reads from the object.
func (o *opened) ReadAt(p []byte, pos int64) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	object, err := o.get()
	if err != nil {
		return 0, err
	}
	if o.a.cache != nil {
		return o.a.cache.read(o.ctx, o.key, object, &o.a.reads, p, pos)
	}
	o.a.reads.requests.Add(1)
	o.a.reads.bytes.Add(int64(len(p)))
	return object.ReadAt(p, pos)
}

// Close closes the object if it was opened.
func (o *opened) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.object == nil {
		return nil
	}
	err := o.object.Close()
	o.object = nil
	return err
}

// tailBytes is what is read of a file's end at once: its footer and indexes, most often.
const tailBytes = 64 << 10

// tailReader reads the end of a file once.
type tailReader struct {
	r    io.ReaderAt
	size int64
	from int64
	tail []byte
}

func (t *tailReader) ReadAt(p []byte, pos int64) (int, error) {
	if pos < t.size-tailBytes {
		return t.r.ReadAt(p, pos)
	}
	if t.tail == nil {
		t.from = max(0, t.size-tailBytes)
		t.tail = make([]byte, t.size-t.from)
		if n, err := t.r.ReadAt(t.tail, t.from); n < len(t.tail) {
			return 0, err
		}
	}
	n := copy(p, t.tail[pos-t.from:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
