package hitread

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
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
	new, old map[string]*colfile.Indexed
}

func newFooters(most int) footers {
	return footers{most: most, new: map[string]*colfile.Indexed{}, old: map[string]*colfile.Indexed{}}
}

func (c *footers) get(key string) *colfile.Indexed {
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

func (c *footers) put(key string, f *colfile.Indexed) {
	if len(c.new) >= c.most/2 {
		c.old, c.new = c.new, make(map[string]*colfile.Indexed, c.most/2)
	}
	c.new[key] = f
}

// opened is a file at work. Its object is opened when something of it is read.
type opened struct {
	*colfile.Indexed
	table *hitfile.Table
	a     *archive
	ctx   context.Context
	key   string

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
func (a *archive) open(ctx context.Context, t *hitfile.Table, f *File) (*opened, error) {
	o := &opened{a: a, ctx: ctx, key: f.Key, table: t, Indexed: a.files.get(f.Key)}
	o.take()
	if o.Indexed != nil {
		return o, nil
	}
	a.reads.files.Add(1)
	object, err := o.get()
	if err != nil {
		return nil, err
	}
	tail := &tailReader{r: o, size: object.Size()}
	if o.Indexed, err = t.OpenIndexed(f.Key, tail, object.Size()); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	a.files.mu.Lock()
	defer a.files.mu.Unlock()
	a.files.put(f.Key, o.Indexed)
	return o, nil
}

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
