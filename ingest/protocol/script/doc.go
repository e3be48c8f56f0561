// Package script serves Millrace's page script: GET /js/script.js, and under further paths that the
// operator chooses.
//
// It is a protocol whose Read returns no events. What the script sends goes to /api/event, package
// plausible, which has what a page script needs: an address that needs no preflight, pings, lists
// of sites, and a way with fields that can't be used by which no view is lost; and so the snippets
// and the calls that pages of Plausible's users have work with it as they are. /v1/events is for
// programs whose author reads the answer.
//
// Plausible's names of its script (/js/script.hash.outbound-links.js, /js/plausible.js,
// /js/pa-KEY.js) are the same file; the script finds the words in its own address. Other names in
// /js/ are 404.
//
// # The script
//
// script.js is what people read and change, script.min.js is what browsers get:
//
//	go generate ./ingest/protocol/script
//
// A test holds that one is made of the other and that it has at most 1,024 bytes with gzip. What it
// relies on: JavaScript of 2018 (spread in objects), fetch, sendBeacon, and a <script> of its own, so
// that it is no module. docs/script.md is its manual.
//
// Invariants of it:
//
//   - It keeps nothing: neither a cookie nor in a storage.
//   - Each event has an id, a number from 0 to 1 with 52 random bits. With it the event is sent again
//     when there is no answer, or one of 429 and above, up to 170 s after the first time: the id is
//     known for ten minutes. When the page is hidden or closed, all that has no answer yet goes
//     once more, by sendBeacon.
//   - A page has no view before it is shown: not while it is rendered ahead, nor in a tab that is
//     not looked at. It sends a version (v), which says so to package plausible.
//   - What it has changed of the page is window.plausible and history.pushState.
//
// The answer has an ETag, is good for an hour and then to be asked for again, and is packed by gzip
// for those who take it.
package script
