// Package swetrix is the protocol of Swetrix's library: /log and what is below it.
//
// A body is an object, of which pid is the token of the site:
//
//	{"pid":"aUn1quEid-3","pg":"/1","lc":"de-AT","ref":"https://www.google.com/","qs":"utm_source=news"}
//
// The library sends a path and no host. The site is the one that has pid as a token, otherwise the
// one of the page's host, which browsers name in Origin and Referer; that host, or else the site,
// and pg with the query qs are the address of the page. A fragment in it is part of the page.
//
// What becomes of it, by its path:
//
//	/log, /log/     a view of a page; meta are properties
//	/log/custom     the event ev; meta are properties
//	/log/error      the event "error", which is no sign of the visitor's doing, with the properties
//	                name, message, filename, lineno, colno, stackTrace and those of meta
//	/log/hb         a ping: it lengthens the visit and counts as nothing
//	/log/noscript   a view by an image: the query has pid and pg, which else is the Referer
//	/log/identify   nothing: it says who the visitor is, and that is not kept yet
//	/feature-flag/evaluate   nothing: the answer has no flags
//
// Ref and lc are columns. So, me, ca, te and co are the campaign of pages without qs. Revenue in
// meta is the revenue, in currency of meta or else the currency of the site; the protocol knows
// none. Objects in meta are properties by keys with dots, lists as JSON.
//
// Of trusted callers X-Client-IP-Address is the visitor's address, and then User-Agent is his.
//
// Passed over are profileId, tz, perf and unique (a view or an event that is to count once a
// visit counts each time), and all that is not named here. Recordings of visits
// (/log/session-replay) and the ids of visitors and visits (/log/profile-id, /log/session-id) are
// not served; at 404 the library does without. The protocol has no ids of events.
//
// Accepted is 200 with {}. Refused is the status of the Refusal with {"error":"…"}. Swetrix
// 4.6.1 looks at no status and never sends again; track() resolves at any, and is rejected if
// there is no answer. A browser sends again by itself on a connection that was closed.
//
// A page that is prerendered does not count: the library sends its view at once.
//
// The sources are what swetrix 4.6.1 was recorded to send in Chromium 156, its code, and the
// reference of Swetrix's events API.
package swetrix
