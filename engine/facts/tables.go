package facts

import (
	"strings"
	"sync"
)

// tables is what is computed from the package's lists, once per process, and never changed: all Derivers share it.
type tables struct {
	crawlers *matcher
	tagNames map[string]string // lower case
}

var sharedTables = sync.OnceValue(func() *tables {
	t := &tables{tagNames: make(map[string]string)}
	literals := make([]string, len(crawlers))
	for i := range crawlers {
		literals[i] = crawlers[i].literal
	}
	t.crawlers = newMatcher(literals)
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
