// Package accesslog reads access logs in Apache's combined format as pageviews:
//
//	s, err := accesslog.NewScanner(in, "blog.example", identity, rank)
//	for s.Scan() {
//		write(s.Event())
//	}
//	report(s.Err(), s.Summary(), s.Malformed(), s.Signs())
//
// In go the lines of a log; out comes an event.Event per line that is a page somebody looked at, with the line's own
// time. The other lines are counted, by the reason they were passed over, and malformed ones are kept with
// their number for the operator to see.
//
// Invariants:
//   - Every line is exactly one of: an event, skipped for one reason, malformed.
//   - The first field is an address or a host name, or the line is malformed: see clientOf.
//   - A line's id is a keyed digest of the line and its rank, the number of equal lines before it in the file, which the caller
//     keeps. So the same line of another file has the same id under the same secret, wherever it is there.
//   - The address leaves the package only as country and hash (package identity). The visitor is that of address, user
//     agent, site and the site's day under the salts of the import, and so none of the collector's.
//   - A line's URL is "https://", the site, and the request target as it was logged, query and all; logs don't say which
//     scheme or host was asked for.
//
// Units: Time and Received are both the line's time, in ms, whole seconds; lines count from 1. Memory is one
// line of at most MaxLine bytes.
//
// A Scanner belongs to one goroutine. Package cmd calls it from "millrace import".
//
// It does not: tell bots, parse user agents (package engine does), unpack files, or write anything.
package accesslog
