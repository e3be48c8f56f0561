// Package jitsu is the protocol of Jitsu's tracker, @jitsu/js: POST /api/s/TYPE of pages, and
// /api/s/s2s/TYPE of servers that say s2s; TYPE is one of track, page, screen, identify, group,
// alias, and batch.
//
// A body is a message of Segment's specification, and becomes what package segment describes; it is
// read by protocol.Messages. The site is the one that has the header X-Write-Key, which is ID:SECRET,
// or the ID in it as a token, otherwise the one of the page's host. The field writeKey has its secret
// masked (ID:***), so that the ID of it is what is taken where there is no header. The key is Jitsu's, and
// none of this installation: it makes nobody trusted.
//
// MessageId is the id of the event. The client is anonymousId, or else userId. Passed
// over are context.clientIds, traits, and X-IP-Policy: of an address nothing is kept but the place.
//
// A request that no page has made is a server's or an app's, whose user agent says nothing about
// bots: @jitsu/js in node sends "node", and to /api/s/ too unless it is told s2s. A page that is
// rendered ahead does not count: the tracker sends at once.
//
// Accepted is 200 with {"ok":true}. Refused is {"ok":false,"error":"…"}. What @jitsu/js does:
//
//	200 with JSON               success: the promise has the message
//	2xx that is no JSON         reported (console.error, or what errorPolicy says), not sent again
//	3xx, 4xx, 5xx, no answer    reported, not sent again
//
// So nothing is ever sent again, whatever the status (NeverResends).
//
// The script p.js is not served. It sends to where it was loaded from, whatever window.jitsuConfig
// says of a host: take @jitsu/js from npm, or serve p.js under the address of this installation.
//
// The sources are Jitsu's types (@jitsu/protocols 1.11.0) and what @jitsu/js 1.11.0 was recorded to
// send in node and in Chromium.
package jitsu
