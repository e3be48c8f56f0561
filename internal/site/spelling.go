package site

import (
	"slices"
	"strings"
	"unicode"

	"millrace/internal/spelling"
)

// Spelling says which of a site's paths are one page, beyond what package spelling makes one. The
// zero value keeps all apart.
//
// The engine applies it when it makes the page of an event, like goals. The collector could have
// written the spelled page into the event, but a rule that is wrong would then be wrong for good:
// the archive would have nothing else. So a change of it is a change of what is counted by, which
// waits for a restart, and which replay brings to the past.
type Spelling struct {
	// CutSlash makes "/about" of "/about/", but for "/" itself.
	CutSlash bool
	// Lower makes "/about" of "/About".
	Lower bool
	// IndexPages are names such as "index.html" that are cut from the end of a path.
	IndexPages []string
}

// Equal reports whether two spellings are the same.
func (s *Spelling) Equal(other *Spelling) bool {
	return s.CutSlash == other.CutSlash && s.Lower == other.Lower && slices.Equal(s.IndexPages, other.IndexPages)
}

// Page returns the page that a path is, which is in the spelling of spelling.Path. What stands
// behind "#" in the page of an app stays as it is. A page passes through it unchanged.
func (s *Spelling) Page(path string) string {
	if !s.CutSlash && !s.Lower && len(s.IndexPages) == 0 {
		return path
	}
	path, route, routed := strings.Cut(path, "#")
	if s.Lower {
		if routed {
			path = lowerPath(path, spelling.PathPart)
		} else {
			path = lowerPath(path, spelling.Path)
		}
	}
	for again := true; again; {
		again = false
		slash := strings.LastIndexByte(path, '/')
		if slash >= 0 && slices.Contains(s.IndexPages, path[slash+1:]) {
			path = path[:slash+1]
		}
		if cut := strings.TrimRight(path, "/"); s.CutSlash && cut != path && path != "/" {
			path, again = cut, len(s.IndexPages) > 0
			if cut == "" {
				path = "/"
			}
		}
	}
	if routed {
		return path + "#" + route
	}
	if kept := strings.TrimRight(path, " "); len(kept) < len(path) { // they were followed by a slash
		path = kept + strings.Repeat("%20", len(path)-len(kept))
	}
	return path
}

// lowerPath returns a path in lower case, but for the digits of its escapes, in the spelling that
// spelled makes.
func lowerPath(p string, spelled func(string) string) string {
	if strings.IndexFunc(p, unicode.IsUpper) < 0 {
		return p
	}
	var b strings.Builder
	b.Grow(len(p))
	for i, part := range strings.Split(p, "%") {
		if i > 0 {
			n := min(len(part), 2)
			b.WriteString("%" + part[:n])
			part = part[n:]
		}
		b.WriteString(strings.ToLower(part))
	}
	return spelled(b.String())
}
