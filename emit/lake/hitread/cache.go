package hitread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"millrace/internal/blob"
)

// cacheBlock is what is read of an object at once, in bytes: a request of a store in the network costs as much as so much of an answer.
const cacheBlock = 512 << 10

// cache keeps parts of objects, which never change, of a store in the network. It forgets about half of them when it is full:
// those that have not been used since the last time.
type cache struct {
	most int64
	mu   sync.Mutex
	// new and old are what has been used since the last time, and before; size is that of new.
	new, old map[cacheKey]*cached
	size     int64
}

type cacheKey struct {
	key   string
	block int64
}

// cached is a block that has been read, or is being read until done is closed.
type cached struct {
	done chan struct{}
	data []byte
	err  error
}

func newCache(most int64) *cache {
	return &cache{most: most, new: map[cacheKey]*cached{}, old: map[cacheKey]*cached{}}
}

// claim returns the block with a key; mine says that the caller has to read it.
func (c *cache) claim(k cacheKey) (b *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b = c.new[k]; b != nil {
		return b, false
	}
	if c.size >= c.most/2 {
		c.old, c.new, c.size = c.new, map[cacheKey]*cached{}, 0
	}
	b = c.old[k]
	if mine = b == nil; mine {
		b = &cached{done: make(chan struct{})}
	}
	c.new[k] = b
	c.size += cacheBlock
	return b, mine
}

func (c *cache) forget(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.new, k)
	delete(c.old, k)
}

// read reads of an object what is not there.
func (c *cache) read(ctx context.Context, key string, object blob.Object, requests *counter, p []byte, pos int64) (n int, err error) {
	for n < len(p) {
		at := pos + int64(n)
		if at >= object.Size() {
			return n, io.EOF
		}
		b, err := c.block(ctx, cacheKey{key, at / cacheBlock}, object, requests)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[at%cacheBlock:])
	}
	return n, nil
}

func (c *cache) block(ctx context.Context, k cacheKey, object blob.Object, requests *counter) ([]byte, error) {
	for {
		b, mine := c.claim(k)
		if mine {
			b.data, b.err = readBlock(k, object, requests)
			if b.err != nil {
				c.forget(k)
			}
			close(b.done)
			return b.data, b.err
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if b.err == nil {
			return b.data, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !errors.Is(b.err, context.Canceled) && !errors.Is(b.err, context.DeadlineExceeded) {
			return nil, b.err
		}
		c.forget(k) // the query that was to read it has ended
	}
}

func readBlock(k cacheKey, object blob.Object, requests *counter) ([]byte, error) {
	from := k.block * cacheBlock
	data := make([]byte, min(cacheBlock, object.Size()-from))
	requests.requests.Add(1)
	requests.bytes.Add(int64(len(data)))
	if n, err := object.ReadAt(data, from); n < len(data) {
		return nil, fmt.Errorf("read %d bytes at %d of %q: %w", len(data), from, k.key, err)
	}
	return data, nil
}
