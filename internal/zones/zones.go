package zones

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed names.txt
var namesText string

// ErrName is wrapped by the error for a name that is not in the database.
var ErrName = errors.New("not a time zone such as Europe/Berlin")

// Names returns all names, sorted.
func Names() []string { return strings.Fields(namesText) }

// Load returns the zone of a name.
func Load(name string) (*time.Location, error) {
	names := Names()
	if _, ok := slices.BinarySearch(names, name); !ok {
		return nil, fmt.Errorf("%q is %w%s", name, ErrName, hint(name, names))
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return loc, nil
}

// hint names zones that are written in another case, or that end in the given word: a city alone.
func hint(name string, names []string) string {
	word := strings.NewReplacer(" ", "_", "\\", "/").Replace(strings.ToLower(strings.TrimSpace(name)))
	if word == "" {
		return ""
	}
	if offset := offsetHint(word, names); offset != "" {
		return offset
	}
	for _, fits := range []func(lower string) bool{
		func(lower string) bool { return lower == word },
		func(lower string) bool { return strings.HasSuffix(lower, "/"+word) },
	} {
		if i := slices.IndexFunc(names, func(n string) bool { return fits(strings.ToLower(n)) }); i >= 0 {
			return fmt.Sprintf("; did you mean %s?", names[i])
		}
	}
	if word[0] == '+' || word[0] == '-' || strings.HasPrefix(word, "utc") || strings.HasPrefix(word, "gmt") {
		return "; an offset without summer time is Etc/GMT-2 for two hours ahead of UTC"
	}
	return ""
}

// offset is a time zone as people write it: +2, UTC+2, GMT-05:00. The names of the database that look
// like it have the opposite sign, as POSIX has.
var offset = regexp.MustCompile(`^(etc/)?(?:utc|gmt|z)?_?([+-])0?(\d{1,2})(?::?00)?$`)

// offsetHint names the zone of an offset of whole hours, and which way it goes.
func offsetHint(word string, names []string) string {
	m := offset.FindStringSubmatch(word)
	if m == nil {
		return ""
	}
	ahead := m[2] == "+"
	if m[1] != "" { // a name of the database in another case
		ahead = !ahead
	}
	sign, way := "+", "behind"
	if ahead {
		sign, way = "-", "ahead of"
	}
	name := "Etc/GMT" + sign + m[3]
	if _, ok := slices.BinarySearch(names, name); !ok {
		return ""
	}
	return fmt.Sprintf("; did you mean %s? It is %s h %s UTC, without summer time: the sign of these names is reversed", name, m[3], way)
}
