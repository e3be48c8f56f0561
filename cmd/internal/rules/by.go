package rules

import (
	"runtime/debug"

	"millrace/internal/site"
)

// Revision returns the commit of this build, with a mark if it was changed; "" if the build does not
// know.
func Revision() string {
	commit, changed := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = "+changed"
			}
		}
	}
	return commit + changed
}

// CountedBy names what a process counts by, for Counting.By: the build, and what is configured of the sites. Of a
// build that does not know its commit the version has to do.
func CountedBy(version string, sites *site.Sites) string {
	by := version + " " + Revision()
	if sites == nil {
		return by
	}
	return by + " " + sites.CountedBy()
}
