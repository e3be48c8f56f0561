package enrich

import "strings"

// cache remembers values by string in two generations: when the young one is full, the old one is forgotten and
// the young one becomes old. What is asked for while old becomes young again. That is nearly as good as
// least-recently-used, has no list to keep, and allocates nothing on a hit.
type cache[V any] struct {
	young, old map[string]*V
	half       int // greatest size of a generation
}

func newCache[V any](size int) cache[V] {
	return cache[V]{young: make(map[string]*V), old: make(map[string]*V), half: max(size/2, 1)}
}

// get returns a value, which the caller must not change.
func (c *cache[V]) get(key string) (*V, bool) {
	if v, ok := c.young[key]; ok {
		return v, true
	}
	v, ok := c.old[key]
	if ok {
		c.add(strings.Clone(key), v)
	}
	return v, ok
}

// put remembers v and returns it; it copies the key, which may be a view into somebody's buffer. What v refers to
// must not be one.
func (c *cache[V]) put(key string, v V) *V {
	c.add(strings.Clone(key), &v)
	return &v
}

func (c *cache[V]) add(key string, v *V) {
	if len(c.young) >= c.half {
		c.young, c.old = c.old, c.young
		clear(c.young)
	}
	c.young[key] = v
}
