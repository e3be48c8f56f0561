package enrich

import (
	"slices"
	"sync"
)

// tables is what is computed from the package's lists, once per process, and never changed: all Derivers share it.
type tables struct {
	crawlers []crawler // the list and what is added to it
	matcher  *matcher  // of their literals
}

var sharedTables = sync.OnceValue(func() *tables {
	t := &tables{}
	t.crawlers = slices.Concat(crawlers[:], moreCrawlers[:])
	literals := make([]string, len(t.crawlers))
	for i := range t.crawlers {
		literals[i] = t.crawlers[i].literal
	}
	t.matcher = newMatcher(literals)
	return t
})
