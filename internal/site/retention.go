package site

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"millrace/engine/event"
)

// maxRetention is the most days of a retention that is one.
const maxRetention = 36_500

// KeptFrom returns the beginning of the first day, in the site's time zone, whose numbers are kept at a
// moment; 0 if all are.
func (s *Site) KeptFrom(now time.Time) event.Time {
	if s.Retention <= 0 {
		return 0
	}
	zone := s.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	return event.TimeOf(time.Date(y, m, d-s.Retention, 0, 0, 0, 0, zone))
}

// KeptFrom returns what KeptFrom of a site does.
func (s *Sites) KeptFrom(id string, now time.Time) event.Time {
	of := s.Of(id)
	return of.KeptFrom(now)
}

// Expire reports whether a site may have numbers that are not kept.
func (s *Sites) Expire() bool {
	if s.Default.Retention > 0 {
		return true
	}
	for i := range s.list {
		if s.list[i].Retention > 0 {
			return true
		}
	}
	return false
}

// retention reads a number of days, such as 400d.
func (r *fileReader) retention(n *yaml.Node, path string, to *int) {
	digits, ok := strings.CutSuffix(n.Value, "d")
	days, err := strconv.Atoi(digits)
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "forever":
		*to = 0
	case n.Kind != yaml.ScalarNode || !ok || err != nil || days < 1 || days > maxRetention || strings.Trim(digits, "0123456789") != "":
		r.at(n, "%s: want a number of days from 1d to %dd, such as 400d, or forever, this is %s", path, maxRetention, nodeName(n))
	default:
		*to = days
	}
}
