package facts

import (
	"slices"
	"strings"
	"sync"
)

// tables is what is computed from the package's lists, once per process, and never changed: all Derivers share it.
type tables struct {
	crawlers []crawler         // the list and what is added to it
	matcher  *matcher          // of their literals
	tagNames map[string]string // lower case
}

var sharedTables = sync.OnceValue(func() *tables {
	t := &tables{tagNames: make(map[string]string)}
	t.crawlers = slices.Concat(crawlers[:], moreCrawlers[:])
	literals := make([]string, len(t.crawlers))
	for i := range t.crawlers {
		literals[i] = t.crawlers[i].literal
	}
	t.matcher = newMatcher(literals)
	for _, names := range [...]map[string]string{countryHosts, hostNames} {
		for _, name := range names {
			t.tagNames[strings.ToLower(name)] = name
		}
	}
	for alias, name := range tagAliases {
		t.tagNames[alias] = name
	}
	return t
})
