// Package accesslog reads access logs in Apache's combined format as pageviews.
//
// In go the lines of a log; out comes an event.Event per line that is a page somebody looked at, with the line's own
// time. The other lines are counted, by the reason they were passed over, and malformed ones are kept with
// their number for the operator to see.
//
// Invariants:
//   - Every line is exactly one of: an event, skipped for one reason, malformed.
//   - The same file under the same secret gives the same events with the same ids, so that importing it twice
//     changes nothing. The id is a keyed digest of the line and the line's number, so that two equal lines are two
//     events.
//   - The address leaves the package only as country and hash (package enrich). The visitor is the one that the collector
//     would have made of the same address, user agent, site and day.
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
