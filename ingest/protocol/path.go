package protocol

import (
	"errors"
	"strings"
)

// HasPattern reports whether a path has segments that stand for any.
func HasPattern(path string) bool { return strings.IndexByte(path, '{') >= 0 }

// MatchPath reports whether the path of a request is one that a pattern stands for.
func MatchPath(pattern, path string) bool {
	_, ok := walk(pattern, path, "")
	return ok
}

// walk compares a path with a pattern, segment by segment, and returns what stands in place of a
// name.
func walk(pattern, path, name string) (value string, ok bool) {
	for {
		want, patternRest, more := strings.Cut(pattern, "/")
		got, pathRest, pathMore := strings.Cut(path, "/")
		switch open := openSegment(want); {
		case open == "" && want != got, open != "" && got == "", more != pathMore:
			return "", false
		case open != "" && open == name:
			value = got
		}
		if !more {
			return value, true
		}
		pattern, path = patternRest, pathRest
	}
}

// openSegment returns the name of a segment that stands for any, "" for one that stands for itself.
func openSegment(s string) string {
	if len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' {
		return s[1 : len(s)-1]
	}
	return ""
}

// shape returns a pattern without the names in it: two of one shape match the same paths.
func shape(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if openSegment(s) != "" {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func validPath(pattern string) error {
	if !strings.HasPrefix(pattern, "/") {
		return errors.New("it does not begin with /")
	}
	if strings.ContainsAny(pattern, "?#") {
		return errors.New("it has a query or a fragment")
	}
	names := map[string]bool{}
	for s := range strings.SplitSeq(pattern, "/") {
		open := openSegment(s)
		if strings.ContainsAny(open, "{}") || open == "" && strings.ContainsAny(s, "{}") {
			return errors.New("braces stand around a whole segment")
		}
		if open != "" && names[open] {
			return errors.New("a name is there twice")
		}
		names[open] = true
	}
	return nil
}
