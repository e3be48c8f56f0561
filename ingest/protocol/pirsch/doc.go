// Package pirsch is the protocol of Pirsch's script and libraries: /hit, /event and /session of
// pages, and /api/v1/hit, /api/v1/event and /api/v1/session of servers, each also with /batch.
//
// A page sends a view in the query of a GET, and an event as JSON by sendBeacon:
//
//	/hit?nc=1795964555952&code=CODE&url=https:%2F%2Fshop.example.com%2F1&t=Shop+page&ref=&w=800&h=600&tag_author=John
//	{"identification_code":"CODE","event_name":"Purchase","event_duration":12,"event_meta":{"plan":"pro"},
//	 "url":"https://shop.example.com/1","title":"Shop page","referrer":"","screen_width":800,"screen_height":600}
//
// Its site is the one that has the identification code as a token, otherwise the one of the page's
// host. A server sends the same fields (but for the code) with ip, user_agent, accept_language and,
// in batches, time. Its site is the one of the page's host, otherwise the one that the write key is
// for. Servers are trusted callers alone; the key stands in Authorization: Bearer, where the
// libraries have Pirsch's own. A library that has an access key wants one of "pa_" and 45
// characters; one with a client id and secret sends nothing at first, and at 401 asks
// /api/v1/token for a token, which is its secret: that (of 64 characters) is the write key.
//
// A session is a ping: it lengthens the visit and counts as nothing. Title is a property, and so are
// tags, event_meta (objects by keys with dots, lists as JSON) and an event_duration that is not 0.
// Revenue in event_meta is the revenue, in currency or else the currency of the site; the protocol
// knows none. Non_interactive is what it says. The script escapes the referrer of an event, which is
// undone.
//
// Passed over are nc, disable_bot_filter (the user agent says what is a bot), the hints of browsers
// (sec_ch_…), and all that is not named here. The protocol has no ids of events.
//
// Accepted is 200 with {}. Refused is the status of the Refusal with {"validation":{},"error":["…"]}.
// Pirsch-sdk 2.9.1 takes 2xx for success and throws at all else, with the first error as the
// message; with a client id and secret it sends once more at 401. No answer at all is thrown as
// code 500 in node and as 400 in a browser. Events of a page are given to sendBeacon, and nobody
// looks at the answer. Nothing is sent again.
//
// A page that is prerendered does not count: script and library send at once.
//
// The sources are what pirsch-sdk 2.9.1 was recorded to send in node 20 and in Chromium 156, its
// code and that of the script, and Pirsch's reference of its API (v1).
package pirsch
